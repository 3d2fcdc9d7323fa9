"""Actions are counted once each; a bad streak and administrators lower what a policy may do."""

from __future__ import annotations

from typing import Any

import pytest

from prunella import ports, trust_settings
from prunella import settings as settings_module
from prunella.adapters.simulated import faults as faults_module
from prunella.api import reasons, trust
from tests.engine import harness, test_approvals, test_nodes
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Crash, Point = faults_module.Crash, faults_module.Point
LABEL = "prunella.dev/max-mode"


def score(story: Story, action: str = "rollback") -> trust.Score:
    """The counts of one action on the policy's status."""
    told = story.status().trust
    assert told is not None
    (found,) = [each for each in told.scores if each.action == action]
    return found


def counts(story: Story, action: str = "rollback") -> dict[str, int]:
    """The counts that are not 0."""
    told = score(story, action).model_dump(exclude={"action", "since"})
    return {name: count for name, count in told.items() if count}


def unmarked(story: Story) -> list[str]:
    """Ended records that do not bear the mark of having been counted."""
    return [each.name for each in story.records() if not each.status.counted_for]


async def test_an_action_that_helped_is_counted_once_and_marked(story: Story) -> None:
    """Given a rollback that helped, then the board says so, and the record bears the mark."""
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    await story.run(120)

    assert {"effective": 1} == counts(story)
    told = story.status().trust
    assert told is not None
    assert ([], [], ["Effective"]) == (
        unmarked(story),
        told.counting,
        [each.outcome for each in told.recent],
    )


async def test_counts_outlive_their_records(story: Story) -> None:
    """Given a counted record, when somebody deletes it, then the count stays."""
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    await story.run(30)
    for record in story.records():
        await story.world.ledger.delete(record)
    await story.run(120)

    assert ([], {"effective": 1}) == (story.records(), counts(story))


@pytest.mark.parametrize(
    "point",
    [
        Point.BEFORE_POLICY_STATUS,
        Point.AFTER_POLICY_STATUS,
        Point.BEFORE_UPDATE,
        Point.AFTER_UPDATE,
    ],
)
async def test_a_crash_counts_nothing_twice(story: Story, point: Point) -> None:
    """Given an operator that dies at each write from the end of an action on, then it counts 1."""
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == [("rollback", Phase.VERIFYING)])

    def die(reached: Point) -> None:
        ended = story.phases() == [("rollback", Phase.SUCCEEDED)]
        if reached is point and ended and story.deaths < 5:
            raise_crash(story)

    story.faults.watch = die
    for _ in range(60):
        await story.run(5)
        if not story.alive:
            story.start()

    assert story.deaths > 0
    assert ([], {"effective": 1}) == (unmarked(story), counts(story))


def raise_crash(story: Story) -> None:
    """Die here."""
    story.kill()
    raise Crash("here")


async def test_advice_is_needless_when_the_target_recovers_by_itself(story: Story) -> None:
    """Given advice, when the fault ends within verify.within, then nobody had to do anything."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    steps = {"restart": {}}
    story.apply(harness.spec(steps, mode="Advise", verify={"within": "5m"}))
    await story.run(harness.QUIET)
    story.world.apps.surge(CHECKOUT, errors=0.3)
    await story.until(lambda: story.phases() == [("restart", Phase.ADVISED)])
    story.world.apps.surge(CHECKOUT, errors=0.0)
    await story.run(60)

    assert {"needless": 1} == counts(story, "restart")


async def test_advice_is_needed_when_the_target_stays_sick(story: Story) -> None:
    """Given advice that nobody follows, when verify.within is over, then it was called for."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec({"restart": {}}, mode="Advise", verify={"within": "2m"}))
    await story.run(harness.QUIET)
    story.world.apps.surge(CHECKOUT, errors=0.3)
    await story.until(lambda: story.phases() == [("restart", Phase.ADVISED)])
    await story.run(90)
    assert story.status().trust is None
    await story.run(60)

    assert {"needed": 1} == counts(story, "restart")


