"""The alerts that fire, as one list of all that tell: the same alert told thrice is one.

An alert of Prometheus may come by its own list, by Alertmanager's, and by a webhook, with other
times and with labels that were added on the way.  It is one alert when name and owner are the same
and one source's labels are among the other's.  It has ended when one of those that told it says
so; what a slower source still says of it then is old.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict

from prunella.adapters.intake.told import Labels, Told
from prunella.core import model
from prunella.core.incidents import values

CONTRADICTION_SECONDS = 600.0
"""A source that still tells of an alert so long after another has called it ended is believed."""
_TELLING = frozenset({"pod", "container", "instance"})
"""Labels that no sender adds on the way: alerts that differ in them are not the same."""
_MOST_ALIKE = 32
"""Alerts that have all of that in common, beyond which only equal labels are the same."""
_Place = tuple[model.Ref, str, Labels]
"""Owner, name and the labels of `_TELLING`: what the same alert has in common."""


@dataclasses.dataclass(slots=True)
class _Series:
    target: model.Ref
    name: str
    labels: Labels
    starts_at: float
    told_at: float
    sources: dict[str, Labels]
    """The labels by which each of those that tell of it knows it."""
    ended_at: float | None = None
    ended_by: str = ""


class Table:
    """What fires, at most ``limit`` alerts, and what has ended, at most ``ended`` of them."""

    def __init__(self, refresh: float, limit: int = 50_000, ended: int = 10_000) -> None:
        """``refresh``: seconds after which an alert that goes on is told again."""
        self._refresh, self._limit, self._most_ended = refresh, limit, ended
        self._places: OrderedDict[_Place, dict[Labels, _Series]] = OrderedDict()
        self._ended: OrderedDict[tuple[_Place, Labels], None] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def take(self, told: Told, target: model.Ref) -> values.Alert | None:
        """The alert that a notification is news of; None for one that says nothing new."""
        series = self._find(target, told)
        if series is None:
            series = self._add(target, told)
        elif told.firing:
            if not self._goes_on(series, told):
                return None
        elif series.ended_at is not None or (told.ended_at or told.received) < series.starts_at:
            return None  # the end is known, or that of an earlier firing
        if not told.firing:
            self._end(series, told)
        series.told_at = told.received
        return values.Alert(
            received=told.received,
            starts_at=series.starts_at,
            firing=told.firing,
            name=told.name,
            target=target,
            labels=dict(series.labels),
            source=told.source,
            message=told.message,
        )

    def _end(self, series: _Series, told: Told) -> None:
        """Note the end, and forget what has ended longest ago."""
        series.ended_at, series.ended_by = told.ended_at or told.received, told.source
        self._ended[_place(series.target, series), series.labels] = None
        while len(self._ended) > self._most_ended:
            (place, labels), _ = self._ended.popitem(last=False)
            self._forget(place, labels)

    def _forget(self, place: _Place, labels: Labels) -> None:
        found = self._places.get(place, {})
        if found.pop(labels, None) is not None:
            self._size -= 1
        if not found:
            self._places.pop(place, None)

    def _goes_on(self, series: _Series, told: Told) -> bool:
        """Note that a known alert is told as firing; whether that is worth telling."""
        known = told.source in series.sources
        series.sources[told.source] = told.labels
        if series.ended_at is not None:
            return self._again(series, told)
        if known and told.starts_at > series.starts_at and len(series.sources) == 1:
            series.starts_at = told.starts_at  # its end was never told
            return True
        return told.received - series.told_at >= self._refresh

    def _again(self, series: _Series, told: Told) -> bool:
        """Whether what has ended fires again, or is only told late."""
        ended = series.ended_at or 0.0
        if told.starts_at <= ended:
            same = series.ended_by == told.source
            if not same and told.received - ended < CONTRADICTION_SECONDS:
                return False
        self._ended.pop((_place(series.target, series), series.labels), None)
        series.starts_at = told.starts_at if told.starts_at > ended else told.received
        series.ended_at, series.sources = None, {told.source: told.labels}
        return True

    def _find(self, target: model.Ref, told: Told) -> _Series | None:
        place = _place(target, told)
        found = self._places.get(place)
        if found is None:
            return None
        self._places.move_to_end(place)
        exact = found.get(told.labels)
        if exact is not None or len(found) > _MOST_ALIKE:
            return exact
        own = frozenset(told.labels)
        for each in found.values():
            known = each.sources.get(told.source)
            other = frozenset(each.labels)
            if known == told.labels or (known is None and (own <= other or own >= other)):
                return each
        return None

    def _add(self, target: model.Ref, told: Told) -> _Series:
        series = _Series(
            target,
            told.name,
            told.labels,
            told.starts_at,
            told.received,
            {told.source: told.labels},
        )
        self._places.setdefault(_place(target, told), {})[told.labels] = series
        self._size += 1
        while self._size > self._limit:
            place, gone = self._places.popitem(last=False)
            self._size -= len(gone)
            for labels in gone:
                self._ended.pop((place, labels), None)
        return series


def _place(target: model.Ref, told: Told | _Series) -> _Place:
    return target, told.name, tuple(each for each in told.labels if each[0] in _TELLING)
