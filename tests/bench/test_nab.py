"""The NAB benchmark: one pass without look-ahead, files in NAB's format, NAB's own scoring."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import nab, nab_score
from prunella.detectors import baseline

STEP = 300
ROWS = 1000
WINDOW = (700, 799)


def stamp(row: int) -> str:
    """The timestamp of a row, as NAB writes it."""
    return str(np.datetime64("2026-01-05T00:00:00") + np.timedelta64(row * STEP)).replace("T", " ")


def series(seed: int, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a spike inside the window."""
    values = np.random.default_rng(seed).normal(10.0, 1.0, rows)
    if rows > 720:
        values[720] = 100.0
    return 1_767_571_200 + np.arange(rows) * float(STEP), values


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """One data file with one labelled window, in NAB's layout."""
    (tmp_path / "data" / "folder").mkdir(parents=True)
    (tmp_path / "labels").mkdir()
    lines = [f"{stamp(row)},{value}" for row, value in enumerate(series(1)[1])]
    (tmp_path / "data" / "folder" / "a.csv").write_text("timestamp,value\n" + "\n".join(lines))
    windows = {"folder/a.csv": [[stamp(row) + ".000000" for row in WINDOW]], "not/here.csv": []}
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps(windows))
    return tmp_path


def test_a_prefix_of_60_percent_gives_the_same_scores() -> None:
    """The files are judged in one pass, and the length of others does not matter."""
    whole = nab.onsets([series(1), series(2, 900)], baseline.Params())
    cut = [tuple(part[: round(len(part) * 0.6)] for part in each) for each in (series(1),)]
    prefix = nab.onsets(cut, baseline.Params())
    np.testing.assert_allclose(whole[0][: len(prefix[0])], prefix[0], rtol=1e-9)


def test_the_written_files_score_in_full(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A spike in its window is found at the shipped trigger; the table says so."""
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["nab", "--data", str(corpus), "--out", str(out)])
    nab.main()
    header, first = (out / "folder" / "a.csv").read_text().splitlines()[:2]
    assert header == "timestamp,value,anomaly_score"
    assert first.startswith("2026-01-05 00:00:00,")
    figures = nab_score.report(nab_score.load(corpus, out), 3.0)
    assert figures["at_standard_threshold"]["windows_found"] == 1
    assert "at the shipped trigger" in capsys.readouterr().out


def scored(scores: np.ndarray) -> list[nab_score.Scored]:
    """Scores of one file with the one window."""
    times, _ = series(1)
    return [nab_score.label("a", scores, times, [[stamp(row) for row in WINDOW]], 1.0)]


SCORES = {
    "the window's first row": ([700], 100.0),
    "nothing": ([], 0.0),
    "a row far from the window": ([400], -5.5),
    "a row of the probation": ([10], 0.0),
    "the first row and a false one": ([400, 700], 94.5),
}


@pytest.mark.parametrize(("rows", "expected"), SCORES.values(), ids=SCORES)
def test_rows_are_worth_what_nab_says(rows: list[int], expected: float) -> None:
    """100 for a window found at once, 0 for silence, 0.11 of a window per false row."""
    scores = np.zeros(ROWS)
    scores[rows] = 1.0
    assert nab_score.score(scored(scores), "standard", 0.5)[0] == pytest.approx(expected)


def test_the_best_threshold_leaves_out_what_costs() -> None:
    """It lies between the false alarm and the detection."""
    scores = np.zeros(ROWS)
    scores[[400, 700]] = 0.4, 0.9
    assert nab_score.best_threshold(scored(scores), "standard") == 0.9
    runs = nab_score.count(scored(scores), 0.3)
    assert (
        runs["windows_found"],
        runs["false_alarm_runs"],
        runs["false_alarm_runs_per_series_week"],
    ) == (1, 1, 1.0)
