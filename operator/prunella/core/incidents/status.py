"""The status of an Incident object, made anew in each round from what is known.

Pure: the same facts give the same status, so that only what changed is written.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence

from prunella.api import conditions
from prunella.api import incident as incident_api
from prunella.core import model, objects
from prunella.core.changes.values import Change
from prunella.core.incidents import naming, timeline, values, words
from prunella.core.incidents.diagnosis import values as diagnosis_values

Status = incident_api.IncidentStatus
State = incident_api.State
DIAGNOSED, REMEDIATED, CONFIRMED = "Diagnosed", "Remediated", "Confirmed"
MOST_MESSAGE, MOST_WHY = 256, 480
MOST_UNLISTED = 2000
NO_TIERS: Mapping[model.Ref, str] = {}
NO_RELEASES: Mapping[str, str] = {}
_SEVERITY = {
    "critical": incident_api.Severity.CRITICAL,
    "standard": incident_api.Severity.WARNING,
    "low": incident_api.Severity.INFO,
}
_ORDER = list(_SEVERITY.values())


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What an open incident's status is made from."""

    incident: values.Incident
    now: datetime.datetime
    diagnosis: diagnosis_values.Diagnosis | None = None
    """None while nobody has looked yet."""
    tiers: Mapping[model.Ref, str] = dataclasses.field(default_factory=lambda: NO_TIERS)
    """``prunella.dev/tier`` of sick workloads that have one, or whose namespace has one."""
    records: tuple[objects.Record, ...] = ()
    """What was done about it, oldest first."""
    releases: Mapping[str, str] = dataclasses.field(default_factory=lambda: NO_RELEASES)
    """What changes say of the release that they bring, by their names."""
    word: words.Word = dataclasses.field(default_factory=words.Word)
    why: Callable[[values.Fingerprint], str] = lambda _: ""
    """Why an alert is in the incident."""


def of_open(facts: Facts, before: Status | None) -> Status:
    """The status of an open incident; ``before`` is the one that was written last."""
    incident, now = facts.incident, facts.now
    old = before or Status()
    if old.state is State.RESOLVED:
        # The same alert may have another cause this time: nobody has looked, or said a word, yet.
        old = old.model_copy(update={"suspects": [], "named_at": None})
        facts = dataclasses.replace(facts, word=words.Word())
    listed = sample(incident.members)
    members = [_member(each, facts) for each in listed]
    suspects = _suspects(facts, old)
    named_at = old.named_at or (now if suspects else None)
    since = old.last_symptom_at.timestamp() if old.last_symptom_at is not None else float("-inf")
    status = Status(
        state=State.OPEN,
        severity=severity(incident.members, facts.tiers),
        title=words.title(members, incident.alerts, incident.objects),
        started_at=timeline.moment(incident.onset),
        last_symptom_at=timeline.moment(incident.last),
        named_at=named_at,
        reopened=incident.reopened,
        flaps=incident.flaps,
        alerts=incident.alerts,
        objects=incident.objects,
        namespaces=namespaces(incident)[:64],
        suspect=words.suspect(suspects),
        suspects=suspects,
        ruled_out=[each[:2048] for each in _ruled_out(facts)],
        members=members,
        unlisted=unlisted(incident.members, listed),
        timeline=timeline.added(
            old.timeline,
            [
                *_opened(facts, old),
                *timeline.symptoms(incident.members, since),
                *_named(suspects, old, now),
                *timeline.remediations(facts.records),
            ],
        ),
        remediations=[f"{each.namespace}/{each.name}" for each in facts.records][-16:],
    )
    return with_conditions(status, old, facts.records, now)


def of_resolved(before: Status, now: datetime.datetime, told: str) -> Status:
    """The status of an incident that is over: nothing fires, and what is known of it stays."""
    item = incident_api.TimelineItem(at=now, kind="State", message=told)
    return before.model_copy(
        update={
            "state": State.RESOLVED,
            "resolved_at": now,
            "members": [each.model_copy(update={"firing": 0}) for each in before.members],
            "timeline": timeline.added(before.timeline, [item]),
        }
    )


def of_merged(before: Status, into: str, now: datetime.datetime) -> Status:
    """The status of an incident that turned out to be a part of another."""
    item = incident_api.TimelineItem(
        at=now, kind="State", message=f"merged into {into}: one cause explains both better than two"
    )
    return before.model_copy(
        update={
            "state": State.MERGED,
            "merged_into": into,
            "resolved_at": now,
            "timeline": timeline.added(before.timeline, [item]),
        }
    )


