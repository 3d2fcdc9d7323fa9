"""What is kept of a month of samples: when signals were Unhealthy, and curves to be drawn."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from prunella.backtest import verdicts
from prunella.core import model
from prunella.core.signals import history

Bools = NDArray[np.bool_]
Floats32 = NDArray[np.float32]
BUCKETS = 1500
"""Points in time of a curve; each has the least and the greatest value of its stretch."""


@dataclasses.dataclass(slots=True)
class Finding:
    """A stretch of time in which one signal was Unhealthy for one target."""

    signal: str
    target: model.Ref
    start: datetime.datetime
    end: datetime.datetime
    """The first moment at which it was so no more, or the last one seen."""
    worst: float
    open: bool = False
    """Still Unhealthy at the end of history."""

    @property
    def lasted(self) -> datetime.timedelta:
        """How long."""
        return self.end - self.start


@dataclasses.dataclass(slots=True, eq=False)
class Curve:
    """One signal of one target, down-sampled; NaN where nothing was measured."""

    low: Floats32
    high: Floats32


@dataclasses.dataclass(slots=True)
class Doubted:
    """How many points were Unknown for one reason, and the numbers that were compared."""

    points: int = 0
    message: str = ""
    told: int = 0
    """How often a pass told it; points that nobody gave a reason go to what was told most."""


@dataclasses.dataclass(slots=True)
class Tally:
    """How many points of a signal had which verdict, over all targets."""

    healthy: int = 0
    unhealthy: int = 0
    unknown: int = 0
    reasons: dict[str, Doubted] = dataclasses.field(default_factory=dict)
    """Why points were Unknown, by reason."""

    @property
    def judged(self) -> int:
        """All points."""
        return self.healthy + self.unhealthy + self.unknown


class Tracker:
    """Takes in one stretch after the other, of all signals and targets."""

    def __init__(self, start: float, step: float, points: int) -> None:
        """The whole grid: Unix seconds of its first point, seconds between points, how many."""
        self._start = start
        self.step = step
        """Seconds between two points."""
        self.per_bucket = max(1, -(-points // BUCKETS))
        self._buckets = max(1, -(-points // self.per_bucket))
        self.curves: dict[tuple[str, model.Ref], Curve] = {}
        self.bands: dict[tuple[str, model.Ref], Curve] = {}
        """What a detector that learns took for usual."""
        self.tallies: dict[str, Tally] = {}
        self._findings: list[Finding] = []
        self._open: dict[tuple[str, model.Ref], Finding] = {}

    def bucket_times(self) -> history.Floats:
        """Unix seconds at which the buckets begin."""
        places = np.arange(self._buckets, dtype=np.float64)
        return self._start + self.step * self.per_bucket * places

    def findings(self) -> list[Finding]:
        """All findings so far, the earliest first; those without an end are open."""
        still = [dataclasses.replace(each, open=True) for each in self._open.values()]
        return sorted([*self._findings, *still], key=lambda f: (f.start, f.signal, f.target))

    def feed(
        self,
        signal: str,
        refs: Sequence[model.Ref],
        times: history.Floats,
        judged: verdicts.Judged,
        exists: Bools,
        *,
        low_is_bad: bool = False,
    ) -> None:
        """Take in one signal on one stretch; arrays as in `verdicts.Judged`."""
        tally = self.tallies.setdefault(signal, Tally())
        there = judged.codes[exists]
        tally.healthy += int((there == verdicts.HEALTHY).sum())
        tally.unhealthy += int((there == verdicts.UNHEALTHY).sum())
        tally.unknown += int((there == verdicts.UNKNOWN).sum())
        for number, ref in enumerate(refs):
            values = np.where(exists[number], judged.values[number], np.nan)
            self._draw(signal, ref, times, values)
            sick = (judged.codes[number] == verdicts.UNHEALTHY) & exists[number]
            self._find((signal, ref), times, sick, -values if low_is_bad else values, low_is_bad)

    def doubt(self, signal: str, reason: str, message: str, points: int, *, told: int = 1) -> None:
        """Take in why so many points of a signal were Unknown, and how many passes said so."""
        tally = self.tallies.setdefault(signal, Tally())
        found = tally.reasons.setdefault(reason, Doubted())
        found.points += points
        found.told += told
        found.message = found.message or message

    def feed_band(
        self,
        signal: str,
        refs: Sequence[model.Ref],
        times: history.Floats,
        lower: history.Floats,
        upper: history.Floats,
    ) -> None:
        """Take in what was usual on one stretch: (targets, points), NaN where it is not known."""
        for number, ref in enumerate(refs):
            empty = np.full(self._buckets, np.nan, np.float32)
            band = self.bands.setdefault((signal, ref), Curve(empty, empty.copy()))
            places = self._places(times)
            # The first value of each stretch of time stands for it: a band is smooth.
            band.low[places[::-1]] = lower[number][::-1]
            band.high[places[::-1]] = upper[number][::-1]

    def _places(self, times: history.Floats) -> NDArray[np.int64]:
        """The buckets of some moments."""
        points = np.rint((times - self._start) / self.step).astype(np.int64)
        return np.minimum(points // self.per_bucket, self._buckets - 1)

    def note(
        self,
        signal: str,
        target: model.Ref,
        when: float,
        verdict: model.Verdict,
        value: float | None,
    ) -> None:
        """Take in one verdict of a pass, of a signal that can't be judged ahead."""
        tally = self.tallies.setdefault(signal, Tally())
        times = np.array([when])
        seen = np.array([math.nan if value is None else value])
        sick = verdict is model.Verdict.UNHEALTHY
        tally.unhealthy += sick
        tally.healthy += verdict is model.Verdict.HEALTHY
        tally.unknown += verdict is model.Verdict.UNKNOWN
        self._draw(signal, target, times, seen)
        known = self._open.get((signal, target))
        if sick and known is None:
            began = moment(when)
            self._open[signal, target] = Finding(signal, target, began, began, float(seen[0]))
        elif sick and known is not None:
            known.end = moment(when)
            known.worst = float(np.fmax(known.worst, seen[0]))
        else:
            self._close((signal, target), when)

    def _draw(
        self, signal: str, ref: model.Ref, times: history.Floats, values: history.Floats
    ) -> None:
        finite = np.isfinite(values)
        if not finite.any():
            return
        curve = self.curves.get((signal, ref))
        if curve is None:
            empty = np.full(self._buckets, np.nan, np.float32)
            curve = self.curves[signal, ref] = Curve(empty, empty.copy())
        places = self._places(times[finite])
        drawn = values[finite].astype(np.float32)
        np.fmin.at(curve.low, places, drawn)
        np.fmax.at(curve.high, places, drawn)

    def _find(
        self,
        key: tuple[str, model.Ref],
        times: history.Floats,
        sick: Bools,
        badness: history.Floats,
        negated: bool,  # noqa: FBT001 - the sign of what it stands beside
    ) -> None:
        known = self._open.get(key)
        if known is not None and len(times) and not sick[0]:
            self._close(key, times[0])
            known = None
        if not sick.any():
            return
        sign = -1.0 if negated else 1.0
        for first, last in runs(sick):
            # An absence has no value, nor has a burn rate.
            worst = float(np.fmax.reduce(badness[first:last])) * sign
            if known is not None and first == 0:
                known.worst = sign * max(sign * known.worst, sign * worst)
                finding = known
            else:
                finding = Finding(*key, moment(times[first]), moment(times[first]), worst)
                self._open[key] = finding
            finding.end = moment(times[last - 1])
            if last < len(times):
                self._close(key, times[last])
            known = None

    def _close(self, key: tuple[str, model.Ref], when: float) -> None:
        finding = self._open.pop(key, None)
        if finding is not None:
            finding.end = moment(when)
            self._findings.append(finding)


def runs(flags: Bools) -> Iterator[tuple[int, int]]:
    """The stretches of true flags, as first index and the index after the last."""
    edges = np.diff(np.concatenate(([False], flags, [False])).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    yield from zip(starts.tolist(), ends.tolist(), strict=True)


def moment(when: float) -> datetime.datetime:
    """A time from Unix seconds, to the millisecond."""
    return datetime.datetime.fromtimestamp(round(when, 3), datetime.UTC)
