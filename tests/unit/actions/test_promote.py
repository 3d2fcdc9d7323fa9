"""promote: what waits goes on, or to the end; as the plugin of Argo Rollouts writes it."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.actions import promote
from prunella.api import reasons
from prunella.core import model, progressive
from prunella.core.changes import swaps
from tests.unit.actions import manifests
from tests.unit.core import builders

PAUSE = {"reason": "CanaryPauseStep", "startTime": "2026-03-01T12:00:00Z"}
SEEN = {"stableRS": "old", "currentPodHash": "new", "currentStepIndex": 1, "controllerPause": True}
WAITING = {**SEEN, "pauseConditions": [PAUSE]}
DOUBT = {"reason": "InconclusiveAnalysisRun", "startTime": "2026-03-01T12:00:00Z"}
UNDECIDED = (
    "Rollout/checkout: release new after old is waiting ({}), which is no pause of a step: what "
    "the controller could not tell a person decides: kubectl argo rollouts promote checkout -n shop"
)


def plan(status: dict[str, Any], **params: Any) -> object:
    """The plan for a Rollout with a status."""
    workload = builders.workload(kind="Rollout", delivery=progressive.of({}, status))
    request = manifests.request(model.LiveState(workload), {"promote": params})
    return promote.Promote().plan(request)


WRITTEN = {
    "the pause is ended": (WAITING, {}, SEEN),
    "to the end, from a pause": (WAITING, {"full": True}, {**WAITING, "promoteFull": True}),
    "before the other color serves": (
        {**SEEN, "pauseConditions": [{**PAUSE, "reason": "BlueGreenPause"}]},
        {},
        SEEN,
    ),
    "to the end, from an analysis": (SEEN, {"full": True}, {**SEEN, "promoteFull": True}),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_what_it_writes(case: str) -> None:
    """One field, that can't be written twice; there is no way back but to abort."""
    status, params, expected = WRITTEN[case]
    effect = manifests.kept(manifests.planned(plan(status, **params)))
    before = {"status": status}
    after = swaps.apply(effect.patch, before)
    assert {"status": expected} == after
    told = [swaps.written(effect.patch, effect.inverse, each) for each in (before, after)]
    assert ([False, True], ()) == (told, effect.inverse)
    assert "kubectl argo rollouts abort checkout -n shop" in effect.summary


def test_another_pause_is_not_ended() -> None:
    """Who goes on by itself and waits at the next step was not judged there."""
    effect = manifests.planned(plan(WAITING))
    later = {**WAITING, "pauseConditions": [{**PAUSE, "startTime": "2026-03-01T13:00:00Z"}]}
    assert not swaps.fits(effect.patch, {"status": later})


REFUSED = {
    "an analysis could not tell": (
        {**SEEN, "pauseConditions": [DOUBT]},
        {},
        UNDECIDED.format("InconclusiveAnalysisRun"),
    ),
    "an analysis could not tell, to the end": (
        {**SEEN, "pauseConditions": [DOUBT]},
        {"full": True},
        UNDECIDED.format("InconclusiveAnalysisRun"),
    ),
    "nor was the step alone": (
        {**SEEN, "pauseConditions": [PAUSE, DOUBT]},
        {},
        UNDECIDED.format("CanaryPauseStep, InconclusiveAnalysisRun"),
    ),
    "a pause without a reason": (
        {**SEEN, "pauseConditions": [{}]},
        {},
        UNDECIDED.format("None"),
    ),
    "waits for nobody": (
        SEEN,
        {},
        (
            "Rollout/checkout: release new after old is moving, it waits for nobody; full: true "
            "would skip the rest"
        ),
    ),
    "is on its way": (
        {**WAITING, "promoteFull": True},
        {"full": True},
        "Rollout/checkout: release new after old is moving, and is on its way to the end",
    ),
    "is on its way, whatever it waited for": (
        {**SEEN, "pauseConditions": [DOUBT], "promoteFull": True},
        {},
        "Rollout/checkout: release new after old is moving, and is on its way to the end",
    ),
    "was given up": (
        {**SEEN, "abort": True},
        {"full": True},
        "Rollout/checkout: release new after old is aborted",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused(case: str) -> None:
    """The next step is tried."""
    status, params, expected = REFUSED[case]
    refusal = model.Refusal(reasons.Refused.AT_BOUND, expected, skip_step=True)
    assert refusal == plan(status, **params)
