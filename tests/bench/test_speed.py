"""The speed benchmark: what it feeds, what it asks and how it reports."""

from __future__ import annotations

import pathlib
from types import SimpleNamespace

import numpy as np
import promql_parser
import pytest

from bench import operator_process, prometheus_chain, speed
from lab import binaries


@pytest.mark.parametrize("expression", prometheus_chain.CHAIN.values(), ids=prometheus_chain.CHAIN)
def test_each_expression_of_the_chain_is_promql_over_the_samples(expression: str) -> None:
    """A misspelt one would be answered with an error, at no cost."""
    assert promql_parser.parse(f"count({expression})")
    assert prometheus_chain.METRIC in expression


def test_samples_are_written_series_by_series(tmp_path: pathlib.Path) -> None:
    """OpenMetrics wants the samples of a series together, in order, and an end."""
    path = tmp_path / "samples.txt"
    times, values = np.array([300, 600]), np.array([[1.0, 3.0], [2.0, 4.0]])
    prometheus_chain.write_openmetrics(path, times, values)
    assert [
        "# TYPE app_load gauge",
        'app_load{series="0000"} 1.00 300',
        'app_load{series="0000"} 2.00 600',
        'app_load{series="0001"} 3.00 300',
        'app_load{series="0001"} 4.00 600',
        "# EOF",
    ] == path.read_text().splitlines()


def test_the_cost_of_the_chain_is_a_mean_over_the_moments_without_the_first_answer() -> None:
    """What is read for the first time is not charged."""
    asked: list[float] = []

    def count(_: str, at: float) -> int:
        asked.append(at)
        return 1

    def cpu_seconds() -> float:
        # The first answer of each expression costs 5 s, each later one 1 s.
        answers = len(asked)
        return answers + 4.0 * -(-answers // 3)

    server = SimpleNamespace(count=count, cpu_seconds=cpu_seconds)
    parts = prometheus_chain.seconds_per_chain(server, [1.0, 2.0])  # type: ignore[arg-type]
    assert dict.fromkeys(prometheus_chain.CHAIN, 1.0) == parts
    assert [1.0, 1.0, 2.0] == asked[:3]


@pytest.mark.parametrize(
    ("ratio", "word"), [(30.0, "goal"), (25.0, "goal"), (12.0, "floor"), (9.0, "neither")]
)
def test_the_verdict_names_what_was_reached(ratio: float, word: str) -> None:
    """The goal, the floor, or neither of them."""
    assert f"{word} reached" in speed.verdict(ratio)


def test_the_table_compares_ticks_with_the_reference() -> None:
    """Ratios are those of ticks; without a history there is a dash."""
    reference = speed.Speed("reference", 1000.0)
    lines = speed.table([speed.Speed("fast", 25_000.0, 2e6), reference], reference).splitlines()
    assert ["fast", "25,000", "2,000,000", "25"] == lines[1].split()
    assert ["reference", "1,000", "-", "1"] == lines[2].split()


def test_samples_have_a_daily_season_and_the_length_of_history_and_ticks() -> None:
    """Two weeks to learn and a day to tick through."""
    values = speed.samples(4)
    assert (15 * 288, 4) == values.shape
    across_days = np.corrcoef(values[: 7 * 288, 0], values[288 : 8 * 288, 0])[0, 1]
    assert across_days > 0.8


def test_what_is_not_installed_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given neither river nor statsmodels, then nothing is compared and one line tells of each."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    assert [] == list(speed.others(np.zeros((1, 1))))
    said = capsys.readouterr().err.splitlines()
    assert ["river", "statsmodels"] == [line.split()[2] for line in said]
    assert all(line.endswith("Run: make bench-tools") for line in said)


def test_a_lab_that_cannot_be_built_ends_a_benchmark_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given no Go, then the line that says what to install is all that is shown."""

    def fail(_say: object) -> None:
        raise binaries.LabError("install Go")

    monkeypatch.setattr(binaries, "build_all", fail)
    with pytest.raises(SystemExit, match="install Go"):
        operator_process.build_lab()
