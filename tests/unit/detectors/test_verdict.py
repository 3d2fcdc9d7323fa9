"""What is usual is worked out when it is asked for, and stays what it was at the sample."""

from __future__ import annotations

import dataclasses

import numpy as np

from prunella.detectors import baseline
from prunella.detectors._baseline import verdict

START, STEP, DAYS = 1_767_571_200, 900.0, 5
N = 4


def band() -> verdict.Band:
    """Any one."""
    return verdict.Band(np.zeros(N), np.zeros(N), np.zeros(N), np.zeros(N, np.intp))


def test_a_band_is_worked_out_once_and_only_when_it_is_asked_for() -> None:
    """It is the same one each time."""
    made: list[verdict.Band] = []

    def work_out() -> verdict.Band:
        made.append(band())
        return made[-1]

    later = verdict.Later(work_out)
    assert not made
    assert later.band() is later.band()
    assert len(made) == 1


def test_a_band_that_is_asked_for_after_more_samples_is_that_of_its_own() -> None:
    """What the detector learns meanwhile changes nothing of it."""
    count = DAYS * 96
    rng = np.random.default_rng(3)
    values = rng.normal(50.0, 1.0, (count, N)) + 10.0 * np.sin(np.arange(count) / 15.0)[:, None]
    values[rng.random(values.shape) < 0.02] += 30.0
    now, later = (baseline.Baseline(baseline.Params(), N) for _ in range(2))
    expected, ticks = [], []
    for i in range(count):
        expected.append(now.tick(START + i * STEP, values[i]).later.band())
        ticks.append(later.tick(START + i * STEP, values[i]))
    for at_once, tick in zip(expected, ticks, strict=True):
        for field in dataclasses.fields(verdict.Band):
            mine, others = getattr(at_once, field.name), getattr(tick, field.name)
            np.testing.assert_array_equal(mine, others, err_msg=field.name)
