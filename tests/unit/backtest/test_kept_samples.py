"""Findings are followed over stretches, and curves keep every excursion."""

from __future__ import annotations

import numpy as np

from prunella.backtest import kept_samples, verdicts
from prunella.core import model

CART = model.Ref("Deployment", "shop", "cart")
H, U, Q = verdicts.HEALTHY, verdicts.UNHEALTHY, verdicts.UNKNOWN


def _feed(tracker: kept_samples.Tracker, first: int, codes: list[int], values: list[float]) -> None:
    times = 1000.0 + 60.0 * np.arange(first, first + len(codes))
    judged = verdicts.Judged(np.array([codes], np.int8), np.array([values]))
    tracker.feed("load", [CART], times, judged, np.ones((1, len(codes)), np.bool_))


def _told(tracker: kept_samples.Tracker) -> list[tuple[float, float, float, bool]]:
    return [
        ((f.start.timestamp() - 1000) / 60, (f.end.timestamp() - 1000) / 60, f.worst, f.open)
        for f in tracker.findings()
    ]


def test_a_finding_goes_on_into_the_next_stretch() -> None:
    """Given an illness over the edge of two stretches, then it is one finding."""
    tracker = kept_samples.Tracker(1000.0, 60.0, 8)
    _feed(tracker, 0, [H, U, H, U], [0, 2, 0, 3])
    _feed(tracker, 4, [U, H, H, U], [5, 0, 0, 4])

    assert [(1, 2, 2, False), (3, 5, 5, False), (7, 7, 4, True)] == _told(tracker)


def test_a_finding_ends_at_the_edge() -> None:
    """Given an illness that is over where the next stretch begins, then it ends there."""
    tracker = kept_samples.Tracker(1000.0, 60.0, 4)
    _feed(tracker, 0, [H, U], [0, 2])
    _feed(tracker, 2, [Q, U], [0, 3])

    assert [(1, 2, 2, False), (3, 3, 3, True)] == _told(tracker)


def test_passes_tell_findings_too() -> None:
    """Given verdicts of single passes, then they make the same findings."""
    tracker = kept_samples.Tracker(1000.0, 60.0, 4)
    told = [model.Verdict.HEALTHY, model.Verdict.UNHEALTHY, model.Verdict.UNHEALTHY]
    for minute, verdict in enumerate([*told, model.Verdict.UNKNOWN]):
        tracker.note("load", CART, 1000.0 + 60 * minute, verdict, 2.0)

    assert [(1, 3, 2, False)] == _told(tracker)
    assert tracker.tallies["load"] == kept_samples.Tally(1, 2, 1)


def test_no_excursion_disappears() -> None:
    """Given one high and one low sample among a month of others, then the curve has both."""
    points = 43_200
    tracker = kept_samples.Tracker(1000.0, 60.0, points)
    values = np.zeros(points)
    values[12_345], values[31_111] = 9.0, -7.0
    _feed(tracker, 0, [H] * points, values.tolist())
    curve = tracker.curves["load", CART]

    assert len(curve.low) <= kept_samples.BUCKETS
    assert (np.nanmax(curve.high), np.nanmin(curve.low)) == (9.0, -7.0)
    assert int(np.nanargmax(curve.high)) == 12_345 // tracker.per_bucket


def test_gaps_stay_gaps() -> None:
    """Given nothing for some time, then the curve has nothing there."""
    tracker = kept_samples.Tracker(1000.0, 60.0, 4)
    _feed(tracker, 0, [H, Q, Q, H], [1, np.nan, np.inf, 1])

    assert [False, True, True, False] == np.isnan(tracker.curves["load", CART].low).tolist()


def test_absent_targets_are_not_counted() -> None:
    """Given a target that is not there, then its verdicts count for nothing."""
    tracker = kept_samples.Tracker(1000.0, 60.0, 2)
    judged = verdicts.Judged(np.array([[U, U]], np.int8), np.array([[2.0, 2.0]]))
    times = np.array([1000.0, 1060.0])
    tracker.feed("load", [CART], times, judged, np.array([[False, True]]))

    assert [(1, 1, 2, True)] == _told(tracker)
    assert tracker.tallies["load"].judged == 1
