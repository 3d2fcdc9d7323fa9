"""The guards: small functions that can refuse, in one ordered chain.

Each gets the same case and answers with the numbers that it compared: as a Refusal, or as
a line for the record.  The first refusal wins.  The chain runs when an action is considered and
again on fresh state just before it is carried out.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import action, ledger, model, objects, shares
from prunella.core.rules import Rules

Refused = reasons.Refused
VERIFICATION_LASTS = datetime.timedelta(minutes=10)
"""How long a follow-up may rest on the verification before it instead of on ``for``."""
MOST_NOT_SENT = 3
NOT_SENT_WINDOW = datetime.timedelta(minutes=10)
GITOPS_LABELS = (
    "argocd.argoproj.io/tracking-id",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One action on one target, with everything that a guard may look at."""

    policy: objects.Policy
    spec: policy_api.RemediationPolicySpec
    rules: Rules
    now: datetime.datetime
    workload: model.Workload
    action: action.Action
    findings: Sequence[model.Finding]
    held_since: datetime.datetime | None
    held_for: datetime.timedelta
    """The longest ``for`` that has been reached counts; this is the one to compare with."""
    verdicts: Mapping[model.Ref, model.Verdict]
    """The policy's own set of targets."""
    peers: Mapping[model.Ref, model.Verdict]
    """All targets of all policies in the namespace."""
    records: Sequence[objects.Record]
    pause: model.PauseState
    look: model.Look | None = None
    follows: objects.Record | None = None
    own_record: str = ""
    """Name of the record that this case is about to carry out, which is in flight itself."""

    @property
    def target(self) -> model.Ref:
        """The workload in question."""
        return self.workload.ref

    @property
    def others(self) -> list[objects.Record]:
        """All records but the one that is about to be carried out."""
        return [record for record in self.records if record.name != self.own_record]


Answer = model.Refusal | str
Guard = Callable[[Case], Answer]


def not_suspended(case: Case) -> Answer:
    """The policy's own switch."""
    if case.spec.suspend:
        return model.Refusal(Refused.SUSPENDED, "spec.suspend is true")
    return "spec.suspend is false"


def not_paused(case: Case) -> Answer:
    """The switch for the whole operator."""
    if case.pause.paused:
        return model.Refusal(Refused.PAUSED, case.pause.message or "the operator is paused")
    return "the operator is not paused"


def selector_is_not_empty(case: Case) -> Answer:
    """An empty set must never be read as everything."""
    selector = case.spec.target.selector
    if case.spec.target.name is None and (selector is None or selector.is_empty):
        return model.Refusal(Refused.EMPTY_SELECTOR, "the selector is empty and would mean all")
    return "the selector is not empty"


def not_in_system_namespace(case: Case) -> Answer:
    """The control plane's own namespaces are never acted on."""
    if case.target.namespace in case.rules.system_namespaces:
        return model.Refusal(
            Refused.SYSTEM_NAMESPACE, f"{case.target.namespace} is a system namespace"
        )
    return f"{case.target.namespace} is not a system namespace"


def not_the_operator(case: Case) -> Answer:
    """The operator never acts on itself."""
    own = (case.rules.operator_namespace, case.rules.operator_name)
    if (case.target.namespace, case.target.name) == own:
        return model.Refusal(Refused.OWN_WORKLOAD, f"{case.target} is the operator itself")
    return f"{case.target} is not the operator"


def not_latched(case: Case) -> Answer:
    """A policy whose actions do not help has stopped itself."""
    limit = case.rules.unhelpful_before_latch
    streak = ledger.unhelpful_streak(case.others, case.policy.key, resumed_at(case.policy))
    unknown = [r.name for r in streak if r.phase is reasons.Phase.UNKNOWN]
    resume = f"`prunella resume {case.policy.key.name} -n {case.policy.key.namespace}` clears this"
    if unknown:
        message = f"nobody knows whether {unknown[-1]} was carried out; {resume}"
        return model.Refusal(Refused.LATCHED, message)
    if len(streak) >= limit:
        message = f"{len(streak)} actions in a row did not help, the limit is {limit}; {resume}"
        return model.Refusal(Refused.LATCHED, message)
    return f"{len(streak)} unhelpful actions in a row, the limit is {limit}"


