"""An alert of the source's own rules leads to an action, and its silence proves it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.adapters.simulated import metrics as metrics_module
from prunella.api import reasons
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Phase, Story

Refused, Doubt = reasons.Refused, reasons.Doubt
RULE = metrics_module.AlertingRule(
    "HighErrors",
    'sum by (namespace, deployment) (rate(app_http_requests_total{code=~"5.."}[15s]))'
    " / sum by (namespace, deployment) (rate(app_http_requests_total[15s])) > 0.05",
    for_=30.0,
    labels={"severity": "critical"},
)


def by_alert(*steps: Any, labels: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    """A policy whose only signal is the alert."""
    alert = {"name": "HighErrors", "labels": labels or {}}
    signal = {"name": "alert", "alert": alert, "for": "10s"}
    return harness.spec(*(steps or ({"restart": {}},)), signals=[signal], **changes)


def running(story: Story, *rules: metrics_module.AlertingRule, image: str = harness.GOOD) -> None:
    """Given checkout and a source with rules."""
    story.world.metrics.rules = list(rules)
    story.world.cluster.add_deployment(NAMESPACE, "checkout", image)


async def test_a_firing_alert_is_acted_on_and_its_silence_is_the_proof(story: Story) -> None:
    """Given a bad release, when the alert fires, then it is rolled back and proved."""
    running(story, RULE)
    previous = {"rollback": {"to": "Previous", "whenChangedWithin": "10m"}}
    story.apply(by_alert(previous, labels={"severity": "critical"}))
    await story.run(harness.QUIET)
    assert story.condition("Ready") == ("True", "Healthy")
    story.release(harness.BAD)
    await story.until(lambda: bool(story.sent()))
    evidence = story.records()[0].spec.evidence[0]
    assert ("HighErrors fires (1 alert)", "deployment") == (evidence.message, evidence.mapped_by)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])

    assert story.image() == harness.GOOD
    assert [] == story.pages()


async def test_the_proof_waits_for_what_the_rule_looks_back(story: Story) -> None:
    """Given a rule over ten minutes, when its target is mended, then old errors do not count."""
    expression = RULE.expression.replace("[15s]", "[10m]").replace("0.05", "0.001")
    slow = dataclasses.replace(RULE, expression=expression)
    running(story, slow)
    previous = {"rollback": {"to": "Previous"}}
    story.apply(by_alert(previous, verify={"within": "20s", "samples": 2}))
    await story.run(150)
    story.release(harness.BAD)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)], 1000)


async def test_a_pending_alert_does_nothing(story: Story) -> None:
    """Given an alert that waits for an hour, when its target is sick, then it is Healthy still."""
    running(story, dataclasses.replace(RULE, for_=3600.0), image=harness.BAD)
    story.apply(by_alert())
    await story.run(300)

    assert ([], ("True", "Healthy")) == (story.sent(), story.condition("Ready"))


async def test_doubt_about_the_rule_is_no_reason_and_no_proof(story: Story) -> None:
    """Given no rule, one that fails, a source that stands still, then all is Unknown."""
    running(story, image=harness.BAD)
    story.apply(by_alert())
    await story.run(60)
    assert Doubt.NO_RULE == story.sick().reason
    story.world.metrics.rules = [dataclasses.replace(RULE, health="err", error="timed out")]
    await story.run(60)
    assert Doubt.RULE_FAILING == story.sick().reason
    story.world.metrics.rules = [RULE]
    story.world.metrics.faults.set(metrics_module.Fault.DOWN, story.world.clock.now())
    await story.run(60)
    assert Doubt.UNREACHABLE == story.sick().reason

    assert [] == story.sent()


async def test_alerts_of_another_namespace_are_not_seen(story: Story) -> None:
    """Given a sick namesake in another namespace, then ours is Healthy."""
    running(story, RULE)
    story.world.cluster.add_deployment("bank", "checkout", harness.BAD)
    story.apply(by_alert())
    await story.run(120)

    assert ([], ("True", "Healthy")) == (story.sent(), story.condition("Ready"))


async def test_silence_of_the_past_is_no_known_good_revision(story: Story) -> None:
    """Given only an alert, when LastHealthy is asked, then no revision was seen Healthy."""
    running(story, RULE)
    story.apply(by_alert({"rollback": {}}))
    await story.run(harness.QUIET)
    story.release(harness.BAD)
    await story.run(120)

    assert ([], Refused.NO_KNOWN_GOOD_REVISION) == (story.sent(), story.sick().refused)


async def test_one_request_answers_a_round(story: Story) -> None:
    """Given an alert, then a pass asks for its rules alone: no query and no age."""
    running(story, RULE)
    story.apply(by_alert())
    await story.run(60)
    asked = {query for _, query in story.metrics.asked}

    assert 1 == len(asked)
    assert 12 <= len(story.metrics.asked) <= 14


BY_POD = metrics_module.AlertingRule(
    "PodErrors",
    'sum by (namespace, pod) (rate(app_http_requests_total{code=~"5.."}[2m]))'
    " / sum by (namespace, pod) (rate(app_http_requests_total[2m])) > 0.05",
)


@pytest.mark.parametrize("mapping", [None, {"name": "app"}], ids=["by pod", "by a label"])
async def test_an_alert_of_a_pod_that_was_mended_by_hand_is_no_reason(
    story: Story, mapping: dict[str, str] | None
) -> None:
    """Given an alert for a sick pod, when a person deletes the pod, then nothing is done.

    A policy that maps alerts by another label of theirs can't tell, and is evaluated all the same.
    """
    labels = {} if mapping is None else {"app": "checkout"}
    running(story, dataclasses.replace(BY_POD, labels=labels))
    signal = {"name": "alert", "alert": {"name": "PodErrors"}, "for": "40s"}
    if mapping is not None:
        signal["mapping"] = mapping
    story.apply(harness.spec({"restart": {}}, signals=[signal]))
    await story.run(60)
    state = next(each for each in story.world.cluster.states() if each.ref == harness.CHECKOUT)
    pod = state.active[0]
    pod.template = {**pod.template, "metadata": {**pod.template["metadata"]}}
    pod.template["metadata"]["annotations"] = {"lab.prunella.dev/errors": "0.5"}
    await story.until(lambda: bool(story.status().sick))
    story.world.cluster.delete_pod(NAMESPACE, pod.name)
    await story.run(90)

    assert 0 == (story.world.telemetry.value("prunella_pass_errors_total") or 0)
    assert (mapping is None) == (story.sent() == [])


async def test_one_evaluation_seen_again_is_no_other_sample(story: Story) -> None:
    """Given a rule evaluated each minute, when passes are each 5 s, then two samples take a minute.

    What a rule does not say anew proves nothing anew.
    """
    running(story, dataclasses.replace(RULE, interval=60.0))
    verify = {"within": "10m", "samples": 2}
    story.apply(by_alert({"rollback": {"to": "Previous"}}, verify=verify))
    await story.run(harness.QUIET)
    story.release(harness.BAD)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)], 900)
    status = story.records()[0].status
    assert status.verification is not None
    assert status.finished_at is not None
    assert status.verification.counts_from is not None
    taken = (status.finished_at - status.verification.counts_from).total_seconds()
    assert taken >= 30.0
