"""Events on labelled series: files read, scores written beside the rows, events counted."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import events, events_score, side_by_side

HOURS = 24 * 14
BAD = range(250, 256)


def write(path: Path, *, quoted: bool = False) -> None:
    """Two weeks of an hour apart with an anomaly, one sample missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(5).normal(10.0, 1.0, HOURS)
    values[BAD] += 60.0
    begin = np.datetime64("2018-03-05T00:00:00")
    lines = ["TimeStamp,Value,Label"]
    for hour, value in enumerate(values):
        stamp = str(begin + np.timedelta64(hour * 3600))
        stamp = f'"{stamp}Z"' if quoted else stamp.replace("T", " ")
        text = "" if hour == 100 else f"{value:.3f}"
        lines.append(f"{stamp},{text},{int(hour in BAD)}")
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("quoted", [False, True], ids=["plain stamps", "quoted stamps in UTC"])
def test_a_series_is_read_as_it_stands(tmp_path: Path, *, quoted: bool) -> None:
    """Times are Unix seconds in UTC, a missing value is a gap, labels are rows."""
    write(tmp_path / "a.csv", quoted=quoted)
    series = events_score.read(tmp_path / "a.csv")
    assert (1_520_208_000.0, 3600.0) == (series.times[0], series.times[1] - series.times[0])
    assert np.isnan(series.values).nonzero()[0].tolist() == [100]
    assert series.labels.nonzero()[0].tolist() == list(BAD)


def test_a_file_without_labels_is_refused_by_name(tmp_path: Path) -> None:
    """The message says which file and which columns."""
    (tmp_path / "a.csv").write_text("TimeStamp,Value\n2018-03-05T00:00:00,1\n")
    with pytest.raises(ValueError, match=r"a\.csv has no rows with the columns Label"):
        events_score.read(tmp_path / "a.csv")


def test_the_written_files_have_a_score_beside_each_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The anomaly is found at the shipped trigger, and all of the source's columns stay."""
    write(tmp_path / "data" / "domain" / "a.csv")
    out = tmp_path / "out"
    monkeypatch.setattr(
        sys, "argv", ["events", "--data", str(tmp_path / "data"), "--out", str(out)]
    )
    events.main()
    rows = list(csv.DictReader((out / "domain" / "a.csv").open()))
    assert [HOURS, ["TimeStamp", "Value", "Label", "score"]] == [len(rows), list(rows[0])]
    assert max(float(row["score"]) for row in rows if row["Label"] == "1") >= 3.0
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert ["all", "1.000", "1.000", "1.000", "1/1", "0.000"] == last


def labelled(*marked: int) -> events_score.Labelled:
    """100 rows an hour apart; the first 15 teach."""
    labels = np.zeros(100, np.bool_)
    labels[list(marked)] = True
    return events_score.Labelled(Path("a.csv"), np.arange(100) * 3600.0, np.zeros(100), labels)


COUNTS = {
    "a row in the event": ([50], [51], (1, 1, 0)),
    "two rows before it": ([50], [48], (1, 1, 0)),
    "three rows before it": ([50], [47], (0, 1, 1)),
    "two rows after it": ([50], [52], (1, 1, 0)),
    "labelled rows 3 apart are one event": ([50, 53], [50], (1, 1, 0)),
    "labelled rows 4 apart are two": ([50, 54], [57], (0, 2, 1)),
    "5 false rows are one run": ([50], range(70, 75), (0, 1, 1)),
    "6 false rows are two": ([50], range(70, 76), (0, 1, 2)),
    "an event that was taught is not judged": ([10, 50], [10], (0, 1, 0)),
    "nothing": ([50], [], (0, 1, 0)),
}


@pytest.mark.parametrize(("marked", "over", "expected"), COUNTS.values(), ids=COUNTS)
def test_events_and_false_runs(
    marked: list[int], over: list[int], expected: tuple[int, int, int]
) -> None:
    """A row finds the event that it is in or near; what is near none is false."""
    scores = np.zeros(100)
    scores[list(over)] = 3.0
    got = events_score.count(labelled(*marked), scores, 3.0)
    assert expected == (got.found, got.events, got.false)


def test_a_worked_example() -> None:
    """Two of three events and one false run: recall 2/3, precision 2/3, F1 2/3."""
    scores = np.zeros(100)
    scores[[30, 50, 90]] = 4.0
    got = events_score.count(labelled(30, 50, 70), scores, 3.0)
    assert [2 / 3] * 3 == pytest.approx([got.recall, got.precision, got.f1])
    # 84 hours are judged, from row 15 to row 99.
    assert got.false_per_week == pytest.approx(2.0)


EPISODES = {
    "long enough": ([2, 3], [(2, 3)]),
    "one row, until the next": ([2], []),
    "up to the end": ([7, 8, 9], [(7, 9)]),
    "two of them": ([0, 1, 5, 6], [(0, 1), (5, 6)]),
    "none": ([], []),
}


@pytest.mark.parametrize(("rows", "expected"), EPISODES.values(), ids=EPISODES)
def test_episodes_last_for_a_while(rows: list[int], expected: list[tuple[int, int]]) -> None:
    """Rows 5 minutes apart, `for: 10m`: an episode lasts until the first Healthy row."""
    unhealthy = np.zeros(10, np.bool_)
    unhealthy[rows] = True
    assert expected == side_by_side.episodes(np.arange(10) * 300.0, unhealthy, 600.0)
