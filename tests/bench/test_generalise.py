"""Cross-validation by domain: what is left out has no say in what is chosen."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import folds, generalise, side_by_side
from prunella.detectors import baseline

THRESHOLDS = np.array([1.0, 2.0, 3.0, 4.0])
FOLDERS = ["nab/a", "nab/b", "nab/c", "events/d", "events/e"]


def table(gain: dict[str, list[float]], found: dict[str, list[float]]) -> folds.Table:
    """A series per folder, each with one label in one week; nothing false."""
    zero, rows = np.zeros(4), len(FOLDERS)
    return folds.Table(
        np.array(FOLDERS),
        np.array([folder.startswith("nab") for folder in FOLDERS]),
        np.ones(rows),
        np.ones(rows),
        np.array([gain.get(folder, zero) for folder in FOLDERS], float),
        np.array([found.get(folder, zero) for folder in FOLDERS], float),
        np.zeros((rows, 4)),
        np.zeros((rows, 2)),
        THRESHOLDS,
        2,
    )


LIKES_LOW, LIKES_HIGH = [2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.9]
ONE_ODD = table(
    {"nab/a": LIKES_LOW, "nab/b": LIKES_HIGH, "nab/c": LIKES_HIGH},
    {"events/d": [0, 1, 0, 0], "events/e": [0, 1, 0, 0]},
)

CHOICES = {
    "in fold the odd one sways all": ("own", False, 0),
    "left out, the others choose for it": ("own", True, 3),
    "the other set chooses alone": ("other", True, 1),
}


@pytest.mark.parametrize(("way", "held_out", "expected"), CHOICES.values(), ids=CHOICES)
def test_the_threshold_of_the_odd_folder(way: str, *, held_out: bool, expected: int) -> None:
    """Folder a likes a low threshold, all others of its set a high one."""
    chosen = folds.choose({"shipped": ONE_ODD}, way, held_out=held_out)
    assert ("shipped", expected) == chosen["nab/a"]


def test_out_of_fold_is_the_sum_of_what_was_left_out() -> None:
    """A is scored at b's and c's choice: 0 of 2; they are scored at a's: 0 each."""
    chosen = folds.choose({"shipped": ONE_ODD}, "own", held_out=True)
    inside = folds.choose({"shipped": ONE_ODD}, "own", held_out=False)
    got = [folds.score({"shipped": ONE_ODD}, each).nab for each in (chosen, inside)]
    assert [0.0, 100 * 2 / 6] == pytest.approx(got)


def test_the_better_variant_is_chosen_for_each_folder() -> None:
    """A variant that is good on one folder alone is not chosen for that folder."""
    tables = {"shipped": table({"nab/b": LIKES_HIGH}, {}), "odd": table({"nab/a": LIKES_LOW}, {})}
    chosen = folds.choose(tables, "own", held_out=True)
    assert {"nab/a": "shipped", "nab/b": "odd", "nab/c": "odd"} == {
        folder: chosen[folder][0] for folder in FOLDERS[:3]
    }


def test_the_middle_of_equal_thresholds_is_taken() -> None:
    """The edge of a plateau is the least sure place."""
    flat = table({"nab/a": [1.0, 1.0, 1.0, 0.0]}, {})
    assert folds.choose({"shipped": flat}, "own", held_out=False)["nab/a"] == ("shipped", 1)


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    """Two NAB folders and two domains with a spike in each series."""
    rows, spike, begin = 1200, 900, np.datetime64("2026-01-05T00:00:00")
    stamps = [str(begin + np.timedelta64(row * 300)) for row in range(rows)]
    nab, events = tmp_path / "nab", tmp_path / "events"
    windows = {}
    for number, folder in enumerate(("one", "two")):
        values = np.random.default_rng(number).normal(10.0, 1.0, rows)
        values[spike : spike + 6] += 80.0
        (nab / "data" / folder).mkdir(parents=True)
        (events / folder).mkdir(parents=True)
        plain = [
            f"{stamp.replace('T', ' ')},{value}"
            for stamp, value in zip(stamps, values, strict=True)
        ]
        (nab / "data" / folder / "a.csv").write_text("timestamp,value\n" + "\n".join(plain))
        ends = [stamps[spike - 20], stamps[spike + 20]]
        windows[f"{folder}/a.csv"] = [[end.replace("T", " ") + ".000000" for end in ends]]
        marked = [f"{line},{int(spike <= row < spike + 6)}" for row, line in enumerate(plain)]
        (events / folder / "a.csv").write_text("TimeStamp,Value,Label\n" + "\n".join(marked))
    (nab / "labels").mkdir()
    (nab / "labels" / "combined_windows.json").write_text(json.dumps(windows))
    return nab, events


def test_one_command_prints_both_figures(
    sets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All spikes are found out of fold, by onsets and by episodes; each folder has its line."""
    nab, events = sets
    monkeypatch.setattr(sys, "argv", ["generalise", "--nab", str(nab), "--events", str(events)])
    generalise.main()
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if line.startswith("own, out of fold")).split()
    assert "1.000" == line[-2]
    assert float(line[-4]) > 70.0
    assert "NAB found 2 of 2 windows" in out
    assert "events found 2 of 2" in out
    assert all(f"\n{kind}/{name} " in out for kind in ("nab", "events") for name in ("one", "two"))


def test_an_unknown_part_is_refused_with_the_known_ones(
    sets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names what was asked for."""
    nab, events = sets
    arguments = ["--nab", str(nab), "--events", str(events), "--without", "moon"]
    monkeypatch.setattr(sys, "argv", ["generalise", *arguments])
    with pytest.raises(SystemExit):
        generalise.main()
    assert "no part moon" in capsys.readouterr().err


def test_what_a_part_is_worth_is_printed_for_each(
    sets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its only part a detector finds nothing; the line beside the whole says so."""
    real = baseline.Baseline

    def make(params: baseline.Params, n: int, without: tuple[str, ...] = ()) -> baseline.Baseline:
        fields = {"trigger": 9.0, "learn": "2w"} if without else {}
        return real(params.model_copy(update=dict(baseline.Params(**fields))), n)

    monkeypatch.setattr(baseline, "PARTS", ("all of it",), raising=False)
    monkeypatch.setattr(baseline, "Baseline", make)
    nab, events = sets
    arguments = ["--nab", str(nab), "--events", str(events), "--without", "all"]
    monkeypatch.setattr(sys, "argv", ["generalise", *arguments])
    generalise.main()
    lines = capsys.readouterr().out.splitlines()
    whole = next(line for line in lines if line.startswith("whole")).split()
    without = next(line for line in lines if line.startswith("without all of it")).split()
    assert ["1.000", "0.000"] == [whole[-2], without[-2]]


def test_short_series_end_in_gaps() -> None:
    """Side by side, a series' scores do not depend on the longer ones beside it."""
    times = np.arange(400) * 300.0
    values = np.random.default_rng(1).normal(10.0, 1.0, 400)
    make = generalise.detector({"learn": "1h"})
    alone = side_by_side.judge([(times, values)], make)[0]
    beside = side_by_side.judge([(times, values), (np.arange(900) * 60.0, np.ones(900))], make)[0]
    np.testing.assert_allclose(alone.onset, beside.onset, rtol=1e-9)
    assert len(beside.unhealthy) == 400
