"""A weighed candidate as a suspect: summary, evidence in sentences, confidence."""

from __future__ import annotations

from prunella.api.incident import CauseKind, Confidence
from prunella.core import model
from prunella.core.incidents import values
from prunella.core.incidents.diagnosis import changes, faults, history, symptoms
from prunella.core.incidents.diagnosis.weigh import Weighed

HIGH = 0.9
MEDIUM = 0.6
MOST_EVIDENCE = 8


def suspect(found: Weighed, sick: symptoms.Sick, doubted: frozenset[model.Ref]) -> values.Suspect:
    """The suspect that people and policies see; ``doubted``: see `confidence`."""
    touch, field = found.touch, _field(found)
    sure = confidence(found, doubted)
    return values.Suspect(
        found.target,
        round(found.probability, 3),
        _evidence(found, sick),
        _cause_kind(found),
        sure,
        _summary(found),
        field,
        touch.change.name if touch else "",
        touch.at if touch else None,
        sure is Confidence.HIGH and not _certain(found),
    )


def confidence(found: Weighed, doubted: frozenset[model.Ref]) -> Confidence:
    """High needs a fault that can only be wrong, or a change of what is itself sick.

    Such a change is no more than near in time, so it is not enough for what a node that may be lost
    can have made sick as well (``doubted``).
    """
    changed = found.touch is not None and found.own and not found.candidate.hurts & doubted
    if found.probability >= HIGH and (_certain(found) or changed):
        return Confidence.HIGH
    return Confidence.MEDIUM if found.probability >= MEDIUM else Confidence.LOW


def _certain(found: Weighed) -> bool:
    """Whether a fault that can only be wrong is seen."""
    fault = found.fault.fault if found.fault else None
    return fault is not None and not fault.general and fault.weight >= faults.LIKELY


def _field(found: Weighed) -> str:
    """The changed field where a change is suspected, else the field that is wrong."""
    blamed, touch = found.fault, found.touch
    if touch is not None and (blamed is None or (blamed.fault.general and blamed.touch is None)):
        return touch.field
    if blamed is None:
        return ""
    own = blamed.side.target == blamed.fault.target
    if touch is not None and blamed.touch is not None:
        paths = (blamed.fault.field, *blamed.side.fields) if own else blamed.side.fields
        return changes.field(blamed.touch, paths) or (blamed.fault.field if own else "")
    return blamed.fault.field if own else _first(blamed.side)


def _first(side: faults.Side) -> str:
    return side.fields[0] if side.fields else ""


def _cause_kind(found: Weighed) -> CauseKind:
    blamed, touch = found.fault, found.touch
    if blamed is not None and (_made(found) or touch is None or not blamed.fault.general):
        return blamed.side.cause_kind
    if touch is not None:
        return touch.cause_kind
    return CauseKind.SATURATION if found.candidate.ranked is not None else CauseKind.UNKNOWN


def _made(found: Weighed) -> bool:
    """Whether the change that is suspected made the fault."""
    return found.fault is not None and found.fault.touch is found.touch is not None


def _summary(found: Weighed) -> str:
    blamed, touch = found.fault, found.touch
    parts = []
    if touch is not None:
        parts.append(changes.sentence(touch, found.onset, _field(found)))
    if blamed is not None and (_made(found) or touch is None or not blamed.fault.general):
        told = blamed.fault.sentence
        parts.append(told if touch is not None else f"{_title(blamed.fault.target)}: {told}")
    if not parts and found.candidate.ranked is not None:
        parts.append(found.candidate.ranked.evidence[0].sentence)
    return ". ".join(parts)[:1024]


def _title(target: model.Ref) -> str:
    return f"{target.kind} {target.name}"


def _evidence(found: Weighed, sick: symptoms.Sick) -> tuple[values.Evidence, ...]:
    """The reasons, strongest first."""
    reasons = []
    if found.touch is not None:
        told = changes.sentence(found.touch, found.onset, _field(found))
        reasons.append(values.Evidence("change", told, found.touch.at, 2.0))
    blamed = sorted(found.candidate.blamed, key=lambda each: -each.fault.weight)
    for each in blamed[:4]:
        fault = each.fault
        reasons.append(values.Evidence(fault.kind, fault.sentence, fault.since, fault.weight))
    if found.candidate.ranked is not None:
        reasons += found.candidate.ranked.evidence
    reasons += _explains(found, sick)
    if found.past is not None:
        reasons.append(values.Evidence("history", history.sentence(found.past), found.past.at, 1.0))
    return tuple(reasons[:MOST_EVIDENCE])


def _explains(found: Weighed, sick: symptoms.Sick) -> list[values.Evidence]:
    count = sum(share > 0 for share in found.explained)
    if not count:
        return []
    told = f"it explains {count} of {len(sick.symptoms)} symptoms"
    direct = [
        f"{each.name} on {each.target}"
        for each, share in zip(sick.symptoms, found.explained, strict=True)
        if share == 1.0
    ]
    if direct:
        told += f", {direct[0]} directly"
    return [values.Evidence("alerts", told, found.onset, count / len(sick.symptoms))]
