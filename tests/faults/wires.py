"""The wires between an operator and its ports: every request has a number, and may be its last.

A port is wrapped as a whole, by looking which of its methods are coroutines: a new method of a
port, and a new port of the simulated world, is on a wire by itself.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import pathlib
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final

from prunella import engine, ports
from prunella.adapters.simulated import faults as faults_module
from prunella.engine import world as worlds

ENGINE: Final = pathlib.Path(engine.__file__).parent
CHANGES: Final = {
    ("cluster", "send"),
    ("outward", "call"),
    ("repositories", "send"),
}
"""What carries effects out: port and method."""
NO_WIRE: Final = {"clock", "telemetry"}


class Side:
    """When an operator dies: before its request is on the way, or with the answer at hand."""

    BEFORE: Final = "before"
    AFTER: Final = "after"


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One request of an operator."""

    number: int
    port: str
    method: str
    path: tuple[str, ...]
    """The engine's functions that led to it, the innermost first; empty: a task of its own."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def site(self) -> tuple[str, str]:
        """The place in the code: the function, and the port's method."""
        return (self.path[0] if self.path else ""), f"{self.port}.{self.method}"

    @property
    def changes(self) -> bool:
        """Whether it carries an effect out; a dry run does not."""
        return (self.port, self.method) in CHANGES and not self.kwargs["dry_run"]

    @property
    def way(self) -> tuple[tuple[str, ...], str, str, bool]:
        """Requests of the same way differ in what they are about, and in nothing else."""
        return self.path, self.port, self.method, self.changes


class Life:
    """One operator from its start to its death: nothing of it arrives any more after that."""

    def __init__(self) -> None:
        self.dead = False
        self.count = 0


Hook = Callable[["Life", Request], Coroutine[Any, Any, None]]
Answered = Callable[["Life", Request, Any], Coroutine[Any, Any, Any]]


class Wired:
    """A port at the end of a wire."""

    def __init__(self, name: str, port: Any, life: Life, before: Hook, after: Answered) -> None:
        self._name, self._port, self._life = name, port, life
        self._before, self._after = before, after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not inspect.iscoroutinefunction(found):
            return found
        return functools.partial(self._call, name, found)

    def _call(self, method: str, found: Any, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """A plain function: who calls is seen here, and not where a task is begun."""
        return self._arrive(method, found, path_of_caller(), args, kwargs)

    async def _arrive(
        self,
        method: str,
        found: Any,
        path: tuple[str, ...],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        self._alive()
        self._life.count += 1
        request = Request(self._life.count, self._name, method, path, args, kwargs)
        await self._before(self._life, request)
        self._alive()
        answer = await found(*args, **kwargs)
        self._alive()
        answer = await self._after(self._life, request, answer)
        self._alive()
        return answer

    def _alive(self) -> None:
        """Nothing of a dead process runs on."""
        if self._life.dead:
            raise asyncio.CancelledError


def wired(world: worlds.World, life: Life, before: Hook, after: Answered) -> worlds.World:
    """A world whose ports are all at the end of wires."""
    found = {each.name: getattr(world, each.name) for each in dataclasses.fields(world)}
    return dataclasses.replace(
        world,
        **{
            name: Wired(name, port, life, before, after)
            for name, port in found.items()
            if name not in NO_WIRE and has_requests(port)
        },
    )


class Seen:
    """The simulated world as one operator sees it, with ports that only it has."""

    def __init__(self, world: Any, **own: Any) -> None:
        self._world, self._own = world, own

    def __getattr__(self, name: str) -> Any:
        return self._own[name] if name in self._own else getattr(self._world, name)


def has_requests(port: Any) -> bool:
    """Whether something is asked for by a coroutine."""
    public = (name for name in dir(type(port)) if not name.startswith("_"))
    return any(inspect.iscoroutinefunction(getattr(type(port), name)) for name in public)


def path_of_caller() -> tuple[str, ...]:
    """The engine's functions on the stack, the innermost first."""
    found: list[str] = []
    frame = sys._getframe(2)
    while frame is not None:
        path = pathlib.PurePath(frame.f_code.co_filename)
        if path.parent == ENGINE:
            found.append(f"{path.stem}.{outermost(frame.f_code.co_qualname)}")
        frame = frame.f_back  # type: ignore[assignment]
    return tuple(found)


def outermost(qualname: str) -> str:
    """The function or method that a comprehension or a closure is in."""
    return qualname.partition(".<locals>")[0]


def unanswered(request: Request) -> Any:
    """What a port says, or raises, when the answer to a request was lost."""
    lost = "the connection broke before the answer came"
    if (request.port, request.method) in CHANGES:
        outcome = ports.Outcome.UNKNOWN if request.changes else ports.Outcome.REFUSED
        return ports.Receipt(outcome, lost)
    raise ports.OutcomeUnknown(lost)


def crash(where: str) -> faults_module.Crash:
    """The end of a process."""
    return faults_module.Crash(f"died {where}")
