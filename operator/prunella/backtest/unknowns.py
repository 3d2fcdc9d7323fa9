"""Why verdicts were Unknown: the share of each reason, with the numbers that were compared.

Whether there was data, and how old it was, is known for each point.  What else a detector said
is told by the passes that came by.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prunella.adapters.recorded import metrics as recorded
from prunella.adapters.recorded import workloads
from prunella.api import reasons
from prunella.backtest import kept_samples, verdicts
from prunella.core.signals import compiled, detect, freshness, ranges

Bools = NDArray[np.bool_]
UNTOLD: Final = ""
"""The reason of points of which only a pass can tell more."""
MANY: Final = 0.2
"""More than this share of Unknown is said before all else."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """So many points Unknown for a reason."""

    reason: str
    points: int
    message: str


def explain(
    signal: compiled.Signal,
    recording: recorded.Recording,
    asked: Mapping[str, recorded.Asked],
    states: workloads.States,
    judged: verdicts.Judged,
    spacing: freshness.Spacing,
) -> Iterator[Reason]:
    """Why the points of a stretch are Unknown."""
    unknown = (judged.codes == verdicts.UNKNOWN) & states.exists
    if not unknown.any():
        return
    late = verdicts.lateness(signal, recording, asked, states.refs, spacing)
    stale = unknown & (late > 1)
    if stale.any():
        yield Reason(reasons.Doubt.STALE, int(stale.sum()), _stale(signal, late[stale], spacing))
    nothing = unknown & ~stale & np.isnan(judged.values)
    empty = nothing & (np.isneginf(late) | ~_answered(recording, asked))
    if empty.any():
        yield Reason(reasons.Doubt.NO_DATA, int(empty.sum()), _no_data(asked, spacing))
    rest = int((unknown & ~stale & ~empty).sum())
    if rest:
        yield Reason(UNTOLD, rest, "")


def _answered(recording: recorded.Recording, asked: Mapping[str, recorded.Asked]) -> Bools:
    """At which points the signal's queries had any answer, of shape (points,)."""
    there = np.zeros(len(recording.times), np.bool_)
    for role, each in asked.items():
        if role in {compiled.PRESENCE, compiled.CANARY}:
            continue
        if each.step is None:
            there |= recording.answers[each.key].present.any(axis=0)
            continue
        matrix = recording.grids.get((*each.key, each.step))
        if matrix is not None:
            places = np.searchsorted(matrix.times, recording.times + 0.002, side="right") - 1
            told: Bools = np.asarray((~np.isnan(matrix.values)).any(axis=0))
            there |= (places >= 0) & told[np.maximum(places, 0)]
    return there


def _stale(signal: compiled.Signal, late: NDArray[np.float64], spacing: freshness.Spacing) -> str:
    """``late`` is the age of data over the age at which it is stale."""
    limit = detect.stale_after(signal.spec, spacing.seconds)
    apart = "" if spacing.seconds is None else f"samples are {spacing.seconds:.4g} s apart, "
    oldest = float(np.max(late[np.isfinite(late)], initial=1.0)) * limit
    return f"{apart}data was up to {oldest:.0f} s old, older than {limit:.4g} s"


def _no_data(asked: Mapping[str, recorded.Asked], spacing: freshness.Spacing) -> str:
    for each in asked.values():
        for short in ranges.short_ranges(each.query, spacing.seconds):
            return str(short)
    return "no series of its queries is mapped to the target at that time"


def fallback(signal: compiled.Signal) -> tuple[str, str]:
    """The reason of points that no pass came by."""
    if signal.lookback is not None:
        return reasons.Doubt.NOT_JUDGED, "the detector could not judge the value"
    if signal.spec.ratio is not None:
        least = signal.spec.ratio.minimum
        return reasons.Doubt.TOO_FEW_EVENTS, f"fewer than {least:g} events in the window"
    return reasons.Doubt.NOT_A_NUMBER, "the value is no finite number, or there are several"


def settled(tally: kept_samples.Tally, untold: tuple[str, str]) -> list[Reason]:
    """The reasons of a signal, the most frequent first; what nobody told goes to the likeliest."""
    found = {reason: each for reason, each in tally.reasons.items() if reason != UNTOLD}
    counts = {reason: each.points for reason, each in found.items()}
    messages = {reason: each.message for reason, each in found.items()}
    rest = tally.reasons.get(UNTOLD)
    if rest is not None and rest.points:
        sure = (reasons.Doubt.NO_DATA, reasons.Doubt.STALE)
        others = [reason for reason in found if reason not in sure and found[reason].told]
        likeliest = max(others, key=lambda reason: found[reason].told, default=untold[0])
        messages.setdefault(likeliest, untold[1])
        counts[likeliest] = counts.get(likeliest, 0) + rest.points
    ordered = sorted((r for r in counts if counts[r]), key=lambda r: -counts[r])
    return [Reason(str(reason), counts[reason], messages[reason]) for reason in ordered]
