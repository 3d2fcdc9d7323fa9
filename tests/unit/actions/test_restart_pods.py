"""restartPods: the pods that the evidence names, one after the other, by their UIDs."""

from __future__ import annotations

import dataclasses

import pytest

from prunella.actions import restart_pods
from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import action, ledger
from tests.unit.actions import manifests
from tests.unit.core import builders

PODS = tuple(model.Pod(f"web-{letter}", f"uid-{letter}") for letter in "abcde")
DELETING = dataclasses.replace(PODS[1], deleting=True)


def plan(*findings: model.Finding, pods: tuple[model.Pod, ...] = PODS, most: int = 3) -> object:
    """The plan for some findings about a workload of five pods."""
    live_state = model.LiveState(manifests.workload(manifests.deployment()), pods=pods)
    params = {"restartPods": {"max": most}}
    request = manifests.request(live_state, params, findings=findings)
    return restart_pods.RestartPods().plan(request)


def evicted(planned: object) -> list[tuple[str, str, bool]]:
    """Name and UID of each pod that is evicted, and whether it waits for the one before."""
    assert isinstance(planned, action.Plan), planned
    assert {model.Verb.EVICT} == {effect.verb for effect in planned.effects}
    return [(each.target.name, each.uid, each.paced) for each in planned.effects]


MANY = builders.finding(pod="web-c", pods=("web-a", "web-c"))


def test_evicts_the_sick_pods_one_after_the_other() -> None:
    """All pods that the findings name, none beside them; each but the first waits."""
    other = builders.finding(signal="other", pod="web-b")
    expected = [
        ("web-a", "uid-a", False),
        ("web-b", "uid-b", True),
        ("web-c", "uid-c", True),
    ]
    planned = plan(MANY, other)
    assert expected == evicted(planned)
    assert isinstance(planned, action.Plan)
    assert [
        "evict pod web-a of Deployment/checkout (1 of 3)",
        "evict pod web-b of Deployment/checkout (2 of 3), once web-a is replaced",
        "evict pod web-c of Deployment/checkout (3 of 3), once web-b is replaced",
    ] == [effect.summary for effect in planned.effects]


def test_the_same_pods_give_the_same_plan() -> None:
    """Which pod is the worst changes with every sample: the plan is by name."""
    worst_first = builders.finding(pod="web-a", pods=("web-a", "web-c"))
    assert plan(MANY) == plan(worst_first)


def test_the_pace_is_part_of_the_plan() -> None:
    """An eviction that waits is another effect than one that does not."""
    planned = plan(MANY)
    assert isinstance(planned, action.Plan)
    at_once = [dataclasses.replace(effect, paced=False) for effect in planned.effects]
    hashes = {ledger.plan_hash("uid", "restartPods", 0, e) for e in (planned.effects, at_once)}
    assert 2 == len(hashes)
    assert list(planned.effects) == [manifests.kept(effect) for effect in planned.effects]


def test_one_sick_pod_is_one_eviction() -> None:
    """Where only the worst pod is known, it is the one."""
    assert [("web-b", "uid-b", False)] == evicted(plan(builders.finding(pod="web-b")))


NO_PODS, AT_BOUND = reasons.Refused.NO_PODS, reasons.Refused.AT_BOUND
REFUSED: dict[str, tuple[model.Finding, tuple[model.Pod, ...], model.Refusal]] = {
    "no pod named": (
        builders.finding(),
        PODS,
        model.Refusal(NO_PODS, "no signal names a pod: keep the label pod in the query's result"),
    ),
    "all gone or going": (
        builders.finding(pods=("web-b", "web-z")),
        (PODS[0], DELETING),
        model.Refusal(
            NO_PODS,
            "the sick pods of Deployment/checkout (web-b, web-z) are gone or are being deleted",
        ),
    ),
    "more than it takes": (
        builders.finding(pods=("web-a", "web-b", "web-c", "web-d")),
        PODS,
        model.Refusal(
            AT_BOUND,
            "4 pods of Deployment/checkout are sick, restartPods takes 3 at most",
            skip_step=True,
        ),
    ),
}


@pytest.mark.parametrize(("finding", "pods", "expected"), REFUSED.values(), ids=REFUSED)
def test_refuses_with_the_numbers(
    finding: model.Finding, pods: tuple[model.Pod, ...], expected: model.Refusal
) -> None:
    """Never a pod that was not measured; many sick pods are a sick workload."""
    assert expected == plan(finding, pods=pods)
