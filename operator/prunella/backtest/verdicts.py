"""Verdicts of a whole stretch at once, as arrays: the same as `core.detect` gives point by point.

A pass of the engine costs milliseconds and a month has 43,200 minutes.  So thresholds and ratios
are judged here for all points together, and the engine runs only where something can happen.  A
test holds that both agree on every point.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prunella.adapters.recorded import metrics as recorded
from prunella.api import signals as signals_api
from prunella.core import model
from prunella.core.signals import compiled, detect, freshness, history, lineage, mapping

Codes = NDArray[np.int8]
Bools = NDArray[np.bool_]
HEALTHY, UNHEALTHY, UNKNOWN = 0, 1, 2
VERDICTS: Final = (model.Verdict.HEALTHY, model.Verdict.UNHEALTHY, model.Verdict.UNKNOWN)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One signal on a stretch. Arrays have the shape (targets, points)."""

    codes: Codes
    values: history.Floats
    """What was judged, of the worst pod where there are several; NaN where nothing was."""


def can_judge(signal: compiled.Signal) -> bool:
    """Whether a signal can be judged for all points at once."""
    return signal.spec.threshold is not None and signal.lookback is None


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of one answer by target and pod, and where a series made all unbelievable."""

    by_target: Mapping[model.Ref, list[tuple[int, str]]]
    broken: Bools
    matrix: history.Matrix
    present: Bools


def judge(
    signal: compiled.Signal,
    recording: recorded.Recording,
    asked: Mapping[str, recorded.Asked],
    refs: Sequence[model.Ref],
    spacing: freshness.Spacing,
) -> Judged:
    """All verdicts of a signal. ``asked`` is by role."""
    points = len(recording.times)
    codes = np.full((len(refs), points), UNKNOWN, np.int8)
    values = np.full((len(refs), points), np.nan)
    rows, broken = place_all(signal, recording, asked, refs)
    late = lateness(signal, recording, asked, refs, spacing)
    for number, ref in enumerate(refs):
        _judge_target(signal, rows, ref, late[number], codes[number], values[number])
    codes[:, broken] = UNKNOWN
    return Judged(codes, values)


def stale(
    signal: compiled.Signal,
    recording: recorded.Recording,
    asked: Mapping[str, recorded.Asked],
    refs: Sequence[model.Ref],
    spacing: freshness.Spacing,
) -> Bools:
    """Where a target's data is too old, or of unknown age, to be believed: (targets, points)."""
    late = lateness(signal, recording, asked, refs, spacing)
    return np.isneginf(late) | (late > 1)


def place_all(
    signal: compiled.Signal,
    recording: recorded.Recording,
    asked: Mapping[str, recorded.Asked],
    refs: Sequence[model.Ref],
) -> tuple[dict[str, Rows], Bools]:
    """The rows of all answers by role, and where a series made all unbelievable, (points,)."""
    points = len(recording.times)
    rows = {
        role: place(signal, recording.answers[each.key], refs, points)
        for role, each in asked.items()
        if role != compiled.CANARY
    }
    return rows, np.logical_or.reduce([each.broken for each in rows.values()])


def place(
    signal: compiled.Signal, answer: recorded.Answered, refs: Sequence[model.Ref], points: int
) -> Rows:
    """Tie the rows of an answer to targets."""
    by_target: dict[model.Ref, list[tuple[int, str]]] = {}
    broken = np.zeros(points, np.bool_)
    labels = answer.matrix.labels
    owners = _owners(signal, labels, refs)
    marks = [model.Sample(each, float(row)) for row, each in enumerate(labels)]
    for mapped, row in _mapped(signal, marks, refs, owners):
        if row is not None and mapped.failure is not None:
            broken |= answer.present[row]
        for target, series in mapped.series.items():
            by_target.setdefault(target, []).extend((int(each.value), each.pod) for each in series)
    return Rows(by_target, broken, answer.matrix, answer.present)


def _mapped(
    signal: compiled.Signal,
    marks: Sequence[model.Sample],
    refs: Sequence[model.Ref],
    owners: Mapping[str, model.Ref],
) -> Iterator[tuple[mapping.Mapped, int | None]]:
    """Series tied to targets, all at once; one by one where one of them makes all unbelievable.

    Each mark stands for a series and carries its row as value, which is told where it is alone.
    """
    together = mapping.map_samples(signal, marks, refs, owners)
    if together.failure is None:
        yield together, None
        return
    for row, mark in enumerate(marks):
        yield mapping.map_samples(signal, [mark], refs, owners), row


