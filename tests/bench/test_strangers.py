"""Series that nothing was tuned on: windows, and what a change leaves of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import events_score, folds, generalise, strangers

STEP = 300


def file(windows: list[tuple[int, int]], rows: int = 1000) -> folds.NabFile:
    """Noise of which some rows are windows."""
    times = np.arange(rows) * float(STEP)
    stamps = [[strangers._stamp(times[row]) for row in pair] for pair in windows]
    return folds.NabFile("folder/a.csv", times, np.sin(times), stamps, rows * STEP / 604800)


def rows_of(windows: list[list[str]]) -> list[list[int]]:
    """Windows as rows 5 minutes apart."""
    return [[int(np.datetime64(stamp, "s").astype(int)) // STEP for stamp in w] for w in windows]


WINDOWS = {
    "one event gets a tenth": ([500], [[450, 550]]),
    "two share it": ([300, 600], [[275, 325], [575, 625]]),
    "those that overlap are one": ([500, 530], [[475, 555]]),
    "a long event is whole": (range(300, 700), [[300, 699]]),
    "it ends with the series": ([990], [[940, 999]]),
    "none": ([], []),
}


@pytest.mark.parametrize(("marked", "expected"), WINDOWS.values(), ids=WINDOWS)
def test_windows_around_labelled_events(marked: list[int], expected: list[list[int]]) -> None:
    """NAB gives a tenth of a file to its anomalies."""
    labels = np.zeros(1000, np.bool_)
    labels[list(marked)] = True
    times = np.arange(1000) * float(STEP)
    series = events_score.Labelled(Path("d/a.csv"), times, np.zeros(1000), labels)
    assert expected == rows_of(strangers.other_domain(series).windows)


CHANGES = {
    "3 % of noise added": (1000, [[100, 200], [501, 600]]),
    "every second sample": (500, [[100, 200], [502, 600]]),
    "first 15 % cut off": (850, [[150, 200], [501, 600]]),
    "upside down": (1000, [[100, 200], [501, 600]]),
    "slowly wandering factor": (1000, [[100, 200], [501, 600]]),
}


@pytest.mark.parametrize("name", strangers.PERTURBED)
def test_a_change_keeps_the_windows_that_are_left(name: str) -> None:
    """Windows begin and end at samples that exist; values are changed, times are not."""
    rows, windows = CHANGES[name]
    before = file([(100, 200), (501, 600)])
    after = strangers.PERTURBED[name](before)
    assert (rows, rows, windows) == (len(after.times), len(after.values), rows_of(after.windows))
    assert set(after.times) <= set(before.times)
    assert not np.array_equal(before.values, after.values)


def test_each_set_is_scored_by_itself() -> None:
    """A spike in its window is found in all of them, whatever was changed."""
    nab = file([(690, 760)])
    nab.values[:] = np.random.default_rng(1).normal(10.0, 1.0, 1000)
    nab.values[700:706] += 90.0
    labels = np.zeros(1000, np.bool_)
    labels[700:706] = True
    series = events_score.Labelled(Path("d/a.csv"), nab.times, nab.values, labels)
    data = folds.Data([nab], [series])
    rows = strangers.judge(data, generalise.detector({"learn": "6h"}), [3.0, 99.0])
    assert ["other domain", *strangers.PERTURBED] == [row.name for row in rows]
    assert all(row.nab[0] > 50.0 and row.nab[1] == 0.0 for row in rows)
