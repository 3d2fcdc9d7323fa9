"""Prometheus's own PromQL tests: nothing crashes, and what is not refused is answered alike."""

from __future__ import annotations

import collections
import re

import pytest

from prunella.promql import arithmetic, evaluator
from tests.unit.promql import promql_suite
from tests.unit.promql.promql_suite import Verdict

LEAST_RIGHT = 950
"""Of Prometheus 0.312: a runner that reads nothing would find nothing wrong."""


@pytest.fixture(scope="module")
def played() -> list[tuple[promql_suite.Case, Verdict, str]]:
    """All cases with what came of them; skipped where the lab's Prometheus is not built."""
    folder = promql_suite.folder()
    if folder is None:
        pytest.skip("the module of Prometheus is not here: it comes with the lab (make lab)")
    files = [p for p in sorted(folder.glob("*.test")) if p.name not in promql_suite.EXPERIMENTAL]
    return [(case, *promql_suite.play(case)) for path in files for case in promql_suite.read(path)]


def test_what_is_not_refused_is_right(
    played: list[tuple[promql_suite.Case, Verdict, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Given Prometheus's own cases, then each is answered as there, or refused; none crashes."""
    counts = collections.Counter(str(verdict) for _, verdict, _ in played)
    with capsys.disabled():
        print(f"\nPrometheus's own PromQL tests: {dict(counts)}")  # noqa: T201 - for people
    wrong = [
        f"{case.place}: {case.query}: {why}"
        for case, verdict, why in played
        if verdict is Verdict.WRONG
    ]

    assert [] == wrong
    assert counts[Verdict.RIGHT] >= LEAST_RIGHT


def test_what_is_refused_is_listed(played: list[tuple[promql_suite.Case, Verdict, str]]) -> None:
    """Given a function that is refused, then the evaluator's docstring names it."""
    told = [re.search(r"(\w+)\(\) is not supported$", why) for _, _, why in played]
    refused = {found[1] for found in told if found is not None}
    listed = set(re.findall(r"``(\w+)``", evaluator.__doc__ or ""))

    assert len(refused) > 20
    assert refused - listed == set()


MEANS = {
    "a sum beyond the largest float": ([1e308, 1e308, 1e308], 1e308),
    "sums that cancel beyond it": ([-1e308, -1e308, 1e308, 1e308], 0.0),
    "small beside large": ([1e100, 1.0, -1e100], 1 / 3),
    "one": ([3.0], 3.0),
    "equal": ([0.1] * 10, 0.1),
}


@pytest.mark.parametrize(("values", "expected"), MEANS.values(), ids=MEANS)
def test_means_are_finite_and_exact(values: list[float], expected: float) -> None:
    """Given finite values of any size, then their mean is what Prometheus says."""
    assert arithmetic.mean(values) == pytest.approx(expected, rel=1e-12)
