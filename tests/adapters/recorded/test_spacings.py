"""How far apart samples are, whatever is missing between them."""

from __future__ import annotations

import numpy as np
import pytest

from prunella.adapters.recorded import spacings

HOUR = 3_600_000


def _every(seconds: float, count: int, start: int = 0) -> list[int]:
    return [start + round(1000 * seconds * number) for number in range(count)]


TIMES = {
    "every 5 s": (_every(5, 100), 5.0),
    "every 15 s": (_every(15, 100), 15.0),
    "every hour": (_every(3600, 100), 3600.0),
    "a gap of a day": ([*_every(60, 100), *_every(60, 100, 24 * HOUR)], 60.0),
    "one in ten is lost": ([each for each in _every(60, 1000) if each % 600_000], 60.0),
    "a fifth of the time more seldom": (
        [*_every(15, 960), *_every(300, 12, 4 * HOUR)],
        15.0,
    ),
    "half of the time more seldom": ([*_every(15, 960), *_every(300, 48, 4 * HOUR)], 300.0),
    "the same time twice": ([0, 0, 1000, 1000, 2000], 1.0),
    "one sample": ([0], None),
    "none": ([], None),
    "once a day": (_every(86_400, 10), None),
}


@pytest.mark.parametrize(("times", "expected"), TIMES.values(), ids=TIMES)
def test_the_usual_spacing(times: list[int], expected: float | None) -> None:
    """Given samples, then three quarters of the time keep to their spacing."""
    assert expected == spacings.usual(np.array(times, np.int64))


LOOKBACKS = {
    "as Prometheus": (_every(15, 100), 300_000),
    "samples of 2 minutes": (_every(120, 100), 300_000),
    "samples of 5 minutes": (_every(300, 100), 750_000),
    "samples of an hour": (_every(3600, 100), 9_000_000),
    "not known": ([0], 300_000),
}


@pytest.mark.parametrize(("times", "expected"), LOOKBACKS.values(), ids=LOOKBACKS)
def test_a_sample_stands_until_the_next(times: list[int], expected: int) -> None:
    """Given samples far apart, then each is the newest one until two have been missed."""
    assert expected == spacings.lookback(np.array(times, np.int64))
