"""What a signal may be judged by, besides a fixed limit: one model for each detector.

The formulas and their sources are in `prunella.detectors`, one module for each.
"""

from __future__ import annotations

import datetime
import enum
import zoneinfo
from typing import Annotated, Literal

import pydantic

from prunella.api import base, quantities, types

Query = Annotated[str, pydantic.Field(min_length=1, max_length=4096)]
"""PromQL."""

LONGEST_HISTORY = 8 * 604_800
"""Seconds of history that a detector looks back on at most: eight weeks."""
MOST_COLUMNS = 720
"""Grid points of a window; a longer one is asked for in longer steps."""
SHORTEST_STEP = 15.0

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def grid_step(window: float) -> float:
    """Seconds between the samples of a window of so many seconds: whole multiples of 15 s."""
    return SHORTEST_STEP * max(1, -(-window // (SHORTEST_STEP * MOST_COLUMNS)))


class Side(enum.StrEnum):
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


class Baseline(base.ApiModel):
    """What is unusual for this target at this hour. The defaults serve every kind of series."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            ("self.recover < self.trigger", "recover must be less than trigger")
        )
    )

    trigger: float = pydantic.Field(
        2.9,
        ge=1.5,
        le=9,
        description=(
            "Rarity, in powers of ten, at which an anomaly begins: 3 is what the series shows "
            "once in 1,000 samples."
        ),
    )
    recover: float = pydantic.Field(
        1.5, ge=0.5, le=9, description="Rarity below which it ends; less than the trigger."
    )
    direction: Side = pydantic.Field(Side.BOTH, description="Which side is bad.")
    every: types.Duration = pydantic.Field(
        types.duration("5m"), description="Time between two samples that are judged and learned."
    )
    history: types.Duration = pydantic.Field(
        types.duration("2w"), description="History to learn from after a start, at most 8w."
    )
    learn: types.Duration = pydantic.Field(
        types.duration("6h"), description="History before the first verdict; Unknown until then."
    )
    adapt: types.Duration = pydantic.Field(
        types.duration("1d"), description="What lasts so long is the new normal."
    )
    time_zone: Annotated[str, pydantic.Field(max_length=64)] = pydantic.Field(
        "UTC", description="IANA time zone of the day and the week."
    )
    exceptions: Annotated[tuple[ExceptionalDays, ...], pydantic.Field(max_length=64)] = (
        pydantic.Field((), description="Days that are not what their weekday says.")
    )

    @property
    def young(self) -> float:
        """Seconds for which a series is young: eight times ``learn``, at most two days.

        The operator's own detector claims less of it until then; recording rules say nothing yet.
        """
        return min(8.0 * self.learn.total_seconds(), 2 * 86_400.0)

    @pydantic.field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            raise ValueError(f"{name!r} is no time zone: write one such as Europe/Paris, or UTC")
        return name

    @pydantic.model_validator(mode="after")
    def _sensible(self) -> Baseline:
        if self.recover >= self.trigger:
            raise ValueError(f"recover ({self.recover}) must be less than trigger ({self.trigger})")
        if not SHORTEST_STEP <= self.every.total_seconds() <= 3_600:
            raise ValueError(f"every must be from 15s to 1h, found {self.every}")
        history = self.history.total_seconds()
        if not self.learn.total_seconds() <= history <= LONGEST_HISTORY:
            raise ValueError(f"history ({self.history}) must be from learn ({self.learn}) to 8w")
        return self


class Direction(enum.StrEnum):
    """From which side a limit is reached."""

    RISING = "Rising"
    FALLING = "Falling"


class Forecast(base.ApiModel):
    """When a signal will reach a limit."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(base.exactly_one("reaches", "reachesQuery"))
    )

    reaches: quantities.Quantity | None = pydantic.Field(
        None, description="The limit: a whole number, or a quantity such as 512Mi or '0.9'."
    )
    reaches_query: Query | None = pydantic.Field(
        None, description="PromQL of the limit, mapped to the targets as the signal's own series."
    )
    within: types.Duration = pydantic.Field(
        description="Unhealthy when the limit will be reached within this time."
    )
    direction: Direction = pydantic.Field(
        Direction.RISING, description="Falling: the limit is reached from above."
    )
    window: types.Duration | None = pydantic.Field(
        None, description="History to look at. Default: ten times within, from 1h to 8w."
    )
    confidence: float = pydantic.Field(
        0.9, gt=0.5, lt=1, description="Confidence of the band around the time."
    )

    @pydantic.model_validator(mode="after")
    def _one_limit(self) -> Forecast:
        base.check_exactly_one(self, "reaches", "reachesQuery")
        if self.within.total_seconds() <= 0:
            raise ValueError(f"within must be longer than nothing, found {self.within}")
        if self.window_seconds > LONGEST_HISTORY:
            raise ValueError(f"window must be at most 8w, found {self.window}")
        return self

    @property
    def limit(self) -> float | None:
        """The limit as a number; None when a query tells it."""
        return None if self.reaches is None else quantities.read(self.reaches)

    @property
    def window_seconds(self) -> float:
        """How much history to ask for."""
        if self.window is not None:
            return self.window.total_seconds()
        return min(max(10 * self.within.total_seconds(), 3_600.0), float(LONGEST_HISTORY))


class Trend(enum.StrEnum):
    """Which trend is unhealthy."""

    UP = "Up"
    DOWN = "Down"
    EITHER = "Either"


class Drift(base.ApiModel):
    """When a trend without a limit is one."""

    window: types.Duration = pydantic.Field(
        types.duration("1d"), description="History in which the trend must show, at most 8w."
    )
    minimum: float = pydantic.Field(
        0.1, gt=0, description="Least change over the window, as a share of the median level."
    )
    direction: Trend = pydantic.Field(Trend.UP, description="Which trend is unhealthy.")
    significance: float = pydantic.Field(
        0.005, gt=0, lt=0.5, description="Largest p value that counts as a trend."
    )

    @pydantic.model_validator(mode="after")
    def _known_window(self) -> Drift:
        if not 600 <= self.window.total_seconds() <= LONGEST_HISTORY:
            raise ValueError(f"window must be from 10m to 8w, found {self.window}")
        return self


class Worse(enum.StrEnum):
    """Which change is unhealthy."""

    HIGHER = "Higher"
    LOWER = "Lower"
    EITHER = "Either"


class Change(base.ApiModel):
    """When a target differs from before its rollout, or from another that runs beside it."""

    against: Query | None = pydantic.Field(
        None,
        description=(
            "PromQL of what runs beside it, such as the stable pods of a canary: one series for "
            "each target, one without labels for all, or those of pods, whose median counts. "
            "Default: the target before its rollout."
        ),
    )
    window: types.Duration = pydantic.Field(
        types.duration("1h"), description="History to compare on each side, at most 1d."
    )
    worse: Worse = pydantic.Field(Worse.HIGHER, description="Which change is unhealthy.")
    minimum_shift: float = pydantic.Field(
        0.05, gt=0, description="Least shift of the median, as a share of the reference."
    )
    minimum_slope: float = pydantic.Field(
        0.01, gt=0, description="Least change of slope per hour, as a share of the reference."
    )
    minimum_delta: float = pydantic.Field(
        0.33, gt=0, le=1, description="Least Cliff's delta: 0.33 is medium, 0.47 large."
    )
    minimum_samples: int = pydantic.Field(
        60, ge=16, le=720, description="Fewest samples on each side that allow a verdict."
    )
    significance: float = pydantic.Field(
        0.0003, gt=0, lt=0.1, description="Largest p value of one look that counts as a change."
    )

    @pydantic.model_validator(mode="after")
    def _known_window(self) -> Change:
        if not 240 <= self.window.total_seconds() <= 86_400:
            raise ValueError(f"window must be from 4m to 1d, found {self.window}")
        return self

    @property
    def step(self) -> float:
        """Seconds between samples: at least twice as many as are needed, where 15 s allow it."""
        wanted = self.window.total_seconds() / (2 * self.minimum_samples)
        return max(SHORTEST_STEP, wanted // SHORTEST_STEP * SHORTEST_STEP)


class BurnRule(base.ApiModel):
    """So much of the budget in so much time."""

    budget: float = pydantic.Field(
        gt=0, le=1, description="Share of the error budget that may go in the long window."
    )
    long: types.Duration = pydantic.Field(description="The window in which it went.")
    short: types.Duration = pydantic.Field(description="The window in which it still goes.")

    @pydantic.model_validator(mode="after")
    def _shorter(self) -> BurnRule:
        if not 0 < self.short.total_seconds() < self.long.total_seconds():
            raise ValueError(f"short ({self.short}) must be shorter than long ({self.long})")
        return self


def _rule(budget: float, long: str, short: str) -> BurnRule:
    return BurnRule(budget=budget, long=types.duration(long), short=types.duration(short))


WORKBOOK = (_rule(0.02, "1h", "5m"), _rule(0.05, "6h", "30m"), _rule(0.1, "3d", "6h"))


class BurnRate(base.ApiModel):
    """An objective and how fast its budget may go."""

    objective: float = pydantic.Field(
        gt=0, lt=100, description="Good events in percent of all, such as 99.9."
    )
    window: types.Duration = pydantic.Field(
        types.duration("30d"), description="Time over which the objective holds."
    )
    rules: Annotated[tuple[BurnRule, ...], pydantic.Field(min_length=1, max_length=8)] = (
        pydantic.Field(
            WORKBOOK,
            description=(
                "Any of them makes the signal Unhealthy. Default: those of the SRE workbook."
            ),
        )
    )
    minimum: float = pydantic.Field(
        20.0, ge=0, description="Fewest events in a window that allow a verdict on it."
    )

    @pydantic.model_validator(mode="after")
    def _can_fire(self) -> BurnRate:
        if not any(self.limit(rule) * self.budget < 1 for rule in self.rules):
            raise ValueError(
                f"no rule can fire: with an objective of {self.objective:g} % each needs more "
                "bad events than there are events"
            )
        return self

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return 1 - self.objective / 100

    @property
    def windows(self) -> tuple[int, ...]:
        """All windows of all rules, in seconds, shortest first."""
        sizes = {int(each.total_seconds()) for r in self.rules for each in (r.long, r.short)}
        return tuple(sorted(sizes))

    def limit(self, rule: BurnRule) -> float:
        """The burn rate from which a rule fires."""
        return rule.budget * self.window.total_seconds() / rule.long.total_seconds()


class Absent(base.ApiModel):
    """What proves that Prometheus would have seen the series."""

    canary: Query = pydantic.Field(
        "count(up == 1)",
        description=(
            "PromQL that returns a positive number while Prometheus scrapes and answers; "
            "confined to the policy's namespace as every query."
        ),
    )
    minimum: float = pydantic.Field(
        1.0, gt=0, description="Least sum of the canary's values that proves it well."
    )
