"""Guards of incidents: the cause is treated, and its symptoms are left alone meanwhile."""

from __future__ import annotations

from prunella.api import trigger as trigger_api
from prunella.core import model, objects
from prunella.core.decisions import causes, fields, restoring
from prunella.core.decisions.guards.case import Answer, Case, Refused


def named_by_an_incident(case: Case) -> Answer:
    """A policy with a trigger acts on nothing but the cause of an open incident."""
    trigger = case.spec.trigger
    if trigger is None:
        return "the policy has no trigger"
    if case.action.name == restoring.RESTORE:
        return _suspect_to_restore(case, trigger)
    follows = case.follows
    if follows is not None and all(ref == case.target for ref in restoring.written(follows)):
        return f"follows {follows.name}"
    found = causes.cause(trigger, case.target, case.incidents, case.others)
    if found is None:
        message = causes.why_not(trigger, case.target, case.incidents, case.others)
        # A restore acts on what a target is only a symptom of: it may be the next step.
        skip = any(step.action == restoring.RESTORE for step in case.spec.steps)
        return model.Refusal(Refused.NOT_THE_CAUSE, message, skip_step=skip)
    return f"{found.name} names {case.target} first: {found.cause_kind}, {found.confidence}"


def _suspect_to_restore(case: Case, trigger: trigger_api.Trigger) -> Answer:
    """One target leads what is tried for an incident: the others wait for its proof."""
    asked = (trigger, case.target, case.incidents, case.others, case.measured)
    found = causes.to_restore(*asked)
    if found is None:
        message = causes.why_not_restored(*asked)
        return model.Refusal(Refused.NOT_THE_CAUSE, message, skip_step=True)
    if busy := causes.restores_for_another(found, case.target, case.others):
        message = f"{busy} tries to restore what {found.name} suspects, for another target"
        return model.Refusal(Refused.WAITS_FOR_INCIDENT, message)
    if all(finding.signal == causes.SIGNAL for finding in case.findings):
        message = (
            f"{found.name} suspects {found.suspect}, but no signal of {case.target} is Unhealthy: "
            "nothing would prove that restoring it helped"
        )
        return model.Refusal(Refused.NOTHING_TO_PROVE, message, skip_step=True)
    return f"{found.name} suspects {found.suspect}: {found.cause_kind}, {found.confidence}"


def waits_for_the_cause(case: Case) -> Answer:
    """What an incident explains by another object is left alone until that has been treated."""
    if case.spec.trigger is not None:
        return "the policy acts on causes"
    found = causes.symptom_of(case.target, case.incidents)
    if found is None:
        return f"no open incident explains {case.target} by another object"
    if fields.writes_elsewhere(case.params):
        if case.live_state is None:
            return "not looked at yet"
        if case.written is not None and case.written.ref == found.suspect:
            return f"{found.name} names {found.suspect} first, which the step itself writes"
    since = (case.now - found.named_at).total_seconds()
    busy = [r.name for r in case.others if r.in_flight and _treats(r, found.suspect)]
    suspect = causes.shown(found.suspect, case.policy.key.namespace)
    told = (
        f"{case.target} is a symptom of {found.name}, which names {suspect} first "
        f"({found.cause_kind}, {found.confidence}) since {since:.0f} s"
    )
    limit = causes.WAIT.total_seconds()
    if since <= limit or busy:
        return model.Refusal(
            Refused.WAITS_FOR_INCIDENT, f"{told}; it waits {limit:.0f} s for that to be treated"
        )
    return f"{told}; {limit:.0f} s have been waited"


def _treats(record: objects.Record, suspect: model.Ref) -> bool:
    """Whether a record is about a suspect: its target, or what it restores."""
    return record.target == suspect or suspect in restoring.written(record)