async def test_advice_that_a_person_followed_counts_as_neither(story: Story) -> None:
    """Given advice to roll back, when a person releases something good, then nothing is said."""
    document = harness.spec(mode="Advise", verify={"within": "5m"})
    await harness.bad_release(story, document)
    await story.until(lambda: story.phases() == [("rollback", Phase.ADVISED)])
    story.release("shop/checkout:v3")
    await story.until(lambda: story.records()[0].status.cleared_at is not None)
    await story.run(60)

    told = story.status().trust
    assert told is None or not told.scores
    assert [] == unmarked(story)


def streaky(bad: int = 2, window: int = 4) -> settings_module.Settings:
    """Settings that demote soon, and latch late."""
    return settings_module.Settings(
        trust=trust_settings.Trust(
            allow_high_risk_live=True, bad_before_demotion=bad, demotion_window=window
        ),
        limits=settings_module.Limits(
            unhelpful_before_latch=9,
            actions_per_namespace_per_hour=60,
            actions_per_cluster_per_hour=60,
        ),
    )


async def overloaded(story: Story) -> None:
    """Given a load that no restart and no revision changes."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=100.0)
    document: dict[str, Any] = harness.spec(
        {"restart": {}},
        {"restart": {}},
        {"restart": {}},
        signals=[harness.saturation()],
        verify={"within": "5s", "samples": 1},
        guards={"cooldown": "10s", "maxPerHour": 20, "maxSameRemedyPerDay": 50},
    )
    story.apply(document)


async def test_a_bad_streak_makes_a_policy_act_as_advise_until_it_is_resumed() -> None:
    """Given two actions in vain, then the third is advice only, and everybody is told why."""
    async with harness.telling(streaky()) as story:
        await overloaded(story)
        done = ("restart", Phase.UNHELPFUL)
        await story.until(lambda: story.phases() == [done, done, ("restart", Phase.ADVISED)])
        await story.run(30)
        sent = len(story.sent())

        told = story.status().trust
        assert told is not None
        assert told.demoted is not None
        assert "2 of the last 2 actions did not help" in told.demoted.message
        assert "the limit is 2 of 4" in told.demoted.message
        assert "`prunella resume checkout -n shop`" in told.demoted.message
        assert ("True", "Demoted") == story.condition("Stalled")
        assert ("False", "Demoted") == story.condition("Ready")
        assert "Advise" == story.status().effective_mode
        assert told.demoted.message in story.status().mode_limited_by
        assert 1 == story.world.notifier.reasons.count("Demoted")
        assert 1 == story.world.telemetry.value("prunella_policy_demoted")

        await story.run(300)
        assert sent == len(story.sent())
        story.kill()
        story.start()
        await story.run(120)
        assert (sent, 1) == (len(story.sent()), story.world.notifier.reasons.count("Demoted"))
        story.resume()
        await story.until(lambda: len(story.sent()) > sent)

        assert ("False", "NotLatched") == story.condition("Stalled")


async def test_a_policy_that_is_created_again_stays_demoted() -> None:
    """Given a demoted policy, when it is deleted and applied again, then it still only advises."""
    async with harness.telling(streaky()) as story:
        await overloaded(story)
        await story.until(lambda: story.status().effective_mode == "Advise")
        sent, (policy,) = len(story.sent()), story.world.policies.all()
        spec = policy.spec
        assert spec is not None
        story.delete()
        await story.run(90)
        story.apply(spec.model_dump(mode="json", by_alias=True, exclude_none=True))
        await story.run(300)

        assert sent == len(story.sent())
        assert ("True", "Demoted") == story.condition("Stalled")


CEILINGS = {
    "no label": ({}, "Live", [("rollback", Phase.SUCCEEDED)]),
    "all classes": ({LABEL: "Advise"}, "Advise", [("rollback", Phase.ADVISED)]),
    "risky ones": ({f"{LABEL}.high": "DryRun"}, "DryRun", [("rollback", Phase.DRY_RUN)]),
    "other ones": ({f"{LABEL}.low": "Advise"}, "Live", [("rollback", Phase.SUCCEEDED)]),
    "the strictest": (
        {LABEL: "Live", f"{LABEL}.high": "Advise"},
        "Advise",
        [("rollback", Phase.ADVISED)],
    ),
    "a typing error": ({f"{LABEL}.high": "Aprove"}, "Advise", [("rollback", Phase.ADVISED)]),
    "an unknown class": ({f"{LABEL}.hihg": "Live"}, "Advise", [("rollback", Phase.ADVISED)]),
}


@pytest.mark.parametrize(("labels", "mode", "phases"), CEILINGS.values(), ids=CEILINGS.keys())
async def test_a_namespace_has_a_ceiling(
    story: Story, labels: dict[str, str], mode: str, phases: list[tuple[str, Phase]]
) -> None:
    """Given labels on the Namespace, then a Live policy goes no further than they allow."""
    story.world.cluster.labels_of_namespaces[NAMESPACE] = labels
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == phases)
    await story.run(60)

    assert (mode, phases) == (story.status().effective_mode, story.phases())
    assert (mode == "Live") == (story.status().mode_limited_by == "")


async def test_a_ceiling_that_is_raised_lets_the_policy_act(story: Story) -> None:
    """Given advice under a ceiling, when the administrator takes it away, then it is done."""
    story.world.cluster.labels_of_namespaces[NAMESPACE] = {LABEL: "Advise"}
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == [("rollback", Phase.ADVISED)])
    await story.run(60)
    assert [] == story.sent()
    del story.world.cluster.labels_of_namespaces[NAMESPACE]

    await story.until(lambda: len(story.sent()) == 1)


async def test_a_ceiling_that_is_lowered_after_the_decision_stops_it(story: Story) -> None:
    """Given a decided record, when the ceiling falls before it is sent, then it is not sent."""
    await harness.bad_release(story)

    def lower(point: Point) -> None:
        if point is Point.AFTER_CREATE:
            story.world.cluster.labels_of_namespaces[NAMESPACE] = {LABEL: "Advise"}

    story.faults.watch = lower
    await story.until(lambda: bool(story.phases()) and story.phases()[0][1].final)
    await story.run(60)

    first = story.records()[0]
    assert (Phase.NOT_SENT, reasons.Refused.MODE_LOWERED) == (first.phase, first.status.reason)
    why = f'namespace {NAMESPACE} has {LABEL}="Advise"'
    expected = f"decided in mode Live, and Advise is the most there is now: {why}"
    assert expected == first.status.message
    assert [] == story.sent()


async def test_labels_that_cant_be_read_allow_nothing_but_advice(story: Story) -> None:
    """Given a Namespace that the operator may not read, then it advises and says why."""
    story.faults.always(Point.NAMESPACE, ports.ClusterError("forbidden", status=403))
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == [("rollback", Phase.ADVISED)])
    await story.run(60)

    assert [] == story.sent()
    told = "rollback: the labels of namespace shop can't be read: forbidden"
    assert told == story.status().mode_limited_by


async def test_risky_actions_are_not_live_unless_administrators_say_so() -> None:
    """Given the chart's default, then a rollback is not done, and a restart beside it is."""
    closed = settings_module.Settings(trust=trust_settings.Trust(allow_high_risk_live=False))
    async with harness.telling(closed) as story:
        await harness.bad_release(story)
        await story.until(lambda: bool(story.phases()))
        await story.run(60)
        assert [] == story.sent()
        assert "trust.allowHighRiskLive is false" in story.status().mode_limited_by
    async with harness.telling(closed) as story:
        await overloaded(story)
        await story.until(lambda: len(story.sent()) == 1)
        assert ("Live", "") == (story.status().effective_mode, story.status().mode_limited_by)


