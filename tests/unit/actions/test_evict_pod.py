"""evictPod: the pod that the evidence names, by its UID."""

from __future__ import annotations

import dataclasses

import pytest

from prunella.actions import evict_pod
from prunella.api import reasons
from prunella.core import model
from tests.unit.actions import manifests
from tests.unit.core import builders

PODS = (model.Pod("web-a", "uid-a"), model.Pod("web-b", "uid-b"), model.Pod("web-c", "uid-c"))


def plan(pods: tuple[model.Pod, ...], *named: str) -> object:
    """The plan for findings that name these pods; an empty name is a workload's finding."""
    live_state = model.LiveState(manifests.workload(manifests.deployment()), pods=pods)
    findings = tuple(builders.finding(pod=name) for name in named)
    return evict_pod.EvictPod().plan(manifests.request(live_state, findings=findings))


@pytest.mark.parametrize("named", [("web-b",), ("web-b", "web-a"), ("", "web-b")], ids=str)
def test_evicts_the_worst_pod_by_uid(named: tuple[str, ...]) -> None:
    """The first finding with a pod names it; the UID keeps a repeat from its successor."""
    effect = manifests.planned(plan(PODS, *named))
    assert (model.Verb.EVICT, builders.ref("web-b", kind="Pod"), "uid-b", None, (), ()) == (
        effect.verb,
        effect.target,
        effect.uid,
        effect.generation,
        effect.patch,
        effect.inverse,
    )


DELETING = dataclasses.replace(PODS[1], deleting=True)
REFUSED: dict[str, tuple[tuple[model.Pod, ...], str, str]] = {
    "no pod named": (PODS, "", "no signal names a pod: keep the label pod in the query's result"),
    "gone": ((PODS[0],), "web-b", "pod web-b of Deployment/checkout is gone"),
    "deleting": (
        (PODS[0], DELETING),
        "web-b",
        "pod web-b of Deployment/checkout is already being deleted",
    ),
}


@pytest.mark.parametrize(("pods", "named", "message"), REFUSED.values(), ids=REFUSED)
def test_refuses_without_a_pod_to_evict(
    pods: tuple[model.Pod, ...], named: str, message: str
) -> None:
    """Never another pod instead of the one that was measured."""
    assert model.Refusal(reasons.Refused.NO_PODS, message) == plan(pods, named)
