"""The memories of the detectors that look back, as `prunella.core.signals.learning` wants them.

A baseline keeps its state and forgets the samples; the others keep a window of samples.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from prunella.api import detectors as detectors_api
from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import compiled, history, learning
from prunella.detectors import baseline, change, drift, forecast

Floats = history.Floats
Bools = npt.NDArray[np.bool_]
TICKS_AT_A_TIME: Final = 64
"""So many ticks take some 70 ms: others may run between them."""
_SIDES: Final = {
    detectors_api.Side.ABOVE: learning.Bad.HIGH,
    detectors_api.Side.BELOW: learning.Bad.LOW,
    detectors_api.Side.BOTH: learning.Bad.BOTH,
    detectors_api.Direction.RISING: learning.Bad.HIGH,
    detectors_api.Direction.FALLING: learning.Bad.LOW,
    detectors_api.Trend.UP: learning.Bad.HIGH,
    detectors_api.Trend.DOWN: learning.Bad.LOW,
    detectors_api.Trend.EITHER: learning.Bad.BOTH,
    detectors_api.Worse.HIGHER: learning.Bad.HIGH,
    detectors_api.Worse.LOWER: learning.Bad.LOW,
    detectors_api.Worse.EITHER: learning.Bad.BOTH,
}


def learner(signal: compiled.Signal) -> learning.Learner | None:
    """The empty memory of a signal; None for one that needs no history."""
    spec, lookback = signal.spec, signal.lookback
    if lookback is None:
        return None
    if spec.baseline is not None:
        return BaselineLearner(spec.baseline, lookback)
    rule = window_rule(signal)
    if rule is not None:
        return WindowLearner(lookback, rule.bad, _windowed(rule))
    if spec.change is not None:
        return ChangeLearner(spec.change, lookback)
    return None


def unbelieved(row: learning.Row) -> model.Judgement | None:
    """Why the newest value of a target can't be judged, whatever the detector."""
    unknown = model.Verdict.UNKNOWN
    if row.doubled:
        message = "more than one series of the same object: aggregate by its labels"
        return model.Judgement(unknown, reasons.Doubt.DUPLICATE_SERIES, message)
    if not len(row.values) or not math.isfinite(row.values[-1]):
        if math.isfinite(row.counted):
            message = f"{row.counted:.4g} events in the window are too few"
            return model.Judgement(unknown, reasons.Doubt.TOO_FEW_EVENTS, message)
        return model.Judgement(unknown, reasons.Doubt.NO_DATA, "the newest sample is missing")
    return None


def judged(
    row: learning.Row | None, judge: Callable[[float], model.Judgement]
) -> learning.Judged | None:
    """What is said of a row's newest value; ``judge`` is asked only if the value is believed."""
    if row is None:
        return None
    value = float(row.values[-1]) if len(row.values) else math.nan
    return learning.Judged(unbelieved(row) or judge(value), value, row.mapped_by, row.pod)


@dataclasses.dataclass(slots=True)
class _Cohort:
    """Targets that have been learned together, up to the same point."""

    targets: list[model.Ref]
    detector: baseline.Baseline
    last: float


