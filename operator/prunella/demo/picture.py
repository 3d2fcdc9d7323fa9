"""The README's picture, drawn from a real run of the demo: `make picture`."""

from __future__ import annotations

import asyncio
import io
import pathlib
import re
import sys

import rich.console

from prunella import logs
from prunella.demo import simulated, story, view

WIDTH = 112
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def render() -> str:
    """Play the story and draw its last scene as SVG; fonts are the reader's own."""
    logs.quiet()
    scenes: list[story.Scene] = []
    asyncio.run(simulated.play(story.Fault.NONE, scenes.append, pace=0))
    console = rich.console.Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(view.draw(scenes[-1], simulated.SimulatedStage.title))
    return _FONT_FACE.sub("", console.export_svg(title="make demo", unique_id="demo"))


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).write_text(render(), encoding="utf-8")
