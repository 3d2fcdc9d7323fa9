"""The PetShop benchmark: reads the set's files, ranks without the answers, scores like the set."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import petshop

NODES = ("Site", "Search", "Table")
GRAPH = [["", *NODES], ["Site", 0, 1, 0], ["Search", 0, 0, 1], ["Table", 0, 0, 0]]


def write_metrics(path: Path, latency: np.ndarray) -> None:
    """A table of three nodes: latency as given (rows x nodes), 50 requests, all available."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metrics = (("latency", "Average"), ("requests", "Sum"), ("availability", "Average"))
    columns = [(node, *metric) for metric in metrics for node in NODES]
    rest = np.full(latency.shape, 50.0), np.full(latency.shape, 100.0)
    rows = np.hstack([latency, *rest])
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        for i, name in enumerate(("microservice", "metric", "statistic")):
            writer.writerow([name, *(column[i] for column in columns)])
        writer.writerow(["unix_timestamp", *([""] * len(columns))])
        for i, values in enumerate(rows):
            writer.writerow([1000 + 300 * i, *("" if np.isnan(x) else x for x in values)])


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """100 usual rows and one case: the table is slow, and all that depend on it."""
    rng = np.random.default_rng(1)
    usual = np.array([0.3, 0.2, 0.1]) * (1 + 0.05 * rng.standard_normal((100, 3)))
    write_metrics(tmp_path / "noissue" / "metrics.csv", usual)
    case = tmp_path / "test" / "issue_0"
    sick = usual[:5].copy()
    sick[2:] += 0.5
    sick[0, 1] = np.nan
    write_metrics(case / "metrics.csv", sick)
    target = {"node": "Site", "metric": "latency", "agg": "Average", "timestamp": 1600}
    (case / "target.json").write_text(
        json.dumps({"target": target, "root_cause": {"node": "Table", "metric": None}})
    )
    with (tmp_path / "graph.csv").open("w", newline="") as file:
        csv.writer(file).writerows(GRAPH)
    return tmp_path


def test_the_cause_is_ranked_first_and_quiet_windows_are_empty(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rankings are written, the figures printed."""
    out = scenario / "out.jsonl"
    monkeypatch.setattr(sys, "argv", ["petshop", "--data", str(scenario), "--out", str(out)])
    petshop.main()
    (line,) = map(json.loads, out.read_text().splitlines())
    assert ("test/issue_0", "Table") == (line["case"], line["ranking"][0])
    printed = capsys.readouterr().out
    assert "all       1 cases  top-1 1.000  top-3 1.000" in printed
    assert "windows without an issue: 1.000 empty answers" in printed


def test_availability_is_read_as_an_error_share(scenario: Path) -> None:
    """100 % available is no error; percentiles are left out, gaps are NaN."""
    times, table = petshop.read_table(scenario / "test" / "issue_0" / "metrics.csv")
    assert [1000, 1300, 1600, 1900, 2200] == times.tolist()
    assert [0.0] * 5 == table["Site", "availability"].tolist()
    assert np.isnan(table["Search", "latency"][0])


def test_the_complaining_node_is_no_answer(scenario: Path) -> None:
    """It is left out before places are counted; what is not named is far away."""
    rankings = {"test/issue_0": ["Site", "Search", "Table"]}
    assert {"test/issue_0": 1} == petshop.places(scenario, rankings)
    assert petshop.places(scenario, {"test/issue_0": []})["test/issue_0"] > 3