class BaselineLearner:
    """One state for each target; new targets learn their history by themselves, then join."""

    def __init__(self, params: detectors_api.Baseline, lookback: compiled.Lookback) -> None:
        self.bad = _SIDES[params.direction]
        self._params = params
        self._lookback = lookback
        self._cohorts: list[_Cohort] = []
        self._rows: dict[model.Ref, learning.Row] = {}
        self._ticks: dict[model.Ref, tuple[baseline.Tick, int]] = {}
        """The newest tick of each target, and its place in it."""

    def wanted(self, targets: Collection[model.Ref], now: float) -> history.Span | None:
        """All that follows the newest sample that was learned, or the whole history."""
        step = self._lookback.step
        end = history.last_point(now, step)
        self._admit(targets)
        behind = [cohort.last + step for cohort in self._cohorts if cohort.last < end]
        if not behind:
            return None
        oldest = history.last_point(end - self._lookback.seconds, step)
        return history.Span(max(min(behind), oldest), end, step)

    def _admit(self, targets: Collection[model.Ref]) -> None:
        known = {target for cohort in self._cohorts for target in cohort.targets}
        new = sorted(set(targets) - known)
        if not new:
            return
        for cohort in self._cohorts:
            self._keep(cohort, set(targets))
        self._cohorts = [cohort for cohort in self._cohorts if cohort.targets]
        self._cohorts.append(_Cohort(new, baseline.Baseline(self._params, len(new)), -math.inf))

    @staticmethod
    def _keep(cohort: _Cohort, targets: Collection[model.Ref]) -> None:
        rows = [row for row, target in enumerate(cohort.targets) if target in targets]
        if len(rows) < len(cohort.targets):
            cohort.detector.keep(np.array(rows, dtype=np.int64))
            cohort.targets = [cohort.targets[row] for row in rows]

    def learn(self, targets: Collection[model.Ref], lesson: learning.Lesson) -> Iterator[None]:
        """Judge and learn each point that a target has not seen yet."""
        values = lesson.rows[compiled.VALUE]
        self._rows = {target: values[target] for target in targets if target in values}
        for cohort in self._cohorts:
            yield from self._feed(cohort, lesson)
        first = self._cohorts[0]
        for other in self._cohorts[1:]:
            if other.last == first.last:
                first.detector.absorb(other.detector)
                first.targets.extend(other.targets)
        self._cohorts = [each for each in self._cohorts if each is first or each.last != first.last]

    def _feed(self, cohort: _Cohort, lesson: learning.Lesson) -> Iterator[None]:
        times = lesson.times
        values = _stack(lesson, compiled.VALUE, cohort.targets)
        given = _stack(lesson, compiled.GIVEN, cohort.targets) if _has(lesson) else None
        for done, point in enumerate(np.flatnonzero(times > cohort.last)):
            beside = None if given is None else given[:, point]
            tick = cohort.detector.tick(times[point], values[:, point], beside)
            cohort.last = float(times[point])
            self._note(cohort.last, cohort.targets, values[:, point], tick)
            if point == len(times) - 1:
                self._ticks.update((t, (tick, row)) for row, t in enumerate(cohort.targets))
            elif done % TICKS_AT_A_TIME == TICKS_AT_A_TIME - 1:
                yield

    def _note(
        self, when: float, targets: Sequence[model.Ref], values: Floats, tick: baseline.Tick
    ) -> None:
        """For who keeps more than the newest tick; ``values`` are those of the targets."""

    def judge(
        self,
        target: model.Ref,
        rollout: learning.Rollout | None,  # noqa: ARG002 - what is usual stays usual
    ) -> learning.Judged | None:
        """As of the newest point."""
        return judged(self._rows.get(target), lambda value: self._said(target, value))

    def _said(self, target: model.Ref, value: float) -> model.Judgement:
        tick, place = self._ticks[target]
        return tick.judgement(place, value)


def _has(lesson: learning.Lesson) -> bool:
    return compiled.GIVEN in lesson.rows or compiled.GIVEN in lesson.common


def _stack(lesson: learning.Lesson, role: str, targets: Sequence[model.Ref]) -> Floats:
    """(targets, points): a target's own row, or the one for all, or nothing."""
    rows = lesson.rows.get(role, {})
    nothing = np.full(len(lesson.times), np.nan)
    shared = lesson.common.get(role, nothing)
    return np.stack([rows[each].values if each in rows else shared for each in targets])


