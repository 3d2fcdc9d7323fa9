"""Findings of the signals that are judged by events and by absence, not by one value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import compiled, mapping


@dataclasses.dataclass(frozen=True, slots=True)
class Events:
    """Bad events and all events of one window."""

    bad: float
    total: float


Windows = Mapping[int, Events | model.Failure]
Answers = Mapping[str, model.Answer]
Mapped = Mapping[str, mapping.Mapped]


def windows_of(signal: compiled.Signal, mapped: Mapped, target: model.Ref) -> Windows:
    """The events of each of a burn rate's windows, by seconds; those of pods are added up."""
    params = signal.spec.burn_rate
    if params is None:
        return {}
    found: dict[int, Events | model.Failure] = {}
    for seconds in params.windows:
        sides = [mapped[compiled.windowed(r, seconds)] for r in (compiled.BAD, compiled.TOTAL)]
        bad, total = (side.series.get(target, ()) for side in sides)
        if not total:
            continue
        if any(target in side.duplicated for side in sides):
            message = f"more than one series for {target}: aggregate by its labels"
            found[seconds] = model.Failure(reasons.Doubt.DUPLICATE_SERIES, message)
            continue
        # A query that counts by rate() has the window's length as factor, one by increase() not.
        factor = seconds if signal.events_factor != 1.0 else 1.0
        found[seconds] = Events(_sum(bad) * factor, _sum(total) * factor)
    return found


def _sum(series: Sequence[mapping.Series]) -> float:
    return math.fsum(each.value for each in series)


def own(answers: Answers, mapped: Mapped, target: model.Ref) -> model.Answer:
    """What the query of an absence said of one target."""
    answer = answers[compiled.VALUE]
    if isinstance(answer, model.Failure):
        return answer
    series = mapped[compiled.VALUE].series.get(target, ())
    return model.Vector(tuple(model.Sample(model.NO_LABELS, each.value) for each in series))


def mapped_by(mapped: Mapped, target: model.Ref) -> str:
    """By which label the target's series were found."""
    return next(
        (each.series[target][0].mapped_by for each in mapped.values() if each.series.get(target)),
        "",
    )
