"""The live view: a panel that changes in a terminal, plain lines elsewhere."""

from __future__ import annotations

import rich.console
import rich.live
import rich.panel
import rich.table
import rich.text

from prunella.demo import story

PARTS = ("observe", "decide", "act", "verify", "proof")
_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 48
_FULL = 0.3
"""The error ratio of a full bar."""
_MOST_LINES = 18
_COLOURS = {"observe": "cyan", "decide": "yellow", "act": "magenta", "verify": "blue"}


class PlainView:
    """One line for each thing that happens."""

    def __init__(self, console: rich.console.Console) -> None:
        self._console = console
        self._shown = 0

    def show(self, scene: story.Scene) -> None:
        """Print the lines that are new."""
        for line in scene.lines[self._shown :]:
            seconds = (line.time - scene.began).total_seconds()
            text = f"{seconds:6.1f} s  {line.part:<8} {line.text}"
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        self._shown = len(scene.lines)

    def close(self) -> None:
        """Nothing to put away."""


class LiveView:
    """A panel that is drawn again and again."""

    def __init__(self, console: rich.console.Console, title: str) -> None:
        self._title = title
        self._live = rich.live.Live(console=console, refresh_per_second=8, transient=False)
        self._live.start()

    def show(self, scene: story.Scene) -> None:
        """Draw the scene."""
        self._live.update(draw(scene, self._title))

    def close(self) -> None:
        """Leave the last picture standing."""
        self._live.stop()


def draw(scene: story.Scene, title: str) -> rich.panel.Panel:
    """The whole picture: the loop, the error ratios, what has happened."""
    ratios = rich.table.Table.grid(padding=(0, 1))
    for name, values in scene.ratios.items():
        ratios.add_row(*_ratio(name, values, scene.images.get(name, "")))
    lines = rich.table.Table.grid(padding=(0, 1))
    for line in scene.lines[-_MOST_LINES:]:
        lines.add_row(*_line(scene, line))
    picture = rich.console.Group(_loop(scene.part), "", ratios, "", lines)
    return rich.panel.Panel(picture, title=f"prunella demo: {title}", border_style="green")


def _loop(now: str) -> rich.text.Text:
    text = rich.text.Text()
    for part in PARTS:
        style = "bold reverse" if part == now else "dim"
        text.append(f" {part} ", style=style)
        text.append("" if part == PARTS[-1] else " → ", style="dim")
    return text


def _ratio(name: str, ratios: list[float], image: str) -> tuple[rich.text.Text, ...]:
    """Name, release, the error ratio over the whole story, its newest value."""
    step = -(-len(ratios) // _WIDTH)
    shown = [max(ratios[i : i + step]) for i in range(0, len(ratios), max(step, 1))]
    bars = "".join(_BARS[min(7, round(ratio / _FULL * 7))] for ratio in shown)
    style = "red" if ratios and ratios[-1] > story.LIMIT else "green"
    newest = f"{ratios[-1]:.1%} errors" if ratios else ""
    release = image.rpartition(":")[2]
    return (
        rich.text.Text(f"{name:<9}", style="bold"),
        rich.text.Text(f"{release:<7}"),
        rich.text.Text(f"{bars:<{_WIDTH}}", style=style),
        rich.text.Text(newest, style=style),
    )


def _line(scene: story.Scene, line: story.Line) -> tuple[rich.text.Text, ...]:
    seconds = (line.time - scene.began).total_seconds()
    style = {True: "green", False: "red", None: ""}[line.good]
    return (
        rich.text.Text(f"{seconds:6.1f} s", style="dim"),
        rich.text.Text(line.part, style=_COLOURS.get(line.part, "bold")),
        rich.text.Text(line.text, style=style),
    )


def open_view(console: rich.console.Console, title: str) -> PlainView | LiveView:
    """The live view in a terminal, plain lines elsewhere."""
    return LiveView(console, title) if console.is_terminal else PlainView(console)