def held_for_long_enough(case: Case) -> Answer:
    """A single bad sample is no fault. A follow-up rests on a verification instead."""
    if case.follows is not None and _just_finished(case.follows, case.now):
        return f"follows {case.follows.name}, whose verification found it Unhealthy"
    needed = case.held_for.total_seconds()
    held = (case.now - case.held_since).total_seconds() if case.held_since else 0.0
    if case.held_since is None or held < needed:
        return model.Refusal(Refused.NOT_HELD, f"Unhealthy for {held:.0f} s of {needed:.0f} s")
    return f"Unhealthy for {held:.0f} s, {needed:.0f} s are needed"


def _just_finished(record: objects.Record, now: datetime.datetime) -> bool:
    """Whether a verification is recent enough to rest on."""
    return now - (record.status.finished_at or record.spec.decided_at) <= VERIFICATION_LASTS


def nothing_in_flight(case: Case) -> Answer:
    """One attempt at a time on a target, whoever decided it."""
    busy = [r.name for r in case.others if r.in_flight and r.target == case.target]
    if busy:
        return model.Refusal(Refused.IN_FLIGHT, f"{busy[0]} on {case.target} is unfinished")
    return f"no unfinished action on {case.target}"


def no_rollout_in_progress(case: Case) -> Answer:
    """While pods change, measurements mix old and new. A stuck rollout is no longer moving."""
    w = case.workload
    stuck = w.stuck and w.observed_generation >= w.generation
    state = (
        f"{w.updated} of {w.replicas} replicas updated, {w.total} pods in all, "
        f"generation {w.observed_generation} of {w.generation} seen"
    )
    if w.deleting:
        return model.Refusal(Refused.TARGET_GONE, f"{case.target} is being deleted")
    if w.rolling and not stuck:
        return model.Refusal(Refused.ROLLOUT_IN_PROGRESS, state)
    return f"{state}{', stuck' if stuck else ''}"


def not_owned_by_others(case: Case) -> Answer:
    """What an autoscaler or a GitOps tool writes, only they should write."""
    field = case.action.owned_field
    if field is None:
        return f"{case.action.name} writes nothing that others own"
    if case.look is not None and case.look.autoscalers:
        owners = ", ".join(case.look.autoscalers)
        message = f"{owners} scales {case.target}: change its bounds instead"
        return model.Refusal(Refused.OWNED_BY_AUTOSCALER, message)
    managers = case.workload.field_owners.get(field, frozenset()) & case.rules.gitops_managers
    if managers:
        message = f"{', '.join(sorted(managers))} owns {field} of {case.target}"
        return model.Refusal(Refused.OWNED_BY_GITOPS, message)
    marks = {**case.workload.labels, **case.workload.annotations}
    found = [label for label in GITOPS_LABELS if label in marks]
    if found:
        message = f"{case.target} carries {found[0]}: change it in Git instead"
        return model.Refusal(Refused.OWNED_BY_GITOPS, message)
    return f"nobody else owns {field}"


def cooled_down(case: Case) -> Answer:
    """Time for the last action to show, and for a person to notice.

    Attempts that could not be sent count for no limit, but not without end.
    """
    unsent = [
        record
        for record in case.others
        if record.phase is reasons.Phase.NOT_SENT
        and record.target == case.target
        and case.now - record.spec.decided_at < NOT_SENT_WINDOW
    ]
    if len(unsent) >= MOST_NOT_SENT:
        message = f"{len(unsent)} attempts in 10 minutes could not be sent: {unsent[-1].name}"
        return model.Refusal(Refused.COOLDOWN, message)
    if case.follows is not None:
        return f"follows {case.follows.name}"
    cooldown = datetime.timedelta(seconds=case.spec.guards.cooldown.total_seconds())
    recent = [
        record
        for record in ledger.acted_since(case.others, case.now - cooldown)
        if record.policy == case.policy.key or record.target == case.target
    ]
    if recent:
        ago = (case.now - recent[-1].spec.decided_at).total_seconds()
        needed = cooldown.total_seconds()
        message = f"{recent[-1].name} was {ago:.0f} s ago, the cooldown is {needed:.0f} s"
        return model.Refusal(Refused.COOLDOWN, message)
    return f"no action in the last {cooldown.total_seconds():.0f} s"


