"""Known incidents are read, and findings and actions are counted against them."""

from __future__ import annotations

import datetime
import json
import pathlib

import pytest

from prunella.backtest import kept_samples, labels
from prunella.core import model

T = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
CART, STOCK = (model.Ref("Deployment", "shop", name) for name in ("cart", "stock"))


def _fired(ref: model.Ref, hour: float, length: float = 1.0) -> labels.Fired:
    start = T + hour * HOUR
    return labels.Fired(kept_samples.Finding("load", ref, start, start + length * HOUR, 2.0), start)


def _window(hour: float, length: float = 1.0, target: str = "") -> labels.Window:
    return labels.Window(T + hour * HOUR, T + (hour + length) * HOUR, target)


def test_findings_and_actions_are_counted() -> None:
    """Given two incidents of which one is found, then every share is as counted by hand."""
    windows = [_window(10), _window(20, target="cart")]
    fired = [_fired(CART, 10.5), _fired(STOCK, 20), _fired(STOCK, 2), _fired(CART, 9.5, 0.2)]
    actions = [("cart", T + 10.5 * HOUR), ("stock", T + 20 * HOUR), ("stock", T + 2 * HOUR)]
    score = labels.score(windows, fired, actions, series_weeks=4.0)

    assert (score.found, score.windows, score.recall) == (1, 2, 0.5)
    assert (score.true, score.fired, score.precision) == (1, 4, 0.25)
    assert (score.false_actions, score.false_actions_per_series_week) == (2, 0.5)
    assert (-1800.0,) == score.leads


def test_what_is_found_before_has_a_lead() -> None:
    """Given a finding that begins before the incident and lasts into it, then the lead counts."""
    score = labels.score([_window(10)], [_fired(CART, 8, 3)], [], 1.0)

    assert score.median_lead == 7200.0


def test_without_anything_no_share_is_told() -> None:
    """Given no incident and no finding, then shares are unknown and not zero."""
    score = labels.score([], [], [], 0.0)

    assert score.precision is None
    assert score.recall is None
    assert score.median_lead is None
    assert score.false_actions_per_series_week is None


FILES = {
    "CSV": ("w.csv", "start,end,target\n2026-01-05T19:00:00Z,2026-01-05T20:00:00Z,cart\n"),
    "objects": (
        "w.json",
        json.dumps([{"start": 1767639600, "end": 1767643200, "target": "Deployment/cart"}]),
    ),
    "by target": ("w.json", '{"cart": [["2026-01-05T19:00:00Z", "2026-01-05T20:00:00Z"]]}'),
}


@pytest.mark.parametrize(("name", "content"), FILES.values(), ids=FILES.keys())
def test_windows_are_read(tmp_path: pathlib.Path, name: str, content: str) -> None:
    """Given the same window in any form, then it is read."""
    (tmp_path / name).write_text(content)

    assert [_window(10, target="cart")] == labels.read(tmp_path / name)


BAD = {
    "no JSON": ("w.json", "{", "is not JSON"),
    "no end": ("w.csv", "start\n2026-01-05\n", "window 1: 'end' is missing"),
    "no time": ("w.csv", "start,end\nsoon,later\n", "window 1: 'soon' is no time"),
    "the wrong way round": ("w.csv", "start,end\n2026-01-06,2026-01-05\n", "it ends"),
    "a number": ("w.json", "[3]", "window 1"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD.values(), ids=BAD.keys())
def test_bad_windows_are_refused(
    tmp_path: pathlib.Path, name: str, content: str, message: str
) -> None:
    """Given a file that is not what it should be, then the error says where and what."""
    (tmp_path / name).write_text(content)

    with pytest.raises(labels.LabelsError) as caught:
        labels.read(tmp_path / name)
    assert message in str(caught.value)


def test_a_missing_file_is_said(tmp_path: pathlib.Path) -> None:
    """Given no such file, then the error says so."""
    with pytest.raises(labels.LabelsError, match="No such file"):
        labels.read(tmp_path / "w.csv")