def _owners(
    signal: compiled.Signal, labels: Sequence[Mapping[str, str]], refs: Sequence[model.Ref]
) -> Mapping[str, model.Ref]:
    told = (model.Sample(each, 0.0) for each in labels)
    pods = mapping.pod_names(told, signal.confinement.pod_labels)
    return lineage.owners(pods, refs, {})


def lateness(
    signal: compiled.Signal,
    recording: recorded.Recording,
    asked: Mapping[str, recorded.Asked],
    refs: Sequence[model.Ref],
    spacing: freshness.Spacing,
) -> history.Floats:
    """Of each target's oldest data, its age over the age at which it is stale.

    Shape (targets, points); -inf where it is unknown.
    """
    points = len(recording.times)
    everywhere = np.full(points, -np.inf)
    own = np.full((len(refs), points), -np.inf)
    numbers = {ref: number for number, ref in enumerate(refs)}
    apart = spacing.by_labels()
    for key in {each.fresh_key: None for each in asked.values()}:
        answer = recording.answers[key]
        owners = _owners(signal, answer.matrix.labels, refs)
        marks = []
        limits = []
        for row, marked in enumerate(answer.matrix.labels):
            labels = {k: v for k, v in marked.items() if k != freshness.LEAF_LABEL}
            between = apart.get(freshness.unmarked(labels), spacing.seconds)
            limits.append(detect.stale_after(signal.spec, between))
            if any(label in labels for label in signal.name_labels):
                marks.append(model.Sample(labels, float(row)))
            else:
                everywhere = np.maximum(everywhere, _known(answer, row) / limits[row])
        for target, series in mapping.map_samples(signal, marks, refs, owners).series.items():
            for each in series:
                late = _known(answer, int(each.value)) / limits[int(each.value)]
                np.maximum(own[numbers[target]], late, out=own[numbers[target]])
    oldest: history.Floats = np.maximum(own, everywhere)
    return oldest


def _known(answer: recorded.Answered, row: int) -> history.Floats:
    return np.where(answer.present[row], answer.matrix.values[row], -np.inf)


def _judge_target(
    signal: compiled.Signal,
    rows: Mapping[str, Rows],
    ref: model.Ref,
    late: history.Floats,
    codes: Codes,
    values: history.Floats,
) -> None:
    """Write the verdicts of one target, in the order in which `detect` asks."""
    twice = np.zeros(len(codes), np.bool_)
    for role, each in rows.items():
        if role != compiled.PRESENCE:
            twice |= doubled(each, ref)
    if compiled.TOTAL in rows:
        twice |= _uncounted(rows, ref)
        pods = list(_ratios(signal, rows, ref))
    else:
        pods = list(_values(signal, rows[compiled.VALUE], ref))
    if pods:
        joined, worst = _join(signal, pods)
    else:
        joined, worst = np.full(len(codes), -1, np.int8), np.full(len(codes), np.nan)
    empty, ageless, stale = joined < 0, np.isneginf(late), late > 1
    codes[:] = np.where(empty | stale | ageless, UNKNOWN, joined)
    if signal.spec.on_empty is signals_api.OnEmpty.HEALTHY and compiled.PRESENCE in rows:
        codes[empty & _seen(rows[compiled.PRESENCE], ref) & ~stale] = HEALTHY
    codes[twice] = UNKNOWN
    values[:] = worst


def _seen(rows: Rows, ref: model.Ref) -> Bools:
    places = [row for row, _ in rows.by_target.get(ref, ())]
    return np.asarray(rows.present[places].any(axis=0))


def doubled(rows: Rows, ref: model.Ref) -> Bools:
    """Where two series say the same thing, or some a pod and one the whole."""
    counts: dict[str, NDArray[np.int64]] = {}
    for row, pod in rows.by_target.get(ref, ()):
        counts[pod] = counts.get(pod, np.zeros(rows.present.shape[1], np.int64)) + rows.present[row]
    found = np.zeros(rows.present.shape[1], np.bool_)
    for count in counts.values():
        found |= count > 1
    if "" in counts:
        for pod, count in counts.items():
            found |= (counts[""] > 0) & (count > 0) & (pod != "")
    return found


