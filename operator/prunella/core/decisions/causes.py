"""Open incidents as decisions see them: whose cause is a target, and whose symptom.

A policy with a trigger acts on a target that an incident names as its cause.  A policy without one
leaves a target alone for a while that an incident explains by another object: one remediation for
each cause, not one for each symptom.
"""

from __future__ import annotations

import dataclasses
import datetime
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prunella.api import incident as incident_api
from prunella.api import policy as policy_api
from prunella.api import trigger as trigger_api
from prunella.core import model, objects
from prunella.core.decisions import ledger, restoring
from prunella.core.incidents import mirror, naming, values, words

SIGNAL = "incident"
"""What stands as the signal in the evidence of a decision that an incident led to."""
WAIT = datetime.timedelta(minutes=15)
"""How long a symptom is left alone at most: by then the cause was treated, or a person called."""
OWN_DELETION = datetime.timedelta(minutes=1)
"""How far from the operator's own deletion a Change that tells it may be."""
Verdicts = Mapping[model.Ref, model.Verdict]
NOTHING_MEASURED: Final[Verdicts] = types.MappingProxyType({})
_RANK = {
    incident_api.Confidence.LOW: 0,
    incident_api.Confidence.MEDIUM: 1,
    incident_api.Confidence.HIGH: 2,
}


@dataclasses.dataclass(frozen=True, slots=True)
class OpenIncident:
    """An open incident that has a suspect."""

    name: str
    suspect: model.Ref
    cause_kind: incident_api.CauseKind
    confidence: incident_api.Confidence
    summary: str
    started_at: datetime.datetime
    named_at: datetime.datetime
    changed_at: datetime.datetime | None = None
    members: frozenset[model.Ref] = frozenset()
    """What is sick, as far as the incident's object names it."""
    unlisted: frozenset[str] = frozenset()
    """Hashes of the rest, see `naming.object_hash`."""
    change: str = ""
    """Name of the suspected Change."""
    others: tuple[OpenIncident, ...] = ()
    """The same incident by each of its further suspects, likelier ones first."""
    leaders: frozenset[model.Ref] = frozenset()
    """Workloads beside the suspect that can prove its restore for what is sick elsewhere."""

    def has(self, target: model.Ref) -> bool:
        """Whether a target is sick in it, named or not."""
        if target in self.members:
            return True
        return bool(self.unlisted) and naming.object_hash(target) in self.unlisted

    def is_about(self, target: model.Ref) -> bool:
        """Whether a target is sick in it, or suspected first."""
        return target == self.suspect or self.has(target)


def open_incidents(records: Iterable[values.Record]) -> tuple[OpenIncident, ...]:
    """The open incidents by their first suspect that nobody rejected; mirrors are left out."""
    found = []
    for record in records:
        if record.spec.mirror or record.status.state is not incident_api.State.OPEN:
            continue
        marks = incident_api.Mark
        suspects = [s for s in record.status.suspects if s.mark is not marks.REJECTED]
        views = [_by(record, suspect) for suspect in suspects]
        if views:
            found.append(dataclasses.replace(views[0], others=tuple(views[1:])))
    return tuple(sorted(found, key=lambda each: (each.named_at, each.name)))


def _by(record: values.Record, suspect: incident_api.SuspectItem) -> OpenIncident:
    """An incident by one of its suspects."""
    sure = suspect.mark is incident_api.Mark.CONFIRMED
    status, opened = record.status, record.spec.opened_at
    return OpenIncident(
        name=record.name,
        suspect=words.ref_of(suspect.object),
        cause_kind=suspect.cause_kind,
        confidence=incident_api.Confidence.HIGH if sure else suspect.confidence,
        summary=_summary(record.status, suspect),
        started_at=status.started_at or opened,
        named_at=status.named_at or opened,
        changed_at=suspect.changed_at,
        members=frozenset(words.ref_of(each.object) for each in status.members),
        unlisted=naming.objects_of(status.unlisted),
        change=suspect.change,
    )


def _summary(status: incident_api.IncidentStatus, suspect: incident_api.SuspectItem) -> str:
    """What is said of a suspect, as far as the readers of its namespace may know it."""
    named = [words.ref_of(each.object) for each in status.members]
    named += [words.ref_of(each.object) for each in status.suspects]
    foreign = mirror.Foreign(suspect.object.namespace, named)
    beyond = any(ref.namespace not in {suspect.object.namespace, ""} for ref in named)
    if foreign(suspect.summary) or (beyond and status.unlisted):
        return f"together with what is {mirror.OUTSIDE}"
    return suspect.summary


def cause(
    trigger: trigger_api.Trigger,
    target: model.Ref,
    incidents: Sequence[OpenIncident],
    records: Iterable[objects.Record],
) -> OpenIncident | None:
    """The incident that lets a policy act on a target; None when none does."""
    wanted = trigger.incident
    for each in incidents:
        fits = each.suspect == target and not _why_not(each, wanted)
        if fits and not _healed(each, target, records):
            return each
    return None


