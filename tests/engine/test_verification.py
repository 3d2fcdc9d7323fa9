"""An action is a claim to be proved; what follows when it is not."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.adapters.simulated import metrics as metrics_module
from prunella.api import reasons
from prunella.core import objects
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused = reasons.Refused


def overload(story: Story) -> None:
    """Load that no number of pods within bounds can carry."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=100.0)


async def test_unhelpful_is_reverted_then_the_next_step_then_a_person(story: Story) -> None:
    """Given a fault that nothing mends, then scale, its undoing, restart, and one page."""
    overload(story)
    steps: Any = ({"scale": {"by": 2}}, {"restart": {}})
    story.apply(harness.spec(*steps, signals=[harness.saturation()]))
    await story.until(lambda: bool(story.pages()))
    await story.run(300)

    expected = [
        ("scale", Phase.UNHELPFUL),
        ("revert", Phase.SUCCEEDED),
        ("restart", Phase.UNHELPFUL),
    ]
    assert expected == story.phases()
    assert story.workload().replicas == 3
    first, revert, restart = story.records()
    assert ("", first.name) == (first.spec.follows, revert.spec.follows)
    assert revert.name == restart.spec.follows
    assert [restart.name] == story.pages()
    assert story.condition("Escalated") == ("True", "StillUnhealthy")
    assert story.sick().refused == Refused.NO_STEP_LEFT
    assert sorted(set(story.sent())) == sorted(story.sent())


async def test_continue_goes_on_without_undoing(story: Story) -> None:
    """Given ``otherwise: Continue``, when scaling did not help, then the replicas stay."""
    overload(story)
    verify = {"within": "20s", "samples": 2, "otherwise": "Continue"}
    steps: Any = ({"scale": {"by": 2}}, {"restart": {}})
    story.apply(harness.spec(*steps, signals=[harness.saturation()], verify=verify))
    await story.until(lambda: bool(story.pages()))

    assert [action for action, _ in story.phases()] == ["scale", "restart"]
    assert story.workload().replicas == 5


async def test_escalate_calls_a_person_at_once(story: Story) -> None:
    """Given ``otherwise: Escalate``, when the first step did not help, then no second is tried."""
    overload(story)
    verify = {"within": "20s", "samples": 2, "otherwise": "Escalate"}
    steps: Any = ({"scale": {"by": 2}}, {"restart": {}})
    story.apply(harness.spec(*steps, signals=[harness.saturation()], verify=verify))
    await story.until(lambda: bool(story.pages()))
    await story.run(120)

    assert story.phases() == [("scale", Phase.UNHELPFUL)]


async def test_a_rollback_is_not_undone(story: Story) -> None:
    """Given a fault that v1 has too, when the rollback did not help, then it stays."""
    await harness.bad_release(story)
    story.world.apps.surge(CHECKOUT, errors=0.3)
    await story.until(lambda: bool(story.pages()))
    await story.run(120)

    assert story.phases() == [("rollback", Phase.UNHELPFUL)]
    assert story.image() == harness.GOOD


async def test_a_long_window_does_not_undo_a_good_rollback(story: Story) -> None:
    """Given a 2 m window, when a perfect rollback still shows errors, then they do not count."""
    signal = harness.errors()
    for role, query in signal["ratio"].items():
        signal["ratio"][role] = query.replace("[15s]", "[2m]")
    document = harness.spec({"rollback": {}}, {"restart": {}}, signals=[signal])
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(document)
    await story.run(150)
    story.release(harness.BAD)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)], 400)


async def test_no_data_is_no_proof_and_the_page_is_sent_until_it_arrives(story: Story) -> None:
    """Given metrics that end after the action, then it is Unproven, and the page is retried."""
    await harness.bad_release(story)
    await story.until(lambda: bool(story.sent()))
    story.world.apps.stop()
    story.world.notifier.broken = True
    await story.until(lambda: story.phases() == [("rollback", Phase.UNPROVEN)])
    await story.run(60)
    failures = story.world.telemetry.value("prunella_escalation_failures_total")
    assert (story.pages(), failures >= 3) == ([], True)
    assert story.records()[0].status.escalated_at is None

    story.world.notifier.broken = False
    await story.run(60)
    assert [story.records()[0].name] == story.pages(), "once, when it has arrived"
    assert story.condition("Escalated") == ("True", "NotProven")
    assert len(story.sent()) == 1, "nothing more is done"


async def test_a_target_that_recovers_as_a_person_is_called_costs_no_failed_pass(
    story: Story,
) -> None:
    """Given an unproven action, when the target is seen Healthy next, then both are recorded."""
    await harness.bad_release(story)
    await story.until(lambda: bool(story.sent()))
    now = story.world.clock.now()
    await story.run(20)
    story.world.metrics.faults.set(metrics_module.Fault.DOWN, now)
    await story.until(lambda: story.phases() == [("rollback", Phase.UNPROVEN)])
    story.world.metrics.faults.heal()
    await story.run(6)

    record = story.records()[0]
    assert ([record.name], True) == (story.pages(), record.status.cleared_at is not None)
    assert story.world.telemetry.value("prunella_pass_errors_total") == 0


