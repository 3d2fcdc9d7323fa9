"""Judge what was seen against a fault's truth. Pure: histories of incidents in, a verdict out.

- *incidents*: those with a symptom after the fault began that were not merged into another.
- *rank*: where the truth stands among the suspects of the incident with the earliest symptom. For
  several faults at once, where each stands in its best incident, other true causes left out of the
  count; the worst of them counts.
- *falsely*: incidents that name a suspect although nothing is wrong; before a fault is injected
  nothing is.
- *seconds*: from the first symptom to the moment from which on the truth stood first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from bench.exam.sightings import MERGED, Sighting, Suspect
from lab.shop.faults import Cause, Ref, Truth

History = Sequence[Sighting]


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """How one fault was answered."""

    incidents: int
    causes: int
    """How many faults there were at once."""
    first: str
    """The first suspect that is named, for people."""
    rank: int | None
    """1 is first; None when the truth is not named."""
    field: bool
    """Whether the field that was changed is named with the cause."""
    falsely: int
    seconds: float | None

    @property
    def share(self) -> float:
        """Incidents for each fault."""
        return self.incidents / max(1, self.causes)


def judge(histories: Sequence[History], truth: Truth, began: float, symptom: float) -> Verdict:
    """Compare the histories of a shop's incidents with the truth of its fault.

    ``began`` is when the fault was injected, ``symptom`` when it first showed; both in seconds
    since the epoch.
    """
    counted = [each for each in histories if _counts(each, began)]
    last = [each[-1] for each in counted]
    early = [each for each in histories if _named_before(each, began)]
    wrong = [each for each in last if each.suspects] if truth.nothing else []
    return Verdict(
        incidents=len(counted),
        causes=len(truth.causes),
        first=_first(last),
        rank=None if truth.nothing else _rank([each.suspects for each in last], truth),
        field=_field_named(last, truth),
        falsely=len(early) + len(wrong),
        seconds=None if truth.nothing else _seconds(counted, truth, symptom),
    )


def settled(histories: Sequence[History], began: float) -> float | None:
    """Since when the first suspects of a fault's incidents are what they are; None: none yet."""
    counted = [each for each in histories if _counts(each, began)]
    if not any(each[-1].suspects for each in counted):
        return None
    return max(_last_change(each) for each in counted)


def _last_change(history: History) -> float:
    moment, first = history[0].at, history[0].suspects[:1]
    for sighting in history:
        if sighting.suspects[:1] != first:
            moment, first = sighting.at, sighting.suspects[:1]
    return moment


def _counts(history: History, began: float) -> bool:
    latest = history[-1]
    return max(history[0].at, latest.last_symptom) >= began and latest.state != MERGED


def _named_before(history: History, began: float) -> bool:
    return any(each.suspects and each.at < began for each in history)


def _first(last: Sequence[Sighting]) -> str:
    suspects = next((each.suspects for each in last if each.suspects), ())
    if not suspects:
        return ""
    field = f" {suspects[0].field}" if suspects[0].field else ""
    return f"{suspects[0].ref}{field}"


def _right(cause: Cause, truth: Truth) -> set[Ref]:
    """What may be named for a cause; what else is right belongs to no particular one."""
    return {cause.ref, *truth.also}


def _rank(answers: Sequence[Sequence[Suspect]], truth: Truth) -> int | None:
    """The worst over the causes of the best over the answers."""
    considered = answers if len(truth.causes) > 1 else answers[:1]
    every = {cause.ref for cause in truth.causes}
    ranks = []
    for cause in truth.causes:
        right = _right(cause, truth)
        ranks.append(min((_place(each, right, every) for each in considered), default=_NOWHERE))
    worst = max(ranks, default=_NOWHERE)
    return None if worst == _NOWHERE else worst


_NOWHERE = 1_000_000


def _place(suspects: Sequence[Suspect], right: Collection[Ref], every: Collection[Ref]) -> int:
    """The rank of the first right suspect, less the other true causes before it."""
    rank = 1
    for suspect in suspects:
        if suspect.ref in right:
            return rank
        rank += suspect.ref not in every
    return _NOWHERE


def _field_named(last: Sequence[Sighting], truth: Truth) -> bool:
    wanted = [cause for cause in truth.causes if cause.field]
    suspects = [suspect for sighting in last for suspect in sighting.suspects]
    return bool(wanted) and all(
        any(each.ref == cause.ref and _same(each.field, cause.field) for each in suspects)
        for cause in wanted
    )


def _same(found: str, wanted: str) -> bool:
    """A field, or one inside of it."""
    return found.startswith(wanted) or (bool(found) and wanted.startswith(found))


def _seconds(histories: Sequence[History], truth: Truth, symptom: float) -> float | None:
    """Until the truth stood first for good; an answer before any symptom took no time."""
    moments = sorted({sighting.at for history in histories for sighting in history})
    since: float | None = None
    for moment in moments:
        answers = [
            latest.suspects for each in histories if (latest := _as_of(each, moment)) is not None
        ]
        right = _rank(answers, truth) == 1
        since = (moment if since is None else since) if right else None
    return None if since is None else max(0.0, since - symptom)


def _as_of(history: History, moment: float) -> Sighting | None:
    return next((each for each in reversed(history) if each.at <= moment), None)
