"""Series of pods that are gone are no evidence against what lives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import alerts, compiled, detect, learning
from tests.unit.core import builders, fixtures

OLD, NEW = "checkout-7d4b9c6f5d-x2x9z", "checkout-7d4b9c6f5d-q5w8r"
EXPORTER = "kube-state-metrics-7d4b9c6f5d-x2x9z"
TARGET = builders.ref()
GONE = (
    f"the series are of pods that Deployment/checkout has no more ({OLD}): no reason to act on it"
)


def _find(
    signal: compiled.Signal,
    reading: detect.Reading,
    living: Collection[str] | None,
) -> tuple[model.Verdict, str, str]:
    looked: Mapping[model.Ref, Collection[str]] = {} if living is None else {TARGET: living}
    owners = {OLD: TARGET, NEW: TARGET}
    (found,) = detect.detect(signal, reading, [TARGET], owners, fixtures.DETECTORS, looked)
    return found.verdict, found.reason, found.pod


def by_pod(**values: float) -> detect.Reading:
    """One value for each of the old and the new pod."""
    names = {"old": OLD, "new": NEW}
    return fixtures.reading(fixtures.by_pod(**{names[k]: v for k, v in values.items()}))


def labelled(pod: str) -> detect.Reading:
    """A bad value with the workload's label and a pod's beside it."""
    return fixtures.reading(fixtures.vector(fixtures.sample(0.5, deployment="checkout", pod=pod)))


UNHEALTHY, HEALTHY, UNKNOWN = builders.UNHEALTHY, builders.HEALTHY, builders.UNKNOWN
SEEN: dict[str, tuple[detect.Reading, Collection[str] | None, tuple[model.Verdict, str, str]]] = {
    "nobody has looked": (by_pod(old=0.5), None, (UNHEALTHY, "Above", OLD)),
    "the sick pod lives": (by_pod(old=0.5, new=0.0), {OLD, NEW}, (UNHEALTHY, "Above", OLD)),
    "the sick pod is gone": (by_pod(old=0.5, new=0.0), {NEW}, (HEALTHY, "NotAbove", NEW)),
    "one that lives is sick too": (by_pod(old=0.9, new=0.5), {NEW}, (UNHEALTHY, "Above", NEW)),
    "all are gone": (by_pod(old=0.5), {NEW}, (UNKNOWN, reasons.Doubt.PODS_GONE, "")),
    "gone, beside the workload's label": (
        labelled(OLD),
        {NEW},
        (UNKNOWN, reasons.Doubt.PODS_GONE, ""),
    ),
    "an exporter's pod beside the workload's label": (
        labelled(EXPORTER),
        {NEW},
        (UNHEALTHY, "Above", EXPORTER),
    ),
}


@pytest.mark.parametrize(("reading", "living", "expected"), SEEN.values(), ids=SEEN)
def test_only_living_pods_are_evidence(
    reading: detect.Reading,
    living: Collection[str] | None,
    expected: tuple[model.Verdict, str, str],
) -> None:
    """What a pod said that is gone is left out, once it was looked which pods there are."""
    found = _find(fixtures.signal(), reading, living)
    assert expected[0] == found[0]
    assert expected[2] == found[2]
    assert (expected[1] == reasons.Doubt.PODS_GONE) == (found[1] == reasons.Doubt.PODS_GONE)


def test_it_is_said_whose_series_they_are() -> None:
    """The names of the pods that are gone are told."""
    reading, living = by_pod(old=0.5), {NEW}
    (found,) = detect.detect(
        fixtures.signal(), reading, [TARGET], {OLD: TARGET}, fixtures.DETECTORS, {TARGET: living}
    )
    assert GONE == found.message


@pytest.mark.parametrize(
    ("pod", "verdict"),
    [(OLD, UNKNOWN), (NEW, UNHEALTHY), ("", UNHEALTHY)],
    ids=["gone", "lives", "all"],
)
def test_a_memory_speaks_of_living_pods_alone(pod: str, verdict: model.Verdict) -> None:
    """A forecast that rests on a pod that is gone is none for what lives."""
    judged: dict[model.Ref, Any] = {
        TARGET: learning.Judged(model.Judgement(UNHEALTHY, "Reaches", "soon"), 1.0, "pod", pod)
    }
    reading = detect.Reading({}, fixtures.vector(fixtures.sample(5.0)), 5.0, judged)
    assert verdict == _find(fixtures.signal(), reading, {NEW})[0]


def test_what_proves_presence_may_be_gone() -> None:
    """An absence is judged by the series that there are, whosever they are."""
    signal = fixtures.signal(absent={"canary": "up"})
    canary = fixtures.vector(fixtures.sample(1.0))
    answers = {compiled.VALUE: fixtures.by_pod(**{OLD: 1.0}), compiled.CANARY: canary}
    reading = detect.Reading(answers, fixtures.vector(fixtures.sample(5.0)), 5.0)
    assert HEALTHY == _find(signal, reading, {NEW})[0]


def alert(*pods: str) -> detect.Reading:
    """An alert that fires for each of some pods."""
    firing = tuple({"alertname": "Looping", "pod": pod} for pod in pods)
    rule = alerts.Rule(group="pods", firing=firing, age=5.0, interval=30.0)
    return detect.Reading({}, model.Vector(()), None, alerts=alerts.Rules((rule,)))


FIRING: dict[str, tuple[detect.Reading, model.Verdict, str]] = {
    "of a pod that is gone": (alert(OLD), UNKNOWN, reasons.Doubt.PODS_GONE),
    "of one that lives": (alert(NEW), UNHEALTHY, "Firing"),
    "of both": (alert(OLD, NEW), UNHEALTHY, "Firing"),
    "of none": (alert(), HEALTHY, "NotFiring"),
}


@pytest.mark.parametrize(("reading", "verdict", "reason"), FIRING.values(), ids=FIRING)
def test_an_alert_of_a_pod_that_is_gone_is_no_evidence(
    reading: detect.Reading, verdict: model.Verdict, reason: str
) -> None:
    """It fires on for as long as its rule looks back; only an alert of what lives is a reason."""
    signal = fixtures.signal(prometheus=None, alert={"name": "Looping"})
    found = _find(signal, reading, {NEW})
    assert (verdict, reason) == found[:2]
    assert found[2] == (NEW if verdict is UNHEALTHY else "")
