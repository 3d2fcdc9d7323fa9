"""A real Prometheus and the simulated source tell the same history."""

from __future__ import annotations

import math

import numpy as np
import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import history
from tests.contract import metric_worlds

Doubt = reasons.Doubt
NAN = math.nan


def rows(answer: history.Answer) -> dict[frozenset[tuple[str, str]], list[float]]:
    """Values over time by labels."""
    assert isinstance(answer, history.Matrix), answer
    assert answer.values.shape == (len(answer.labels), len(answer.times))
    keys = [frozenset(labels.items()) for labels in answer.labels]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, answer.values.tolist(), strict=True))


def by(answer: history.Answer, label: str) -> dict[str, list[float]]:
    """Values over time by one label."""
    return {dict(key).get(label, ""): values for key, values in rows(answer).items()}


MATRICES = {
    "counter": ('requests_total{code="500"}', "code", {"500": [120, 180, 240]}),
    "rate": (
        "sum by (deployment) (rate(requests_total[5m]))",
        "deployment",
        {"cart": [1.2, 1.2, 1.2], "mail": [1, 1, 1]},
    ),
    "offset": ("requests_total{code='500'} offset 5m", "code", {"500": [60, 120, 180]}),
    "parentheses": ("((requests_total{code='500'}))", "code", {"500": [120, 180, 240]}),
    "begins": ("young", "pod", {"cart-3": [NAN, NAN, 1]}),
    "ends, seen for five minutes": ("long_gone", "pod", {"cart-1": [1, 1, NAN]}),
    "scalar": ("scalar(named) + 1", "", {"": [3, 3, 3]}),
    "time": ("vector(time() - time())", "", {"": [0, 0, 0]}),
    "by pattern": ("{__name__=~'memory.*',pod='cart-1'}", "pod", {"cart-1": [5, 5, 5]}),
    "filter": ("requests_total{code='500'} > 150", "code", {"500": [NAN, 180, 240]}),
    "NaN and infinity": (
        "odd",
        "kind",
        {"nan": [NAN] * 3, "inf": [math.inf] * 3, "minus": [-math.inf] * 3},
    ),
    "not there": ("nothing", "", {}),
    "foreign": ("requests_total{namespace='bank'}", "", {}),
    "forged": ("label_replace(named, 'namespace', 'bank', '', '')", "", {}),
}


@pytest.mark.parametrize(("query", "label", "expected"), MATRICES.values(), ids=MATRICES)
async def test_history(
    world: metric_worlds.World, query: str, label: str, expected: dict[str, list[float]]
) -> None:
    """Ten, five and no minutes ago: values where there are some, NaN elsewhere."""
    answer = await world.ask_history(query, 600, 300)

    found = by(answer, label)
    assert expected.keys() == found.keys()
    for key, values in expected.items():
        assert pytest.approx(values, nan_ok=True) == found[key]


async def test_history_has_its_grid(world: metric_worlds.World) -> None:
    """The times are those that were asked for, whatever was found."""
    now = metric_worlds.NOW.timestamp()

    for query in ("memory_bytes", "nothing"):
        answer = await world.ask_history(query, 90, 30)
        assert isinstance(answer, history.Matrix)
        assert [now - 90, now - 60, now - 30, now] == answer.times.tolist()


SAME = {
    "every second": (1200, 1),
    "fractions of a second": (200, 0.125),
    "off the beat of the samples": (1190, 7),
    "steps longer than the lookback": (1200, 400),
    "before the first sample": (30_000, 100),
}
QUERIES = (
    '{__name__=~".+"}',
    "requests_total offset 90s",
    "sum by (code) (rate(requests_total[2m]))",
    "max_over_time(memory_bytes[1m])",
    "count(young or long_gone or slow)",
)


@pytest.mark.parametrize(("seconds", "step"), SAME.values(), ids=SAME)
@pytest.mark.parametrize("query", QUERIES)
async def test_same_history(
    prometheus: metric_worlds.World,
    simulated: metric_worlds.World,
    query: str,
    seconds: float,
    step: float,
) -> None:
    """The same series with the same values at the same times, in pieces or not."""
    expected = await prometheus.ask_history(query, seconds, step)
    actual = await simulated.ask_history(query, seconds, step)

    assert isinstance(expected, history.Matrix)
    assert isinstance(actual, history.Matrix)
    np.testing.assert_array_equal(expected.times, actual.times)
    assert rows(expected)
    assert rows(expected).keys() == rows(actual).keys()
    for key, values in rows(expected).items():
        assert pytest.approx(values, rel=1e-9, nan_ok=True) == rows(actual)[key]


FAILURES = {
    "refused": ("named * on (x) group_left (y) requests_total", "default", Doubt.QUERY_REJECTED),
    "too many series": ("odd", "small", Doubt.TOO_MANY_SERIES),
    "closed source": ("odd", "closed", Doubt.FORBIDDEN_SOURCE),
    "unknown source": ("odd", "thanos", Doubt.UNKNOWN_SOURCE),
}


@pytest.mark.parametrize(("query", "source", "reason"), FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("step", [30, 1], ids=["short", "long"])
async def test_no_history(
    world: metric_worlds.World, query: str, source: str, reason: reasons.Doubt, step: float
) -> None:
    """No answer has the same reason on both."""
    answer = await world.ask_history(query, 600, step, source)

    assert isinstance(answer, model.Failure), answer
    assert reason == answer.reason
    assert answer.message


async def test_history_of_nobody(world: metric_worlds.World) -> None:
    """A source that is down is a Failure, and a step of nothing too."""
    down = metric_worlds.World(world.unreachable, world.unreachable)
    for found, step, reason in ((down, 30, Doubt.UNREACHABLE), (world, 0, Doubt.QUERY_REJECTED)):
        answer = await found.ask_history("up", 600, step)

        assert isinstance(answer, model.Failure)
        assert reason == answer.reason