def marked(before: Status, word: words.Word, now: datetime.datetime) -> Status:
    """The status of an incident that is over, with what a person has said of it since."""
    suspects = [
        each.model_copy(update={"mark": word.of(words.ref_of(each.object))})
        for each in before.suspects
    ]
    changed = before.model_copy(update={"suspects": suspects, "suspect": words.suspect(suspects)})
    return with_conditions(changed, before, (), now, keep=True)


def known(record: values.Record) -> values.Known:
    """An object as what a correlator takes up at its start."""
    status = record.status
    members = tuple(
        values.Member(
            words.ref_of(each.object),
            each.name,
            each.first.timestamp(),
            each.count,
            each.firing,
            each.source,
            each.message,
        )
        for each in status.members
    )
    last = status.last_symptom_at or record.spec.opened_at
    resolved = status.resolved_at.timestamp() if status.resolved_at is not None else None
    return values.Known(
        record.name,
        status.state,
        members,
        last.timestamp(),
        status.alerts,
        frozenset(status.unlisted.split()),
        resolved,
        status.flaps,
        status.reopened,
    )


def namespaces(incident: values.Incident) -> list[str]:
    """Where what is sick is."""
    return sorted({each.target.namespace for each in incident.members if each.target.namespace})


def severity(
    members: Sequence[values.Member], tiers: Mapping[model.Ref, str]
) -> incident_api.Severity:
    """That of the highest tier among what is sick; what has no tier is standard."""
    found = {
        _SEVERITY.get(tiers.get(each.target, "standard"), incident_api.Severity.WARNING)
        for each in members
    }
    return min(found, key=_ORDER.index, default=incident_api.Severity.WARNING)


def sample(members: Sequence[values.Member]) -> list[values.Member]:
    """As many symptoms as an object holds: the first of each sick object before any second."""
    rank: dict[model.Ref, int] = {}
    ranked = []
    for each in members:
        rank[each.target] = rank.get(each.target, 0) + 1
        ranked.append((rank[each.target], each))
    ranked.sort(key=lambda pair: (pair[0], pair[1].first, pair[1].target, pair[1].name))
    chosen = [each for _, each in ranked[: incident_api.MOST_MEMBERS]]
    return sorted(chosen, key=lambda each: (each.first, each.target, each.name))


def unlisted(members: Sequence[values.Member], listed: Sequence[values.Member]) -> str:
    """Hashes of the symptoms that there is no room for, by which a restart knows them again."""
    if len(members) <= len(listed):
        return ""
    shown = {each.symptom for each in listed}
    left = [naming.symptom_hash(each.symptom) for each in members if each.symptom not in shown]
    return " ".join(left[:MOST_UNLISTED])


def with_conditions(
    status: Status,
    old: Status,
    records: Sequence[objects.Record],
    now: datetime.datetime,
    *,
    keep: bool = False,
) -> Status:
    """The status with its conditions; ``keep`` leaves what is known of remediations."""
    made = [_diagnosed(status, now)]
    if keep:
        made += [each for each in old.conditions if each.type == REMEDIATED]
    elif records:
        newest = records[-1]
        made.append(
            conditions.condition(
                REMEDIATED,
                status=newest.phase == "Succeeded" if newest.phase.final else None,
                reason=str(newest.phase),
                message=f"{newest.spec.action} of {newest.target} by {newest.name}",
                generation=0,
                now=now,
            )
        )
    confirmed = next((e for e in status.suspects if e.mark is incident_api.Mark.CONFIRMED), None)
    if confirmed is not None:
        made.append(
            conditions.condition(
                CONFIRMED,
                status=True,
                reason=str(confirmed.cause_kind),
                message=f"a person confirmed {confirmed.object.kind}/{confirmed.object.name}",
                generation=0,
                now=now,
            )
        )
    return status.model_copy(update={"conditions": conditions.merge(old.conditions, made)})


def _diagnosed(status: Status, now: datetime.datetime) -> conditions.Condition:
    first = next((e for e in status.suspects if e.mark is not incident_api.Mark.REJECTED), None)
    if first is None:
        message = f"no suspect is named; {len(status.ruled_out)} things were ruled out"
        return conditions.condition(
            DIAGNOSED, status=False, reason="NoSuspect", message=message, generation=0, now=now
        )
    return conditions.condition(
        DIAGNOSED,
        status=True,
        reason=str(first.cause_kind),
        message=first.summary,
        generation=0,
        now=now,
    )


