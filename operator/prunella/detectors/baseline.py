"""What is unusual for this series at this hour: seasonal, robust, calibrated to itself.

One pass, online, without look-ahead; all series of a signal are judged at once, as arrays.
For a sample x at time t:

1. *Given.* With a second series g (traffic, say), ``x - slope * (g - mean g)`` takes the place
   of x, so that load which the traffic explains is no anomaly.  The slope is a least-squares one
   with a memory of 7 days.
2. *Residual.* ``e`` is what x leaves of level and season (`season`), 0 within the season's band.
3. *Three scales.* The sample ``e``, the jump ``e - e_1h`` away from what is expected, both in
   units of the noise usual at this hour, and the shift ``e_1h - e_4h`` in units of the noise of all
   hours; e_1h and e_4h are exponential means.  Upward and downward sizes are apart: six in all.
4. *Rarity.* Each size becomes ``-log10 p`` in the series' own tail (`tail`); the score is the
   largest of those in the directions asked for.  It has the same meaning for CPU, latency,
   traffic and ratios: 3 is what this series shows once in 1,000 samples.  Where samples are
   denser than 5 minutes, it is what it shows once in 1,000 times 5 minutes.
5. *Verdict.* An anomaly begins at ``trigger`` and ends below ``recover``.  While it lasts, level,
   season and noise learn nothing, and its sizes are counted for four hours only.  What lasts
   for ``adapt`` is the new normal: the level moves there.
6. *Onset.* One anomaly is reported once: after an onset, others are held back for ``cooldown``
   (and as long as it lasts), unless they are rarer by half a power of ten.

Memory: level and noise are means over 2 and 14 days, both clipped at 8 mean absolute deviations.
State: 4.3 kB per series (1.8 kB tail, 2.3 kB season, 0.2 kB scalars), whatever the history.
Counter resets are a matter of the query: ask for ``rate()``, never for a counter.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prunella.api import detectors as detectors_api
from prunella.api import reasons
from prunella.core import model
from prunella.detectors._baseline import calendar, episodes, events, level, season, shapes, tail
from prunella.detectors._baseline import x as xx

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
Params = detectors_api.Baseline
_SAMPLE = slice(0, None, 3)
"""The sample's own size, upward and downward, among the six sizes."""
_KINDS = {
    detectors_api.Side.ABOVE: slice(0, 3),
    detectors_api.Side.BELOW: slice(3, 6),
    detectors_api.Side.BOTH: slice(0, 6),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Tick:
    """What one sample of each series says: arrays of shape (n,)."""

    score: Floats
    """Rarity in powers of ten; NaN without a sample."""
    onset: Floats
    """The score where it is news, else 0: for reports and benchmarks."""
    unhealthy: Bools
    unknown: Bools
    """No sample, a day that is not judged, or still learning."""
    learning: Bools
    shifted: Bools
    """The level moved to where the series has been for ``adapt``."""
    expected: Floats
    lower: Floats
    upper: Floats
    """Beyond these a sample by itself would trigger."""

    def judgement(self, row: int, value: float) -> model.Judgement:
        """One series' verdict, with the numbers that it compared."""
        if self.learning[row]:
            message = "the history is shorter than `learn`"
            return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.LEARNING, message)
        if self.unknown[row]:
            message = f"the value is {value:.6g}, on a day or in a gap that is not judged"
            return model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.NOT_JUDGED, message)
        band = f"usual {self.lower[row]:.6g} to {self.upper[row]:.6g}"
        message = f"{value:.6g}, {band}, rarity {self.score[row]:.2f}"
        if self.unhealthy[row]:
            return model.Judgement(model.Verdict.UNHEALTHY, "Unusual", message)
        return model.Judgement(model.Verdict.HEALTHY, "Usual", message)