async def test_a_demoted_policy_still_undoes_what_it_has_done() -> None:
    """Given a scale that is in vain and demotes, then it is undone all the same."""
    async with harness.telling(streaky(bad=1, window=1)) as story:
        story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
        story.world.apps.surge(CHECKOUT, load=100.0)
        document = harness.spec(
            {"scale": {"by": 1}},
            signals=[harness.saturation()],
            verify={"within": "5s", "samples": 1},
        )
        story.apply(document)
        await story.until(lambda: ("revert", Phase.SUCCEEDED) in story.phases())
        await story.run(60)

        assert ("True", "Demoted") == story.condition("Stalled")
        assert {"not_better": 1, "reverted": 1} == counts(story, "scale")


async def test_a_live_policy_asks_under_a_ceiling_of_approve(story: Story) -> None:
    """Given max-mode Approve, then a Live policy's plan is asked for, done and counted as such."""
    story.world.cluster.labels_of_namespaces[NAMESPACE] = {f"{LABEL}.high": "Approve"}
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == test_approvals.ASKED)
    assert [] == story.sent()
    test_approvals.decide(story, story.records()[0])
    await story.until(lambda: story.phases() == test_approvals.DONE)
    await story.run(60)

    assert "Approve" == story.status().effective_mode
    assert {"approved": 1, "effective": 1} == counts(story)