def _uncounted(rows: Mapping[str, Rows], ref: model.Ref) -> Bools:
    """Where bad events have no total by the same labels."""
    bad, total = rows[compiled.BAD], rows[compiled.TOTAL]
    found = np.zeros(bad.present.shape[1], np.bool_)
    for row, pod in bad.by_target.get(ref, ()):
        counted = np.zeros(len(found), np.bool_)
        for other, name in total.by_target.get(ref, ()):
            if name == pod:
                counted |= total.present[other]
        found |= bad.present[row] & (bad.matrix.values[row] != 0) & ~counted
    return found


_Pod = tuple[Codes, history.Floats]
"""The verdicts of one pod, -1 where it has no sample, and its values."""


def _values(signal: compiled.Signal, rows: Rows, ref: model.Ref) -> Iterator[_Pod]:
    for row, _ in rows.by_target.get(ref, ()):
        values = rows.matrix.values[row]
        codes = _threshold(signal, values)
        codes[~rows.present[row]] = -1
        yield codes, values


def _ratios(signal: compiled.Signal, rows: Mapping[str, Rows], ref: model.Ref) -> Iterator[_Pod]:
    bad, total = rows[compiled.BAD], rows[compiled.TOTAL]
    minimum = signal.spec.ratio.minimum if signal.spec.ratio is not None else 0.0
    bads: dict[str, history.Floats] = {}
    for row, pod in bad.by_target.get(ref, ()):
        known = bads.get(pod, np.zeros(bad.present.shape[1]))
        bads[pod] = np.where(bad.present[row], bad.matrix.values[row], known)
    for row, pod in total.by_target.get(ref, ()):
        totals = total.matrix.values[row]
        events = totals * signal.events_factor
        countable = np.isfinite(totals) & (totals != 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(countable, bads.get(pod, np.zeros(len(totals))) / totals, np.nan)
        codes = _threshold(signal, shares)
        few = np.isfinite(events) & (events < minimum)
        codes[few] = UNKNOWN
        codes[~total.present[row]] = -1
        yield codes, np.where(few, np.nan, shares)


def _threshold(signal: compiled.Signal, values: history.Floats) -> Codes:
    limits = signal.spec.threshold
    if limits is None:
        raise ValueError(f"signal {signal.name} has no threshold")
    with np.errstate(invalid="ignore"):
        if limits.above is not None:
            bad = values > limits.above
        elif limits.below is not None:
            bad = values < limits.below
        else:
            low, high = limits.outside or (math.nan, math.nan)
            bad = (values < low) | (values > high)
    codes = bad.astype(np.int8)
    codes[~np.isfinite(values)] = UNKNOWN
    return codes


def _join(signal: compiled.Signal, pods: Sequence[_Pod]) -> _Pod:
    """Join pods into their workload; -1 where there is none."""
    if len(pods) == 1:
        codes, values = pods[0]
        return codes, np.where(codes == -1, np.nan, values)
    codes = np.stack([each for each, _ in pods])
    values = np.stack([each for _, each in pods])
    count = (codes >= 0).sum(axis=0)
    bad, unknown = (codes == UNHEALTHY).sum(axis=0), (codes == UNKNOWN).sum(axis=0)
    needed = _needed(signal.spec.pods, count)
    joined = np.where(bad >= needed, UNHEALTHY, np.where(bad + unknown >= needed, UNKNOWN, HEALTHY))
    joined = np.where(count == 0, -1, joined).astype(np.int8)
    return joined, _worst(signal, np.where(codes >= 0, values, np.nan))


def _needed(rule: str, count: NDArray[np.int64]) -> NDArray[np.int64]:
    if rule == "Any":
        return np.ones_like(count)
    share = 1.0 if rule == "All" else int(rule.rstrip("%")) / 100
    needed: NDArray[np.int64] = np.maximum(1, np.ceil(share * count)).astype(np.int64)
    return needed


def _worst(signal: compiled.Signal, values: history.Floats) -> history.Floats:
    """The value of the pod that is farthest on the bad side."""
    limits = signal.spec.threshold
    if limits is None:
        raise ValueError(f"signal {signal.name} has no threshold")
    badness = -values if limits.below is not None else values
    if limits.outside is not None:
        badness = np.maximum(limits.outside[0] - values, values - limits.outside[1])
    place = np.argmax(np.where(np.isnan(badness), -np.inf, badness), axis=0)
    chosen: history.Floats = values[place, np.arange(values.shape[1])]
    return chosen
