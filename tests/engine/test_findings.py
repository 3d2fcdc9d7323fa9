"""What a policy finds is a symptom, as soon as it has held, and until it is over."""

from __future__ import annotations

import pytest

from prunella.adapters.intake import findings as findings_module
from tests.engine import harness
from tests.engine.harness import CHECKOUT, Story


@pytest.fixture
async def told(story: Story) -> findings_module.Findings:
    """What is told by an operator that was started anew to tell it."""
    found = findings_module.Findings(story.world.clock)
    story.kill()
    story.findings = found
    story.start()
    return found


async def test_a_bad_release_is_told_and_its_end(
    story: Story, told: findings_module.Findings
) -> None:
    """Given a rollback that helps, then there is one beginning and one end of the symptom."""
    await harness.bad_release(story)
    await story.until(lambda: bool(story.sent()))
    (begun,) = told.tell()
    assert ("errors", CHECKOUT, True) == (begun.name, begun.target, begun.firing)
    assert "above 0.05" in begun.message
    assert begun.received - begun.starts_at >= 10, "it has held for as long as the policy wants"
    await story.run(120)
    (ended,) = told.tell()
    assert (begun.starts_at, False) == (ended.starts_at, ended.firing)


@pytest.mark.parametrize("invalid", [False, True], ids=["deleted", "edited into nonsense"])
async def test_a_policy_that_can_not_say_any_more(
    story: Story, told: findings_module.Findings, invalid: bool
) -> None:
    """Nobody would say that its symptom is over, so it ends with the policy."""
    document = {**harness.spec(), "mode": "Advise"}
    await harness.bad_release(story, document)
    await story.run(60)
    (begun,) = told.tell()
    assert begun.firing
    if invalid:
        story.apply({**document, "when": "nonsense("})
    else:
        story.delete()
    await story.run(10)
    (ended,) = told.tell()
    assert not ended.firing


async def test_the_signals_of_a_policy_with_a_trigger_are_proofs(
    story: Story, told: findings_module.Findings
) -> None:
    """They are no symptoms: they may show what others suffer. What was told before ends."""
    document = {**harness.spec(), "mode": "Advise"}
    await harness.bad_release(story, document)
    await story.run(60)
    (begun,) = told.tell()
    story.apply({**document, "trigger": {"incident": {"causeKind": ["Release"]}}})
    await story.run(60)
    (ended,) = told.tell()
    assert (begun.starts_at, False) == (ended.starts_at, ended.firing)
