"""A sick target is healed and the healing is proved; what is in doubt is left alone."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella import ports
from prunella.adapters.simulated import faults as faults_module
from prunella.adapters.simulated import metrics as metrics_module
from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Fault = metrics_module.Fault


async def test_a_bad_release_is_rolled_back_and_proved(story: Story) -> None:
    """Given good history, when a bad release is made, then v1 is back and proved Healthy."""
    await harness.bad_release(story)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])

    record = story.records()[0]
    assert (story.image(), story.revisions()) == (harness.GOOD, 2)
    assert [record.name] == story.sent()
    verification = record.status.verification
    assert verification is not None
    assert verification.healthy_samples == 2
    assert verification.counts_from is not None
    assert verification.rollout_complete_at is not None
    waited = verification.counts_from - verification.rollout_complete_at
    assert datetime.timedelta(seconds=15 + 2 * 5) <= waited, "the range and two scrapes"
    await story.run(10)
    assert story.condition("Ready") == ("True", "Healthy")
    assert story.pages() == []


async def test_the_next_bad_release_is_rolled_back_too(story: Story) -> None:
    """Given one healed release, when another bad one is made later, then it is a new episode."""
    await harness.bad_release(story)
    await story.run(180)
    story.release("shop/checkout:v3-bad")
    await story.run(180)

    assert story.phases() == [("rollback", Phase.SUCCEEDED)] * 2
    assert [record.spec.attempt for record in story.records()] == [1, 2]
    assert story.image() == harness.GOOD


async def test_a_leak_is_restarted_and_memory_falls(story: Story) -> None:
    """Given a leaking release, when memory is over its limit, then one restart proves to help."""
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.LEAK, age=datetime.timedelta(hours=1)
    )
    story.apply(harness.spec({"restart": {}}, signals=[harness.memory()]))
    await story.until(lambda: story.phases() == [("restart", Phase.SUCCEEDED)])

    assert (story.image(), story.revisions()) == (harness.LEAK, 2), "one new ReplicaSet"
    assert len(story.sent()) == 1


async def test_saturation_scales_out_within_bounds(story: Story) -> None:
    """Given load for five pods, when three have it, then replicas are added up to ``max``."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    step = {"scale": {"by": 4, "max": 6}}
    story.apply(harness.spec(step, signals=[harness.saturation()]))
    story.world.apps.surge(CHECKOUT, load=4.5)
    await story.until(lambda: story.phases() == [("scale", Phase.SUCCEEDED)])

    assert (story.workload().replicas, story.revisions()) == (6, 1)


async def test_the_worst_pod_is_evicted(story: Story) -> None:
    """Given one pod that is old and full, when it is over its limit, then it alone is evicted."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK)
    found = story.world.cluster.states(NAMESPACE)[0]
    worst = found.pods[1]
    worst.created -= datetime.timedelta(hours=1)
    others = {pod.uid for pod in found.pods if pod is not worst}
    signal = {**harness.memory(), "prometheus": {"query": "app_memory_bytes"}}
    story.apply(harness.spec({"evictPod": {}}, signals=[signal]))
    await story.until(lambda: story.phases() == [("evictPod", Phase.SUCCEEDED)])

    pods = {pod.uid for pod in found.active}
    assert (len(pods), others < pods) == (3, True)
    assert worst.uid not in pods
    effect, _ = story.world.cluster.sent[0]
    assert (model.Verb.EVICT, worst.uid) == (effect.verb, effect.uid)


DOUBTS: dict[str, tuple[Fault, str]] = {
    "down": (Fault.DOWN, reasons.Doubt.UNREACHABLE),
    "timeout": (Fault.TIMEOUT, reasons.Doubt.TIMEOUT),
    "html with 200": (Fault.HTML, reasons.Doubt.NOT_JSON),
    "partial answers": (Fault.WARNINGS, reasons.Doubt.WARNINGS),
    "empty": (Fault.EMPTY, reasons.Doubt.NO_DATA),
    "all is NaN, even the age of the data": (Fault.NAN, reasons.Doubt.STALE),
    "nothing new is scraped": (Fault.FROZEN, reasons.Doubt.NO_DATA),
}


@pytest.mark.parametrize(("fault", "doubt"), DOUBTS.values(), ids=DOUBTS.keys())
async def test_nothing_is_done_on_doubt(story: Story, fault: Fault, doubt: str) -> None:
    """Given telemetry that can't be believed, when a bad release is made, then nothing is done."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec(signals=[harness.errors(hold="0s")]))
    await story.run(harness.QUIET)
    story.world.metrics.faults.set(fault, story.world.clock.now())
    story.release(harness.BAD)
    await story.run(120)

    assert (story.sent(), story.phases(), story.image()) == ([], [], harness.BAD)
    sick = story.sick()
    assert ("Unknown", doubt) == (sick.verdict, sick.reason)
    assert ("False", doubt) == story.condition("Ready")
    assert sick.message

    story.world.metrics.faults.heal()
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])


