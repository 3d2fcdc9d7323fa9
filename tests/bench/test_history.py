"""The benchmark of histories measures what it says: the same bytes, the same values, verdicts."""

from __future__ import annotations

import time

import numpy as np
import orjson
import pytest

from bench import history


def test_the_same_values() -> None:
    """Both ways read the same numbers from the same bytes, at the points asked for."""
    text = history.body(3, 50)

    values = history.read(text, 50, 3).values

    assert values.shape == (3, 50)
    np.testing.assert_array_equal(history.bare(text), values)


def test_threshold() -> None:
    """Each sample has its verdict."""
    text = history.body(5, 300)
    over = int((history.bare(text) > history.LIMIT).sum())

    assert over == history.Threshold(300, 5).judge(text)
    assert over > 0


def test_baseline() -> None:
    """What is far from usual is found, once there was enough to learn from."""
    text = history.body(5, 1000)
    strange = orjson.loads(text)
    for sample in strange["data"]["result"][2]["values"][-3:]:
        sample[1] = "99"

    usual = history.with_baseline(text, 1000, 5)
    found = history.with_baseline(orjson.dumps(strange), 1000, 5)

    assert usual < 0.01 * 5 * 1000
    assert usual < found


def test_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best of the runs counts, each way in turn."""
    calls: list[str] = []
    moments = iter([0.0, 3.0, 3.0, 5.0, 5.0, 6.0, 6.0, 10.0])
    monkeypatch.setattr(time, "process_time", lambda: next(moments))
    ways = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}

    assert {"a": 1.0, "b": 2.0} == history.measure(ways, 2)
    assert calls == ["a", "b", "a", "b"]
