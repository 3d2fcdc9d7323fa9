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
_Place = tuple[model.Ref, str]


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
    """What fires, and what has ended of late; at most ``limit`` alerts."""

    def __init__(self, refresh: float, limit: int = 50_000) -> None:
        """``refresh``: seconds after which an alert that goes on is told again."""
        self._refresh, self._limit = refresh, limit
        self._places: OrderedDict[_Place, list[_Series]] = OrderedDict()
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
            series.ended_at, series.ended_by = told.ended_at or told.received, told.source
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

    @staticmethod
    def _again(series: _Series, told: Told) -> bool:
        """Whether what has ended fires again, or is only told late."""
        ended = series.ended_at or 0.0
        if told.starts_at <= ended:
            same = series.ended_by == told.source
            if not same and told.received - ended < CONTRADICTION_SECONDS:
                return False
        series.starts_at = told.starts_at if told.starts_at > ended else told.received
        series.ended_at, series.sources = None, {told.source: told.labels}
        return True

    def _find(self, target: model.Ref, told: Told) -> _Series | None:
        found = self._places.get((target, told.name))
        if found is None:
            return None
        self._places.move_to_end((target, told.name))
        for each in found:
            if told.labels in (each.labels, each.sources.get(told.source)):
                return each
        own = frozenset(told.labels)
        for each in found:
            other = frozenset(each.labels)
            if told.source not in each.sources and (own <= other or own >= other):
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
        self._places.setdefault((target, told.name), []).append(series)
        self._size += 1
        while self._size > self._limit:
            _, gone = self._places.popitem(last=False)
            self._size -= len(gone)
        return series
