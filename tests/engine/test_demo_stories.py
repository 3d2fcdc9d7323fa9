"""The demo's story is true, and it comes out false when what healing rests on is taken away."""

from __future__ import annotations

import pytest

from prunella.demo import simulated, story


@pytest.mark.parametrize("fault", list(story.Fault))
async def test_only_the_whole_story_comes_out_true(fault: story.Fault) -> None:
    """Given a missing part (right action, metrics, guards), then the teller does not claim it."""
    scenes: list[story.Scene] = []
    healed = await simulated.play(fault, scenes.append, pace=0)

    assert (fault is story.Fault.NONE) == healed
    assert scenes[-1].lines[-1].part == "proof"
