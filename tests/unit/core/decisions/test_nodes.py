"""When a node is given back, by whatever the policy says of it now."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from prunella.api import cluster_policy, reasons
from prunella.core import model, node_state, objects
from prunella.core.decisions import episode, nodes
from tests.unit.core import builders

Phase, Refused = reasons.Phase, reasons.Refused
KEY = objects.Key("", "nodes")
CORDON: dict[str, Any] = {"cordon": {"uncordonAfter": "10m"}}
DRAIN: dict[str, Any] = {"drain": {"uncordonAfter": "10m"}}
UNCORDON: dict[str, Any] = {"uncordon": {}}
LONG_AGO = builders.NOW - builders.minutes(10)


def node(by: str = "out") -> model.Workload:
    """A cordoned node."""
    whole = builders.workload(uid="node-0", annotations={nodes.CORDONED_BY: by})
    state = node_state.NodeState(unschedulable=True)
    return dataclasses.replace(whole, ref=model.Ref("Node", "", "worker-0"), node=state)


def answered(
    *steps: dict[str, Any],
    phase: Phase = Phase.SUCCEEDED,
    by: str = "out",
    mode: str = "Live",
    well_since: datetime.datetime | None = LONG_AGO,
) -> episode.Next | model.Refusal | None:
    """What is due of a node that the first step of a policy has cordoned."""
    document = {
        "mode": mode,
        "target": {"name": "worker-0"},
        "signals": [{"name": "sick", "nodeCondition": {"type": "Ready", "status": "False"}}],
        "steps": list(steps),
    }
    spec = cluster_policy.ClusterRemediationPolicySpec.model_validate(document)
    policy = objects.Policy(KEY, "p", 1, spec)
    record = builders.record("out", phase, key=KEY, action="cordon", target=node())
    return nodes.due(policy, spec, node(by), [record], well_since, builders.NOW)


@pytest.mark.parametrize("phase", sorted(reasons.ACTED))
def test_it_is_given_back_however_its_record_has_ended(phase: Phase) -> None:
    """The annotation on the node proves whose cordon it is; what is under way is not over."""
    assert phase.final is isinstance(answered(CORDON, phase=phase), episode.Next)


STEPS = {
    "as it was": ((CORDON, DRAIN), 0),
    "another one is above it": ((UNCORDON, CORDON), 1),
    "the other of the two": ((UNCORDON, DRAIN), 1),
}


@pytest.mark.parametrize("name", STEPS)
def test_any_step_that_takes_out_says_how(name: str) -> None:
    """Its own place first, then wherever a policy that was edited has one."""
    steps, expected = STEPS[name]
    found = answered(*steps)
    assert isinstance(found, episode.Next)
    assert (expected, "out") == (found.step, found.back.name if found.back else "")


def test_a_policy_that_no_longer_says_how_tells_it() -> None:
    """A node is not left cordoned in silence."""
    found = answered(UNCORDON)
    assert isinstance(found, model.Refusal)
    told = "no step of the policy says cordon or drain any more; uncordon it by hand"
    assert Refused.PLAN_CHANGED == found.reason
    assert f"Node/worker-0, which out has cordoned, stays so: {told}" == found.message


NOTHING = {
    "Healthy for too short": answered(CORDON, well_since=LONG_AGO + builders.minutes(1)),
    "not Healthy": answered(CORDON, well_since=None),
    "a person is to": answered({"cordon": {"uncordonAfter": "0s", "keep": True}}),
    "cordoned by another": answered(CORDON, by="other"),
    "cordoned by another, and no step": answered(UNCORDON, by="other"),
    "of another mode": answered(CORDON, mode="Advise"),
}


@pytest.mark.parametrize("name", NOTHING)
def test_when_nothing_is_due(name: str) -> None:
    """Neither an action nor a word."""
    assert NOTHING[name] is None
