"""From a sick target to a command, a refusal, or the question that must be answered first."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Mapping, Sequence

from prunella.api import policy as policy_api
from prunella.api import reasons, remediation
from prunella.api import steps as steps_api
from prunella.core import model, node_state, objects
from prunella.core.decisions import (
    action,
    approvals,
    causes,
    episode,
    fields,
    gitops,
    guards,
    ledger,
    moves,
    nodes,
    releases,
    restoring,
    sides,
)
from prunella.core.decisions.guards import error_budget
from prunella.core.decisions.rules import Rules
from prunella.core.decisions.trust import ceilings, modes, standing


@dataclasses.dataclass(frozen=True)
class Scene:
    """What all decisions of one pass share."""

    policy: objects.Policy
    spec: policy_api.RemediationPolicySpec
    rules: Rules
    actions: Mapping[str, action.Action]
    now: datetime.datetime
    verdicts: Mapping[model.Ref, model.Verdict]
    peers: Mapping[model.Ref, model.Verdict]
    records: Sequence[objects.Record]
    pause: model.PauseState
    live_states: Mapping[model.Ref, model.LiveState | None]
    verdicts_at: Mapping[tuple[model.Ref, datetime.datetime], model.Verdict]
    guards: Sequence[guards.Guard] = guards.GUARDS
    incidents: Sequence[causes.OpenIncident] = ()
    looked: Mapping[model.Ref, restoring.Looked] = dataclasses.field(default_factory=dict)
    recent: Mapping[model.Ref, restoring.Recent] = dataclasses.field(default_factory=dict)
    """What was changed around the targets that were looked at."""
    measured: Mapping[model.Ref, model.Verdict] = dataclasses.field(default_factory=dict)
    """What the policy's signals alone say."""
    numbers: Mapping[tuple[str, str], model.Number] = dataclasses.field(default_factory=dict)
    deployed: Mapping[model.Ref, gitops.Looked] = dataclasses.field(default_factory=dict)
    ceilings: ceilings.Ceilings = ceilings.NO_CEILINGS
    doubted: frozenset[model.Ref] = frozenset()
    """Peers whose verdict is an old one: that they are Healthy is not known any more."""
    nodes: Mapping[model.Ref, node_state.NodeState] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def effective(self) -> Mapping[str, modes.Effective]:
        """The mode of each action, after the limits of administrators and a demotion."""
        known = (self.policy, self.spec, self.records, self.rules)
        return standing.modes_now(*known, self.actions, self.ceilings, self.now)


