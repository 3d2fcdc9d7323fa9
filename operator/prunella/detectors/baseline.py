"""What is unusual for this series at this hour: seasonal, robust, calibrated to itself.

One pass, online, without look-ahead; all series of a signal are judged at once, as arrays.
For a sample x at time t:

1. *Given.* With a second series g (traffic, say), ``x - slope * (g - mean g)`` takes the place
   of x, so that load which the traffic explains is no anomaly.  The slope is a least-squares one
   with a memory of 7 days.
2. *Residual.* ``e`` is what x leaves of level and season (`_season`), 0 within the season's band.
3. *Three scales.* The sample ``e``, the jump ``e - e_1h`` away from what is expected, both in
   units of the noise usual at this hour, and the shift ``e_1h - e_4h`` in units of the noise of all
   hours; e_1h and e_4h are exponential means.  Upward and downward sizes are apart: six in all.
4. *Rarity.* Each size becomes ``-log10 p`` in the series' own tail (`_tail`); the score is the
   largest of those in the directions asked for.  It has the same meaning for CPU, latency,
   traffic and ratios: 3 is what this series shows once in 1,000 samples.  Where samples are
   denser than 5 minutes, it is what it shows once in 1,000 times 5 minutes.
5. *Verdict.* An anomaly begins at ``trigger`` and ends below ``recover``.  While it lasts, level,
   season and noise learn nothing, and its sizes are counted for four hours only.  What lasts
   for ``adapt`` is the new normal: the level moves there.
6. *Onset.* One anomaly is reported once: after an onset, others are held back for ``cooldown``
   (and as long as it lasts), unless they are rarer by half a power of ten.

Memory: level and moments are means over 2 and 7 days, all clipped at 8 mean absolute deviations.
State: 4.1 kB per series (1.5 kB tail, 2.3 kB season, 0.2 kB scalars), whatever the history.
Counter resets are a matter of the query: ask for ``rate()``, never for a counter.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import zoneinfo
from typing import Literal

import numpy as np
import pydantic
from numpy.typing import ArrayLike, NDArray

from prunella.api import base, types
from prunella.core import model
from prunella.detectors import _calendar, _events, _level, _season, _tail

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class Direction(enum.StrEnum):
    """Which side of the expected is bad."""

    ABOVE = "Above"
    BELOW = "Below"
    BOTH = "Both"


class ExceptionalDays(base.ApiModel):
    """Days that are not what their weekday says: holidays, sales, migrations."""

    date: datetime.date = pydantic.Field(description="The first day, in the time zone.")
    days: int = pydantic.Field(1, ge=1, le=31, description="How many days from then on.")
    like: Weekday | None = pydantic.Field(
        None,
        description="The weekday they are like. Without it they are neither judged nor learned.",
    )


class Params(base.ApiModel):
    """How unusual is too unusual. The defaults serve every kind of series."""

    trigger: float = pydantic.Field(
        3.0, ge=1.5, le=9, description="Rarity, in powers of ten, at which an anomaly begins."
    )
    recover: float = pydantic.Field(
        1.5, ge=0.5, description="Rarity below which it ends; less than the trigger."
    )
    direction: Direction = pydantic.Field(Direction.BOTH, description="Which side is bad.")
    learn: types.Duration = pydantic.Field(
        types.duration("2d"), description="History before the first verdict; Unknown until then."
    )
    cooldown: types.Duration = pydantic.Field(
        types.duration("1d"), description="One report per anomaly and so long after it began."
    )
    adapt: types.Duration = pydantic.Field(
        types.duration("1d"), description="What lasts so long is the new normal."
    )
    time_zone: str = pydantic.Field("UTC", description="IANA time zone of the day and the week.")
    exceptions: tuple[ExceptionalDays, ...] = pydantic.Field(
        (), max_length=64, description="Days that are not what their weekday says."
    )

    @pydantic.field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            raise ValueError(f"{name!r} is no time zone: write one such as Europe/Paris, or UTC")
        return name

    @pydantic.model_validator(mode="after")
    def _recovers_below_trigger(self) -> Params:
        if self.recover >= self.trigger:
            raise ValueError(f"recover ({self.recover}) must be less than trigger ({self.trigger})")
        return self


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
            return model.Judgement(model.Verdict.UNKNOWN, "Learning", message)
        if self.unknown[row]:
            message = f"the value is {value:.6g}, on a day or in a gap that is not judged"
            return model.Judgement(model.Verdict.UNKNOWN, "NotJudged", message)
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
        self._limits = _events.Limits(
            params.trigger,
            params.recover,
            params.cooldown.total_seconds(),
            params.adapt.total_seconds(),
        )
        self._calendar = _calendar.Calendar(params.time_zone, params.exceptions)
        self._level = _level.Level(n)
        self._season = _season.Season(n)
        self._tail = _tail.Tail(n, 6)
        self._events = _events.Events(n)
        self._n = n

    def tick(self, times: ArrayLike, values: ArrayLike, given: ArrayLike | None = None) -> Tick:
        """Judge one sample of each series, then learn from it.

        ``times`` are Unix seconds, of shape (n,) or one for all; ``values`` and ``given`` have
        shape (n,).  NaN and infinities are gaps, in the given series too.
        """
        t = np.array(np.broadcast_to(np.asarray(times, np.float64), (self._n,)))
        x = np.array(np.broadcast_to(np.asarray(values, np.float64), (self._n,)))
        local, judged = self._calendar.local(t)
        explained = self._explained(given)
        y = x - explained
        sampled = np.isfinite(y) & judged
        dt = self._level.advance(t, sampled)
        now = _season.place(local)
        residual = self._level.residual(
            self._season, now, np.where(sampled, y, np.nan_to_num(self._level.level))
        )
        sizes = self._level.sizes(residual)
        edges = self._tail.edges()
        score = self._score(self._tail.rarity(sizes, edges), sampled)
        change = self._events.follow(t, score, sampled, self._limits)
        band = self._band(residual, explained, edges)
        tick = self._tick(score, change, sampled, band)
        counted = change.counted & (self._level.seen > _level.FEWEST)
        self._tail.count(sizes, counted, self._level.memory())
        learned = np.where(change.frozen, 0.0, dt)
        self._season.learn(now, residual.season, residual.raw, residual.limit, learned)
        self._level.learn(residual, learned, dt, self._events.active)
        self._level.settle(change.shifted)
        if given is not None:
            self._level.learn_given(x, np.asarray(given, np.float64), learned)
        return tick

    def _explained(self, given: ArrayLike | None) -> Floats:
        if given is None:
            return np.zeros(self._n)
        return self._level.explained(np.asarray(given, np.float64))

    def _score(self, rarity: Floats, sampled: Bools) -> Floats:
        """The rarest size in the directions asked for; 0 while there is nothing to compare."""
        if self._params.direction is Direction.ABOVE:
            rarity = rarity[:, :3]
        elif self._params.direction is Direction.BELOW:
            rarity = rarity[:, 3:]
        score = np.maximum(rarity.max(axis=1) - self._level.density(), 0.0)
        ready = sampled & (self._level.seen > _level.FEWEST) & (self._level.age >= self._learn)
        return np.where(ready, score, 0.0)

    def _band(
        self, residual: _level.Residual, explained: Floats, edges: _tail.Edges
    ) -> tuple[Floats, Floats, Floats]:
        """Expected value, and the two beyond which a sample by itself would trigger."""
        season, rarity = residual.season, self._params.trigger + self._level.density()
        base = self._level.level + season.week + explained
        below = edges.size_of(rarity, 3) * residual.hour_noise
        above = edges.size_of(rarity, 0) * residual.hour_noise
        return base + season.middle, base + season.lower - below, base + season.upper + above

    def _tick(
        self,
        score: Floats,
        change: _events.Change,
        sampled: Bools,
        band: tuple[Floats, Floats, Floats],
    ) -> Tick:
        learning = self._level.age < self._learn
        return Tick(
            np.where(sampled, score, np.nan),
            change.onset,
            self._events.active & sampled & ~learning,
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
