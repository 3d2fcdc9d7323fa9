"""The novelty of shapes: what was seen often is usual, at any hour, in any unit, at any spacing."""

from __future__ import annotations

import numpy as np
import pytest

from prunella.detectors._baseline import clock, shapes, tail

STEP, MEMORY = 300.0, 8064.0
DAYS = 288


class Ranked:
    """Situations, ranked and counted as the baseline does: all of them, unless told."""

    def __init__(self, n: int) -> None:
        self.shapes, self.rank, self.clock = shapes.Shapes(n), tail.Tail(n, 1), clock.Clock(n)

    def rarity(self, values: np.ndarray, dt: np.ndarray, step: np.ndarray) -> np.ndarray:
        """How rare the situation after a sample of each series is; then count it."""
        return self.move(values, dt, step, np.ones(len(values), np.bool_))

    def move(
        self, values: np.ndarray, dt: np.ndarray, step: np.ndarray, counted: np.ndarray
    ) -> np.ndarray:
        """The same; only some are counted."""
        pace = clock.Pace(dt, step, self.clock.age, self.clock.seen)
        situation = self.shapes.judge(values, pace)
        self.clock.learn(dt)
        place = self.rank.place(situation.at[None])
        rarity = self.rank.rarity(place, slice(0, 1))[0] * situation.ready
        counted = counted & situation.ready
        self.rank.count(place.classes, counted[None], np.full(len(values), MEMORY))
        self.shapes.learn(situation, counted)
        return rarity


def run(values: np.ndarray, step: float = STEP, counted: np.ndarray | None = None) -> np.ndarray:
    """Rarities of series given as columns; all that is counted is counted unless told."""
    rows, n = values.shape
    state, each = Ranked(n), np.full(n, step)
    out = np.zeros((rows, n))
    for row in range(rows):
        dt = np.where(np.isfinite(values[row]), step, 0.0)
        count = np.ones(n, np.bool_) if counted is None else np.full(n, counted[row])
        out[row] = state.move(values[row], dt, each, count)
    return out


def noise(rows: int, seed: int = 3) -> np.ndarray:
    """Normal noise around 10, one column."""
    return np.random.default_rng(seed).normal(10.0, 1.0, (rows, 1))


def daily(rows: int, step: float = STEP) -> np.ndarray:
    """A day's wave with noise."""
    phase = 2.0 * np.pi * np.arange(rows) * step / 86400.0
    return 50.0 + 20.0 * np.sin(phase)[:, None] + noise(rows)


SPACINGS = {"15 s": 15.0, "1 min": 60.0, "5 min": 300.0, "1 h": 3600.0}


@pytest.mark.parametrize("step", SPACINGS.values(), ids=SPACINGS)
def test_an_hour_never_seen_is_novel_at_any_spacing(step: float) -> None:
    """It is rarer than 1 in 1,000 times 5 minutes (or samples); of what comes before, 1 % is."""
    begin, rows = max(int(1.5 * 86400 / step), 1000), max(int(3600 / step), 3)
    values = noise(begin + rows)
    values[begin:] += 30.0
    rarity = run(values, step)[:, 0]
    rare = rarity >= 3.0 + np.log10(max(300.0 / step, 1.0))
    assert rare[begin:].any()
    assert np.mean(rare[300:begin]) < 0.01


UNITS = {
    "as it is": (1.0, 0.0),
    "bytes": (1e9, 0.0),
    "a ratio": (1e-4, 0.0),
    "far from 0": (1.0, 1e6),
}


@pytest.mark.parametrize(("scale", "offset"), UNITS.values(), ids=UNITS)
def test_the_unit_does_not_matter(scale: float, offset: float) -> None:
    """Range and zero are learned: the rarities are the same in any unit."""
    values = daily(4 * DAYS)
    values[900:910] += 60.0
    np.testing.assert_allclose(run(values), run(values * scale + offset), atol=0.2)


SERIES = {
    "constant": np.full((3 * DAYS, 1), 7.0),
    "nearly always zero": (np.random.default_rng(1).random((3 * DAYS, 1)) < 0.02) * 1.0,
    "integer counts": np.random.default_rng(2).poisson(3.0, (3 * DAYS, 1)) * 1.0,
    "spikes now and then": noise(3 * DAYS) + (np.arange(3 * DAYS) % 40 == 0)[:, None] * 50.0,
    "a day's wave": daily(3 * DAYS),
}


