"""One series for each target: its pods joined, those of the past too.

A detector that learns must not forget when pods are replaced, so its series are those of the
owner.  At each point the pods are joined by the signal's ``pods`` rule: with Any the worst pod is
the target's value, with All the best, with N% the one that so many are as bad as; where neither
side is bad by itself, the middle one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from prunella.core import model
from prunella.core.signals import compiled, history, learning, mapping

Floats = history.Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Joined:
    """The rows of one answer by target; a row under None is for all targets."""

    rows: Mapping[model.Ref, learning.Row]
    failure: model.Failure | None = None


_Pods = dict[str, Floats]


@dataclasses.dataclass(slots=True)
class _Series:
    """The values of each pod of one target (or of itself, under the empty name)."""

    pods: _Pods
    mapped_by: str
    doubled: bool = False


def join(
    signal: compiled.Signal,
    answer: history.Matrix,
    targets: Collection[model.Ref],
    owners: Mapping[str, model.Ref],
    bad: learning.Bad,
) -> Joined:
    """The answer of one query as one row for each target that has any sample."""
    found = _by_pod(signal, answer, targets, owners)
    if isinstance(found, model.Failure):
        return Joined({}, found)
    rows = {target: _row(series, signal.spec.pods, bad) for target, series in found.items()}
    return Joined(rows)


def join_ratio(
    signal: compiled.Signal,
    answers: Mapping[str, history.Matrix],
    targets: Collection[model.Ref],
    owners: Mapping[str, model.Ref],
    bad: learning.Bad,
) -> Joined:
    """Bad over total, pod by pod; NaN where there were fewer events than the ratio's minimum."""
    sides = {}
    for role in (compiled.BAD, compiled.TOTAL):
        side = _by_pod(signal, answers[role], targets, owners)
        if isinstance(side, model.Failure):
            return Joined({}, side)
        sides[role] = side
    minimum = signal.spec.ratio.minimum if signal.spec.ratio is not None else 0.0
    rows = {}
    for target, total in sides[compiled.TOTAL].items():
        bad_side = sides[compiled.BAD].get(target)
        shares: _Pods = {}
        counted = 0.0
        for pod, totals in total.pods.items():
            none = np.where(np.isnan(totals), np.nan, 0.0)
            bads = none if bad_side is None else bad_side.pods.get(pod, none)
            events = totals * signal.events_factor
            enough = (events >= minimum) & (totals > 0)
            with np.errstate(invalid="ignore", divide="ignore"):
                shares[pod] = np.where(enough, np.nan_to_num(bads) / totals, np.nan)
            counted = max(counted, float(np.nan_to_num(events[-1]))) if len(events) else counted
        doubled = total.doubled or (bad_side is not None and bad_side.doubled)
        joined = _row(_Series(shares, total.mapped_by, doubled), signal.spec.pods, bad)
        rows[target] = dataclasses.replace(joined, counted=counted)
    return Joined(rows)


def lesson(
    signal: compiled.Signal,
    answers: Mapping[str, history.Matrix],
    targets: Collection[model.Ref],
    owners: Mapping[str, model.Ref],
    bad: learning.Bad,
) -> learning.Lesson | model.Failure:
    """All answers to one stretch of the grid, joined; a ratio as the one value that it is."""
    rows: dict[str, Joined] = {}
    shared: dict[str, Floats] = {}
    for role, answer in answers.items():
        if role in {compiled.BAD, compiled.TOTAL}:
            continue
        whole = common(answer) if role != compiled.VALUE else None
        if whole is not None:
            shared[role] = whole
            continue
        # What a target is compared with has no bad side: one pod of it must not speak for all.
        side = learning.Bad.BOTH if role == compiled.AGAINST else bad
        rows[role] = join(signal, answer, targets, owners, side)
        if role == compiled.AGAINST and not rows[role].rows and mapping.are_pods(answer.labels):
            shared[role] = middle(answer.values)
    if compiled.TOTAL in answers:
        rows[compiled.VALUE] = join_ratio(signal, answers, targets, owners, bad)
    failure = next((each.failure for each in rows.values() if each.failure is not None), None)
    if failure is not None:
        return failure
    times = next(iter(answers.values())).times
    return learning.Lesson(times, {role: each.rows for role, each in rows.items()}, shared)


