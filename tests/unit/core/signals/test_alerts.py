"""An alert as a signal: firing is Unhealthy, an evaluated silence Healthy, all else Unknown."""

from __future__ import annotations

import math
from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import alerts, compiled, mapping
from tests.unit.core import builders, fixtures

Doubt = reasons.Doubt
HEALTHY, UNHEALTHY, UNKNOWN = builders.HEALTHY, builders.UNHEALTHY, builders.UNKNOWN
NAME = "KubePodCrashLooping"
OURS = {"alertname": NAME, "namespace": "shop", "deployment": "checkout", "severity": "warning"}
POD = {"alertname": NAME, "namespace": "shop", "pod": "checkout-1", "container": "app"}


def signal(labels: dict[str, str] | None = None, **fields: Any) -> compiled.Signal:
    """A compiled signal that is an alert."""
    alert = {"name": NAME, "labels": labels or {}}
    policy = builders.policy(signals=[{"name": "errors", "alert": alert, **fields}])
    assert policy.spec is not None
    return compiled.compile_policy(policy.key, policy.spec, {}).signals[0]


def rule(*firing: dict[str, str], **changes: Any) -> alerts.Rule:
    """A rule that was evaluated 5 s ago, as every 30 s."""
    return alerts.Rule(
        **{"group": "pods", "firing": firing, "age": 5.0, "interval": 30.0, **changes}
    )


def rules(*found: alerts.Rule) -> alerts.Rules:
    """What a source tells."""
    return alerts.Rules(found)


FAILED = model.Failure(Doubt.UNREACHABLE, "connection refused")
Row = tuple[dict[str, str], alerts.Answer, model.Verdict, str, str]
VERDICTS: dict[str, Row] = {
    "fires": ({}, rules(rule(OURS)), UNHEALTHY, "Firing", f"{NAME} fires (1 alert)"),
    "fires twice": (
        {},
        rules(rule(OURS, {**OURS, "severity": "critical"})),
        UNHEALTHY,
        "Firing",
        f"{NAME} fires (2 alerts)",
    ),
    "fires for a pod": (
        {},
        rules(rule(POD)),
        UNHEALTHY,
        "Firing",
        f"{NAME} fires (1 alert) on pod checkout-1",
    ),
    "fires in one of two rules": (
        {},
        rules(rule(), rule(OURS)),
        UNHEALTHY,
        "Firing",
        f"{NAME} fires (1 alert)",
    ),
    "silent": ({}, rules(rule()), HEALTHY, "NotFiring", f"{NAME} does not fire, evaluated 5 s ago"),
    "fires for another target": (
        {},
        rules(rule({**OURS, "deployment": "cart"})),
        HEALTHY,
        "NotFiring",
        f"{NAME} does not fire, evaluated 5 s ago",
    ),
    "fires for a pod of nobody": (
        {},
        rules(rule({**POD, "pod": "gone-1"})),
        HEALTHY,
        "NotFiring",
        f"{NAME} does not fire, evaluated 5 s ago",
    ),
    "no rule": (
        {},
        rules(),
        UNKNOWN,
        Doubt.NO_RULE,
        f"the source has no alerting rule named {NAME}",
    ),
    "the source is ill": ({}, FAILED, UNKNOWN, Doubt.UNREACHABLE, "connection refused"),
    "the rule fails": (
        {},
        rules(rule(health="err", error="many-to-many matching")),
        UNKNOWN,
        Doubt.RULE_FAILING,
        f"rule {NAME} in group pods is err: many-to-many matching",
    ),
    "what a failing rule raised before is not believed": (
        {},
        rules(rule(OURS, health="err", error="timeout")),
        UNKNOWN,
        Doubt.RULE_FAILING,
        f"rule {NAME} in group pods is err: timeout",
    ),
    "one fails, the other fires": (
        {},
        rules(rule(health="err"), rule(OURS)),
        UNHEALTHY,
        "Firing",
        f"{NAME} fires (1 alert)",
    ),
    "one fails, the other is silent": (
        {},
        rules(rule(health="err"), rule()),
        UNKNOWN,
        Doubt.RULE_FAILING,
        f"rule {NAME} in group pods is err",
    ),
    "just fresh": (
        {},
        rules(rule(age=90.0)),
        HEALTHY,
        "NotFiring",
        f"{NAME} does not fire, evaluated 90 s ago",
    ),
    "stale": (
        {},
        rules(rule(OURS, age=91.0)),
        UNKNOWN,
        Doubt.STALE,
        f"rule {NAME} in group pods was evaluated 91 s ago, the limit is 90 s",
    ),
    "a fast rule has 30 s": (
        {},
        rules(rule(age=31.0, interval=1.0)),
        UNKNOWN,
        Doubt.STALE,
        f"rule {NAME} in group pods was evaluated 31 s ago, the limit is 30 s",
    ),
    "never evaluated": (
        {},
        rules(rule(age=math.inf, health="unknown")),
        UNKNOWN,
        Doubt.STALE,
        f"rule {NAME} in group pods was never evaluated",
    ),
    "with the wanted label": (
        {"severity": "warning"},
        rules(rule(OURS)),
        UNHEALTHY,
        "Firing",
        f"{NAME} fires (1 alert)",
    ),
    "without the wanted label": (
        {"severity": "critical"},
        rules(rule(OURS)),
        HEALTHY,
        "NotFiring",
        f"{NAME} does not fire, evaluated 5 s ago",
    ),
    "no rule can bear the wanted label": (
        {"severity": "critical"},
        rules(rule(OURS, labels={"severity": "warning"})),
        UNKNOWN,
        Doubt.NO_RULE,
        f"the source has no alerting rule named {NAME} with severity=critical",
    ),
    "a template may become the wanted label": (
        {"severity": "critical"},
        rules(rule(labels={"severity": "{{ $labels.level }}"})),
        HEALTHY,
        "NotFiring",
        f"{NAME} does not fire, evaluated 5 s ago",
    ),
    "an alert about no target": (
        {},
        rules(rule({"alertname": NAME, "namespace": "shop"})),
        UNKNOWN,
        Doubt.NO_MAPPING_LABELS,
        (
            'a series with labels {namespace="shop"} names no target; keep one of: namespace, '
            "exported_namespace, deployment, pod, exported_pod"
        ),
    ),
    "it fired then": ({}, alerts.History((OURS,)), UNHEALTHY, "Firing", f"{NAME} fires (1 alert)"),
    "it did not fire then": (
        {},
        alerts.History(()),
        UNKNOWN,
        Doubt.NO_RULE,
        f"whether the rule of {NAME} was there at that time can't be known",
    ),
    "it did not fire in a backtest": (
        {},
        alerts.History((), assumed=True),
        HEALTHY,
        "NotFiring",
        f"{NAME} did not fire; whether its rule was there is not in the history",
    ),
}


