"""Guards of time: a fault and not a flicker, and one change after the other."""

from __future__ import annotations

import datetime

from prunella.api import reasons
from prunella.api import steps as steps_api
from prunella.core import model, objects
from prunella.core.decisions import ledger, releases, restoring, undoing
from prunella.core.decisions.guards.case import Answer, Case, Refused

VERIFICATION_LASTS = datetime.timedelta(minutes=10)
"""How long a follow-up may rest on the verification before it instead of on ``for``."""
UNDONE_FIRST = datetime.timedelta(seconds=60)
"""How long what another policy did in vain is left to it: then it may be undone."""
MOST_NOT_SENT = 3
NOT_SENT_WINDOW = datetime.timedelta(minutes=10)


def held_for_long_enough(case: Case) -> Answer:
    """A single bad sample is no fault. A follow-up rests on a verification instead."""
    if case.follows is not None and _just_finished(case.follows, case.now):
        return f"follows {case.follows.name}, whose verification found it Unhealthy"
    needed, why = _needed(case)
    since, anew = _observed_since(case)
    held = (case.now - since).total_seconds() if since else 0.0
    if since is None or held < needed:
        message = f"Unhealthy for {held:.0f} s of {needed:.0f} s{anew}{why}"
        over = since + datetime.timedelta(seconds=needed) if since is not None else None
        return model.Refusal(Refused.NOT_HELD, message, until=over)
    return f"Unhealthy for {held:.0f} s, {needed:.0f} s are needed{why}"


def _observed_since(case: Case) -> tuple[datetime.datetime | None, str]:
    """Since when it counts, and why not from its onset.

    What was seen before a person resumed the policy or the operator is not acted on at once.
    """
    since, anew = case.held_since, ""
    resumed = ledger.resumed_at(case.policy)
    for at, what in ((resumed, "the policy"), (case.pause.last_seen, "the operator")):
        if since is not None and at is not None and since < at:
            since, anew = min(at, case.now), f", counted anew since {what} was resumed"
    return since, anew


def _needed(case: Case) -> tuple[float, str]:
    """Seconds that it must have held, and why they are fewer than ``for`` if they are."""
    if case.action.name == "rollback":
        resumed = ledger.resumed_at(case.policy)
        proof = releases.released_again(case.workload, case.others, resumed, case.now)
        if proof is not None:
            needed = releases.hold(case.held_for, case.spec.interval).total_seconds()
            full = case.held_for.total_seconds()
            why = f", not {full:.0f} s: {proof.name} proved this release bad"
            return needed, why if needed < full else ""
    return case.held_for.total_seconds(), ""


def _just_finished(record: objects.Record, now: datetime.datetime) -> bool:
    """Whether a verification is recent enough to rest on."""
    return now - record.finished_or_decided_at <= VERIFICATION_LASTS


def nothing_in_flight(case: Case) -> Answer:
    """One attempt at a time on a target, and on each object that is written, whoever decided it."""
    busy = [r for r in case.others if r.in_flight and _meets(case, r)]
    if busy:
        on = _met(case, busy[0])
        return model.Refusal(Refused.IN_FLIGHT, f"{busy[0].name} on {on} is unfinished")
    if case.action.name != ledger.REVERT and (vain := _left_to_undo(case)):
        message = f"{vain[0].name} on {_met(case, vain[0])} was in vain, and may be undone first"
        return model.Refusal(Refused.IN_FLIGHT, message)
    return f"no unfinished action on {case.target}"


def _left_to_undo(case: Case) -> list[objects.Record]:
    """What another policy, or this one for another target, has just done in vain.

    Else a second one could heal what the first has left changed, and nobody would undo that.
    """
    undone = {record.spec.follows for record in case.others}
    return [
        record
        for record in case.others
        if (record.policy, record.target) != (case.policy.key, case.target)
        and record.name not in undone
        and case.now - record.finished_or_decided_at <= UNDONE_FIRST
        and undoing.in_vain(record)
        and _meets(case, record)
    ]


