"""Settings of the disruption budgets: how much may be disrupted at once, and who else counts."""

from __future__ import annotations

from typing import Annotated

import pydantic

from prunella import allowed
from prunella.core.decisions import rules


class Budget(pydantic.BaseModel):
    """The smaller of a number, and of a share of the workloads; the share from five of them up."""

    model_config = allowed.CONFIG

    max: Annotated[int, pydantic.Field(ge=1, le=10_000)]
    percent: Annotated[int, pydantic.Field(ge=1, le=10_000)]
    """Above 100 only the number counts: for operators that share a Lease, each with its part."""

    @property
    def rule(self) -> rules.DisruptionBudget:
        """It as decisions know it."""
        return rules.DisruptionBudget(self.max, self.percent)


_RULES = rules.DisruptionBudgets()


def _as_settings(rule: rules.DisruptionBudget) -> Budget:
    return Budget(max=rule.max, percent=rule.percent)


class Disruption(pydantic.BaseModel):
    """One budget for each namespace, and one for the cluster."""

    model_config = allowed.CONFIG

    namespace: Budget = _as_settings(_RULES.namespace)
    cluster: Budget = _as_settings(_RULES.cluster)
    nodes: bool = True
    """Each node that was cordoned lately counts for the cluster."""
    lease_namespaces: tuple[str, ...] = ("medik8s-leases",)
    """Namespaces in which other remediators hold Leases: each that is held counts."""

    @property
    def rule(self) -> rules.DisruptionBudgets:
        """The budgets as decisions know them."""
        return rules.DisruptionBudgets(self.namespace.rule, self.cluster.rule)
