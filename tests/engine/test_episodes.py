"""What an illness remembers in virtual time: flickers, modes that change, windows that close."""

from __future__ import annotations

from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story
from tests.engine.test_approvals import approving


async def test_one_healthy_sample_does_not_silence_the_next_illness(story: Story) -> None:
    """Given a question, when it is Healthy in one pass and sick again, then it is asked again."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=100.0)
    document = approving({"restart": {}}, signals=[harness.saturation()], interval="30s")
    story.apply(document)
    await story.until(lambda: bool(story.records()))
    story.world.apps.surge(CHECKOUT, load=0.0)
    await story.until(lambda: story.records()[0].phase is Phase.EXPIRED)
    story.world.apps.surge(CHECKOUT, load=100.0)
    await story.until(lambda: len(story.records()) == 2)

    first, second = story.records()
    assert first.status.reason == "RecoveredByItself"
    assert first.status.cleared_at == first.status.finished_at
    assert second.phase is Phase.AWAITING_APPROVAL
    assert len(story.pages()) == 2, "one for each question"
