"""What is unusual for this series at this hour: seasonal, robust, calibrated to itself.

One pass, online, without look-ahead; all series of a signal are judged at once, as arrays.
For a sample x at time t:

1. *Given.* With a second series (traffic, say), what it explains of x is taken off (`given`).
2. *Residual.* ``e`` is what x leaves of level and season (`level`, `season`), 0 within the band of
   what is usual up to an hour beside this one.  The hour of the day and the day of the week speak
   only while they predict no worse than the simpler one on this series' own last days.
3. *Three opinions*, each a power of ten, and the score is 1.15 times the mean of the two largest,
   so that two of them must agree unless one is certain:

   - *rarity*: the sample ``e``, the jump ``e - e_1h`` in units of the noise usual at this hour, and
     the shift ``e_1h - e_4h`` in units of the noise of all hours, each only as far as it leads away
     from what is expected, up and down apart; the largest ``-log10 p`` of these six in the
     series' own tail (`tail`).  e_1h and e_4h are exponential means;
   - *situation*: how rarely a sample met such means and such a roughness (`shapes`);
   - *recent*: standard deviations from the plain mean of two days (`recent`).

   3 is about what this series shows once in 1,000 samples, or in 1,000 times 5 minutes where they
   are denser, for CPU, latency, traffic and ratios alike.
4. *Excuses.* What came at this hour on the last two days or weeks is a habit, what begins more
   than once a day is no anomaly (`episodes`), a load that was never seen explains what it may, and
   before two weeks are known a weekend may be as low as a quarter of what is expected.
5. *Verdict.* An anomaly begins at ``trigger`` and ends below ``recover``, or when two samples in
   a row are as expected.  While it lasts, level, noise and the hours of the day learn nothing,
   and only its first three sizes are counted; no size ever counts as larger than the trigger's.
   What lasts for ``adapt`` is the new normal: the level moves there, and for three days a return
   is none.
6. *Onset.* One anomaly is reported once: for six hours after a report only what is rarer by half a
   power of ten is news.  It is for reports and benchmarks; verdicts do not read it.

Memory: level and noise are means over 2 and 14 days, both clipped at 8 mean absolute deviations.
State: 9.6 kB per series, whatever the history.
Counter resets are a matter of the query: ask for ``rate()``, never for a counter.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prunella.api import detectors as detectors_api
from prunella.detectors._baseline import (
    calendar,
    clock,
    episodes,
    events,
    given,
    level,
    masks,
    recent,
    season,
    seen_at,
    shapes,
    tail,
    verdict,
    weekend,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
Params = detectors_api.Baseline
Tick = verdict.Tick
_SIZE_KINDS = 6
_SAMPLE, _SITUATION = slice(0, _SIZE_KINDS, 3), slice(_SIZE_KINDS, _SIZE_KINDS + 1)
_KINDS = {
    detectors_api.Side.ABOVE: slice(0, 3),
    detectors_api.Side.BELOW: slice(3, 6),
    detectors_api.Side.BOTH: slice(0, 6),
}
PARTS: Final = (
    "sample",
    "jump",
    "shift",
    "situation",
    "recent",
    "day",
    "week",
    "habits",
    "often",
    "weekend",
)
"""What can be left out of the score, to see what it is worth."""
_SIZES: Final = {"sample": 0, "jump": 1, "shift": 2}
_OPINIONS: Final = {"situation": 1, "recent": 2}
_KEPT_OF_FIRST_DAY: Final = 0.4
"""Share of the sizes of the first day that the tail keeps."""
_AGREED: Final = 1.15
"""Two opinions that agree are rarer than each of them."""
_STATE: Final = (
    "_clock",
    "_given",
    "_level",
    "_season",
    "_tail",
    "_shapes",
    "_recent",
    "_episodes",
    "_events",
)


class Baseline:
    """The state of ``n`` series, moved on by one sample of each at a time."""

    def __init__(self, params: Params, n: int, without: Collection[str] = ()) -> None:
        self._params = params
        self._without = frozenset(without)
        if not self._without <= set(PARTS):
            unknown = ", ".join(sorted(self._without - set(PARTS)))
            raise ValueError(f"no part of the score: {unknown}; there are {', '.join(PARTS)}")
        self._learn, self._young = params.learn.total_seconds(), params.young
        self._limits = events.Limits(params.trigger, params.recover, params.adapt.total_seconds())
        self._calendar = calendar.Calendar(params.time_zone, params.exceptions)
        self._clock = clock.Clock(n)
        self._given = given.Given(n)
        self._level = level.Level(n)
        self._season = season.Season(n, self._without)
        self._tail = tail.Tail(n, _SIZE_KINDS + 1)
        self._shapes = shapes.Shapes(n)
        self._recent = recent.Recent(n)
        self._episodes = episodes.Episodes(n)
        self._events = events.Events(n)
        self._n = n

    def tick(self, times: ArrayLike, values: ArrayLike, given: ArrayLike | None = None) -> Tick:
        """Judge one sample of each series, then learn from it.

        ``times`` are Unix seconds, of shape (n,) or one for all; ``values`` and ``given`` have
        shape (n,).  NaN and infinities are gaps, in the given series too.
        """
        t = np.array(times, np.float64, ndmin=1)
        x = np.array(values, np.float64)
        if x.shape != (self._n,):
            raise ValueError(f"{self._n} series need as many values, not an array of {x.shape}")
        beside = None if given is None else np.asarray(given, np.float64)
        local, judged = self._calendar.local(t)
        load, explained = self._explained(x, beside)
        y = x if beside is None else x - explained
        sampled = np.isfinite(y) & judged
        pace = self._clock.advance(t, sampled)
        seen = seen_at.Seen(t, local, x, y, explained, load.side, sampled, pace)
        tick = self._judged(seen)
        self._clock.learn(pace.dt)
        if beside is not None:
            frozen = self._events.active & (self._events.samples > 0.0)
            self._given.learn(x, beside, np.where(frozen, 0.0, pace.dt))
        return tick

    def _explained(self, x: Floats, beside: Floats | None) -> tuple[given.Explained, Floats]:
        if beside is None:
            load = given.nothing(self._n)
            return load, load.lower
        load = self._given.explain(beside)
        usual = np.where(np.isnan(self._level.level), x, self._level.level)
        return load, load.nearest(x, usual)

    def _judged(self, seen: seen_at.Seen) -> Tick:
        """Judge what is left of the samples, and learn."""
        now, pace = season.place(seen.local), seen.pace
        if pace.gap is not None:
            self._level.fade(pace.gap)
        self._episodes.follow(seen.x, pace)
        residual = self._level.residual(self._season, now, seen.y, seen.sampled, pace.seen)
        situation = self._shapes.judge(seen.y, pace)
        place = self._place(residual, situation)
        score = self._score(seen, residual, place, situation.ready)
        calm = self._level.ease(residual, seen.sampled)
        echo = functools.partial(residual.within, level.FAR)
        change = self._events.follow(
            seen.t, score, seen.sampled, residual.near, calm, echo, self._limits
        )
        self._level.begin_anew(change.ended, residual)
        left, habits = self._excused(seen, score, residual)
        self._note(seen, residual, change)
        onset = self._events.report(seen.t, left, seen.sampled, self._limits)
        most = self._params.trigger + self._clock.density
        tick = self._tick(seen, left, onset, change, residual, most, calm)
        # What was an anomaly, or nearly, must not become the yardstick: it counts as no larger.
        classes = self._tail.limited(place, most, _SIZE_KINDS)
        self._learned(now, residual, classes, situation, change, habits, pace)
        return tick

    def _learned(
        self,
        now: season.Now,
        residual: level.Residual,
        classes: tail.Bytes,
        situation: shapes.Situation,
        change: events.Change,
        habits: Bools,
        pace: clock.Pace,
    ) -> None:
        memory, age, dt = self._clock.memory, pace.age, pace.dt
        # Sizes of the first day were taken when nobody knew the day.
        first = age < level.DAY
        if masks.any_of(first):
            first = first & (age + dt >= level.DAY)
            memory = np.where(first, _KEPT_OF_FIRST_DAY * self._tail.total[0], memory)
        counted = np.empty(classes.shape, np.bool_)
        counted[:_SIZE_KINDS] = change.counted & (pace.seen > level.FEWEST)
        counted[_SIZE_KINDS] = situated = change.situated & situation.ready
        self._tail.count(classes, counted, memory)
        self._shapes.learn(situation, situated)
        learned = masks.pick(~change.frozen, dt, 0.0)
        expected, over, limit = residual.season, residual.over, residual.limit
        daily, most = learned, limit
        if masks.any_of(habits):
            # A habit is the season's to know, and no outlier.
            daily, most = np.where(habits, dt, learned), np.where(habits, np.inf, limit)
        self._season.learn(now, expected, over, most, daily, dt)
        self._season.compare(expected, over, limit, age, dt)
        self._level.learn(residual, learned, pace, self._events.active)
        self._level.settle(change.shifted)

    def absorb(self, other: Baseline) -> None:
        """Append the other's series after ours; it must have the same parameters."""
        if (other._params, other._without) != (self._params, self._without):
            raise ValueError("a baseline can absorb only one with the same parameters")
        for name in _STATE:
            getattr(self, name).absorb(getattr(other, name))
        self._n += other._n

    def keep(self, rows: Ints) -> None:
        """Keep the series at these places only, in this order, with all that they learned."""
        for name in _STATE:
            getattr(self, name).keep(rows)
        self._n = len(rows)

    def _place(self, residual: level.Residual, situation: shapes.Situation) -> tail.Place:
        """The sizes, and the situation, among the classes of the tail."""
        places = np.empty((_SIZE_KINDS + 1, self._n))
        sizes, places[_SIZE_KINDS] = places[:_SIZE_KINDS], situation.at
        self._level.size(residual, sizes)
        for name in self._without.intersection(_SIZES):
            sizes[_SIZES[name] :: 3] = 0.0
        tail.at(sizes, out=sizes)
        return self._tail.place(places)

    def _score(
        self,
        seen: seen_at.Seen,
        residual: level.Residual,
        place: tail.Place,
        situated: Bools,
    ) -> Floats:
        """The two largest opinions; 0 while there is nothing to compare, and on the good side."""
        three, pace = np.empty((3, self._n)), seen.pace
        three[:2] = self._tail.rarity(place, _KINDS[self._params.direction], _SITUATION)
        if not masks.all_of(situated):
            three[1] *= situated
        three[:2] -= self._clock.density
        np.abs(self._recent.judge(seen.y, pace), out=three[2])
        left_out = self._without.intersection(_OPINIONS)
        for name in left_out:
            three[_OPINIONS[name]] = 0.0
        np.maximum(three, 0.0, out=three)
        if len(left_out) == len(_OPINIONS):
            agreed = three[0]
        else:
            agreed = 0.5 * _AGREED * (np.add.reduce(three) - np.minimum.reduce(three))
        ready = seen.sampled & ((pace.seen > level.FEWEST) & (pace.age >= self._learn))
        if self._params.direction is not detectors_api.Side.BOTH:
            ready &= self._on_the_bad_side(residual)
        return masks.pick(ready, agreed * pace.experience(self._young), 0.0)

    def _on_the_bad_side(self, residual: level.Residual) -> Bools:
        """Whether the sample, or the last hour where it is as expected, is there."""
        place = np.where(residual.near, self._level.short, residual.rest)
        above = self._params.direction is detectors_api.Side.ABOVE
        return np.asarray(place > 0.0 if above else place < 0.0)

    def _excused(
        self, seen: seen_at.Seen, score: Floats, residual: level.Residual
    ) -> tuple[Floats, Bools]:
        """What is left of the scores after all that makes the rare usual, and what is a habit."""
        habits = np.zeros(self._n, np.bool_)
        rare = self._events.active | (score >= self._params.recover)
        rows = masks.places(seen.sampled & rare)
        if not rows.size:
            return score, habits
        t, rest = seen.moments(rows), residual.rest[rows]
        near, was, past = residual.near[rows], self._events, self._episodes.of(rows)
        # What is as expected again is no news, and nobody's illness.
        excused = (rest * seen.side[rows] > 0.0) | (near & was.far[rows] & ~was.sick[rows])
        if "habits" not in self._without:
            habits[rows] = past.habitual(t, rest, near)
            if "day" not in self._without:
                known = residual.season.known(residual.over, residual.hour_noise, level.NEAR, rows)
                # What is as expected says nothing of a habit: it would end an anomaly too soon.
                habits[rows] |= ~near & known
            excused |= habits[rows]
        if "weekend" not in self._without:
            excused |= weekend.as_low(seen, rows, residual, self._level, self._season)
        left = score[rows]
        if "often" not in self._without:
            left = np.minimum(left, past.most(t, rest, *seen.pace.of(rows)))
        score = score.copy()
        score[rows] = np.where(excused, 0.0, left)
        return score, habits

    def _note(self, seen: seen_at.Seen, residual: level.Residual, change: events.Change) -> None:
        """Remember the anomalies that begin or go on."""
        rows = masks.places(seen.sampled & self._events.active)
        if rows.size:
            self._episodes.note(seen.moments(rows), rows, change.begun[rows], residual.rest[rows])

    def _band(self, seen: seen_at.Seen, residual: level.Residual, most: Floats) -> verdict.Later:
        """Expected value, and the two beyond which a sample by itself is as rare as asked."""
        base, noise = self._level.level + seen.explained, residual.hour_noise
        usual, ends = residual.season, self._tail.ends(_SAMPLE)
        # Not the whole of what is expected: who keeps the tick would keep all of its tables.
        middle, lower, upper = usual.middle, usual.lower, usual.upper
        by_day, by_week = usual.by_day, usual.by_week

        def work_out() -> verdict.Band:
            above, below = ends().sizes(most) * noise
            spoke = np.where(by_week, 2, by_day.astype(np.intp))
            return verdict.Band(base + middle, base + lower - below, base + upper + above, spoke)

        return verdict.Later(work_out)

    def _unhealthy(self, seen: seen_at.Seen, calm: Bools) -> Bools:
        sick = self._events.sick
        if masks.any_of(sick):
            sick = sick & seen.sampled & ~calm
            sick &= seen.pace.lasts(seen.t - self._events.since, self._young)
        return sick

    def _tick(
        self,
        seen: seen_at.Seen,
        score: Floats,
        onset: Floats,
        change: events.Change,
        residual: level.Residual,
        most: Floats,
        calm: Bools,
    ) -> Tick:
        learning = np.empty(self._n, np.bool_)
        learning[:] = seen.pace.age < self._learn
        return Tick(
            masks.pick(seen.sampled, score, np.nan),
            onset,
            self._unhealthy(seen, calm) & ~learning,
            ~seen.sampled | learning,
            learning,
            change.shifted,
            self._band(seen, residual, most),
        )


def run(
    params: Params,
    times: ArrayLike,
    values: ArrayLike,
    given: ArrayLike | None = None,
    without: Collection[str] = (),
) -> list[Tick]:
    """One pass over a history of shape (ticks, n); times of shape (ticks,) or (ticks, n)."""
    rows = np.asarray(values, np.float64)
    moments = np.asarray(times, np.float64)
    beside = None if given is None else np.asarray(given, np.float64)
    detector = Baseline(params, rows.shape[1], without)
    return [
        detector.tick(moments[i], rows[i], None if beside is None else beside[i])
        for i in range(len(rows))
    ]