def within_hourly_limits(case: Case) -> Answer:
    """Limits of the policy, of its namespace and of the cluster in any hour."""
    last_hour = [
        record
        for record in ledger.acted_since(case.others, case.now - ledger.HOUR)
        if record.spec.action != "revert"
    ]
    namespace = case.policy.key.namespace
    counts = (
        (
            Refused.POLICY_HOURLY_LIMIT,
            sum(r.policy == case.policy.key for r in last_hour),
            case.spec.guards.max_per_hour,
            "of the policy",
        ),
        (
            Refused.NAMESPACE_HOURLY_LIMIT,
            sum(r.target.namespace == namespace for r in last_hour),
            case.rules.actions_per_namespace_per_hour,
            f"in namespace {namespace}",
        ),
        (
            Refused.CLUSTER_HOURLY_LIMIT,
            len(last_hour),
            case.rules.actions_per_cluster_per_hour,
            "in the cluster",
        ),
    )
    for reason, count, limit, where in counts:
        if count >= limit:
            message = f"{count} actions {where} in the last hour, the limit is {limit}"
            return model.Refusal(reason, message)
    return ", ".join(f"{count} of {limit} {where}" for _, count, limit, where in counts)


def not_too_many_unavailable(case: Case) -> Answer:
    """Only so many targets of the policy are worked on at once."""
    busy = {r.target for r in case.others if r.in_flight and r.policy == case.policy.key}
    size = len(case.verdicts)
    limit = case.spec.guards.max_unavailable
    allowed = shares.unavailable_allowance(limit, size)
    message = f"{len(busy)} of {size} targets in flight, {allowed} allowed ({limit})"
    return model.Refusal(Refused.MAX_UNAVAILABLE, message) if len(busy) >= allowed else message


def not_too_many_unhealthy(case: Case) -> Answer:
    """When much is sick at once, the cause is elsewhere, or the measurement is wrong."""
    own = len(case.verdicts) >= shares.SMALLEST_SET
    targets = case.verdicts.keys() if own else case.verdicts.keys() | case.peers.keys()
    where = "of this policy" if own else f"of namespace {case.target.namespace}"
    if len(targets) < shares.SMALLEST_SET:
        return f"not judged: {len(targets)} targets {where} are fewer than {shares.SMALLEST_SET}"
    bad = {record.target for record in case.others if record.in_flight}
    for verdicts in (case.verdicts, case.peers):
        bad |= {target for target, v in verdicts.items() if v is model.Verdict.UNHEALTHY}
    sick = targets & bad
    limit = case.spec.guards.stop_when_unhealthy
    allowed = shares.allowance(limit, len(targets))
    message = f"{len(sick)} of {len(targets)} targets {where} sick, {allowed} allowed ({limit})"
    return model.Refusal(Refused.TOO_MANY_UNHEALTHY, message) if len(sick) > allowed else message


def not_too_many_unknown(case: Case) -> Answer:
    """Who can't see half of a set can't judge the rest either."""
    unknown = sum(verdict is model.Verdict.UNKNOWN for verdict in case.verdicts.values())
    message = f"{unknown} of {len(case.verdicts)} targets are Unknown, half are allowed"
    if 2 * unknown > len(case.verdicts):
        return model.Refusal(Refused.TOO_MANY_UNKNOWN, message)
    return message


def disruption_budgets_allow(case: Case) -> Answer:
    """A PodDisruptionBudget is asked before the Eviction API would have to say no."""
    if case.action.name != "evictPod" or case.look is None:
        return "no pod is evicted" if case.look is not None else "not looked at yet"
    worst = next((finding.pod for finding in case.findings if finding.pod), "")
    labels = next((pod.labels for pod in case.look.pods if pod.name == worst), model.NO_LABELS)
    budgets = [b for b in case.look.budgets if b.selector.items() <= labels.items()]
    tightest = min(budgets, key=lambda budget: budget.disruptions_allowed, default=None)
    if tightest is None:
        return "no PodDisruptionBudget selects the pod"
    message = (
        f"PodDisruptionBudget {tightest.name} allows {tightest.disruptions_allowed} disruptions "
        f"({tightest.current_healthy} healthy, {tightest.desired_healthy} needed)"
    )
    if tightest.disruptions_allowed < 1:
        return model.Refusal(Refused.DISRUPTION_BUDGET, message)
    return message