async def test_what_was_approved_is_done_when_the_ceiling_is_gone_meanwhile(story: Story) -> None:
    """Given a question, when more is allowed before the answer, then the answer still counts."""
    story.world.cluster.labels_of_namespaces[NAMESPACE] = {LABEL: "Approve"}
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == test_approvals.ASKED)
    del story.world.cluster.labels_of_namespaces[NAMESPACE]
    test_approvals.decide(story, story.records()[0])

    await story.until(lambda: story.phases() == test_approvals.DONE)
    assert 1 == len(story.sent())


async def test_what_was_approved_is_not_done_when_the_ceiling_falls_meanwhile(
    story: Story,
) -> None:
    """Given a question, when only advice is allowed before the answer, then nothing is sent."""
    await harness.bad_release(story, test_approvals.approving())
    await story.until(lambda: story.phases() == test_approvals.ASKED)
    story.world.cluster.labels_of_namespaces[NAMESPACE] = {LABEL: "Advise"}
    test_approvals.decide(story, story.records()[0])
    await story.run(120)

    assert [] == story.sent()
    assert story.phases()[0][1].final


async def test_rejections_in_a_row_demote(story: Story) -> None:
    """Given three faults and a no to each proposal, then a fourth is advised and not asked."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(test_approvals.approving({"restart": {}}))
    await story.run(harness.QUIET)
    for number in range(4):
        story.world.apps.surge(CHECKOUT, errors=0.3)
        await story.until(lambda want=number + 1: len(story.phases()) == want)
        last = story.records()[-1]
        if last.phase is Phase.AWAITING_APPROVAL:
            test_approvals.decide(story, last, test_approvals.REJECT)
        story.world.apps.surge(CHECKOUT, errors=0.0)
        await story.run(120)

    asked = [("restart", Phase.REJECTED)] * 3
    assert [*asked, ("restart", Phase.ADVISED)] == story.phases()
    assert ("True", "Demoted") == story.condition("Stalled")
    assert 3 == counts(story, "restart")["rejected"]


async def test_a_policy_on_nodes_has_no_ceiling_of_a_namespace(story: Story) -> None:
    """Given no readable Namespace, then administrators' policies on nodes act all the same."""
    story.faults.always(Point.NAMESPACE, ports.ClusterError("forbidden", status=403))
    test_nodes.pool(story)
    test_nodes.sicken(story)

    await story.until(lambda: story.phases() == [test_nodes.CORDONED])
