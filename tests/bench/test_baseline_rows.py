"""Series come and go: a baseline absorbs another and keeps some of its rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from prunella.detectors import baseline
from prunella.detectors._baseline import verdict

STEP = 900.0
START = 1_767_571_200
PARAMS = baseline.Params.model_validate({"learn": "12h", "adapt": "6h"})
TICKS, MORE = 400, 200

Fields = dict[str, np.ndarray]


def samples(seed: int, n: int, count: int = TICKS + MORE) -> np.ndarray:
    """Noise with gaps, spikes and a level shift, of shape (count, n)."""
    rng = np.random.default_rng(seed)
    values = rng.normal(50.0, 1.0, (count, n)) + 10.0 * np.sin(np.arange(count) / 15.0)[:, None]
    values[rng.random(values.shape) < 0.02] = np.nan
    values[rng.random(values.shape) < 0.01] += 100.0
    values[TICKS - 50 :, 0] += 30.0
    return values


def fed(values: np.ndarray, beside: np.ndarray | None = None, start: int = 0) -> baseline.Baseline:
    """A baseline that has seen the ticks from ``start`` to TICKS."""
    detector = baseline.Baseline(PARAMS, values.shape[1])
    go_on(detector, values, beside, start, TICKS)
    return detector


def go_on(
    detector: baseline.Baseline,
    values: np.ndarray,
    beside: np.ndarray | None = None,
    start: int = TICKS,
    end: int = TICKS + MORE,
) -> list[baseline.Tick]:
    """Feed more ticks."""
    return [
        detector.tick(START + i * STEP, values[i], None if beside is None else beside[i])
        for i in range(start, end)
    ]


def table(ticks: list[baseline.Tick], columns: slice | list[int] = slice(None)) -> Fields:
    """All fields of all ticks, as arrays of shape (ticks, n)."""
    fields = (*dataclasses.fields(baseline.Tick), *dataclasses.fields(verdict.Band))
    names = [field.name for field in fields if field.name != "later"]
    return {name: np.array([getattr(tick, name)[columns] for tick in ticks]) for name in names}


def assert_same(expected: Fields, actual: Fields) -> None:
    """Equal to the last bit."""
    for name, values in expected.items():
        np.testing.assert_array_equal(values, actual[name], err_msg=name)


@pytest.mark.parametrize("given", [False, True], ids=["alone", "with a given series"])
@pytest.mark.parametrize("late", [0, 350], ids=["same age", "the other is young"])
def test_a_baseline_grown_by_another_ticks_as_the_two_apart(given: bool, late: int) -> None:
    """Every field of every tick stays what it would have been, for old and new rows."""
    one, two = samples(1, 3), samples(2, 2)
    by_one, by_two = (samples(3, 3), samples(4, 2)) if given else (None, None)
    both = np.hstack((one, two))
    by_both = None if by_one is None or by_two is None else np.hstack((by_one, by_two))
    grown = fed(one, by_one)
    grown.absorb(fed(two, by_two, late))
    together = go_on(grown, both, by_both)
    assert_same(table(go_on(fed(one, by_one), one, by_one)), table(together, slice(0, 3)))
    assert_same(table(go_on(fed(two, by_two, late), two, by_two)), table(together, slice(3, 5)))


def test_what_was_absorbed_stays_apart_from_the_other() -> None:
    """The other goes on by itself and changes nothing of what it gave."""
    one, two = samples(1, 2), samples(2, 2)
    grown, other = fed(one), fed(two)
    grown.absorb(other)
    go_on(other, two * 7.0)
    expected = table(go_on(fed(two), two))
    assert_same(expected, table(go_on(grown, np.hstack((one, two))), slice(2, 4)))


def test_only_a_baseline_with_the_same_parameters_is_absorbed() -> None:
    """Rows of another sensitivity would be judged wrongly."""
    other = baseline.Baseline(baseline.Params(trigger=4.0), 1)
    with pytest.raises(ValueError, match="same parameters"):
        baseline.Baseline(PARAMS, 1).absorb(other)


KEPT = {"some": [1, 3], "in another order": [3, 0, 2], "one": [2], "none": []}


@pytest.mark.parametrize("given", [False, True], ids=["alone", "with a given series"])
@pytest.mark.parametrize("rows", KEPT.values(), ids=KEPT)
def test_kept_series_tick_as_before(rows: list[int], given: bool) -> None:
    """The rows that are kept lose nothing, and the others leave no trace."""
    values = samples(5, 4)
    beside = samples(6, 4) if given else None
    less = fed(values, beside)
    less.keep(np.array(rows, np.intp))
    expected = table(go_on(fed(values, beside), values, beside), rows)
    actual = go_on(less, values[:, rows], None if beside is None else beside[:, rows])
    assert_same(expected, table(actual))


def test_a_baseline_can_begin_empty() -> None:
    """Targets appear later than their policy."""
    values = samples(7, 2)
    grown = baseline.Baseline(PARAMS, 0)
    grown.tick(START, np.empty(0))
    grown.absorb(fed(values))
    assert_same(table(go_on(fed(values), values)), table(go_on(grown, values)))
