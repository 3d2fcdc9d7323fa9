"""ClusterRemediationPolicy: nodes and what is for them, and nothing of a namespace."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from prunella.api import cluster_policy
from prunella.api import policy as policy_api

READY = {"name": "ready", "nodeCondition": {"type": "Ready", "status": "False"}}
NODES: dict[str, Any] = {
    "target": {"name": "worker-0"},
    "signals": [READY],
    "steps": [{"cordon": {}}],
}
SHOP: dict[str, Any] = {
    "target": {"name": "checkout"},
    "signals": [{"name": "e", "prometheus": {"query": "up"}, "threshold": {"below": 1}}],
    "steps": [{"restart": {}}],
}


def test_five_lines_are_enough() -> None:
    """All else has a safe default: Advise, and few nodes at once."""
    spec = cluster_policy.ClusterRemediationPolicySpec.model_validate(NODES)
    assert ("Node", "Advise", "25%") == (spec.target.kind, spec.mode, spec.guards.max_unavailable)
    cordon = spec.steps[0].cordon
    assert cordon is not None
    assert ("10m", False) == (str(cordon.uncordon_after), cordon.keep)


REFUSED = {
    "another kind": (NODES, {"target": {"kind": "Deployment", "name": "x"}}, "target.kind"),
    "no name and no selector": (NODES, {"target": {}}, "exactly one of name, selector"),
    "a step on workloads": (
        NODES,
        {"steps": [{"restart": {}}]},
        "nodes take cordon or drain or uncordon",
    ),
    "a trigger": (NODES, {"trigger": {"incident": {"causeKind": ["Release"]}}}, "of a namespace"),
    "a capture": (NODES, {"capture": {"events": True}}, "of a namespace"),
    "rules": (NODES, {"evaluation": "Rules"}, "of a namespace"),
    "two measurements": (
        NODES,
        {"signals": [{**READY, "prometheus": {"query": "up"}}]},
        "exactly one of prometheus, ratio, alert, nodeCondition",
    ),
    "a condition that is mapped": (
        NODES,
        {"signals": [{**READY, "mapping": {"name": "node"}}]},
        "takes no presence, no mapping",
    ),
    "a status without quotes": (
        NODES,
        {"signals": [{"name": "r", "nodeCondition": {"type": "Ready", "status": False}}]},
        "'True', 'False' or 'Unknown'",
    ),
    "nodes in a namespace": (SHOP, {"target": {"kind": "Node", "name": "n"}}, "need a Cluster"),
    "a condition in a namespace": (SHOP, {"signals": [READY]}, "need a ClusterRemediationPolicy"),
    "a cordon in a namespace": (SHOP, {"steps": [{"cordon": {}}]}, "steps[0]: cordon: targets of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    """Each with a word on what is wrong."""
    whole, changes, message = REFUSED[name]
    kind = policy_api.RemediationPolicySpec
    kind = cluster_policy.ClusterRemediationPolicySpec if whole is NODES else kind
    with pytest.raises(pydantic.ValidationError) as raised:
        kind.model_validate({**whole, **changes})
    assert message in str(raised.value)
