"""deleteStuckPod: the pods that a StatefulSet waits for in vain, and no others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from prunella.actions import delete_stuck_pod
from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import action, strategies
from tests.unit.actions import manifests
from tests.unit.core import builders

NOW = builders.NOW
OLD, NEW = "checkout-old", "checkout-new"
ORDERED = model.Strategy(ordered=True)
REVISIONS = (
    model.Revision(2, NEW, NOW, builders.TEMPLATE, current=True),
    model.Revision(1, OLD, NOW - builders.minutes(60), {}),
)


def pod(ordinal: int, revision: str = NEW, **changes: Any) -> model.Pod:
    """A pod of the set."""
    labels = {strategies.REVISION_HASH: revision}
    found = model.Pod(f"checkout-{ordinal}", f"uid-{ordinal}", labels)
    return dataclasses.replace(found, **changes)


def lost(ordinal: int, minutes: float = 10) -> model.Pod:
    """A pod in deletion on a node that does not answer, its grace over since then."""
    stranded = model.Stranded.LOST
    changes: dict[str, Any] = {
        "ready": False,
        "deleting": True,
        "gone_by": NOW - builders.minutes(minutes),
    }
    return pod(ordinal, stranded=stranded, **changes)


def plan(
    pods: Sequence[model.Pod],
    after: str | None = None,
    kind: str = "StatefulSet",
    revisions: tuple[model.Revision, ...] = REVISIONS,
    **changes: Any,
) -> object:
    """The plan for a set of three pods; ``changes`` are fields of the workload."""
    workload = builders.workload(kind=kind, **{"strategy": ORDERED, **changes})
    live_state = model.LiveState(workload, pods=tuple(pods), revisions=revisions)
    params = {"deleteStuckPod": {} if after is None else {"lostNodeAfter": after}}
    return delete_stuck_pod.DeleteStuckPod().plan(manifests.request(live_state, params))


def effects(planned: object) -> list[tuple[str, str, bool]]:
    """Name and UID of each pod, and whether it is removed without grace."""
    assert isinstance(planned, action.Plan), planned
    assert {model.Verb.EVICT} == {each.verb for each in planned.effects}
    assert list(planned.effects) == [manifests.kept(each) for each in planned.effects]
    return [(each.target.name, each.uid, each.forced) for each in planned.effects]


BLOCKING = pod(2, OLD, ready=False)


def test_the_pod_that_blocks_a_repaired_rollout_is_evicted() -> None:
    """It is of an older template and not ready; what is ready follows by itself."""
    expected = [("checkout-2", "uid-2", False)]
    assert expected == effects(plan([pod(0, OLD), pod(1, OLD), BLOCKING]))
    # What blocks comes before what is lost.
    assert expected == effects(plan([lost(0), pod(1, OLD), BLOCKING], "5m"))


def test_the_pod_of_a_lost_node_is_removed_without_grace() -> None:
    """Only where the policy says after how long, and that has passed."""
    planned = plan([pod(0), pod(1), lost(2)], "5m")
    assert [("checkout-2", "uid-2", True)] == effects(planned)
    assert isinstance(planned, action.Plan)
    assert (
        "remove pod checkout-2 of StatefulSet/checkout without grace: its node does not answer, "
        "and it should have been gone for 600 s"
    ) == planned.effects[0].summary


NO_PODS, AT_BOUND = reasons.Refused.NO_PODS, reasons.Refused.AT_BOUND
NOT_STUCK = (
    "no pod of StatefulSet/checkout is stuck: {} of 3 are not ready, none of an older template "
    "holds up a rollout; {}"
)
NOT_ASKED = "pods of lost nodes are left alone without lostNodeAfter"
NONE_LOST = "none is in deletion on a node that does not answer"
Row = tuple[dict[str, Any], model.Refusal]
REFUSED: dict[str, Row] = {
    "a Deployment": (
        {"pods": [BLOCKING], "kind": "Deployment"},
        model.Refusal(
            NO_PODS,
            "Deployment/checkout waits for none of its pods: only a StatefulSet does",
            skip_step=True,
        ),
    ),
    "all ready": (
        {"pods": [pod(0), pod(1), pod(2, OLD)]},
        model.Refusal(NO_PODS, NOT_STUCK.format(0, NOT_ASKED), skip_step=True),
    ),
    "a pod of the newest template, which is not repaired": (
        {"pods": [pod(0, OLD), pod(1, OLD), pod(2, ready=False)]},
        model.Refusal(NO_PODS, NOT_STUCK.format(1, NOT_ASKED), skip_step=True),
    ),
    "the newest template is not known": (
        {"pods": [pod(0, OLD), pod(1, OLD), BLOCKING], "revisions": ()},
        model.Refusal(NO_PODS, NOT_STUCK.format(1, NOT_ASKED), skip_step=True),
    ),
    "Parallel pods wait for none": (
        {"pods": [pod(0, OLD), pod(1, OLD), BLOCKING], "strategy": model.Strategy()},
        model.Refusal(NO_PODS, NOT_STUCK.format(1, NOT_ASKED), skip_step=True),
    ),
    "kept by a partition": (
        {
            "pods": [pod(0, OLD, ready=False), pod(1), pod(2)],
            "strategy": dataclasses.replace(ORDERED, partition=1),
        },
        model.Refusal(NO_PODS, NOT_STUCK.format(1, NOT_ASKED), skip_step=True),
    ),
    "a lost node that is not asked for": (
        {"pods": [pod(0), pod(1), lost(2)]},
        model.Refusal(NO_PODS, NOT_STUCK.format(1, NOT_ASKED), skip_step=True),
    ),
    "in deletion on a node that answers": (
        {"pods": [pod(0), pod(1), dataclasses.replace(lost(2), stranded=None)], "after": "5m"},
        model.Refusal(NO_PODS, NOT_STUCK.format(1, NONE_LOST), skip_step=True),
    ),
    "lost, but nobody has deleted it": (
        {"pods": [pod(0), pod(1), dataclasses.replace(lost(2), deleting=False)], "after": "5m"},
        model.Refusal(NO_PODS, NOT_STUCK.format(1, NONE_LOST), skip_step=True),
    ),
    "not for long enough": (
        {"pods": [pod(0), pod(1), lost(2, 2)], "after": "5m"},
        model.Refusal(
            NO_PODS,
            "pod checkout-2 of StatefulSet/checkout should have been gone for 120 s, its node does "
            "not answer; lostNodeAfter is 300 s",
            skip_step=True,
        ),
    ),
    "more than half are lost": (
        {"pods": [pod(0), lost(1), lost(2)], "after": "5m"},
        model.Refusal(
            AT_BOUND,
            "2 of 3 pods of StatefulSet/checkout are on nodes that do not answer, more than half: "
            "that is rather the network, and they may still run",
        ),
    ),
}


@pytest.mark.parametrize(("given", "expected"), REFUSED.values(), ids=REFUSED)
def test_refuses_with_what_it_saw(given: dict[str, Any], expected: model.Refusal) -> None:
    """A pod that may still become ready, or may still run, is left."""
    assert expected == plan(**given)