def to_restore(
    trigger: trigger_api.Trigger,
    target: model.Ref,
    incidents: Sequence[OpenIncident],
    records: Sequence[objects.Record],
    measured: Verdicts = NOTHING_MEASURED,
) -> OpenIncident | None:
    """The incident that a target leads a restore for, by the suspect that is to be restored next.

    That is the likeliest one that was not tried in vain, in the target's own namespace.  The target
    is a symptom; or else, where the policy wants it, the suspect serves it or is it, and the
    policy's own signals (``measured``) say that it is Unhealthy.
    """
    for each in incidents:
        found = _next_suspect(each, records)
        if found is None or found.suspect.namespace != target.namespace:
            continue
        if not each.is_about(target) and _why_no_leader(trigger, target, found, measured):
            continue
        if not _why_not(found, trigger.incident) and not _restored(found, records):
            return found
    return None


def _why_no_leader(
    trigger: trigger_api.Trigger, target: model.Ref, found: OpenIncident, measured: Verdicts
) -> str:
    """Why a target that is not sick in an incident may not lead a restore for it."""
    if not trigger.incident.anywhere:
        return "trigger.incident.symptoms is Target"
    if target != found.suspect and target not in found.leaders:
        return f"{target} neither depends on it nor is called by what is sick"
    bad = [ref for ref, verdict in measured.items() if verdict is model.Verdict.UNHEALTHY]
    if sick := sorted(ref for ref in bad if found.has(ref)):
        return f"{sick[0]}, which is sick in it, leads"
    verdict = measured.get(target, model.Verdict.UNKNOWN)
    if verdict is not model.Verdict.UNHEALTHY:
        return f"by the policy's own signals {target} is {verdict}: they would prove nothing"
    return ""


def _next_suspect(each: OpenIncident, records: Sequence[objects.Record]) -> OpenIncident | None:
    views = (each, *each.others)
    return next((view for view in views if not tried_in_vain(view, records)), None)


def _restores_of(view: OpenIncident, records: Iterable[objects.Record]) -> list[objects.Record]:
    """The restores of a suspect for this incident that were, or may have been, carried out."""
    return [
        record
        for record in records
        if record.spec.incident == view.name
        and record.spec.action == restoring.RESTORE
        and record.acted
        and view.suspect in restoring.written(record)
    ]


def tried_in_vain(view: OpenIncident, records: Iterable[objects.Record]) -> str:
    """The record that restored a suspect for this incident, and did not help."""
    done = (r for r in _restores_of(view, records) if r.phase.final and r.phase != "Succeeded")
    return next((record.name for record in done), "")


def _restored(view: OpenIncident, records: Iterable[objects.Record]) -> str:
    """The record that has restored a suspect for this incident, unless it changed since."""
    for record in _restores_of(view, records):
        later = view.changed_at is not None and view.changed_at > record.spec.decided_at
        if record.phase == "Succeeded" and not later:
            return record.name
    return _deleted_by(view, records)


def _deleted_by(view: OpenIncident, records: Iterable[objects.Record]) -> str:
    """The record that deleted a suspect: the journal knows nobody who deletes, not even us."""
    for record in records:
        if record.spec.action not in {restoring.RESTORE, ledger.REVERT} or view.changed_at is None:
            continue
        for effect, status in zip(record.spec.effects, record.status.effects, strict=False):
            ref = model.Ref(effect.kind, effect.namespace, effect.name)
            if effect.verb != "Delete" or ref != view.suspect or status.sent_at is None:
                continue
            if abs(view.changed_at - status.sent_at) <= OWN_DELETION:
                return record.name
    return ""


def restores_for_another(
    view: OpenIncident, target: model.Ref, records: Iterable[objects.Record]
) -> str:
    """The unfinished try of a restore for the same incident that another target leads."""
    for record in records:
        same = record.spec.incident == view.name and record.spec.action == restoring.RESTORE
        open_ = record.acted or record.in_flight
        done = record.phase == "Succeeded" or record.status.cleared_at is not None
        if same and open_ and not done and record.target != target:
            own = record.target.namespace == target.namespace
            return record.name if own else "a record outside this namespace"
    return ""


def why_not_restored(
    trigger: trigger_api.Trigger,
    target: model.Ref,
    incidents: Sequence[OpenIncident],
    records: Sequence[objects.Record],
    measured: Verdicts = NOTHING_MEASURED,
) -> str:
    """Why no suspect of an incident may be restored for a target, with what was compared."""
    about = [each for each in incidents if each.is_about(target)]
    if not about:
        told = f"{target} is a symptom of none of {len(incidents)} open incidents with a suspect"
        return told + _why_not_led(trigger, target, incidents, records, measured)
    each = about[0]
    found = _next_suspect(each, records)
    if found is None:
        return f"all {1 + len(each.others)} suspects of {each.name} were restored in vain"
    if found.suspect.namespace != target.namespace:
        return f"{each.name} suspects an object outside of namespace {target.namespace}"
    return _why_left(trigger, found, records)