@dataclasses.dataclass(frozen=True, slots=True)
class UnhealthyTarget:
    """A target with Unhealthy signals, and since when the ripest of them has been so."""

    workload: model.Workload
    findings: tuple[model.Finding, ...]
    held_since: datetime.datetime | None
    held_for: datetime.timedelta
    cause_of: causes.OpenIncident | None = None
    """The incident that names it as its cause, where the policy has a trigger."""


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """One attempt, decided: everything that the ledger keeps of it."""

    name: str
    attempt: int
    workload: model.Workload
    mode: policy_api.Mode
    step: int
    action: str
    effects: tuple[model.Effect, ...]
    plan_hash: str
    decided_at: datetime.datetime
    findings: tuple[model.Finding, ...]
    held_since: datetime.datetime | None
    answers: tuple[model.GuardAnswer, ...]
    follows: objects.Record | None = None
    incident: str = ""
    """The incident that named the target."""
    leaves: str = ""
    """Hash of the release that a rollback leaves."""
    lost: int = 0
    """Pods of the target whose node did not answer."""

    @property
    def summary(self) -> str:
        """The effects in words."""
        return "; ".join(effect.summary for effect in self.effects)


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one sick target."""

    command: Command | None = None
    refusal: model.Refusal | None = None
    needs: tuple[model.Need, ...] = ()
    said: objects.Record | None = None
    """The record by which this was already advised."""


def decide(scene: Scene, sick: UnhealthyTarget) -> Decision:
    """Decide about one sick target; the first step that applies is the one."""
    known = (scene.policy, scene.spec, sick.workload.uid, scene.records)
    own_modes = {name: each.mode for name, each in scene.effective.items()}
    following = episode.next_attempt(*known, own_modes)
    if isinstance(following, model.Refusal):
        standing = [guard for guard in scene.guards if guard in guards.STANDING_GUARDS]
        stopped = guards.evaluate(standing, _case(scene, sick, episode.Next(0)))
        return Decision(refusal=approvals.foremost(following, guards.refusal(stopped)))
    if isinstance(following, episode.AlreadyAdvised):
        return Decision(said=following.record)
    for step in range(following.step, len(scene.spec.steps)):
        attempt = dataclasses.replace(following, step=step)
        decision = plan_attempt(scene, sick, attempt, scene.now)
        if decision.refusal is None or not decision.refusal.skip_step:
            return decision
    if following.follows is not None and decision.refusal is not None:
        message = f"no further step applies: {decision.refusal.message}"
        refused = model.Refusal(reasons.Refused.NO_STEP_LEFT, message, until=decision.refusal.until)
        return dataclasses.replace(decision, refusal=refused)
    return decision


def plan_attempt(
    scene: Scene,
    sick: UnhealthyTarget,
    attempt: episode.Next,
    decided_at: datetime.datetime,
    own_record: str = "",
) -> Decision:
    """Guards, close look, guards again, plan.

    ``own_record`` is the record that is about to be carried out: it plans with its own decision
    time, so that an unchanged world gives an unchanged plan.
    """
    chain = guards.REVERT_GUARDS if attempt.revert else scene.guards
    chain = chain if attempt.back is None else guards.RETURN_GUARDS
    case = _case(scene, sick, attempt, own_record)
    answers = guards.evaluate(chain, case)
    if (refusal := guards.refusal(answers)) is not None:
        return Decision(refusal=refusal)
    ref = sick.workload.ref
    if ref not in scene.live_states:
        return Decision(needs=(model.Need(model.NeedKind.LIVE_STATE, ref),))
    live_state = scene.live_states[ref]
    if live_state is None or live_state.workload.uid != sick.workload.uid:
        state = "is gone" if live_state is None else "was replaced by another of the same name"
        return Decision(refusal=model.Refusal(reasons.Refused.TARGET_GONE, f"{ref} {state}"))
    params = None if attempt.revert else scene.spec.steps[attempt.step].params
    written = fields.written(params, live_state, sick.findings)
    if needs := _unseen(scene, sick, attempt, written):
        return Decision(needs=needs)
    asked = error_budget.need(scene.spec, ref, back=_takes_back(attempt))
    same = live_state.workload.generation == sick.workload.generation
    stuck = live_state.workload.stuck or (same and sick.workload.stuck)
    workload = dataclasses.replace(live_state.workload, stuck=stuck)
    seen = written.ref if written is not None else case.suspect
    looked = scene.looked.get(seen) if seen is not None else None
    case = dataclasses.replace(
        case,
        live_state=live_state,
        workload=workload,
        looked=looked,
        written=written,
        also=_goes_along(scene, attempt, written),
        left={ref: scene.looked[ref] for ref in _left(attempt)},
        error_budget=scene.numbers[asked[0]] if asked is not None else None,
    )
    answers = guards.evaluate(chain, case)
    if (refusal := guards.refusal(answers)) is not None:
        return Decision(refusal=refusal)
    return _plan(scene, sick, attempt, decided_at, case, tuple(answers))


def same(record: objects.Record, command: Command, scene: Scene) -> Command | model.Refusal:
    """A plan that was made again, if it is the one of the record."""
    if why := modes.lowered(record.spec.mode, command.mode, scene.effective.get(command.action)):
        return model.Refusal(reasons.Refused.MODE_LOWERED, why)
    if command.plan_hash == record.spec.plan_hash:
        return command
    message = f"planned again, the effects are others: {command.summary}"
    return model.Refusal(reasons.Refused.PLAN_CHANGED, message)


def _unseen(
    scene: Scene, sick: UnhealthyTarget, attempt: episode.Next, written: fields.Written | None
) -> tuple[model.Need, ...]:
    """The objects beside the target that are, or were, written and were not looked at yet."""
    if attempt.revert:
        wanted = dict.fromkeys(restoring.written(attempt.follows), "") if attempt.follows else {}
    else:
        wanted = dict.fromkeys(_left(attempt), "")
    if written is not None:
        wanted |= dict.fromkeys((written.ref, *written.more), "")
    elif _action(scene, attempt) == restoring.RESTORE and sick.cause_of is not None:
        wanted[sick.cause_of.suspect] = sick.cause_of.change
    asked = error_budget.need(scene.spec, sick.workload.ref, back=_takes_back(attempt))
    numbers = () if asked is None or asked[0] in scene.numbers else (asked[1],)
    return numbers + tuple(
        model.Need(model.NeedKind.OBJECT, ref, change=change)
        for ref, change in wanted.items()
        if ref not in scene.looked or (change and scene.looked[ref].asked != change)
    )


def _takes_back(attempt: episode.Next) -> bool:
    return attempt.revert or attempt.back is not None


def _left(attempt: episode.Next) -> tuple[model.Ref, ...]:
    """What the step before wrote beside the target: the next one follows if nobody touched it.

    An undoing looks itself at what it puts back; of one that is finished the half that was done
    tells as well.
    """
    follows = attempt.follows
    if follows is None or (attempt.revert and follows.spec.action != ledger.REVERT):
        return ()
    return restoring.beside(follows)


def _goes_along(
    scene: Scene, attempt: episode.Next, written: fields.Written | None
) -> tuple[restoring.Looked, ...]:
    """What is written like the first object; of a rollback the ConfigMaps that were looked at."""
    if written is not None:
        return tuple(scene.looked[ref] for ref in written.more)
    params = None if attempt.revert else scene.spec.steps[attempt.step].params
    if not isinstance(params, steps_api.Rollback) or not params.config_maps:
        return ()
    return tuple(each for ref, each in scene.looked.items() if ref.kind == "ConfigMap")


def _action(scene: Scene, attempt: episode.Next) -> str:
    if attempt.back is not None:
        out = attempt.back.spec.action in nodes.TAKING_OUT
        return nodes.RETURN_NODE if out else sides.RETURN_TRAFFIC
    return ledger.REVERT if attempt.revert else scene.spec.steps[attempt.step].action


def _case(
    scene: Scene, sick: UnhealthyTarget, attempt: episode.Next, own_record: str = ""
) -> guards.Case:
    return guards.Case(
        policy=scene.policy,
        spec=scene.spec,
        rules=scene.rules,
        now=scene.now,
        workload=sick.workload,
        action=scene.actions[_action(scene, attempt)],
        findings=sick.findings,
        held_since=sick.held_since,
        held_for=sick.held_for,
        verdicts=causes.without_symptoms(scene.verdicts, sick.cause_of),
        peers=causes.without_symptoms(scene.peers, sick.cause_of),
        records=scene.records,
        pause=scene.pause,
        incidents=scene.incidents,
        follows=attempt.follows,
        params=None if attempt.revert else scene.spec.steps[attempt.step].params,
        suspect=sick.cause_of.suspect if sick.cause_of is not None else None,
        own_record=own_record,
        measured=scene.measured,
        nodes=scene.nodes,
    )


def _plan(
    scene: Scene,
    sick: UnhealthyTarget,
    attempt: episode.Next,
    decided_at: datetime.datetime,
    case: guards.Case,
    answers: tuple[model.GuardAnswer, ...],
) -> Decision:
    ref = sick.workload.ref
    live_state = scene.live_states[ref]
    if live_state is None:
        raise ValueError(f"{ref} is planned without a look")
    planned = case.action.plan(_request(scene, sick, attempt, decided_at, case))
    if isinstance(planned, model.Refusal):
        return Decision(refusal=planned)
    if not isinstance(planned, action.Plan):
        return Decision(needs=planned)
    if too_large := _too_large(planned):
        return Decision(refusal=too_large)
    workload, name = live_state.workload, case.action.name
    number = ledger.next_attempt(scene.records, workload.uid)
    undoes, limit = attempt.revert or attempt.back is not None, scene.effective.get(name)
    return Decision(
        command=Command(
            name=ledger.record_name(ref, workload.uid, number),
            attempt=number,
            workload=workload,
            mode=scene.spec.mode if undoes or limit is None else limit.mode,
            step=attempt.step,
            action=name,
            effects=planned.effects,
            plan_hash=ledger.plan_hash(workload.uid, name, attempt.step, planned.effects),
            decided_at=decided_at,
            findings=sick.findings,
            held_since=sick.held_since,
            answers=answers,
            follows=attempt.follows,
            incident=sick.cause_of.name if sick.cause_of is not None else "",
            leaves=planned.leaves,
            lost=sum(pod.stranded is model.Stranded.LOST for pod in live_state.pods),
        )
    )


def _request(
    scene: Scene,
    sick: UnhealthyTarget,
    attempt: episode.Next,
    decided_at: datetime.datetime,
    case: guards.Case,
) -> action.Request:
    ref, live_state, name = sick.workload.ref, case.live_state, case.action.name
    if live_state is None:
        raise ValueError(f"{ref} is planned without a look")
    number = ledger.next_attempt(scene.records, live_state.workload.uid)
    return action.Request(
        live_state=live_state,
        params=None if attempt.revert else scene.spec.steps[attempt.step].params,
        findings=sick.findings,
        verdicts_at={at: v for (target, at), v in scene.verdicts_at.items() if target == ref},
        decided_at=decided_at,
        now=scene.now,
        follows=attempt.follows,
        condemned=_condemned(scene, live_state.workload),
        looked=scene.looked,
        recent=scene.recent.get(ref, restoring.Recent()),
        suspect=sick.cause_of.suspect if sick.cause_of is not None else None,
        record=case.own_record or ledger.record_name(ref, live_state.workload.uid, number),
        rules=scene.rules,
        numbers=scene.numbers,
        verdicts=_verdicts(scene),
        sick_since=sick.held_since,
        moved_by=attempt.back,
        emptied=moves.emptied(scene.records) if name == sides.SHIFT_TRAFFIC else {},
        deployed=scene.deployed.get(ref),
    )


def _verdicts(scene: Scene) -> dict[model.Ref, model.Verdict]:
    """The worst verdict of this policy and the others: what one calls sick is not Healthy."""
    worst = dict(scene.peers)
    for ref in scene.doubted - scene.verdicts.keys():
        if worst.get(ref) is not model.Verdict.UNHEALTHY:
            worst[ref] = model.Verdict.UNKNOWN
    for ref, verdict in scene.verdicts.items():
        if verdict is not model.Verdict.HEALTHY and worst.get(ref) is not model.Verdict.UNHEALTHY:
            worst[ref] = verdict
        worst.setdefault(ref, verdict)
    return worst


def _condemned(scene: Scene, workload: model.Workload) -> dict[str, str]:
    """The workload's condemned releases, each with the name of the record."""
    resumed = ledger.resumed_at(scene.policy)
    found = releases.condemned(scene.records, workload.uid, resumed, scene.now)
    return {release: record.name for release, record in found.items()}


def _too_large(plan: action.Plan) -> model.Refusal | None:
    """A plan that the ledger can't hold must not be carried out."""
    for effect in plan.effects:
        size = len(objects.effect_to_spec_text(effect))
        if size > remediation.MOST_PATCH_CHARACTERS:
            message = (
                f"{effect.summary}: the patch has {size} characters, the ledger holds "
                f"{remediation.MOST_PATCH_CHARACTERS}"
            )
            return model.Refusal(reasons.Refused.PLAN_TOO_LARGE, message)
    return None
