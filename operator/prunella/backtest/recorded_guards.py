"""Guards and actions over history: what history does not tell is *not judged*, never passed.

The chain is the live one.  A guard whose facts are missing lets the case go on, as nothing is
really done, and its answer says so; the report counts such answers apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from prunella.api import reasons, trust
from prunella.core import model
from prunella.core.decisions import action, fields, guards, ledger
from prunella.core.decisions.guards import (
    blast_radius,
    freezes,
    ownership,
    rollouts,
    switches,
    timing,
)

NOT_JUDGED: Final = "not judged: "


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What the history at hand tells beside the signals."""

    workloads: bool = False
    """kube-state-metrics: replicas, rollouts, generations."""
    autoscalers: bool = False


FactsOf = Callable[[], Facts]
_Doubt = Callable[[guards.Case, Facts], str | None]
"""Why a guard can't be judged in a case; None when it can."""


def _pause(case: guards.Case, facts: Facts) -> str | None:  # noqa: ARG001 - as every doubt
    return "history does not tell when the operator was paused"


def _freeze(case: guards.Case, facts: Facts) -> str | None:  # noqa: ARG001
    return "history does not tell what was frozen"


def _rollout(case: guards.Case, facts: Facts) -> str | None:  # noqa: ARG001
    return None if facts.workloads else "no kube-state-metrics tell of rollouts"


def _owners(case: guards.Case, facts: Facts) -> str | None:
    if case.written is not None:
        return "history does not tell who owns other objects"
    if case.action.owned_field is None or (
        case.live_state is not None and case.live_state.autoscalers
    ):
        return None
    if facts.autoscalers:
        return "no autoscaler by kube-state-metrics; history does not tell of GitOps tools"
    return "history does not tell of autoscalers and GitOps tools"


def _budgets(case: guards.Case, facts: Facts) -> str | None:  # noqa: ARG001
    if case.action.name not in blast_radius.EVICTING:
        return None
    return "history does not tell which pods a PodDisruptionBudget selected"


def _replicas(case: guards.Case, facts: Facts) -> str | None:  # noqa: ARG001
    return None if facts.workloads else "no kube-state-metrics tell of replicas"


def _strategy(case: guards.Case, facts: Facts) -> str | None:  # noqa: ARG001
    if case.action.name not in rollouts.TEMPLATE_ACTIONS:
        return None
    return "history does not tell of update strategies, pauses and lost nodes"


def _rollout_budgets(case: guards.Case, facts: Facts) -> str | None:  # noqa: ARG001
    if case.action.name not in rollouts.TEMPLATE_ACTIONS:
        return None
    return "history does not tell which pods a PodDisruptionBudget selected"


def _edits(case: guards.Case, facts: Facts) -> str | None:  # noqa: ARG001
    return None if case.follows is None else "history does not tell who changed what"


DOUBTS: Final[Mapping[guards.Guard, _Doubt]] = {
    switches.not_paused: _pause,
    freezes.not_frozen: _freeze,
    rollouts.wants_pods: _replicas,
    rollouts.rollout_not_paused: _strategy,
    timing.no_rollout_in_progress: _rollout,
    rollouts.strategy_replaces_pods: _strategy,
    rollouts.rollout_is_not_held_up: _strategy,
    ownership.not_owned_by_others: _owners,
    blast_radius.disruption_budgets_allow: _budgets,
    rollouts.rollout_respects_budgets: _rollout_budgets,
    ownership.unchanged_by_others: _edits,
}
"""Guards that rest on objects."""
REVERTS_NOT_JUDGED: Final = frozenset(
    {"not_paused", "not_frozen", "not_owned_by_others", "unchanged_by_others"}
)
"""Guards of a revert that rest on objects: its chain is fixed."""


def chain(facts: FactsOf) -> tuple[guards.Guard, ...]:
    """The live chain of guards, of which those without facts answer that they were not judged."""
    return tuple(
        _doubting(guard, DOUBTS[guard], facts) if guard in DOUBTS else guard
        for guard in guards.GUARDS
    )


def _doubting(guard: guards.Guard, doubt: _Doubt, facts: FactsOf) -> guards.Guard:
    def ask(case: guards.Case) -> guards.Answer:
        why = doubt(case, facts())
        return guard(case) if why is None else f"{NOT_JUDGED}{why}"

    ask.__name__ = guard.__name__
    return ask


def was_judged(guard: str, message: str, act: str) -> bool:
    """Whether a guard's answer, as a record keeps it, was a judgement."""
    return not message.startswith(NOT_JUDGED) and not (
        act == ledger.REVERT and guard in REVERTS_NOT_JUDGED
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Supposed:
    """An action that needs to know more than history tells: then it is only named."""

    real: action.Action
    facts: FactsOf

    @property
    def name(self) -> str:
        """The action's own name."""
        return self.real.name

    @property
    def owned_field(self) -> str | None:
        """As the action says."""
        return self.real.owned_field

    @property
    def risk(self) -> trust.Risk:
        """As the action says."""
        return self.real.risk

    def plan(self, request: action.Request) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
        """The action's own plan, or a mention of what it would have done."""
        if fields.writes_elsewhere(request.params) or self.real.name == "resize":
            told = f"{self.real.name} for {{}}; what would be written is not known"
            return _named(request, told, "template")
        if self.real.name == "rollback" and not request.live_state.revisions:
            return _named(request, "roll {} back; to which revision is not judged", "template")
        if self.real.name == "scale" and not self.facts().workloads:
            return _named(request, "scale {}; its replicas are not known", "replicas")
        if self.real.name == "restart" and not self.facts().workloads:
            return _named(request, "restart {}, pod by pod", "template")
        planned = self.real.plan(request)
        if isinstance(planned, model.Refusal) and planned.reason is reasons.Refused.NOT_OFFERED:
            told = f"{self.real.name} for {{}}; what the operator offers is not known"
            return _named(request, told, "template")
        return planned


def _named(request: action.Request, summary: str, what: str) -> action.Plan:
    workload = request.live_state.workload
    value: object = workload.replicas if what == "replicas" else dict(workload.template)
    effect = model.Effect(
        verb=model.Verb.PATCH,
        target=workload.ref,
        uid=workload.uid,
        generation=workload.generation,
        patch=({"op": "replace", "path": f"/spec/{what}", "value": value},),
        summary=summary.format(workload.ref),
    )
    return action.Plan((effect,))


def actions(real: Mapping[str, action.Action], facts: FactsOf) -> dict[str, action.Action]:
    """All actions, fit for history."""
    return {name: Supposed(each, facts) for name, each in real.items()}
