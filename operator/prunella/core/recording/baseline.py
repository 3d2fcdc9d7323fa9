"""The baseline as a chain of recording rules, every one of them a function of the one before.

It judges as `prunella.detectors.baseline` does, but a rule has no memory: what the detector keeps
as a mean that an anomaly does not move is a median over the past here, which it moves little.

1. *Season.* ``season`` is the median, over the same quarter of an hour of the last days, of the
   value's distance from its running median; drawn to zero as long as it says little.
2. *Level.* The median over ``2 * adapt`` of what the season leaves: what lasts for ``adapt`` has
   the majority, and is the new level at once.  ``week`` is what the hour of the week adds.
3. *Rest.* What a value leaves of the band from ``lower`` to ``upper``, in units of ``scale``, the
   noise at this hour of the day.
4. *Three scales, two sides.* Sample, jump and shift, as in the detector.  The exponential means are
   sums of four plain ones.  While a rest has lasted for 4 hours, its sizes are not counted.
5. *Rarity.* From the quantiles of the size's own past and Hill's index of what was beyond.
6. *Verdict.* The later one of last trigger and last calm decides: hysteresis without memory.

Medians over so long a past change slowly, so they are in a group of their own, once an hour.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

from prunella.api import detectors as detectors_api
from prunella.core.recording import joined, rules
from prunella.core.signals import compiled

PREFIX: Final = "prunella:baseline:"
VALUE, LOWER, UPPER = f"{PREFIX}value", f"{PREFIX}lower", f"{PREFIX}upper"
RARITY, UNHEALTHY = f"{PREFIX}rarity", f"{PREFIX}unhealthy"

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86_400, 604_800
SLOW: Final = HOUR
"""Seconds between two evaluations of what changes slowly."""
_QUARTER: Final = 15 * MINUTE
_MOST_DAYS, _MOST_WEEKS = 10, 6
_LEAST_SHARE: Final = 0.03
"""Of a size's past, so much is its tail."""
_PRIOR, _PRIOR_WEIGHT = 0.35, 25
FAR_BEYOND: Final = 2
"""Octaves beyond the edge that Hill's index counts at most."""
_SPREAD: Final = 0.5
"""The quantile of distances that stands for the noise: nearly half of them may be anomalies."""
_TINY: Final = "1e-30"
_MEANS: Final = ((0.29, 1), (0.33, 3), (0.26, 6), (0.12, 12))
"""An exponential mean of an hour as weights of plain ones, over so many times 20 minutes."""
_RETURN: Final = ((0.5, 20), (0.35, 40), (0.15, 60))
"""A mean that forgets sooner, by minutes: an anomaly's end shows there first."""
_FAR: Final = 8
"""Rests of so many times the noise that last for `_LASTS` seconds are not counted."""
_LASTS: Final = 4 * HOUR


def check(signal: compiled.Signal, params: detectors_api.Baseline) -> None:
    """Make sure that the rules can do what the signal asks for; raises UnsupportedError."""
    where = f"signal {signal.name}: baseline"
    otherwise = "or use evaluation: Operator"
    if signal.spec.given is not None:
        raise rules.UnsupportedError(
            f"signal {signal.name}: given can't be written as recording rules, as its slope is "
            f"learned: divide by it in the query, {otherwise}"
        )
    if params.exceptions:
        raise rules.UnsupportedError(
            f"{where}.exceptions can't be written as recording rules, which know no dates: "
            f"remove them, {otherwise}"
        )
    every = params.every.total_seconds()
    if every < MINUTE or 5 * MINUTE % every:
        raise rules.UnsupportedError(
            f"{where}.every is {params.every}: recording rules need a part of 5m, at least 1m, so "
            f"that quarters of the day meet the samples: write 1m, 150s or 5m, {otherwise}"
        )
    if params.adapt.total_seconds() < DAY / 2:
        raise rules.UnsupportedError(
            f"{where}.adapt is {params.adapt}: the level of recording rules needs at least 12h, "
            f"or it would follow the day: write 12h or more, {otherwise}"
        )


