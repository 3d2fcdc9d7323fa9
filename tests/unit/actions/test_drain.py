"""drain: which pods are evicted, in which order, and which are left alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.actions import drain
from prunella.api import nodes as nodes_api
from prunella.api import reasons
from prunella.core import model, node_state
from prunella.core.decisions import action, nodes
from prunella.core.decisions.rules import Rules
from tests.unit.core import builders

Refused = reasons.Refused
NODE = model.Ref("Node", "", "worker-0")
POD = node_state.NodePod("shop", "web-1", "u1", "ReplicaSet/web")


def node(*pods: node_state.NodePod, by: str | None = None) -> model.Workload:
    """A node with pods; ``by`` is who has cordoned it, empty for a person."""
    state = node_state.NodeState(unschedulable=by is not None, pods=pods)
    annotations = {nodes.CORDONED_BY: by} if by else {"other": "x"}
    whole = builders.workload(uid="node-0", annotations=annotations)
    return dataclasses.replace(whole, ref=NODE, node=state)


def planned(target: model.Workload, **params: Any) -> action.Plan | model.Refusal:
    """What would be done."""
    request = action.Request(
        live_state=model.LiveState(target, pods_known=False),
        params=nodes_api.Drain.model_validate(params),
        findings=(),
        verdicts_at={},
        decided_at=builders.NOW,
        now=builders.NOW,
        record="record-2",
    )
    return drain.Drain().plan(request)


def _with(**changes: Any) -> node_state.NodePod:
    return dataclasses.replace(POD, **changes)


RULES = Rules(system_namespaces=frozenset({"kube-system", "ingress"}))
LEFT = {
    "of a ReplicaSet": (POD, {}, ""),
    "ended": (_with(ended=True), {}, "ended"),
    "static": (_with(mirror=True, controller=""), {}, "static"),
    "of a DaemonSet": (_with(controller="DaemonSet/logs"), {}, "of DaemonSets"),
    "critical": (_with(critical=True), {}, "of the system's priority"),
    "of the system": (_with(namespace="kube-system"), {}, "in a system namespace"),
    "of what an administrator names": (_with(namespace="ingress"), {}, "in a system namespace"),
    "unmanaged": (_with(controller=""), {}, "without a controller"),
    "unmanaged, allowed": (_with(controller=""), {"unmanaged": True}, ""),
    "local storage": (_with(local_storage=True), {}, "with local storage"),
    "local storage, allowed": (_with(local_storage=True), {"localStorage": True}, ""),
    "critical, all allowed": (
        _with(critical=True),
        {"localStorage": True, "unmanaged": True},
        "of the system's priority",
    ),
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_alone(name: str) -> None:
    """As kubectl and the descheduler do, and more only where the policy says so."""
    pod, params, expected = LEFT[name]
    assert expected == drain.left_alone(pod, nodes_api.Drain.model_validate(params), RULES)


def test_the_cordon_comes_first_and_the_own_namespace_last() -> None:
    """Evictions are paced, each under the UID of its pod."""
    own = _with(namespace="prunella-system", name="a", uid="u0")
    plan = planned(node(own, POD, _with(name="web-0", uid="u2")))
    assert isinstance(plan, action.Plan)
    first, *evictions = plan.effects
    assert (model.Verb.PATCH, NODE, True) == (first.verb, first.target, bool(first.inverse))
    told = [(e.target.namespace, e.target.name, e.uid, e.paced) for e in evictions]
    assert [
        ("shop", "web-0", "u2", True),
        ("shop", "web-1", "u1", True),
        ("prunella-system", "a", "u0", True),
    ] == told


def test_an_own_cordon_is_taken_over() -> None:
    """The record that answers for it is another one by then."""
    plan = planned(node(POD, by="record-1"))
    assert isinstance(plan, action.Plan)
    written = [each for each in plan.effects[0].patch if each["op"] != "test"]
    assert ["record-2"] == [each["value"] for each in written]


REFUSALS = {
    "cordoned by a person": (node(POD, by=""), Refused.CHANGED_BY_OTHERS, "somebody else"),
    "nothing to evict": (
        node(_with(mirror=True), _with(ended=True, name="job", uid="u3"), by="record-1"),
        Refused.AT_BOUND,
        "has no pod to evict; left alone are 1 ended, 1 static",
    ),
    "more than a record holds": (
        node(*(_with(name=f"p{n}", uid=f"u{n}") for n in range(128))),
        Refused.PLAN_TOO_LARGE,
        "128 pods on Node/worker-0, a record holds 127",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    """Each with its numbers; the next step is tried."""
    target, reason, message = REFUSALS[name]
    refusal = planned(target)
    assert isinstance(refusal, model.Refusal)
    assert (reason, True, True) == (refusal.reason, message in refusal.message, refusal.skip_step)


def test_as_many_as_a_record_holds() -> None:
    """127 evictions and the cordon fill it."""
    plan = planned(node(*(_with(name=f"p{n}", uid=f"u{n}") for n in range(127))))
    assert isinstance(plan, action.Plan)
    assert 128 == len(plan.effects)
