"""A death at each request: which there are, counted from the code, and what comes of each."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import typing
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from prunella.engine import world as worlds
from tests.faults import stage, stories, wires
from tests.faults.wires import ENGINE, Side

SIDES: Final = (Side.BEFORE, Side.AFTER)
Site = tuple[str, str]
OF_INCIDENTS: Final = "incident"
"""Files of the loop of incidents, which carries nothing out."""
STEP_SECONDS: Final = 5.0


def requests_of_ports() -> dict[str, set[str]]:
    """Names of the coroutines of each port of the engine's world."""
    found = {}
    hints = typing.get_type_hints(worlds.World)
    for field in dataclasses.fields(worlds.World):
        if field.name in wires.NO_WIRE:
            continue
        for port in typing.get_args(hints[field.name]) or (hints[field.name],):
            asked = {n for n in vars(port) if inspect.iscoroutinefunction(getattr(port, n, None))}
            if asked:
                found[field.name] = asked
    return found


def sites() -> set[Site]:
    """The places in the engine's code that send a request: function, and the port's method."""
    known = requests_of_ports()
    found: set[Site] = set()
    for path in sorted(ENGINE.glob("*.py")):
        if path.stem.startswith(OF_INCIDENTS):
            continue
        for function, node in _attributes(ast.parse(path.read_text())):
            port = _port_of(node, known, path.stem)
            if port is not None:
                found.add((f"{path.stem}.{function}", f"{port}.{node.attr}"))
    return found


def _attributes(tree: ast.Module) -> Iterator[tuple[str, ast.Attribute]]:
    """Attributes, each with the outermost function or the method that it is in."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from _inside(f"{node.name}.{each.name}", each)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _inside(node.name, node)


def _inside(name: str, node: ast.AST) -> Iterator[tuple[str, ast.Attribute]]:
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute):
            yield name, each


def _port_of(node: ast.Attribute, known: dict[str, set[str]], file: str) -> str | None:
    """The port whose request this names: ``world.PORT.method``, ``PORT.method``, ``port.method``.

    A ``port`` without a name is that of the file.
    """
    value = node.value
    name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
    name = name.lstrip("_") if name != "port" else file
    return name if node.attr in known.get(name, set()) else None


@dataclasses.dataclass(frozen=True, slots=True)
class Death:
    """What became of one story with a death in it."""

    story: str
    number: int
    side: str
    died_at: wires.Request | None
    broken: tuple[tuple[str, str], ...]
    over: bool
    effects: int
    phases: str

    def __str__(self) -> str:
        where = self.died_at.site if self.died_at else "nowhere"
        return f"{self.story}, death {self.side} request {self.number} at {where}: {self.phases}"


async def tell(name: str, number: int, side: str) -> Death:
    """A story with a death at one request."""
    told = stories.EVERY[name]
    async with stage.telling(told.settings) as story:
        await begin(story, told)
        story.crash_at(number, side)
        await until_over(story, name)
        story.promises.at_the_end()
        return Death(
            name,
            number,
            side,
            story.died_at,
            tuple(story.promises.broken),
            stories.over(story, name),
            len(story.promises.sent),
            str(story.phases()),
        )


async def begin(story: stage.FaultStory, told: stories.Told) -> None:
    """Let a story begin."""
    if told.first_death is not None:
        story.die_after(told.first_death)
    begun: Any = told.begin(story)
    if inspect.isawaitable(begun):
        await begun
    if told.first_death is None:
        return
    for _ in range(int(told.longest / STEP_SECONDS)):
        if not story.alive:
            break
        await story.run(STEP_SECONDS)
    assert not story.alive, f"nobody died: {story.phases()}"
    story.start()


async def until_over(story: stage.FaultStory, name: str) -> None:
    """Let time pass, with another operator for each that has died, until all is done."""
    for _ in range(int(stories.EVERY[name].longest / STEP_SECONDS)):
        await story.run(STEP_SECONDS)
        if not story.alive:
            story.start()
        if stories.over(story, name):
            break


async def requests_of(name: str) -> list[wires.Request]:
    """All requests of a story in which nothing goes wrong, from its beginning to its end."""
    told = stories.EVERY[name]
    async with stage.telling(told.settings) as story:
        await begin(story, told)
        story.count_from_now()
        await until_over(story, name)
        story.promises.at_the_end()
        assert [] == story.promises.broken, f"{name}: {story.promises.broken[:3]}"
        assert stories.over(story, name), f"{name}: {story.phases()}"
        if name in stories.STORIES:
            assert name in {action for action, _ in story.phases()}
            assert not story.pages() or name == "revert", f"{name}: {story.phases()}"
        return list(story.requests)


OF_ACTIONS: Final[Collection[Site]] = {
    ("captures", "keep"),
    ("cluster", "give_back"),
    ("ledger", "create"),
    ("ledger", "update"),
    *wires.CHANGES,
}
"""What an action writes, in its own way."""
WRITES: Final = {
    ("approvals", "answer"),
    ("ledger", "delete"),
    ("ledger", "label"),
    ("notifier", "escalate"),
    ("policies", "write_status"),
    *OF_ACTIONS,
}
"""What is not the same before it and after it."""
Point = tuple[int, str]


def every_point(requests: Sequence[wires.Request]) -> list[Point]:
    """Before and after each request."""
    return [(number, side) for number in range(1, len(requests) + 1) for side in SIDES]


def chosen_points(
    requests: Sequence[wires.Request], known: Collection[object], always: Collection[Site]
) -> list[Point]:
    """The first request of each way that the code takes, and the last of those of an action.

    After what only reads all is as it was before it, but for what dies with the process.
    ``known`` are ways that are tried in other stories; the sorts ``always`` are tried in each.
    """
    ways: dict[object, list[int]] = {}
    for number, request in enumerate(requests, 1):
        if request.way not in known or (request.port, request.method) in always:
            ways.setdefault(request.way, []).append(number)
    points: set[Point] = set()
    for numbers in ways.values():
        request = requests[numbers[0] - 1]
        sort = request.port, request.method
        points.add((numbers[0], Side.BEFORE))
        if sort in WRITES:
            points.add((numbers[0], Side.AFTER))
        if sort in OF_ACTIONS:
            points.add((numbers[-1], Side.AFTER))
    return sorted(points)
