"""Guards of nodes: each with the numbers and names that it compared."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.api import cluster_policy, reasons
from prunella.core import model, node_state, objects
from prunella.core.decisions import guards
from prunella.core.decisions.guards import nodes as node_guards
from tests.unit.core import builders

Phase, Refused = reasons.Phase, reasons.Refused
FREE = node_state.NodeState({"Ready": node_state.Condition("True")})
CORDONED = dataclasses.replace(FREE, unschedulable=True)
LOST = node_state.NodeState({"Ready": node_state.Condition("Unknown")})
SILENT = node_state.NodeState()


def ref(number: int) -> model.Ref:
    """A node by number."""
    return model.Ref("Node", "", f"worker-{number}")


def node(state: node_state.NodeState = FREE, **fields: Any) -> model.Workload:
    """The node that is sick."""
    whole = builders.workload(uid="node-0", **fields)
    return dataclasses.replace(whole, ref=ref(0), node=state)


def case(*others: node_state.NodeState, limit: object = "25%", **changes: Any) -> guards.Case:
    """A cordon of the first of some nodes, in a policy on all of them."""
    document = {
        "target": {"selector": {"matchLabels": {"pool": "a"}}},
        "signals": [{"name": "sick", "nodeCondition": {"type": "Ready", "status": "False"}}],
        "steps": [{"cordon": {}}],
        "guards": {"maxUnavailable": limit},
    }
    spec = cluster_policy.ClusterRemediationPolicySpec.model_validate(document)
    policy = objects.Policy(objects.Key("", "nodes"), "p", 1, spec)
    states = {ref(number + 1): state for number, state in enumerate(others)}
    verdicts = {ref(0): builders.UNHEALTHY, **dict.fromkeys(states, builders.HEALTHY)}
    target = changes.pop("target", node())
    whole = builders.case(action=changes.pop("action", "cordon"), target=target, of=policy)
    nodes = {**states, ref(0): FREE}
    return dataclasses.replace(whole, verdicts=verdicts, nodes=nodes, **changes)


MASTER = dataclasses.replace(FREE, control_plane=True)
LAST = {
    "alone": ((), "0 of 0 other nodes"),
    "all others are out": ((CORDONED, LOST, SILENT), "0 of 3 other nodes"),
    "only the control plane is left": ((MASTER, CORDONED), "0 of 2 other nodes"),
    "one is left": ((MASTER, CORDONED, FREE), None),
}


@pytest.mark.parametrize("name", LAST)
@pytest.mark.parametrize("action", ["cordon", "drain"])
def test_the_last_node_in_service_stays_so(name: str, action: str) -> None:
    """Whatever the share, and also where the other nodes are of no policy."""
    others, expected = LAST[name]
    whole = case(*others, limit="100%", action=action)
    answer = node_guards.leaves_nodes_in_service(
        dataclasses.replace(whole, verdicts={ref(0): builders.UNHEALTHY})
    )
    assert (expected is None) is isinstance(answer, str)
    if isinstance(answer, model.Refusal):
        assert (Refused.MAX_UNAVAILABLE, True) == (answer.reason, expected in answer.message)


def test_a_node_that_is_worked_on_is_no_other_place() -> None:
    """Given that the other node is about to be cordoned too, this one stays."""
    other = dataclasses.replace(node(), ref=ref(1), uid="node-1")
    begun = builders.record("other", Phase.PENDING, action="cordon", target=other)
    answer = node_guards.leaves_nodes_in_service(
        dataclasses.replace(case(FREE, limit="100%"), records=(begun,))
    )
    assert isinstance(answer, model.Refusal)
    assert "0 of 1 other nodes" in answer.message


SHARES = {
    "all in service": ((FREE,) * 3, True),
    "one of four cordoned": ((CORDONED, FREE, FREE), False),
    "one of four not Ready": ((LOST, FREE, FREE), False),
    "one of four that tells nothing": ((SILENT, FREE, FREE), False),
    "one of eight": ((CORDONED, *(FREE,) * 6), True),
    "two of eight": ((CORDONED, LOST, *(FREE,) * 5), False),
}


@pytest.mark.parametrize("name", SHARES)
def test_only_a_share_is_out_of_service(name: str) -> None:
    """Whoever has taken them out: cordoned, not Ready and in doubt all count."""
    others, passes = SHARES[name]
    answer = node_guards.leaves_nodes_in_service(case(*others))
    assert passes is isinstance(answer, str)
    if isinstance(answer, model.Refusal):
        assert Refused.MAX_UNAVAILABLE == answer.reason


def test_the_numbers_are_told() -> None:
    """How many are out, of how many, and what is allowed."""
    answer = node_guards.leaves_nodes_in_service(case(CORDONED, FREE, limit=1))
    assert isinstance(answer, model.Refusal)
    assert (
        "1 of 3 other nodes of the policy are cordoned, not Ready or being worked on, "
        "1 allowed (1)" == answer.message
    )


@pytest.mark.parametrize("label", node_state.CONTROL_PLANE)
def test_the_control_plane_is_spared(label: str) -> None:
    """By each of the labels that distributions give it."""
    answer = node_guards.spares_the_control_plane(case(target=node(labels={label: ""})))
    assert isinstance(answer, model.Refusal)
    assert (Refused.CONTROL_PLANE, True) == (answer.reason, label in answer.message)


def test_what_gives_a_node_back_is_never_held_up() -> None:
    """The guards are about taking out alone."""
    label = {node_state.CONTROL_PLANE[0]: ""}
    asked = case(CORDONED, CORDONED, action="uncordon", target=node(labels=label))
    answers = [
        node_guards.spares_the_control_plane(asked),
        node_guards.leaves_nodes_in_service(asked),
        node_guards.stays_uncordoned_by_people(asked),
    ]
    assert ["uncordon takes no node out of service"] * 3 == answers


def _record(phase: Phase = Phase.SUCCEEDED, **fields: Any) -> objects.Record:
    ago = builders.minutes(30)
    return builders.record("out", phase, action="cordon", target=node(), ago=ago, **fields)


def test_who_uncordons_is_not_fought() -> None:
    """The record is named, and what ends it."""
    answer = node_guards.stays_uncordoned_by_people(case(records=(_record(),)))
    assert isinstance(answer, model.Refusal)
    assert Refused.CHANGED_BY_OTHERS == answer.reason
    assert (
        "somebody has uncordoned Node/worker-0 after out; goes on when Node/worker-0 was Healthy "
        "once" == answer.message
    )


def _cleared() -> objects.Record:
    record = _record()
    status = record.status.model_copy(update={"cleared_at": builders.NOW})
    return dataclasses.replace(record, status=status)


PASSES = {
    "nothing was done": case(),
    "it is still cordoned": case(target=node(CORDONED), records=(_record(),)),
    "it was Healthy since": case(records=(_cleared(),)),
    "it was never sent": case(records=(_record(Phase.FAILED),)),
}


@pytest.mark.parametrize("name", PASSES)
def test_what_is_no_veto(name: str) -> None:
    """A person's word is one only while the node has been sick all the time."""
    assert isinstance(node_guards.stays_uncordoned_by_people(PASSES[name]), str)


def test_a_resumed_policy_goes_on() -> None:
    """`prunella resume` takes the veto back."""
    asked = case(records=(_record(),))
    annotations = {objects.RESUMED: f"{builders.NOW.isoformat()} by ada"}
    resumed = dataclasses.replace(asked.policy, annotations=annotations)
    answer = node_guards.stays_uncordoned_by_people(dataclasses.replace(asked, policy=resumed))
    assert isinstance(answer, str)