def _member(each: values.Member, facts: Facts) -> incident_api.MemberItem:
    why = facts.why(each.fingerprint) if each.fingerprint is not None else ""
    return incident_api.MemberItem(
        object=words.object_name(each.target),
        name=each.name[:253],
        source=each.source[:253],
        first=timeline.moment(each.first),
        count=max(1, each.count),
        firing=each.firing,
        message=each.message[:MOST_MESSAGE],
        why=why[:MOST_WHY],
    )


def _ruled_out(facts: Facts) -> Sequence[str]:
    return facts.diagnosis.ruled_out[:16] if facts.diagnosis is not None else ()


def _suspects(facts: Facts, old: Status) -> list[incident_api.SuspectItem]:
    """Those of the diagnosis, marked; one that a person has confirmed stays, as the first."""
    found = facts.diagnosis.suspects if facts.diagnosis is not None else None
    if found is None:
        items = [e.model_copy(update={"mark": _mark(e, facts)}) for e in old.suspects]
    else:
        items = [_suspect(each, facts) for each in found[: incident_api.MOST_SUSPECTS]]
        names = {words.written(words.ref_of(each.object)) for each in items}
        items += [
            each.model_copy(update={"mark": _mark(each, facts)})
            for each in old.suspects
            if _mark(each, facts) is incident_api.Mark.CONFIRMED
            and words.written(words.ref_of(each.object)) not in names
        ]
    rank = {incident_api.Mark.CONFIRMED: 0, incident_api.Mark.REJECTED: 2}
    items.sort(key=lambda each: rank.get(each.mark, 1))
    return items[: incident_api.MOST_SUSPECTS]


def _mark(item: incident_api.SuspectItem, facts: Facts) -> incident_api.Mark:
    return facts.word.of(words.ref_of(item.object))


def _suspect(each: values.Suspect, facts: Facts) -> incident_api.SuspectItem:
    summary = each.summary or (each.evidence[0].sentence if each.evidence else str(each.target))
    release = facts.releases.get(each.change, "")
    evidence = [incident_api.EvidenceItem(kind="release", message=release)] if release else []
    evidence += [
        incident_api.EvidenceItem(
            kind=one.kind[:253],
            message=one.sentence[:2048],
            at=None if one.at is None else timeline.moment(one.at),
        )
        for one in each.evidence
        if one.sentence != summary
    ]
    return incident_api.SuspectItem(
        object=words.object_name(each.target),
        cause_kind=each.cause_kind,
        field=each.field[:512],
        change=each.change[:253],
        changed_at=None if each.changed_at is None else timeline.moment(each.changed_at),
        summary=summary[:2048],
        score=round(min(1.0, max(0.0, each.score)), 3),
        confidence=each.confidence,
        mark=facts.word.of(each.target),
        evidence=evidence[:8],
    )


def releases(changes: Iterable[Change]) -> dict[str, str]:
    """What changes say of the release that they bring, by their names: revision, commit, images."""
    told = {}
    for change in changes:
        facts = change.spec.release
        if facts is None:
            continue
        named = (
            ("revision", facts.revision),
            ("commit", facts.commit),
            ("version", facts.version),
            ("Helm release", facts.helm),
            ("GitOps revision", facts.gitops),
            ("image", ", ".join(facts.images)),
        )
        told[change.name] = ", ".join(f"{word} {value}" for word, value in named if value)[:2048]
    return told


def _opened(facts: Facts, old: Status) -> list[incident_api.TimelineItem]:
    if not old.timeline:
        told = "opened"
    elif old.state is State.RESOLVED:
        told = f"opened again ({facts.incident.reopened})"
    else:
        return []
    return [incident_api.TimelineItem(at=facts.now, kind="State", message=told)]


def _named(
    suspects: Sequence[incident_api.SuspectItem], old: Status, now: datetime.datetime
) -> list[incident_api.TimelineItem]:
    """A new first suspect is told; that its score has changed is not."""
    before = [(each.object, each.field) for each in old.suspects[:1]]
    if [(each.object, each.field) for each in suspects[:1]] == before:
        return []
    return list(timeline.suspicion(suspects, now))