async def test_an_eviction_is_proved_with_the_new_pod_there(story: Story) -> None:
    """Given pods that start slowly, when one is evicted, then the proof waits for the next."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK, startup_seconds=60)
    found = story.world.cluster.states(NAMESPACE)[0]
    found.pods[0].created -= datetime.timedelta(hours=1)
    signal = {**harness.memory(), "prometheus": {"query": "app_memory_bytes"}}
    story.apply(harness.spec({"evictPod": {}}, signals=[signal]))
    await story.until(lambda: story.phases() == [("evictPod", Phase.SUCCEEDED)])

    record = story.records()[0]
    verification = record.status.verification
    assert verification is not None
    assert verification.rollout_complete_at is not None
    assert record.sent_at is not None
    assert (verification.rollout_complete_at - record.sent_at).total_seconds() >= 60


async def test_an_action_nobody_can_settle_calls_a_person_even_when_all_is_well(
    story: Story,
) -> None:
    """Given a record whose outcome nobody knows, then health alone does not end the page."""
    await harness.bad_release(story, harness.spec({"restart": {}}))
    story.lose_answer_to_action()
    await story.until(lambda: story.phases() == [("restart", Phase.ACTING)])
    story.release(harness.GOOD)
    story.world.cluster.edit(
        CHECKOUT, lambda manifest: manifest["metadata"]["annotations"].pop(objects.MARK)
    )
    story.world.notifier.broken = True
    await story.until(lambda: story.phases() == [("restart", Phase.UNKNOWN)])
    await story.run(90)
    assert story.status().sick == [], "Healthy by a person's hand"
    story.world.notifier.broken = False
    await story.run(20)

    assert [story.records()[0].name] == story.pages()
    assert story.condition("Ready") == ("False", "Latched")


async def test_a_persons_edit_ends_the_attempt(story: Story) -> None:
    """Given an action under proof, when a person edits the target, then it is theirs."""
    steps: Any = ({"scale": {"by": 2}}, {"restart": {}})
    overload(story)
    story.apply(harness.spec(*steps, signals=[harness.saturation()]))
    await story.until(lambda: bool(story.sent()))
    story.world.cluster.scale(CHECKOUT, 4)
    await story.run(300)

    assert story.phases() == [("scale", Phase.SUPERSEDED)]
    assert (story.workload().replicas, len(story.sent())) == (4, 1)
    assert story.sick().refused == Refused.CHANGED_BY_OTHERS


async def test_a_release_during_the_proof_of_a_rollback_is_not_fought(story: Story) -> None:
    """Given a rollback under proof, when a person releases again, then nothing undoes it."""
    await harness.bad_release(story)
    await story.until(lambda: bool(story.sent()))
    await story.run(10)
    story.release("shop/checkout:v3-bad")
    await story.run(300)

    assert story.phases() == [("rollback", Phase.SUPERSEDED)]
    assert story.image() == "shop/checkout:v3-bad"
    assert story.sick().refused == Refused.CHANGED_BY_OTHERS


async def test_an_autoscaler_is_no_person_to_a_restart(story: Story) -> None:
    """Given a restart under proof, when replicas change, then the proof goes on."""
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.LEAK, age=datetime.timedelta(hours=1)
    )
    story.apply(harness.spec({"restart": {}}, signals=[harness.memory()]))
    await story.until(lambda: bool(story.sent()))
    story.world.cluster.scale(CHECKOUT, 5)
    await story.until(lambda: story.phases() == [("restart", Phase.SUCCEEDED)])


async def test_a_watch_that_is_behind_is_not_taken_for_a_persons_edit(story: Story) -> None:
    """Given a watch that shows the target as before the action, then the proof just waits."""
    await harness.bad_release(story)
    await story.until(
        lambda: story.sick().refused == Refused.NOT_HELD if story.status().sick else False
    )
    await story.run(5)
    story.world.cluster.break_watch()
    await story.run(30)
    assert story.phases() == [("rollback", Phase.VERIFYING)]
    story.world.cluster.mend_watch()
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])


async def test_three_unhelpful_actions_latch_until_a_person_resumes(story: Story) -> None:
    """Given three unhelpful steps of four, then the fourth waits for a person, who is called."""
    overload(story)
    steps: Any = [{"scale": {"by": n}} for n in (1, 2, 3)] + [{"restart": {}}]
    verify = {"within": "10s", "samples": 2, "otherwise": "Continue"}
    story.apply(harness.spec(*steps, signals=[harness.saturation()], verify=verify))
    await story.until(lambda: story.status().latch is not None)
    await story.run(300)

    assert story.phases() == [("scale", Phase.UNHELPFUL)] * 3
    assert story.condition("Ready") == ("False", "Latched")
    assert story.condition("Stalled") == ("True", "Latched")
    assert story.sick().refused == Refused.LATCHED
    assert "3 actions in a row did not help, the limit is 3" in story.sick().refusal
    assert [story.records()[-1].name] == story.pages()

    story.resume()
    await story.until(lambda: len(story.sent()) == 4)
    assert story.status().latch is None
    assert story.records()[-1].spec.step == 0, "from the first step on"


async def test_re_creating_a_policy_clears_no_latch(story: Story) -> None:
    """Given a latched policy, when it is deleted and applied again, then it is still latched."""
    overload(story)
    steps: Any = [{"scale": {"by": n}} for n in (1, 2, 3)] + [{"restart": {}}]
    verify = {"within": "10s", "samples": 2, "otherwise": "Continue"}
    document = harness.spec(*steps, signals=[harness.saturation()], verify=verify)
    story.apply(document)
    await story.until(lambda: story.status().latch is not None)
    story.delete()
    await story.run(70)
    story.apply(document)
    await story.run(120)

    assert (len(story.sent()), story.sick().refused) == (3, Refused.LATCHED)


@pytest.mark.parametrize("after", [0, 5, 20, 40])
async def test_a_restarted_operator_takes_the_proof_up_again(story: Story, after: int) -> None:
    """Given an action under proof, when the operator dies, then the next one proves it."""
    await harness.bad_release(story)
    await story.until(lambda: bool(story.sent()))
    await story.run(after)
    story.kill()
    story.start()
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    assert len(story.sent()) == 1