def groups(
    names: rules.Names, signal: compiled.Signal, params: detectors_api.Baseline
) -> tuple[rules.Group, ...]:
    """The rules of one baseline: those of each sample, and the slow ones."""
    check(signal, params)
    chain = _Chain(names, params)
    fast = (
        chain.rule("value", joined.value(signal, params.direction)),
        *chain.season(),
        *chain.level(),
        *chain.rest(),
        *chain.means(),
        *chain.sizes(),
        *chain.verdict(),
    )
    return (
        rules.Group(names.group(), chain.every, fast),
        rules.Group(names.group("slow"), SLOW, chain.slow()),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Chain:
    """Writes the expressions of one signal; each method a link, in the order of the module."""

    names: rules.Names
    params: detectors_api.Baseline

    @property
    def every(self) -> int:
        """Seconds between samples."""
        return round(self.params.every.total_seconds())

    @property
    def history(self) -> str:
        """How far the sizes of the past reach, as PromQL writes it."""
        return rules.span(self.params.history.total_seconds())

    @property
    def density(self) -> float:
        """Powers of ten by which samples are denser than one in 5 minutes."""
        return math.log10(5 * MINUTE / self.every)

    def rule(self, record: str, expr: str, **labels: str) -> rules.Rule:
        """A rule that writes a record of this signal."""
        return self.names.rule(PREFIX + record, expr, **labels)

    def at(self, record: str, **labels: str) -> str:
        """A record's series, as they are now."""
        return self.names.series(PREFIX + record, **labels)

    def slowly(self, record: str) -> str:
        """The newest value of a record of the slow group."""
        return f"last_over_time({self.at(record)}[{rules.span(2.5 * SLOW)}])"

    def season(self) -> tuple[rules.Rule, ...]:
        """What this time of the day usually adds, shrunk while few days are known."""
        value, center, season = self.at("value"), self.slowly("center"), self.at("season")
        days = f"clamp_max(count_over_time({value}[10d]) * {self.every / DAY:.6g}, 10)"
        return (
            # The median around a moment is known a day later; running ahead it would be skewed.
            self.rule("smooth", f"avg_over_time({value}[15m] offset 23h) - {center}"),
            self.rule("season", self._median_of_days(self.at("smooth"), 23 * 60 + 20)),
            self.rule("error", f"abs({value} - {center} - ({season} offset 15m))"),
            self.rule("usual", f"{season} * {days} / ({days} + {self.slowly('shrink')})"),
        )

    def _median_of_days(self, past: str, ahead: int) -> str:
        """The median of a selector, or a call of one, at this time of the last days and later."""
        count = min(_MOST_DAYS, max(int(self.params.history.total_seconds() // DAY), 2))
        return self._median(past, [day * DAY - ahead * MINUTE for day in range(1, count + 1)])

    def _median(self, past: str, offsets: list[int], *others: str) -> str:
        parts = [*others, *(_offset(past, each) for each in offsets)]
        marked = " or ".join(
            f'label_replace({part}, "{rules.PART}", "{number}", "", "")'
            for number, part in enumerate(parts)
        )
        return f"quantile without ({rules.PART}) (0.5, {marked})"

    def level(self) -> tuple[rules.Rule, ...]:
        """The level without the season, and what this hour of the week adds to it."""
        flat, gap = self.at("flat"), self.at("gap")
        weeks = min(_MOST_WEEKS, max(round(self.params.history.total_seconds() / WEEK), 1))
        past = f"avg_over_time({gap}[1h])"
        offsets = [week * WEEK - HOUR // 2 for week in range(1, weeks + 1)]
        return (
            self.rule("flat", f"{self.at('value')} - ({self.at('usual')} offset 15m)"),
            self.rule("gap", f"{flat} - {self.slowly('level')}"),
            # Two weeks of nothing are counted in: one strange week moves nothing.
            self.rule("week", self._median(past, offsets, f"0 * {gap}", f"0 * {gap}")),
        )

    def rest(self) -> tuple[rules.Rule, ...]:
        """What the expected range leaves over, and the noise of this time of the day."""
        value, usual = self.at("value"), self.at("usual")
        base = f"{self.slowly('level')} + {self.at('week')}"
        noise, away = self.slowly("noise"), self.at("away")
        here = self._median_of_days(f"quantile_over_time({_SPREAD}, {away}[1h])", 30)
        days = f"clamp_max(count_over_time({away}[10d]) * {self.every / DAY:.6g}, 10)"
        hourly = f"0.5 * {noise} + 0.5 * (({here}) * {days} + {noise}) / ({days} + 1)"
        return (
            self.rule("lower", f"{base} + min_over_time({usual}[30m])"),
            self.rule("upper", f"{base} + max_over_time({usual}[30m])"),
            self.rule(
                "rest",
                f"clamp_min({value} - {self.at('upper')}, 0)"
                f" + clamp_max({value} - {self.at('lower')}, 0)",
            ),
            self.rule("away", f"abs({self.at('gap')} - {self.at('week')})"),
            self.rule("scale", f"({hourly}) or {noise}"),
        )

    def means(self) -> tuple[rules.Rule, ...]:
        """The short and the long mean that a sample is held against."""
        rest, noise = self.at("rest"), self.slowly("noise")
        hour, quarter = self.at("hour"), self.at("quarter")
        swift = f"abs({hour}) > 3 * {noise} and abs({quarter}) < abs({hour})"
        four = _mean(rest, [(weight, 4 * 20 * times) for weight, times in _MEANS])
        return (
            self.rule("hour", _mean(rest, [(weight, 20 * times) for weight, times in _MEANS])),
            self.rule("quarter", _mean(rest, list(_RETURN))),
            # Adding 0 drops the names: two would be two series to promtool's backfill.
            self.rule("short", f"{quarter} + 0 and ({swift}) or {hour} + 0"),
            self.rule("long", f"{noise} * clamp(({four}) / {noise}, -2, 2)"),
        )

    def sizes(self) -> tuple[rules.Rule, ...]:
        """The deviations in units of the noise, by kind and side, and how far beyond the edge."""
        rest, scale, noise = self.at("rest"), self.at("scale"), self.slowly("noise")
        ago = rules.span(self.every)
        short, long = f"({self.at('short')} offset {ago})", f"({self.at('long')} offset {ago})"
        jump = f"({rest} - {short})"
        shift = f"({short} - {long})"
        half = _LASTS // self.every // 2
        lasting = (
            f"(min_over_time({rest}[4h]) > {_FAR} * {noise}"
            f" or max_over_time({rest}[4h]) < -{_FAR} * {noise})"
            f" and count_over_time({rest}[4h]) >= {half}"
        )
        # The first day has no season: its sizes would be those of the day's own curve.
        known = f"count_over_time({self.at('value')}[10d]) >= {round(1.25 * DAY / self.every)}"
        deviation = self.at("deviation")
        rows = [
            self.rule("deviation", f"{rest} / {scale}", kind="sample"),
            # A return to what is expected is no anomaly, nor is its echo in the longer mean.
            self.rule("deviation", f"{jump} * ({jump} * {rest} > bool 0) / {scale}", kind="jump"),
            self.rule(
                "deviation", f"{shift} * ({shift} * {short} > bool 0) / {noise}", kind="shift"
            ),
        ]
        counted = f"unless ignoring (kind) ({lasting}) and ignoring (kind) ({known})"
        signs = {"above": "", "below": "-"}
        if self.params.direction is not detectors_api.Side.BOTH:
            chosen = self.params.direction.lower()
            signs = {chosen: signs[chosen]}
        for side, sign in signs.items():
            size = f"clamp_min({sign}{deviation}, {2**-6})"
            rows.append(self.rule("size", f"{size} {counted}", side=side))
        # What was far beyond counts as far: one incident must not make the next one usual.
        excess = f"clamp_max(log2({self.at('size')} / {self.slowly('edge')}), {FAR_BEYOND}) > 0"
        return (*rows, self.rule("excess", excess))

    def verdict(self) -> tuple[rules.Rule, ...]:
        """How rare the sizes are, and whether the series is sick: triggered and not yet calm."""
        params, size = self.params, self.at("size")
        share = math.log10(tail_share(self.params))
        beyond = f"log2({size} / {self.slowly('edge')}) / {self.slowly('index')}"
        rarity = f"({beyond} * {1 / math.log(10):.6g} - {share + self.density:.6g})"
        # What was seen k times in N is no rarer than that.
        seen = f"clamp_max({rarity}, {params.trigger - 0.001:.6g})"
        rarest = f"({rarity} and {size} > {self.slowly('common')}) or {seen}"
        samples = round(params.young / self.every)
        learned = f"{self.slowly('samples')} >= {samples}"
        adapt = rules.span(params.adapt.total_seconds())
        last, calm = (f"last_over_time({self.at(each)}[{adapt}])" for each in ("trigger", "calm"))
        return (
            self.rule(
                "rarity",
                f"clamp_min(max without (kind, side) ({rarest}), 0) and ({learned})",
            ),
            self.rule("trigger", f"0 * ({self.at('rarity')} >= {params.trigger:g}) + time()"),
            self.rule("calm", f"0 * ({self.at('rarity')} < {params.recover:g}) + time()"),
            self.rule(
                "unhealthy",
                f"(0 * ({last} > {calm} or {last} unless {calm}) + 1 or 0 * {self.at('value')})"
                f" and {self.at('value')} and ({learned})",
            ),
        )

    def slow(self) -> tuple[rules.Rule, ...]:
        """What changes over days, evaluated seldom: level, noise, and the tail of the sizes."""
        size, excess, edge = self.at("size"), self.at("excess"), self.at("edge")
        value, season, away = self.at("value"), self.at("season"), self.at("away")
        error = f"quantile_over_time({_SPREAD}, {self.at('error')}[7d])"
        power = f"(stddev_over_time({season}[1d]) ^ 2 + avg_over_time({season}[1d]) ^ 2 + {_TINY})"
        typical, whole = (
            f"quantile_over_time({_SPREAD}, {away}[7d])",
            f"0.1 * avg_over_time({away}[7d])",
        )
        doubled = rules.span(2 * self.params.adapt.total_seconds())
        common = 1 - math.pow(10.0, -self.params.trigger - self.density)
        prior = f"{_PRIOR * _PRIOR_WEIGHT:g}"
        index = (
            f"(sum_over_time({excess}[{self.history}]) + {prior})"
            f" / (count_over_time({excess}[{self.history}]) + {_PRIOR_WEIGHT})"
        )
        return (
            self.rule("samples", f"count_over_time({value}[{self.history}])"),
            self.rule("center", f"quantile_over_time(0.5, {value}[{doubled}])"),
            self.rule("level", f"quantile_over_time(0.5, {self.at('flat')}[{doubled}])"),
            self.rule("shrink", f"clamp({error} ^ 2 / {power}, 0.1, 5) or 0 * {season} + 5"),
            # Rounding of the level itself is no deviation.
            self.rule(
                "noise",
                f"(({typical} >= {whole}) or {whole}) + 1e-9 * abs({self.at('level')}) + {_TINY}",
            ),
            self.rule(
                "edge",
                f"quantile_over_time({1 - tail_share(self.params):.6g}, {size}[{self.history}])",
            ),
            self.rule("common", f"quantile_over_time({common!r}, {size}[{self.history}])"),
            self.rule("index", f"{index} or 0 * {edge} + {_PRIOR}"),
        )


def tail_share(params: detectors_api.Baseline) -> float:
    """The share of a size's past that is its tail: all that is too rare to recover."""
    return max(_LEAST_SHARE, math.pow(10.0, -params.recover))


def tail_index(excess: float, count: int) -> float:
    """Hill's index of so many excesses with that sum, drawn to its prior."""
    return (excess + _PRIOR * _PRIOR_WEIGHT) / (count + _PRIOR_WEIGHT)


def _mean(series: str, windows: list[tuple[float, int]]) -> str:
    """Plain means over so many minutes, weighted."""
    return " + ".join(
        f"{weight} * avg_over_time({series}[{rules.span(minutes * MINUTE)}])"
        for weight, minutes in windows
    )


def _offset(past: str, seconds: int) -> str:
    """A selector, or a call whose last argument is one, so many seconds ago."""
    end = ")" if past.endswith(")") else ""
    return f"{past.removesuffix(')')} offset {rules.span(seconds)}{end}"