@dataclasses.dataclass(slots=True)
class _Window:
    """Samples of the newest stretch of the grid, by role and target."""

    times: Floats = dataclasses.field(default_factory=lambda: np.zeros(0))
    rows: dict[str, dict[model.Ref, Floats]] = dataclasses.field(default_factory=dict)

    def extend(self, targets: Collection[model.Ref], lesson: learning.Lesson, most: int) -> None:
        """Add what is newer, drop what is older than so many points."""
        new = lesson.times > (self.times[-1] if len(self.times) else -np.inf)
        old = np.full(len(self.times), np.nan)
        names = sorted(targets)
        for role in lesson.rows.keys() | lesson.common.keys():
            before = self.rows.get(role, {})
            added = _stack(lesson, role, names)[:, new] if names else np.zeros((0, 0))
            self.rows[role] = {
                each: np.concatenate([before.get(each, old), row])[-most:]
                for each, row in zip(names, added, strict=True)
            }
        self.times = np.concatenate([self.times, lesson.times[new]])[-most:]

    def stack(self, role: str, targets: Sequence[model.Ref]) -> Floats | None:
        """(targets, points), or None where the role was not asked for."""
        rows = self.rows.get(role)
        return None if rows is None else np.stack([rows[each] for each in targets])


_Judge = Callable[[_Window, Sequence[model.Ref], float], Sequence[model.Judgement]]


class WindowLearner:
    """A window of samples for each target, judged as a whole when it has moved on."""

    def __init__(
        self, lookback: compiled.Lookback, bad: learning.Bad, judge: _Judge | None
    ) -> None:
        self.bad = bad
        self._lookback = lookback
        self._judge = judge
        self._window = _Window()
        self._targets: frozenset[model.Ref] = frozenset()
        self._rows: dict[model.Ref, learning.Row] = {}
        self._judgements: dict[model.Ref, model.Judgement] = {}

    def wanted(self, targets: Collection[model.Ref], now: float) -> history.Span | None:
        """What is newer than the window; the whole of it when there are new targets."""
        step = self._lookback.step
        end = history.last_point(now, step)
        start = history.last_point(end - self._lookback.seconds, step)
        if not set(targets) <= self._targets:
            self._window = _Window()
            self._targets = frozenset(targets)
        if len(self._window.times):
            start = max(start, float(self._window.times[-1]) + step)
        return history.Span(start, end, step) if start <= end else None

    def learn(self, targets: Collection[model.Ref], lesson: learning.Lesson) -> Iterator[None]:
        """Move the window on, and judge all targets by it."""
        most = round(self._lookback.seconds / self._lookback.step) + 1
        self._window.extend(targets, lesson, most)
        values = lesson.rows[compiled.VALUE]
        self._rows = {target: values[target] for target in targets if target in values}
        yield
        self._judgements = self._judged()

    def _judged(self) -> dict[model.Ref, model.Judgement]:
        """Targets with equally long histories are judged together, without what was before."""
        if self._judge is None:
            return {}
        groups: dict[int, list[model.Ref]] = {}
        for target in self._rows:
            row = self._window.rows[compiled.VALUE][target]
            groups.setdefault(int(np.argmax(np.isfinite(row))), []).append(target)
        found: dict[model.Ref, model.Judgement] = {}
        for first, group in groups.items():
            window = _Window(self._window.times[first:])
            window.rows = {
                role: {each: rows[each][first:] for each in group}
                for role, rows in self._window.rows.items()
            }
            judgements = self._judge(window, group, self._lookback.step)
            found.update(zip(group, judgements, strict=True))
        return found

    def judge(self, target: model.Ref, rollout: learning.Rollout | None) -> learning.Judged | None:
        """As of the newest point."""
        return judged(self._rows.get(target), lambda _: self._of(target, rollout))

    def _of(
        self,
        target: model.Ref,
        rollout: learning.Rollout | None,  # noqa: ARG002 - only a change is about it
    ) -> model.Judgement:
        return self._judgements[target]


def _windowed(rule: WindowRule) -> _Judge:
    def judge(
        window: _Window, targets: Sequence[model.Ref], step: float
    ) -> Sequence[model.Judgement]:
        values = window.stack(compiled.VALUE, targets)
        limits = window.stack(compiled.LIMIT, targets)
        return () if values is None else rule.judge(values, step, limits)

    return judge


