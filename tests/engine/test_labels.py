"""Records bear labels that follow their phase, with few writes and no harm when one fails."""

from __future__ import annotations

import dataclasses

import pytest

from prunella import ports
from prunella.adapters.simulated import faults as faults_module
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Phase, Story

Point = faults_module.Point


def phases(story: Story) -> list[str]:
    """The phase labels of the records, oldest first."""
    return [each.labels.get("prunella.dev/phase", "") for each in story.records()]


async def test_the_labels_follow_an_action_to_its_end(story: Story) -> None:
    """Given an action, then its record is labelled after it was sent and when it is proved."""
    await harness.bad_release(story)
    await story.until(lambda: phases(story) == ["Verifying"])
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    await story.run(1)

    (record,) = story.records()
    expected = {
        "prunella.dev/policy": "checkout",
        "prunella.dev/target": "checkout",
        "prunella.dev/action": "rollback",
        "prunella.dev/phase": "Succeeded",
    }
    assert expected == record.labels
    assert 2 == story.faults.passed.count(Point.BEFORE_LABEL)


async def test_advice_costs_no_write_for_its_label(story: Story) -> None:
    """Given Advise, then the record is born with the label of its only phase."""
    await harness.bad_release(story, harness.spec(mode="Advise"))
    await story.until(lambda: bool(story.records()))
    await story.run(300)

    assert (["Advised"], 0) == (phases(story), story.faults.passed.count(Point.BEFORE_LABEL))


LOST = {
    "refused": (Point.BEFORE_LABEL, ports.ClusterError("forbidden", status=403)),
    "a lost race": (Point.BEFORE_LABEL, ports.Conflict("modified", status=409)),
    "no answer": (Point.AFTER_LABEL, ports.OutcomeUnknown("the connection broke")),
}


@pytest.mark.parametrize(("point", "error"), LOST.values(), ids=LOST)
async def test_a_label_that_fails_is_mended_and_stops_nothing(
    story: Story, point: Point, error: ports.ClusterError
) -> None:
    """Given label writes that fail, then the action is proved all the same, and mended later."""
    story.faults.always(point, error)
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    assert 1 == len(story.sent())
    story.faults.heal()
    await story.run(240)

    assert ["Succeeded"] == phases(story)


async def test_records_of_before_are_labelled_a_few_at_a_time(story: Story) -> None:
    """Given 50 records without labels, as after an upgrade, then each minute labels twenty."""
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    (made,) = story.records()
    server = story.world.ledger_server.records
    for number in range(50):
        name = f"old-{number}"
        server[NAMESPACE, name] = dataclasses.replace(
            made, name=name, uid=f"record-{1000 + number}", labels={}
        )
    await story.run(120)
    before = len([each for each in phases(story) if each])
    await story.run(60)
    after = len([each for each in phases(story) if each])
    await story.run(300)

    assert 20 == after - before
    assert {"Succeeded"} == set(phases(story))
    writes = story.faults.passed.count(Point.BEFORE_LABEL)
    await story.run(600)
    assert writes == story.faults.passed.count(Point.BEFORE_LABEL)
