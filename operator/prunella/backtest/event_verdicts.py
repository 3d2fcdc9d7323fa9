"""Burn rates and absences judged ahead of the passes, as arrays of (points,) for each target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from prunella.adapters.recorded import metrics as recorded
from prunella.api import detectors as detectors_api
from prunella.backtest import verdicts
from prunella.core import model
from prunella.core.signals import compiled, detect, freshness, history

Rows = Mapping[str, verdicts.Rows]


def can_judge(signal: compiled.Signal) -> bool:
    """Whether a signal is one of these."""
    return signal.spec.burn_rate is not None or signal.spec.absent is not None


def judge(
    signal: compiled.Signal,
    recording: recorded.Recording,
    asked: Mapping[str, recorded.Asked],
    refs: Sequence[model.Ref],
    spacing: freshness.Spacing,
) -> verdicts.Judged:
    """All verdicts of a signal. ``asked`` is by role."""
    rows, broken = verdicts.place_all(signal, recording, asked, refs)
    codes = np.full((len(refs), len(recording.times)), verdicts.UNKNOWN, np.int8)
    absent, burn = signal.spec.absent, signal.spec.burn_rate
    for number, ref in enumerate(refs):
        if absent is not None:
            canary = recording.answers[asked[compiled.CANARY].key]
            codes[number] = _absent(rows[compiled.VALUE], canary, ref, absent)
        elif burn is not None:
            codes[number] = _burning(signal, rows, ref, burn)
    if absent is not None:
        limit = detect.stale_after(signal.spec, spacing.seconds)
        late = (_youngest(recording, asked) / limit)[None, :]
    else:
        late = verdicts.lateness(signal, recording, asked, refs, spacing)
    codes[:, broken] = verdicts.UNKNOWN
    codes[np.broadcast_to(~np.isfinite(late) | (late > 1), codes.shape)] = verdicts.UNKNOWN
    return verdicts.Judged(codes, np.full(codes.shape, np.nan))


def _absent(
    rows: verdicts.Rows, canary: recorded.Answered, ref: model.Ref, params: detectors_api.Absent
) -> verdicts.Codes:
    """As `prunella.detectors.absent`: absence is proved by a canary that is there."""
    places = _places(rows, ref)
    present, values = rows.present[places], rows.matrix.values[places]
    alive = np.where(canary.present, canary.matrix.values, 0.0).sum(axis=0) >= params.minimum
    codes = np.where(alive, verdicts.UNHEALTHY, verdicts.UNKNOWN)
    codes = np.where(present.any(axis=0), verdicts.UNKNOWN, codes)
    there = (present & ~np.isnan(values)).any(axis=0)
    return np.where(there, verdicts.HEALTHY, codes).astype(np.int8)


def _youngest(recording: recorded.Recording, asked: Mapping[str, recorded.Asked]) -> history.Floats:
    """The youngest age that is known, (points,); infinite where none is."""
    youngest = np.full(len(recording.times), np.inf)
    for key in {each.fresh_key for each in asked.values()}:
        answer = recording.answers[key]
        known = np.where(answer.present, answer.matrix.values, np.inf)
        youngest = np.minimum(youngest, known.min(axis=0, initial=np.inf))
    return youngest


def _burning(
    signal: compiled.Signal, rows: Rows, ref: model.Ref, params: detectors_api.BurnRate
) -> verdicts.Codes:
    """As `prunella.detectors.burn_rate`: the worst of the rules counts."""
    found = []
    for rule in params.rules:
        sizes = (int(each.total_seconds()) for each in (rule.long, rule.short))
        rates = np.stack([_rate(signal, rows, ref, params, seconds) for seconds in sizes])
        # One calm window is enough: the other need not be known.
        calm = (rates <= params.limit(rule)).any(axis=0)
        unknown = np.isnan(rates).any(axis=0)
        doubted = np.where(unknown, verdicts.UNKNOWN, verdicts.UNHEALTHY)
        found.append(np.where(calm, verdicts.HEALTHY, doubted))
    stacked = np.stack(found)
    sick, lost = (stacked == verdicts.UNHEALTHY).any(axis=0), (stacked == verdicts.UNKNOWN).any(0)
    known = np.where(lost, verdicts.UNKNOWN, verdicts.HEALTHY)
    return np.where(sick, verdicts.UNHEALTHY, known).astype(np.int8)


def _rate(
    signal: compiled.Signal,
    rows: Rows,
    ref: model.Ref,
    params: detectors_api.BurnRate,
    seconds: int,
) -> history.Floats:
    """How fast the budget goes in one window, (points,); NaN where it can't be told."""
    sides = [rows[compiled.windowed(role, seconds)] for role in (compiled.BAD, compiled.TOTAL)]
    factor = seconds if signal.events_factor != 1.0 else 1.0
    bad, total = (_sum(side, ref) * factor for side in sides)
    counted = sides[1].present[_places(sides[1], ref)].any(axis=0)
    doubled = np.logical_or.reduce([verdicts.doubled(side, ref) for side in sides])
    with np.errstate(divide="ignore", invalid="ignore"):
        enough = np.isfinite(bad) & np.isfinite(total) & (total >= params.minimum) & (total > 0)
        rate = bad / total / params.budget
    return np.where(counted & ~doubled & enough, rate, np.nan)


def _places(rows: verdicts.Rows, ref: model.Ref) -> list[int]:
    return [row for row, _ in rows.by_target.get(ref, ())]


def _sum(rows: verdicts.Rows, ref: model.Ref) -> history.Floats:
    places = _places(rows, ref)
    total: history.Floats = np.where(rows.present[places], rows.matrix.values[places], 0.0).sum(0)
    return total
