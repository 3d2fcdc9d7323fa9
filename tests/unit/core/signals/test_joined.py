"""Many series of pods become one of their owner."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from prunella.api import reasons
from prunella.core.signals import compiled, history, joined, learning
from tests.unit.core import builders, fixtures

NAN = np.nan
CHECKOUT = builders.ref("checkout")
OWNERS = {"checkout-a": CHECKOUT, "checkout-b": CHECKOUT, "checkout-c": CHECKOUT}
HIGH, LOW, BOTH = learning.Bad.HIGH, learning.Bad.LOW, learning.Bad.BOTH


def signal(pods: str = "Any", **fields: Any) -> compiled.Signal:
    """A signal that looks back."""
    spec = {"prometheus": {"query": "load"}, "drift": {}, "pods": pods, **fields}
    return fixtures.signal(**spec)


def matrix(*rows: tuple[dict[str, str], list[float]]) -> history.Matrix:
    """Series by labels, a point each minute."""
    values = np.array([row for _, row in rows], dtype=float)
    return history.Matrix(
        np.arange(values.shape[1]) * 60.0, tuple(labels for labels, _ in rows), values
    )


def pod(name: str, *values: float) -> tuple[dict[str, str], list[float]]:
    """A series of a pod of checkout."""
    return {"pod": f"checkout-{name}"}, list(values)


def whole(*values: float) -> tuple[dict[str, str], list[float]]:
    """A series of checkout as a whole."""
    return {"deployment": "checkout"}, list(values)


THREE = (pod("a", 1, 5, NAN), pod("b", 2, 4, 8), pod("c", 3, NAN, 9))
ROWS = {
    "any, high is bad": ("Any", HIGH, THREE, [3, 5, 9], "checkout-c"),
    "any, low is bad": ("Any", LOW, THREE, [1, 4, 8], "checkout-b"),
    "all, high is bad": ("All", HIGH, THREE, [1, 4, 8], "checkout-b"),
    "half of them, rounded up": ("50%", HIGH, THREE, [2, 5, 9], "checkout-c"),
    "the middle one": ("Any", BOTH, THREE, [2, 4, 8], "checkout-b"),
    "pods that follow each other": (
        "Any",
        HIGH,
        (pod("a", 1, NAN), pod("b", NAN, 2)),
        [1, 2],
        "checkout-b",
    ),
    "a whole workload": ("Any", HIGH, (whole(1, 2),), [1, 2], ""),
    "infinity is no value of a pod": (
        "Any",
        HIGH,
        (pod("a", 1), pod("b", np.inf)),
        [1],
        "checkout-a",
    ),
    "nothing at a point": ("Any", HIGH, (pod("a", 1, NAN), pod("b", 1, NAN)), [1, NAN], ""),
}


@pytest.mark.parametrize(("rule", "bad", "rows", "expected", "name"), ROWS.values(), ids=ROWS)
def test_pods_are_joined_point_by_point(
    rule: str, bad: learning.Bad, rows: Any, expected: list[float], name: str
) -> None:
    """The rule says which pod speaks for its owner."""
    found = joined.join(signal(rule), matrix(*rows), [CHECKOUT], OWNERS, bad)
    row = found.rows[CHECKOUT]
    np.testing.assert_array_equal(expected, row.values)
    assert (name, False) == (row.pod, row.doubled)


DOUBLED = {
    "the same workload twice": (
        (whole(1, 2), ({"deployment": "checkout", "a": "b"}, [3, 4])),
        True,
    ),
    "twice, but not at the end": (
        (whole(1, NAN), ({"deployment": "checkout", "a": "b"}, [3, 4])),
        False,
    ),
    "the workload and a pod of it": ((whole(1, 2), pod("a", 1, 2)), True),
    "the workload, and a pod of the past": ((whole(1, 2), pod("a", 1, NAN)), False),
}


@pytest.mark.parametrize(("rows", "expected"), DOUBLED.values(), ids=DOUBLED)
def test_two_series_of_the_same_object_are_not_believed(rows: Any, expected: bool) -> None:
    """Nobody knows which of them is true."""
    found = joined.join(signal(), matrix(*rows), [CHECKOUT], OWNERS, HIGH)
    assert expected == found.rows[CHECKOUT].doubled


def test_series_that_name_nobody_make_the_answer_unbelievable() -> None:
    """They could be about anything."""
    found = joined.join(signal(), matrix(({"job": "x"}, [1])), [CHECKOUT], OWNERS, HIGH)
    assert found.failure is not None
    assert reasons.Doubt.NO_MAPPING_LABELS == found.failure.reason


def test_a_ratio_is_one_row() -> None:
    """Bad over total; none where nobody counted bad ones, nothing where too few were counted."""
    of = signal(prometheus=None, ratio={"bad": "b", "total": "t", "minimum": 20})
    answers = {
        compiled.BAD: matrix(pod("a", NAN, 10, 10, 1)),
        compiled.TOTAL: matrix(pod("a", 100, 100, NAN, 5)),
    }
    lesson = joined.lesson(of, answers, [CHECKOUT], OWNERS, HIGH)
    assert isinstance(lesson, learning.Lesson)
    row = lesson.rows[compiled.VALUE][CHECKOUT]
    np.testing.assert_array_equal([0.0, 0.1, NAN, NAN], row.values)
    assert row.counted == 5.0


def test_a_series_without_labels_is_for_all() -> None:
    """As the traffic of the whole shop, or one limit for every target."""
    answers = {
        compiled.VALUE: matrix(whole(1, 2)),
        compiled.GIVEN: matrix(({}, [7.0, 8.0])),
    }
    lesson = joined.lesson(signal(), answers, [CHECKOUT], OWNERS, HIGH)
    assert isinstance(lesson, learning.Lesson)
    np.testing.assert_array_equal([7.0, 8.0], lesson.common[compiled.GIVEN])
    assert {compiled.VALUE} == lesson.rows.keys()


def stable(name: str, *values: float) -> tuple[dict[str, str], list[float]]:
    """A series of a pod beside those of checkout."""
    return {"pod": f"stable-{name}"}, list(values)


BESIDE = {
    "pods of another workload are one series for all": (
        (stable("a", 1, 1, NAN), stable("b", 9, 2, 4), stable("c", 3, NAN, 6)),
        "common",
        [3, 1.5, 5],
    ),
    "the target's own pods: the middle one": (THREE, "rows", [2, 4, 8]),
    "another workload as a whole is not for us": ((({"deployment": "x"}, [1]),), "", []),
}


@pytest.mark.parametrize(("rows", "place", "expected"), BESIDE.values(), ids=BESIDE)
def test_what_is_compared_with_is_no_single_pod(
    rows: Any, place: str, expected: list[float]
) -> None:
    """One stable pod that restarts must not speak for all of them."""
    answers = {compiled.VALUE: matrix(whole(1, 2, 3)), compiled.AGAINST: matrix(*rows)}
    lesson = joined.lesson(signal(), answers, [CHECKOUT], OWNERS, HIGH)
    assert isinstance(lesson, learning.Lesson)
    found = (
        {
            "common": lesson.common.get(compiled.AGAINST),
            "rows": getattr(lesson.rows[compiled.AGAINST].get(CHECKOUT), "values", None),
        }
        if compiled.AGAINST in lesson.rows
        else {}
    )
    seen = {where: values.tolist() for where, values in found.items() if values is not None}
    assert ({place: expected} if place else {}) == seen


def test_an_empty_answer_has_no_rows() -> None:
    """No series, no targets."""
    empty = history.Matrix(np.arange(3.0), (), np.zeros((0, 3)))
    assert joined.Joined({}) == joined.join(signal(), empty, [CHECKOUT], OWNERS, HIGH)
