"""ClusterRemediationPolicy: the same for what is in no namespace, for administrators.

Its signals are asked over the whole cluster: who may write one may read all metrics.
"""

from __future__ import annotations

from typing import Literal

import pydantic

from prunella.api import base, nodes
from prunella.api import policy as policy_api

_OF_NODES = " || ".join(f"has(s.{name})" for name in nodes.ACTIONS)
_ONLY_NODES = f"nodes take {' or '.join(nodes.ACTIONS)}, no other step does"
_NO_TRIGGER = "trigger, capture and evaluation: Rules are for policies of a namespace"
_NO_RULES = "!has(self.evaluation) || self.evaluation != 'Rules'"


class NodeTarget(policy_api.Target):
    """The nodes that the policy watches and may act on."""

    kind: Literal[policy_api.TargetKind.NODE] = pydantic.Field(
        policy_api.TargetKind.NODE, description="Kind of the targets: Node."
    )


class ClusterRemediationPolicySpec(policy_api.RemediationPolicySpec):
    """Which nodes to watch, when they are sick, what may be done about it."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            (f"self.steps.all(s, {_OF_NODES})", _ONLY_NODES),
            (f"!has(self.trigger) && !has(self.capture) && ({_NO_RULES})", _NO_TRIGGER),
            (
                (
                    "!self.signals.exists(s, has(s.mapping) && has(s.mapping.single) "
                    "&& s.mapping.single) || has(self.target.name)"
                ),
                "mapping single: true needs target.name",
            ),
        )
    )

    target: NodeTarget = pydantic.Field(description="The nodes to watch and act on.")

    @pydantic.model_validator(mode="after")
    def _steps_fit(self) -> ClusterRemediationPolicySpec:
        for number, step in enumerate(self.steps):
            if step.action not in nodes.ACTIONS:
                raise ValueError(f"steps[{number}]: {step.action}: {_ONLY_NODES}")
        by_rules = self.evaluation is policy_api.Evaluation.RULES
        if self.trigger is not None or self.capture is not None or by_rules:
            raise ValueError(_NO_TRIGGER)
        return self