def _why_left(
    trigger: trigger_api.Trigger, found: OpenIncident, records: Sequence[objects.Record]
) -> str:
    if healed := _restored(found, records):
        return f"{healed} has restored {found.suspect} for {found.name} already"
    return f"{found.name} suspects {found.suspect}, but {_why_not(found, trigger.incident)}"


def _why_not_led(
    trigger: trigger_api.Trigger,
    target: model.Ref,
    incidents: Sequence[OpenIncident],
    records: Sequence[objects.Record],
    measured: Verdicts,
) -> str:
    """What else stood in the way where an incident suspects an object of the namespace."""
    for each in incidents:
        found = _next_suspect(each, records)
        if found is None or found.suspect.namespace != target.namespace:
            continue
        if why := _why_no_leader(trigger, target, found, measured):
            return f"; {each.name} suspects {found.suspect}, and {why}"
        return f"; {_why_left(trigger, found, records)}"
    return ""


def named(
    spec: policy_api.RemediationPolicySpec,
    targets: Iterable[model.Ref],
    incidents: Sequence[OpenIncident],
    records: Sequence[objects.Record],
    measured: Verdicts = NOTHING_MEASURED,
) -> dict[model.Ref, OpenIncident]:
    """The targets that an open incident lets a policy on causes act for.

    Those that it names as the cause; for a restore also those that it names as symptoms, or that
    can prove it.
    """
    trigger = spec.trigger
    if trigger is None:
        return {}
    restores = any(step.action == restoring.RESTORE for step in spec.steps)
    found = {}
    for target in targets:
        each = cause(trigger, target, incidents, records)
        if each is None and restores:
            each = to_restore(trigger, target, incidents, records, measured)
        if each is not None:
            found[target] = each
    return found


def why_not(
    trigger: trigger_api.Trigger,
    target: model.Ref,
    incidents: Sequence[OpenIncident],
    records: Iterable[objects.Record],
) -> str:
    """Why no incident lets a policy act on a target, with what was compared."""
    about = [each for each in incidents if each.suspect == target]
    if not about:
        return f"none of {len(incidents)} open incidents with a suspect names {target} first"
    for each in about:
        if found := _why_not(each, trigger.incident):
            return f"{each.name} names {target} first, but {found}"
    healed = _healed(about[0], target, records)
    return f"{healed} has treated {target} for {about[0].name} already"


def _why_not(each: OpenIncident, wanted: trigger_api.IncidentTrigger) -> str:
    if each.cause_kind not in wanted.cause_kind:
        return f"as {each.cause_kind}, and the trigger is {', '.join(wanted.cause_kind)}"
    if _RANK[each.confidence] < _RANK[wanted.confidence]:
        return f"with confidence {each.confidence}, and the trigger needs {wanted.confidence}"
    within = wanted.change_within
    if within is None:
        return ""
    if each.changed_at is None:
        return f"for no change, and the trigger needs one within {within}"
    before = (each.started_at - each.changed_at).total_seconds()
    if before > within.total_seconds():
        return f"for a change {before:.0f} s before, and the trigger needs one within {within}"
    return ""


def _healed(each: OpenIncident, target: model.Ref, records: Iterable[objects.Record]) -> str:
    """The record that has treated the target for this incident, unless it changed since."""
    for record in records:
        if record.target != target or record.spec.incident != each.name:
            continue
        later = each.changed_at is not None and each.changed_at > record.spec.decided_at
        if record.phase == "Succeeded" and not later:
            return record.name
    return ""


def symptom_of(target: model.Ref, incidents: Sequence[OpenIncident]) -> OpenIncident | None:
    """The incident that explains a target by another object, if one does so credibly."""
    for each in incidents:
        if each.confidence is incident_api.Confidence.LOW or each.suspect == target:
            continue
        if each.has(target):
            return each
    return None


def shown(ref: model.Ref, namespace: str) -> str:
    """An object as it may be named in a namespace: what is in another one is not."""
    if ref.namespace in {namespace, ""}:
        return str(ref)
    return "an object outside this namespace"


def finding(target: model.Ref, found: OpenIncident) -> model.Finding:
    """The incident as the evidence of a decision."""
    by = f"explains it by {found.suspect}"
    what = "names it first" if found.suspect == target else by
    message = f"{found.name} {what} ({found.cause_kind}, {found.confidence})"
    return model.Finding(
        signal=SIGNAL,
        target=target,
        verdict=model.Verdict.UNHEALTHY,
        reason="NamedByIncident",
        message=f"{message}: {found.summary}"[:2048],
    )


def without_symptoms(
    verdicts: Mapping[model.Ref, model.Verdict], found: OpenIncident | None
) -> Mapping[model.Ref, model.Verdict]:
    """Verdicts without those that an incident explains by the target that is decided about."""
    if found is None:
        return verdicts
    return {
        ref: verdict
        for ref, verdict in verdicts.items()
        if ref == found.suspect or not (found.has(ref) or ref in found.leaders)
    }
