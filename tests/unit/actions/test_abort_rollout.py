"""abortRollout: one switch of the status, for the release that was seen, and no way back."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.actions import abort_rollout, registry
from prunella.api import reasons
from prunella.core import model, progressive
from prunella.core.changes import swaps
from tests.unit.actions import manifests
from tests.unit.core import builders

Refused = reasons.Refused
SEEN = {"stableRS": "old", "currentPodHash": "new", "currentStepIndex": 1}


def plan(status: dict[str, Any], **changes: Any) -> object:
    """The plan for a Rollout with a status."""
    delivery = progressive.of({}, status)
    workload = builders.workload(kind="Rollout", delivery=delivery, **changes)
    live_state = model.LiveState(workload)
    request = manifests.request(live_state, {"abortRollout": {}})
    return abort_rollout.AbortRollout().plan(request)


@pytest.mark.parametrize("before", [{}, {"abort": False}], ids=["never before", "retried before"])
def test_it_turns_one_switch_on(before: dict[str, Any]) -> None:
    """Nothing else is written; what was done can be told from what was not, and not be repeated."""
    effect = manifests.kept(manifests.planned(plan({**SEEN, **before})))
    rollout = {"status": {**SEEN, **before}}
    after = swaps.apply(effect.patch, rollout)
    assert {"status": {**SEEN, "abort": True}} == after
    assert (True, ()) == (effect.tested, effect.inverse)
    told = [swaps.written(effect.patch, effect.inverse, each) for each in (rollout, after)]
    assert [False, True] == told


def test_another_release_is_not_given_up() -> None:
    """The API server refuses it where a newer release has begun in between."""
    effect = manifests.planned(plan(SEEN))
    assert not swaps.fits(effect.patch, {"status": {**SEEN, "currentPodHash": "newer"}})


def test_nobody_owns_what_it_writes() -> None:
    """Who deploys the template is not fought: it stays."""
    assert registry.all_actions()["abortRollout"].owned_field is None


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], model.Refusal]] = {
    "nothing is rolled out": (
        {**SEEN, "stableRS": "new"},
        {},
        model.Refusal(
            Refused.AT_BOUND,
            "Rollout/checkout: release new is the stable one: nothing is being rolled out",
            skip_step=True,
        ),
    ),
    "the first release": (
        {**SEEN, "stableRS": ""},
        {},
        model.Refusal(
            Refused.AT_BOUND,
            "Rollout/checkout: release new is the stable one: nothing is being rolled out",
            skip_step=True,
        ),
    ),
    "aborted": (
        {**SEEN, "abort": True},
        {},
        model.Refusal(
            Refused.AT_BOUND,
            "Rollout/checkout: release new after old is aborted",
            skip_step=True,
        ),
    ),
    "on its way to the end": (
        {**SEEN, "promoteFull": True},
        {},
        model.Refusal(
            Refused.AT_BOUND,
            "Rollout/checkout: release new after old is moving, on its way to the end by promote "
            "--full, which drops an abort",
            skip_step=True,
        ),
    ),
    "not seen by the controller": (
        SEEN,
        {"observed_generation": 3},
        model.Refusal(
            Refused.ROLLOUT_IN_PROGRESS,
            "Argo Rollouts has seen generation 3 of 4 of Rollout/checkout",
        ),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused(case: str) -> None:
    """Each time with what was seen."""
    status, changes, expected = REFUSED[case]
    assert expected == plan(status, **changes)
