"""The live view: a panel that changes in a terminal, plain lines elsewhere."""

from __future__ import annotations

import rich.console
import rich.live
import rich.panel
import rich.table
import rich.text

from prunella.demo import story

PARTS = ("observe", "decide", "act", "verify", "proof")
_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 48
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
    grid = rich.table.Table.grid(padding=(0, 1))
    grid.add_row(_loop(scene.part))
    for name, ratios in scene.ratios.items():
        grid.add_row(_ratio(name, ratios, scene.images.get(name, "")))
    grid.add_row("")
    for line in scene.lines[-_MOST_LINES:]:
        grid.add_row(_line(scene, line))
    return rich.panel.Panel(grid, title=f"prunella demo: {title}", border_style="green")


def _loop(now: str) -> rich.text.Text:
    text = rich.text.Text()
    for part in PARTS:
        style = "bold reverse" if part == now else "dim"
        text.append(f" {part} ", style=style)
        text.append("" if part == PARTS[-1] else " → ", style="dim")
    return text


def _ratio(name: str, ratios: list[float], image: str) -> rich.text.Text:
    bars = "".join(_BARS[min(8, round(ratio / 0.3 * 8))] for ratio in ratios[-_WIDTH:])
    bad = bool(ratios) and ratios[-1] > story.LIMIT
    text = rich.text.Text(f"{name:<9} {image.rpartition(':')[2]:<7} ")
    text.append(f"{bars:<{_WIDTH}}", style="red" if bad else "green")
    text.append(f" {ratios[-1]:.1%} errors" if ratios else "")
    return text


def _line(scene: story.Scene, line: story.Line) -> rich.text.Text:
    style = {True: "green", False: "red", None: ""}[line.good]
    text = rich.text.Text(f"{(line.time - scene.began).total_seconds():6.1f} s  ", style="dim")
    text.append(f"{line.part:<8}", style=_COLOURS.get(line.part, "bold"))
    text.append(line.text, style=style)
    return text


def open_view(console: rich.console.Console, title: str) -> PlainView | LiveView:
    """The live view in a terminal, plain lines elsewhere."""
    return LiveView(console, title) if console.is_terminal else PlainView(console)