@pytest.mark.parametrize("values", SERIES.values(), ids=SERIES)
def test_habits_are_not_novel_on_the_third_day(values: np.ndarray) -> None:
    """Whatever the kind of series, at most 1 in 100 samples is called rarer than 1 in 1,000."""
    rarity = run(values)[2 * DAYS :]
    assert np.isfinite(rarity).all()
    assert np.mean(rarity >= 3.0) <= 0.01


@pytest.mark.parametrize("value", [0.0, 7.0], ids=["zero", "seven"])
def test_a_constant_that_moves_is_novel(value: float) -> None:
    """There is no spread to compare with, but the situation was never seen."""
    values = np.full((2 * DAYS, 1), value)
    values[-6:] += 0.5
    assert run(values)[-1, 0] > 3.0


def test_usual_values_in_an_unusual_order_are_novel() -> None:
    """Flat at the wave's own lowest values for 4 hours at noon: no value is new, the shape is."""
    values = daily(8 * DAYS)
    low = float(values.min())
    noon = 7 * DAYS + 72
    values[noon : noon + 48] = low + 1.0
    rarity = run(values)[:, 0]
    assert rarity[noon : noon + 48].max() > rarity[4 * DAYS : noon].max()


def test_what_is_not_counted_stays_novel() -> None:
    """The ninth incident is as novel as the first if incidents are left out, and not otherwise."""
    values, incident = noise(10 * DAYS), np.zeros(10 * DAYS, np.bool_)
    for day in range(1, 10):
        incident[day * DAYS : day * DAYS + 12] = True
    values[incident] += 20.0
    last = slice(9 * DAYS, 9 * DAYS + 12)
    left_out = run(values, counted=~incident)[last].max()
    counted = run(values)[last].max()
    assert left_out > 3.0 > counted


def test_gaps_say_nothing_and_count_nothing() -> None:
    """Without a sample the rarity is 0 and the scores after the gap are those without it."""
    values = noise(600)
    gap = np.insert(values, 400, np.full((50, 1), np.nan), axis=0)
    with_gap = run(gap)
    assert not with_gap[400:450].any()
    np.testing.assert_allclose(run(values)[400:], with_gap[450:])


def test_a_series_that_begins_later_is_judged_as_if_alone() -> None:
    """Gaps before the first sample leave no trace."""
    values = noise(500)
    late = np.concatenate((np.full((100, 1), np.nan), values))
    np.testing.assert_allclose(run(values), run(late)[100:])


def test_series_come_and_go_with_what_they_learned() -> None:
    """Absorbed and kept series go on as if nothing had happened."""
    values = np.concatenate([noise(500, seed) for seed in range(3)], axis=1)
    each = np.full(3, STEP)
    whole, first, rest = Ranked(3), Ranked(1), Ranked(2)
    for row in values[:400]:
        whole.rarity(row, each, each)
        first.rarity(row[:1], each[:1], each[:1])
        rest.rarity(row[1:], each[1:], each[1:])
    order = np.array([2, 0])
    first.shapes.absorb(rest.shapes)
    first.rank.absorb(rest.rank)
    first.clock.absorb(rest.clock)
    for ours in (first.shapes, first.rank, first.clock):
        ours.keep(order)
    expected = np.array([whole.rarity(row, each, each)[order] for row in values[400:]])
    got = np.array([first.rarity(row[order], each[:2], each[:2]) for row in values[400:]])
    np.testing.assert_allclose(expected, got)


WEIGHTS = {"15 s": (15.0, 0.05), "1 min": (60.0, 0.2), "5 min": (300.0, 1.0), "1 h": (3600.0, 1.0)}


@pytest.mark.parametrize(("step", "expected"), WEIGHTS.values(), ids=WEIGHTS)
def test_dense_samples_count_by_time(step: float, expected: float) -> None:
    """A sample is one of 5 minutes, or as much of it as it covers; the first 21 are not counted."""
    state, each = Ranked(1), np.full(1, step)
    for row in noise(121):
        state.rarity(row, each, each)
    assert 100 * expected == pytest.approx(state.shapes.total[0])


def test_memory_is_bounded_and_old_counts_fade() -> None:
    """The tables hold 4032 samples and a tenth, however long the history; 4.5 KiB a series."""
    ranked, each = Ranked(1), np.full(1, STEP)
    for row in noise(5000):
        ranked.rarity(row, each, each)
    state = ranked.shapes
    assert 4032.0 <= state.total[0] <= 4436.0
    assert state.counts.sum(axis=(0, 2)) == pytest.approx(np.repeat(state.total, shapes.PAIRS))
    assert sum(getattr(state, name).nbytes for name in state._names()) <= 4608
