"""The first weekends of a series, before the week is known: how low they may be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prunella.detectors._baseline import level, masks, season, seen_at

Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

_SHARE = 0.25
"""The first weekend may be as low as this share of what is expected."""
_AS_LOW = 4.0
"""Noises by which a weekend may be lower than the nights, or the second than the first."""
_MUCH = 0.6
"""Share of what learning clips at by which a first weekend was lower, if it was clipped."""


def as_low(
    seen: seen_at.Seen,
    rows: Ints,
    residual: level.Residual,
    levels: level.Level,
    seasons: season.Season,
) -> Bools:
    """Whether some values are as low as a weekend may be that is not known yet.

    That is a quarter of what is expected on the first one, or what the nights are, and on the
    second what the first one was.
    """
    weekend = seen.weekend(rows)
    if not masks.any_of(weekend):
        return np.zeros(len(rows), np.bool_)
    usual, rest = residual.season, residual.rest[rows]
    age, _ = seen.pace.of(rows)
    unknown = (age < 14 * level.DAY) & ~usual.by_week[rows] & (rest < 0.0)
    unknown &= weekend
    places = masks.places(unknown)
    if not places.size:
        return unknown
    rows, rest = rows[places], rest[places]
    expected = (levels.level + usual.middle)[rows]
    _, _, week = usual.means
    _, _, visits = usual.seen
    lower = _AS_LOW * residual.hour_noise[rows]
    quarter = (expected > 0.0) & (seen.y[rows] >= _SHARE * expected)
    night = residual.over[rows] >= seasons.lowest(rows) - lower
    as_before = rest >= week[rows] - lower
    # What the first one was is known up to where learning clips.
    clipped = week[rows] <= -_MUCH * residual.limit[rows]
    low = np.where(visits[rows] < 0.5, quarter | night, as_before | (night & clipped))
    unknown[places] = low
    return unknown
