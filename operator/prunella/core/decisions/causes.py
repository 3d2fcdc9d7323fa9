"""Open incidents as decisions see them: whose cause is a target, and whose symptom.

A policy with a trigger acts on a target that an incident names as its cause.  A policy without one
leaves a target alone for a while that an incident explains by another object: one remediation for
each cause, not one for each symptom.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence

from prunella.api import incident as incident_api
from prunella.api import trigger as trigger_api
from prunella.core import model, objects
from prunella.core.incidents import naming, values, words

SIGNAL = "incident"
"""What stands as the signal in the evidence of a decision that an incident led to."""
WAIT = datetime.timedelta(minutes=15)
"""How long a symptom is left alone at most: by then the cause was treated, or a person called."""
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

    def has(self, target: model.Ref) -> bool:
        """Whether a target is sick in it, named or not."""
        if target in self.members:
            return True
        return bool(self.unlisted) and naming.object_hash(target) in self.unlisted


def open_incidents(records: Iterable[values.Record]) -> tuple[OpenIncident, ...]:
    """The open incidents by their first suspect that nobody rejected; mirrors are left out."""
    found = []
    for record in records:
        status = record.status
        if record.spec.mirror or status.state is not incident_api.State.OPEN:
            continue
        first = next((s for s in status.suspects if s.mark is not incident_api.Mark.REJECTED), None)
        if first is None:
            continue
        sure = first.mark is incident_api.Mark.CONFIRMED
        opened = record.spec.opened_at
        found.append(
            OpenIncident(
                name=record.name,
                suspect=words.ref_of(first.object),
                cause_kind=first.cause_kind,
                confidence=incident_api.Confidence.HIGH if sure else first.confidence,
                summary=first.summary,
                started_at=status.started_at or opened,
                named_at=status.named_at or opened,
                changed_at=first.changed_at,
                members=frozenset(words.ref_of(each.object) for each in status.members),
                unlisted=naming.objects_of(status.unlisted),
            )
        )
    return tuple(sorted(found, key=lambda each: (each.named_at, each.name)))


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


def named(
    trigger: trigger_api.Trigger | None,
    targets: Iterable[model.Ref],
    incidents: Sequence[OpenIncident],
    records: Sequence[objects.Record],
) -> dict[model.Ref, OpenIncident]:
    """The targets that open incidents name as their cause, where a policy acts on causes."""
    if trigger is None:
        return {}
    found = {target: cause(trigger, target, incidents, records) for target in targets}
    return {target: each for target, each in found.items() if each is not None}


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
    message = f"{found.name} names it first ({found.cause_kind}, {found.confidence})"
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
        if ref == found.suspect or not found.has(ref)
    }