class Baseline:
    """The state of ``n`` series, moved on by one sample of each at a time."""

    def __init__(self, params: Params, n: int) -> None:
        self._params = params
        self._learn = params.learn.total_seconds()
        self._limits = events.Limits(
            params.trigger,
            params.recover,
            params.cooldown.total_seconds(),
            params.adapt.total_seconds(),
        )
        self._calendar = calendar.Calendar(params.time_zone, params.exceptions)
        self._level = level.Level(n)
        self._season = season.Season(n)
        self._tail = tail.Tail(n, 6)
        self._events = events.Events(n)
        self._shapes = shapes.Shapes(n)
        self._episodes = episodes.Episodes(n)
        self._n = n

    def tick(self, times: ArrayLike, values: ArrayLike, given: ArrayLike | None = None) -> Tick:
        """Judge one sample of each series, then learn from it.

        ``times`` are Unix seconds, of shape (n,) or one for all; ``values`` and ``given`` have
        shape (n,).  NaN and infinities are gaps, in the given series too.
        """
        t = np.array(times, np.float64, ndmin=1)
        x = np.asarray(values, np.float64)
        if x.shape != (self._n,):
            raise ValueError(f"{self._n} series need as many values, not an array of {x.shape}")
        local, judged = self._calendar.local(t)
        explained = self._explained(given)
        y = x - explained
        sampled = np.isfinite(y) & judged
        dt = self._level.advance(t, sampled)
        now = season.place(local)
        still = self._level.note_still(x, sampled, dt)
        residual = self._level.residual(self._season, now, y, sampled)
        sizes = tail.place(self._level.sizes(residual))
        shares = self._tail.share(sizes, _KINDS[self._params.direction])
        ready = sampled & (self._level.seen > level.FEWEST) & (self._level.age >= self._learn)
        raw = np.where(ready, np.maximum(-np.log10(shares.min(axis=0)) - self._level.density, 0.0), 0.0)
        base = raw
        situation = self._shapes.judge(y, dt, self._level.step)
        other = np.where(ready, np.maximum(situation.rarity - self._level.density, 0), 0)
        mode = xx.get('mode', 8)
        zs = np.where(ready, self._level.local(y, sampled, dt, xx.get('zh', 48)*3600.0), 0.0) * 3.0/xx.get('zt', 7.0)
        zs = np.minimum(zs, xx.get('zmax', 6.0))
        self._dbg = (base, other, zs)
        if mode == 3: raw = (base + other + zs) * xx.get('w3', 0.4)
        elif mode == 4: raw = np.maximum(0.575 * (base + other), 0.5*(zs + np.maximum(base, other)))
        elif mode == 5: raw = np.maximum(0.575 * (base + other), zs)
        elif mode == 6:
            three = np.sort(np.stack((base, other, zs)), axis=0); raw = 0.5*(three[1]+three[2]) * xx.get('w6', 1.0)
        elif mode == 7:
            three = np.sort(np.stack((base, other, zs)), axis=0); raw = three[1] * xx.get('w7', 1.15)
        elif mode == 8: raw = np.maximum(np.maximum(0.575 * (base + other), 0.575*(zs+other)), 0.575*(zs+base))
        if mode == 1:
            raw = xx.get('w', 0.575) * (base + other)
        elif mode == 2:
            raw = np.minimum(base, other + xx.get('add', 1.0))
            raw = np.maximum(raw, np.maximum(base, other) - xx.get('sure', 2.0))
        if xx.get('coarse', 0):
            raw = np.where(raw > 1, raw + xx.get('coarse',0)*np.log10(np.maximum(self._level.step/300.0, 1.0)), raw)
        change = self._events.follow(t, raw, sampled, self._limits, base, self._level.ease(residual, sampled), np.abs(residual.rest) >= level._NEAR * residual.hour_noise)
        self._level.forget(change.ended, residual)
        score = self._excuse(t, raw, shares, sizes, residual, sampled, change)
        onset = self._events.report(t, score, sampled, self._limits)
        tick = self._tick(score, onset, change, sampled, self._band(residual, explained))
        counted = change.counted & (self._level.seen > level.FEWEST)
        self._shapes.learn(situation, sampled & (~change.frozen | (t - self._events.since < xx.get('sc',3600))), self._level.memory)
        self._tail.count(self._winsorised(sizes), counted, self._level.memory)
        learned = np.where(change.frozen, 0.0, dt)
        sdt = dt if xx.get('sl_all', 1) else learned
        self._season.learn(now, residual.season, residual.over, residual.limit, sdt, learned)
        self._season.compare(residual.season, residual.over, residual.limit, self._level.age, dt)
        self._level.learn(residual, learned, dt, self._events.active)
        self._level.settle(change.shifted)
        if given is not None:
            self._level.learn_given(x, np.asarray(given, np.float64), learned)
        return tick

    def absorb(self, other: Baseline) -> None:
        """Append the other's series after ours; it must have the same parameters."""
        if other._params != self._params:
            raise ValueError("a baseline can absorb only one with the same parameters")
        self._level.absorb(other._level)
        self._season.absorb(other._season)
        self._tail.absorb(other._tail)
        self._events.absorb(other._events)
        self._shapes.absorb(other._shapes)
        self._episodes.absorb(other._episodes)
        self._n += other._n

    def keep(self, rows: Ints) -> None:
        """Keep the series at these places only, in this order, with all that they learned."""
        self._level.keep(rows)
        self._season.keep(rows)
        self._tail.keep(rows)
        self._events.keep(rows)
        self._shapes.keep(rows)
        self._episodes.keep(rows)
        self._n = len(rows)

    def _explained(self, given: ArrayLike | None) -> Floats:
        if given is None:
            return np.zeros(self._n)
        return self._level.explained(np.asarray(given, np.float64))

    def _excuse(self, t, raw, shares, sizes, residual, sampled, change):
        rows_ = np.flatnonzero(sampled & (self._events.active | (raw >= self._params.recover)))
        if not rows_.size:
            return raw
        kinds = _KINDS[self._params.direction]
        moment = t if len(t) == 1 else t[rows_]
        density = self._level.density[rows_]
        at = sizes.at[:, rows_]
        rest = residual.rest[rows_]
        score = raw.copy()
        if xx.get('cap', 1):
            most = self._episodes.most(moment, rows_, rest, self._level.age[rows_], self._level.still[rows_] > 0.8, self._level.step[rows_], density)
            score[rows_] = np.minimum(raw[rows_], np.maximum(most, 0.0))
        if xx.get('habit', 1):
            score[rows_] = np.where(self._episodes.habitual(moment, rows_, rest), 0.0, score[rows_])
        active = np.flatnonzero(sampled & self._events.active)
        if active.size:
            mom = t if len(t) == 1 else t[active]
            begun = change.begun[active]
            self._episodes.note(mom, active, begun, residual.rest[active])
        return score

    def _winsorised(self, sizes):
        active = np.flatnonzero(self._events.active)
        if not active.size or not xx.get('win', 1):
            return sizes
        rarity = self._params.trigger + self._level.density[active]
        most = self._tail.sizes_of(rarity, slice(0, 6), active)
        some = tail.no_larger(tail.Place(sizes.at[:, active], sizes.classes[:, active]), most)
        sizes.classes[:, active] = some.classes
        return sizes

    def _band(self, residual: level.Residual, explained: Floats) -> tuple[Floats, Floats, Floats]:
        """Expected value, and the two beyond which a sample by itself would trigger."""
        season, rarity = residual.season, self._params.trigger + self._level.density
        base = self._level.level + explained
        above, below = self._tail.sizes_of(rarity, _SAMPLE) * residual.hour_noise
        return base + season.middle, base + season.lower - below, base + season.upper + above

    def _tick(
        self,
        score: Floats,
        onset: Floats,
        change: events.Change,
        sampled: Bools,
        band: tuple[Floats, Floats, Floats],
    ) -> Tick:
        learning = self._level.age < self._learn
        return Tick(
            np.where(sampled, score, np.nan),
            onset,
            self._events.sick & sampled & ~learning,
            ~sampled | learning,
            learning,
            change.shifted,
            *band,
        )


def run(
    params: Params, times: ArrayLike, values: ArrayLike, given: ArrayLike | None = None
) -> list[Tick]:
    """One pass over a history of shape (ticks, n); times of shape (ticks,) or (ticks, n)."""
    rows = np.asarray(values, np.float64)
    moments = np.asarray(times, np.float64)
    beside = None if given is None else np.asarray(given, np.float64)
    detector = Baseline(params, rows.shape[1])
    return [
        detector.tick(moments[i], rows[i], None if beside is None else beside[i])
        for i in range(len(rows))
    ]
