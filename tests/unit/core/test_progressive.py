"""How far an Argo Rollout is: read from its status, counted, and told when nothing moves."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.core import model, progressive
from tests.unit.core import builders

STEPS = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}
ROUTED = {"canary": {**STEPS["canary"], "trafficRouting": {"nginx": {}}}}
GREEN = {"blueGreen": {"activeService": "web"}}
EARLIER, LATER = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"
PAUSE = {"reason": "CanaryPauseStep", "startTime": "2026-03-01T12:00:00Z"}


def told(strategy: dict[str, Any] = STEPS, /, **status: Any) -> tuple[dict[str, Any], Any]:
    """The spec and status of a Rollout of 5 replicas whose canary of one pod waits."""
    spec = {"replicas": 5, "strategy": strategy}
    base = {"stableRS": "old", "currentPodHash": "new", "currentStepIndex": 1, "replicas": 5}
    counts = {"updatedReplicas": 1, "availableReplicas": 5}
    return spec, {**base, **counts, **status}


WHERE: dict[str, tuple[tuple[dict[str, Any], Any], str]] = {
    "moving": (told(), "release new after old is moving at step 1 of 2"),
    "waiting": (
        told(pauseConditions=[PAUSE]),
        "release new after old is waiting (CanaryPauseStep) at step 1 of 2",
    ),
    "aborted, and what it waited for is no matter": (
        told(pauseConditions=[PAUSE], abort=True),
        "release new after old is aborted at step 1 of 2",
    ),
    "on its way to the end": (
        told(pauseConditions=[PAUSE], promoteFull=True),
        "release new after old is moving at step 1 of 2",
    ),
    "a retried release": (told(abort=False), "release new after old is moving at step 1 of 2"),
    "blue/green has no steps": (told(GREEN), "release new after old is moving"),
    "stable": (told(stableRS="new"), "release new is the stable one"),
    "the first release": (told(stableRS=""), "release new is the stable one"),
    "not seen yet": (({}, {}), "release unknown is the stable one"),
}


@pytest.mark.parametrize("case", WHERE)
def test_where_it_is(case: str) -> None:
    """In the words of plans and refusals."""
    (spec, status), expected = WHERE[case]
    assert expected == str(progressive.of(spec, status))


COUNTS: dict[str, tuple[tuple[dict[str, Any], Any], tuple[int, int, int, int]]] = {
    "a canary": (told(), (5, 1, 5, 5)),
    "an aborted one: the stable pods are those that are to serve": (
        told(abort=True, replicas=6),
        (5, 5, 5, 6),
    ),
    "aborted where traffic is routed: the others get none": (
        told(ROUTED, abort=True, replicas=6),
        (5, 5, 5, 5),
    ),
    "blue/green, promoted: the old ones go later": (
        told(GREEN, stableRS="new", updatedReplicas=5, replicas=10),
        (5, 5, 5, 5),
    ),
    "blue/green, waiting": (told(GREEN, updatedReplicas=5, replicas=10), (5, 5, 5, 10)),
    "new, without a status": (({}, {}), (1, 0, 0, 0)),
}


@pytest.mark.parametrize("case", COUNTS)
def test_counts(case: str) -> None:
    """Wanted, of the release that is to serve, available, in all."""
    (spec, status), expected = COUNTS[case]
    assert expected == progressive.counts(spec, status)


def workload(**status: Any) -> model.Workload:
    """The same as a workload whose controller has seen its spec."""
    spec, full = told(**status)
    counts = dict(
        zip(
            ("replicas", "updated", "available", "total"),
            progressive.counts(spec, full),
            strict=True,
        )
    )
    return builders.workload(kind="Rollout", delivery=progressive.of(spec, full), **counts)


MOVING: dict[str, tuple[model.Workload, bool]] = {
    "between two steps": (workload(), True),
    "waiting at a step": (workload(pauseConditions=[PAUSE]), False),
    "waiting, a pod is missing": (workload(pauseConditions=[PAUSE], replicas=4), True),
    "aborted, not seen by the controller": (workload(abort=True, updatedReplicas=0), True),
    "aborted, canary pods are left": (workload(abort=True, abortedAt="t", replicas=6), True),
    "aborted, all pods are stable": (workload(abort=True, abortedAt="t", updatedReplicas=0), False),
    "restarting": (
        dataclasses.replace(
            workload(stableRS="new", updatedReplicas=5),
            delivery=progressive.of({"restartAt": LATER}, {"restartedAt": EARLIER}),
        ),
        True,
    ),
    "restarted, written in another zone": (
        dataclasses.replace(
            workload(stableRS="new", updatedReplicas=5),
            delivery=progressive.of(
                {"restartAt": "2026-03-01T14:00:00+01:00"}, {"restartedAt": LATER}
            ),
        ),
        False,
    ),
}


@pytest.mark.parametrize("case", MOVING)
def test_when_it_moves(case: str) -> None:
    """What waits for somebody does not; what an abort or a restart has left to do does."""
    found, expected = MOVING[case]
    assert (expected, not expected) == (found.rolling, found.rolled_out)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [(["/status/abort"], True), (["/spec/template"], False), (["/status/abort", "/spec/a"], False)],
    ids=["the status", "the spec", "both"],
)
def test_what_is_told_to_the_controller(paths: list[str], expected: bool) -> None:
    """A patch goes to the status only where all of it is about that."""
    patch = [{"op": "add", "path": path, "value": True} for path in paths]
    assert expected == progressive.tells(patch)