async def test_an_old_value_is_stale(story: Story) -> None:
    """Given a gauge over its limit, when scraping hangs, then the last value is not acted on."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    signal = {**harness.memory(hold="60s"), "threshold": {"above": 1}}
    story.apply(harness.spec({"restart": {}}, signals=[signal]))
    await story.run(20)
    assert story.sick().verdict == "Unhealthy"
    story.world.apps.stop()
    await story.run(120)

    assert story.sent() == []
    assert (story.sick().verdict, story.sick().reason) == ("Unknown", reasons.Doubt.STALE)


QUIET_APPS: dict[str, tuple[dict[str, str], str]] = {
    "no metrics": ({"lab.prunella.dev/metrics": "none"}, reasons.Doubt.NO_DATA),
    "too few events": ({"lab.prunella.dev/rps": "0.01"}, reasons.Doubt.TOO_FEW_EVENTS),
    "values that are NaN": ({"lab.prunella.dev/metrics": "nan"}, reasons.Doubt.NOT_A_NUMBER),
}


@pytest.mark.parametrize(("annotations", "doubt"), QUIET_APPS.values(), ids=QUIET_APPS.keys())
async def test_an_application_that_says_nothing_is_unknown(
    story: Story, annotations: dict[str, str], doubt: str
) -> None:
    """Given a release that tells nothing of use, then its verdict is Unknown with the reason."""
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.BAD, pod_annotations=annotations
    )
    story.apply(harness.spec({"restart": {}}))
    await story.run(90)

    assert ("Unknown", doubt) == (story.sick().verdict, story.sick().reason)
    assert story.sent() == []


async def test_for_begins_anew_after_doubt(story: Story) -> None:
    """Given 20 s of ``for``, when doubt interrupts it after 15 s, then it must hold 20 s again."""
    hold = harness.spec({"restart": {}}, signals=[harness.errors(hold="20s")])
    await harness.bad_release(story, hold)
    await story.until(lambda: bool(story.status().sick))
    onset = story.world.clock.now()
    await story.run(14)
    story.world.metrics.faults.set(Fault.DOWN, story.world.clock.now())
    await story.run(5)
    story.world.metrics.faults.heal()
    healed = story.world.clock.now()
    await story.until(lambda: bool(story.sent()))

    decided = story.records()[0].spec.decided_at
    assert decided - healed >= datetime.timedelta(seconds=20)
    assert decided - onset > datetime.timedelta(seconds=35)


async def test_a_service_without_a_single_error_is_healthy(story: Story) -> None:
    """Given no series of errors at all, then the ratio is 0 and the target Healthy."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec())
    await story.run(60)

    assert story.condition("Ready") == ("True", "Healthy")
    assert (story.status().targets.selected, story.status().targets.healthy) == (1, 1)


MODES: dict[str, tuple[str, Phase, list[str]]] = {
    "Advise": ("Advise", Phase.ADVISED, []),
    "DryRun": ("DryRun", Phase.DRY_RUN, ["WouldSucceed"]),
}