def _meets(case: Case, record: objects.Record) -> bool:
    """Whether a record is about the target, or about an object that would be written, too."""
    return not record.touched.isdisjoint(case.touched)


def _met(case: Case, record: objects.Record) -> model.Ref:
    """What both are about: the target before any other object."""
    met = record.touched & case.touched
    return case.target if case.target in met else min(met)


def no_rollout_in_progress(case: Case) -> Answer:
    """While pods change, measurements mix old and new. A stuck rollout is no longer moving.

    A restore of the target's own fields takes back what is being rolled out: it need not wait for
    pods that never come. What was changed again since, it does not touch.
    """
    w = case.workload
    stuck = w.stuck and w.observed_generation >= w.generation
    state = (
        f"{w.updated} of {w.replicas} replicas updated, {w.total} pods in all, "
        f"generation {w.observed_generation} of {w.generation} seen"
    )
    if w.deleting:
        return model.Refusal(Refused.TARGET_GONE, f"{case.target} is being deleted")
    if case.elsewhere:
        return f"{case.target} itself is not written; {state}"
    if case.action.name == restoring.RESTORE:
        return f"the change that is suspected is this rollout itself, or lies before it; {state}"
    if case.action.name in steps_api.OF_ROLLOUTS:
        return f"{case.action.name} is about this rollout itself; {state}"
    if w.rolling and not stuck:
        return model.Refusal(Refused.ROLLOUT_IN_PROGRESS, state)
    return f"{state}{', stuck' if stuck else ''}"


def undone_not_too_often(case: Case) -> Answer:
    """An undoing that could not be sent is tried again, but not in each pass."""
    follows = case.follows
    if follows is None:
        return "follows nothing"
    unsent = [record for record in _unsent(case) if record.spec.follows == follows.name]
    if len(unsent) >= MOST_NOT_SENT:
        told = f"{len(unsent)} attempts in 10 minutes to undo {follows.name} could not be sent"
        return model.Refusal(Refused.COOLDOWN, f"{told}: {unsent[-1].status.message}")
    return f"{len(unsent)} attempts to undo {follows.name} could not be sent"


def _unsent(case: Case) -> list[objects.Record]:
    """The target's attempts of the last minutes that could not be sent."""
    return [
        record
        for record in case.others
        if record.phase is reasons.Phase.NOT_SENT
        and record.target == case.target
        and case.now - record.spec.decided_at < NOT_SENT_WINDOW
    ]


def cooled_down(case: Case) -> Answer:
    """Time for the last action to show, and for a person to notice.

    Attempts that could not be sent count for no limit, but not without end.
    """
    unsent = _unsent(case)
    if len(unsent) >= MOST_NOT_SENT:
        message = f"{len(unsent)} attempts in 10 minutes could not be sent: {unsent[-1].name}"
        return model.Refusal(Refused.COOLDOWN, message)
    if case.follows is not None:
        return f"follows {case.follows.name}"
    cooldown = datetime.timedelta(seconds=case.spec.guards.cooldown.total_seconds())
    recent = [
        record
        for record in ledger.acted_since(case.others, case.now - cooldown)
        if record.policy == case.policy.key or _meets(case, record)
    ]
    # What comes back must not keep it from being moved away again. A revert needs time to show.
    recent = [each for each in recent if each.spec.action not in ledger.WAYS_BACK]
    if recent:
        last = recent[-1]
        ago, needed = (case.now - last.spec.decided_at).total_seconds(), cooldown.total_seconds()
        own = last.policy == case.policy.key or last.target == case.target
        on = "" if own else f" on {_met(case, last)}"
        message = f"{last.name}{on} was {ago:.0f} s ago, the cooldown is {needed:.0f} s"
        return model.Refusal(Refused.COOLDOWN, message)
    return f"no action in the last {cooldown.total_seconds():.0f} s"