@dataclasses.dataclass(frozen=True, slots=True)
class WindowRule:
    """How windows of samples are judged, each by its own samples alone."""

    bad: learning.Bad
    judge: Callable[[Floats, float, Floats | None], Sequence[model.Judgement]]
    """From (windows, samples), the step in seconds and limits of the same shape."""
    surely_healthy: Callable[[Floats, int, float, Floats | None], Bools]
    """From (samples,), those of a window, the step and limits: which windows surely are, cheaply.
    Windows of others may be too."""


def window_rule(signal: compiled.Signal) -> WindowRule | None:
    """How a forecast or a drift judges; None for any other signal."""
    to_fill, creep = signal.spec.forecast, signal.spec.drift
    if to_fill is not None:
        return WindowRule(
            _SIDES[to_fill.direction],
            lambda values, step, limits: forecast.detect(values, step, to_fill, limits),
            lambda values, size, step, limits: forecast.surely_healthy(
                values, size, step, to_fill, limits
            ),
        )
    if creep is not None:
        return WindowRule(
            _SIDES[creep.direction],
            lambda values, step, _: drift.detect(values, step, creep),
            lambda values, size, step, _: drift.surely_healthy(values, size, step, creep),
        )
    return None


def worse_side(params: detectors_api.Change) -> learning.Bad:
    """Which values of a change are the bad ones."""
    return _SIDES[params.worse]


def changed(
    times: Floats,
    values: Floats,
    rollout: learning.Rollout | None,
    step: float,
    params: detectors_api.Change,
) -> model.Judgement:
    """Judge the samples of one target, (times,), before and after its rollout, as of the newest."""
    if rollout is None:
        return _unknown(reasons.Doubt.NO_ROLLOUT_SEEN, "no rollout was seen: no before")
    settled, window = rollout.settled, params.window.total_seconds()
    if settled is None:
        return _unknown(reasons.Doubt.ROLLING, "a rollout is under way")
    if settled <= times[-1] - 2 * window:
        message = "the last rollout is too long ago to have changed anything now"
        return model.Judgement(model.Verdict.HEALTHY, "NoRecentRollout", message)
    before = (times <= rollout.begun) & (times > rollout.begun - window)
    after = (times > settled) & (times <= settled + window)
    return change.detect(values[before], values[after], step, params)


class ChangeLearner(WindowLearner):
    """Before against after a rollout, or a target against what runs beside it."""

    def __init__(self, params: detectors_api.Change, lookback: compiled.Lookback) -> None:
        super().__init__(lookback, worse_side(params), None)
        self._params = params

    def _of(self, target: model.Ref, rollout: learning.Rollout | None) -> model.Judgement:
        times, window = self._window.times, self._params.window.total_seconds()
        values = self._window.rows[compiled.VALUE][target]
        recent = times > times[-1] - window
        settled = None if rollout is None else rollout.settled
        rolling = rollout is not None and settled is None
        if self._params.against is not None and not rolling:
            beside = self._window.rows.get(compiled.AGAINST, {}).get(target)
            if beside is None or not np.isfinite(beside).any():
                return _unknown(reasons.Doubt.NO_DATA, "there is nothing to compare it with")
            since = recent if settled is None else recent & (times > settled)
            return change.detect(
                beside[since],
                values[since],
                self._lookback.step,
                self._params,
                paired=True,
                fresh=self._begun(times, values, settled) > times[-1] - 3 * window,
            )
        return changed(times, values, rollout, self._lookback.step, self._params)

    def _begun(self, times: Floats, values: Floats, settled: float | None) -> float:
        """When the target began to be what it is: its first sample, or the end of its rollout.

        One that was there when the history begins is no younger than the history.
        """
        there = np.flatnonzero(np.isfinite(values))
        if not len(there):
            return float(times[-1])
        first = -np.inf if there[0] == 0 else float(times[there[0]])
        return first if settled is None else max(first, settled)


def _unknown(reason: str, message: str) -> model.Judgement:
    return model.Judgement(model.Verdict.UNKNOWN, reason, message)