@pytest.mark.parametrize(("mode", "phase", "outcomes"), MODES.values(), ids=MODES.keys())
async def test_advice_is_one_record_for_each_onset_and_changes_nothing(
    story: Story, mode: str, phase: Phase, outcomes: list[str]
) -> None:
    """Given a policy that may not act, when a target falls ill twice, then it speaks twice."""
    await harness.bad_release(story, harness.spec(mode=mode))
    before = story.workload().generation
    await story.run(180)

    assert [("rollback", phase)] == story.phases()
    assert (before, []) == (story.workload().generation, story.sent())
    assert outcomes == [e.outcome for e in story.records()[0].status.effects if e.outcome]
    assert story.records()[0].name in story.sick().advice
    assert phase in story.world.notifier.reasons

    story.release(harness.GOOD)
    await story.until(lambda: story.records()[0].status.cleared_at is not None)
    story.release(harness.BAD)
    await story.until(lambda: len(story.phases()) == 2)
    await story.run(60)
    assert [("rollback", phase)] * 2 == story.phases()
    assert story.sent() == []


async def test_advice_is_not_repeated_by_a_restarted_operator(story: Story) -> None:
    """Given advice in the ledger, when the operator restarts, then it does not say it again."""
    await harness.bad_release(story, harness.spec(mode="Advise"))
    await story.until(lambda: bool(story.phases()))
    story.kill()
    story.start()
    await story.run(60)

    assert len(story.phases()) == 1


async def test_a_dry_run_that_the_server_refuses_is_told(story: Story) -> None:
    """Given no right to restart, when DryRun asks the server, then its refusal is on status."""
    story.world.cluster.forbid("restart")
    await harness.bad_release(story, harness.spec({"restart": {}}, mode="DryRun"))
    await story.run(60)

    assert (story.phases(), story.sent()) == ([], [])
    assert (
        story.sick().refused,
        "forbidden" in story.sick().refusal,
    ) == (reasons.Refused.FORBIDDEN, True)
    assert story.condition("Ready") == ("False", reasons.Refused.FORBIDDEN)


SERVER_SAID = {
    "a precondition fails": (422, Phase.NOT_SENT, reasons.Refused.PLAN_CHANGED),
    "somebody else was first": (409, Phase.NOT_SENT, reasons.Refused.PLAN_CHANGED),
    "the target is gone": (404, Phase.NOT_SENT, reasons.Refused.TARGET_GONE),
    "too many requests": (429, Phase.NOT_SENT, reasons.Refused.REFUSED_BY_SERVER),
    "the right was taken away": (403, Phase.FAILED, reasons.Refused.FORBIDDEN),
}


@pytest.mark.parametrize(("code", "phase", "reason"), SERVER_SAID.values(), ids=SERVER_SAID)
async def test_an_effect_that_the_server_refuses_after_the_rehearsal_says_why(
    story: Story, code: int, phase: Phase, reason: reasons.Refused
) -> None:
    """Given a server that allowed the dry run, when it refuses the effect, then its reason is kept.

    Only a missing right is a failure that needs a person; the rest is planned anew.
    """
    refusal = ports.ClusterError("no", status=code)

    def watch(point: faults_module.Point) -> None:
        rehearsed = [each for each in story.faults.passed if each is point]
        if point is faults_module.Point.BEFORE_SEND and rehearsed:
            story.faults.watch = lambda _: None
            raise refusal

    story.faults.watch = watch
    await harness.bad_release(story)
    await story.until(lambda: any(each.phase.final for each in story.records()))

    first = story.records()[0]
    assert (first.phase, first.status.reason, first.status.message) == (phase, reason, "no")


OWNED: dict[str, tuple[dict[str, Any], reasons.Refused | None]] = {
    "rollback": ({"rollback": {"to": "Previous"}}, reasons.Refused.OWNED_BY_GITOPS),
    "scale": ({"scale": {"by": 1}}, reasons.Refused.OWNED_BY_GITOPS),
    "restart": ({"restart": {}}, None),
}


@pytest.mark.parametrize(("step", "refused"), OWNED.values(), ids=OWNED.keys())
async def test_what_argo_cd_owns_is_only_restarted(
    story: Story, step: dict[str, Any], refused: reasons.Refused | None
) -> None:
    """Given a workload of Argo CD's, then its template and replicas are left to Git."""
    story.world.cluster.add_deployment(
        NAMESPACE,
        "checkout",
        harness.BAD,
        annotations={"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout"},
    )
    story.apply(harness.spec(step))
    await story.run(60)

    assert (refused is None) == bool(story.sent())
    if refused is not None:
        assert refused == story.sick().refused