def common(answer: history.Matrix) -> Floats | None:
    """The one series of an answer that bears no labels, for all targets; None otherwise."""
    if len(answer.labels) == 1 and not answer.labels[0]:
        whole: Floats = answer.values[0]
        return whole
    return None


def middle(values: Floats) -> Floats:
    """The median of (pods, points) at each point: one pod that restarts does not move it much."""
    there = np.where(np.isfinite(values), values, np.nan)
    some = np.isfinite(there).any(axis=0)
    medians = np.full(values.shape[1], np.nan)
    medians[some] = np.nanmedian(there[:, some], axis=0)
    return medians


def _by_pod(
    signal: compiled.Signal,
    answer: history.Matrix,
    targets: Collection[model.Ref],
    owners: Mapping[str, model.Ref],
) -> dict[model.Ref, _Series] | model.Failure:
    # The samples stand for their series: each carries its row's number as value.
    marks = [model.Sample(labels, float(row)) for row, labels in enumerate(answer.labels)]
    mapped = mapping.map_samples(signal, marks, targets, owners)
    if mapped.failure is not None:
        return mapped.failure
    found: dict[model.Ref, _Series] = {}
    for target, marked in mapped.series.items():
        series = found.setdefault(target, _Series({}, marked[-1].mapped_by))
        for mark in marked:
            values = answer.values[int(mark.value)]
            series.doubled |= _put(series.pods, mark.pod, values)
        live = [
            pod for pod, values in series.pods.items() if len(values) and values[-1] == values[-1]
        ]
        series.doubled |= "" in live and len(live) > 1
    return found


def _put(pods: _Pods, pod: str, values: Floats) -> bool:
    """Add a series; two of the same name follow each other, or cancel out where they meet."""
    before = pods.get(pod)
    if before is None:
        pods[pod] = values
        return False
    both = np.isfinite(before) & np.isfinite(values)
    merged = np.where(np.isnan(before), values, before)
    pods[pod] = np.where(both, np.nan, merged)
    return bool(len(both) and both[-1])


def _row(series: _Series, rule: str, bad: learning.Bad) -> learning.Row:
    names = list(series.pods)
    stacked = np.stack([series.pods[name] for name in names])
    if len(names) == 1:
        return learning.Row(stacked[0], series.mapped_by, names[0], series.doubled)
    # Infinities and gaps are no values of a pod: they stand last, whatever is bad.
    values = np.where(np.isfinite(stacked), stacked, np.nan)
    order = np.argsort(-values if bad is learning.Bad.HIGH else values, axis=0, kind="stable")
    counts = np.isfinite(values).sum(axis=0)
    place = np.clip(_place(rule, bad, counts), 0, np.maximum(counts - 1, 0))
    chosen = order[place, np.arange(values.shape[1])]
    picked = values[chosen, np.arange(values.shape[1])]
    pod = names[int(chosen[-1])] if values.shape[1] and counts[-1] else ""
    return learning.Row(picked, series.mapped_by, pod, series.doubled)


def _place(rule: str, bad: learning.Bad, counts: np.ndarray) -> np.ndarray:
    """Which pod, from the worst on, speaks for the target: one for each point."""
    if bad is learning.Bad.BOTH:
        return (counts - 1) // 2
    if rule == "Any":
        return np.zeros_like(counts)
    share = 1.0 if rule == "All" else int(rule.rstrip("%")) / 100
    return np.ceil(share * counts).astype(int) - 1


def pod_names(
    answers: Sequence[history.Matrix], labels: Sequence[str] = compiled.POD_LABELS
) -> frozenset[str]:
    """The pods that the answers speak of without naming their workload, see `mapping.pod_names`."""
    told = (model.Sample(each, 0.0) for answer in answers for each in answer.labels)
    return mapping.pod_names(told, labels)