def unchanged_by_others(case: Case) -> Answer:
    """A later edit by somebody else is a veto on what would follow or undo the action before it."""
    if case.follows is None:
        return "follows nothing"
    if case.look is None:
        return "not looked at yet"
    changed = edited_since(case.follows, case.look.workload)
    if changed is not None:
        return model.Refusal(Refused.CHANGED_BY_OTHERS, changed)
    return f"unchanged since {case.follows.name}"


GUARDS: tuple[Guard, ...] = (
    not_suspended,  # Make sure that the policy's owner has not stopped it
    not_paused,  # Make sure that nobody has stopped the whole operator
    selector_is_not_empty,  # Make sure that an empty set is not read as everything
    not_in_system_namespace,  # Make sure that the control plane is left alone
    not_the_operator,  # Make sure that the operator does not act on itself
    not_latched,  # Make sure that what did not help three times is not tried again
    held_for_long_enough,  # Make sure that it is a fault and not a flicker
    nothing_in_flight,  # Make sure that nobody is already at work on the target
    no_rollout_in_progress,  # Make sure that the target is not just being changed
    not_owned_by_others,  # Make sure that no other controller would undo it
    cooled_down,  # Make sure that the last action had time to show
    within_hourly_limits,  # Make sure that a loop of actions ends by itself
    not_too_many_unavailable,  # Make sure that only a few targets are worked on at once
    not_too_many_unhealthy,  # Make sure that it is this target and not everything
    not_too_many_unknown,  # Make sure that enough can be seen to judge
    disruption_budgets_allow,  # Make sure that the owner's budget allows it
    unchanged_by_others,  # Make sure that a person's fix is not overtaken by the next step
)
STANDING_GUARDS = GUARDS[:6]
"""The guards about the policy as a whole: their answer is told before any other."""
REVERT_GUARDS: tuple[Guard, ...] = (
    not_suspended,  # Make sure that the policy's owner has not stopped it
    not_paused,  # Make sure that nobody has stopped the whole operator
    nothing_in_flight,  # Make sure that nobody is already at work on the target
    not_owned_by_others,  # Make sure that no other controller would undo it
    unchanged_by_others,  # Make sure that nobody has changed it in the meantime
)


def refusal(answers: Sequence[model.GuardAnswer]) -> model.Refusal | None:
    """The refusal that ended a chain, or None when all guards let the action pass."""
    return answers[-1].refusal if answers else None


def evaluate(chain: Sequence[Guard], case: Case) -> list[model.GuardAnswer]:
    """Ask the guards in order, up to and including the first that refuses."""
    answers = []
    for guard in chain:
        answer = guard(case)
        if isinstance(answer, model.Refusal):
            answers.append(model.GuardAnswer(guard.__name__, answer, answer.message))
            break
        answers.append(model.GuardAnswer(guard.__name__, None, answer))
    return answers


def edited_since(record: objects.Record, workload: model.Workload) -> str | None:
    """What somebody else has changed since a record's effects, or None."""
    if workload.uid != record.spec.target.uid:
        return f"{workload.ref} was replaced: its UID is another one"
    for effect, status in zip(effects_of(record), record.status.effects, strict=False):
        if effect.verb is not model.Verb.PATCH or not status.fingerprint:
            continue
        if ledger.fingerprint(effect, workload) != status.fingerprint:
            return f"{workload.ref} was changed by somebody else after {record.name}"
    return None


def effects_of(record: objects.Record) -> list[model.Effect]:
    """A record's effects as data again."""
    return [objects.effect_from_spec(effect) for effect in record.spec.effects]


def resumed_at(policy: objects.Policy) -> datetime.datetime | None:
    """When a person last cleared the policy's latch; the annotation is ``TIME by AUTHOR``."""
    written = policy.annotations.get(objects.RESUMED, "").split(" ", 1)[0]
    try:
        time = datetime.datetime.fromisoformat(written)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