@pytest.mark.parametrize(
    ("labels", "answer", "verdict", "reason", "message"), VERDICTS.values(), ids=VERDICTS
)
def test_verdicts(
    labels: dict[str, str],
    answer: alerts.Answer,
    verdict: model.Verdict,
    reason: str,
    message: str,
) -> None:
    """Only an alert that is mapped to the target is bad, only an evaluated rule proves good."""
    owners = {"checkout-1": builders.ref()}
    (found,) = alerts.detect(signal(labels), answer, [builders.ref()], owners)
    assert (verdict, reason, message) == (found.verdict, found.reason, found.message)


def test_stale_after_is_the_policy_s() -> None:
    """A written limit replaces three evaluations."""
    (found,) = alerts.detect(signal(staleAfter="4s"), rules(rule()), [builders.ref()], {})
    assert (UNKNOWN, Doubt.STALE) == (found.verdict, found.reason)


def test_a_finding_names_the_pod_and_how_it_was_found() -> None:
    """An eviction takes the pod that the alert names."""
    owners = {"checkout-1": builders.ref()}
    (found,) = alerts.detect(signal(), rules(rule(POD)), [builders.ref()], owners)
    assert ("checkout-1", "pod of Deployment/checkout", 1.0) == (
        found.pod,
        found.mapped_by,
        found.value,
    )


def test_a_label_that_the_policy_names_maps_an_alert() -> None:
    """As it does for series."""
    named = signal(mapping={"name": "service"})
    about = {"alertname": NAME, "namespace": "shop", "service": "checkout"}
    (found,) = alerts.detect(named, rules(rule(about)), [builders.ref()], {})
    assert (UNHEALTHY, "service") == (found.verdict, found.mapped_by)


def test_pods_of_alerts_are_asked_for_their_owners() -> None:
    """The names of their pods are among those of the reading's samples."""
    reading = fixtures.detect.Reading({}, model.Vector(()), None, alerts=rules(rule(POD)))
    assert {"checkout-1"} == mapping.pod_names(reading.samples())


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (OURS, True),
        ({**OURS, "namespace": "bank"}, False),
        ({"alertname": NAME, "deployment": "checkout"}, False),
    ],
    ids=["ours", "another's", "nobody's"],
)
def test_only_alerts_that_bear_the_namespace_are_its_own(
    found: dict[str, str], *, expected: bool
) -> None:
    """An alert without the label may be about anything."""
    assert expected == bool(alerts.own_alerts([found], "namespace", "shop"))


RANGES: dict[str, tuple[alerts.Answer, float]] = {
    "of the rule": (rules(rule(looks_back=90.0)), 90.0),
    "of the longest": (rules(rule(looks_back=90.0), rule(looks_back=400.0)), 400.0),
    "no rule": (rules(), 300.0),
    "no answer": (FAILED, 300.0),
    "of history": (alerts.History(()), 300.0),
}


@pytest.mark.parametrize(("answer", "expected"), RANGES.values(), ids=RANGES)
def test_how_far_a_rule_looks_back(answer: alerts.Answer, expected: float) -> None:
    """Five minutes until it is known."""
    assert expected == alerts.range_of(signal(), answer)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("max_over_time(restarts[5m]) > 0", 340.0),
        ("up == 0", 40.0),
        ("of no PromQL that we know", 340.0),
    ],
)
def test_what_an_expression_looks_back(expression: str, expected: float) -> None:
    """Its ranges, ``keep_firing_for`` (10 s here) and one evaluation (30 s)."""
    assert expected == alerts.looks_back(expression, 10.0, 30.0)


def test_history_is_asked_by_the_series_of_the_alert() -> None:
    """Confined as every query, with labels quoted."""
    written = signal({"team": 'a"b'}).queries[compiled.VALUE]
    for part in ('alertname="KubePodCrashLooping"', 'alertstate="firing"', 'namespace="shop"'):
        assert part in written
    assert r'team="a\"b"' in written
