"""The workloads of the past, as far as history tells: from kube-state-metrics, or by names seen."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prunella.api import policy as policy_api
from prunella.api import types
from prunella.core import model
from prunella.core.signals import compiled, history, lineage

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

GONE_AFTER: Final = 86_400.0
"""Seconds without any sample after which a workload is taken to have been deleted."""
FIELDS: Final = ("replicas", "updated", "available", "total", "generation", "observed")
METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    "Deployment": (
        "kube_deployment_spec_replicas",
        "kube_deployment_status_replicas_updated",
        "kube_deployment_status_replicas_available",
        "kube_deployment_status_replicas",
        "kube_deployment_metadata_generation",
        "kube_deployment_status_observed_generation",
    ),
    "StatefulSet": (
        "kube_statefulset_replicas",
        "kube_statefulset_status_replicas_updated",
        "kube_statefulset_status_replicas_available",
        "kube_statefulset_status_replicas",
        "kube_statefulset_metadata_generation",
        "kube_statefulset_status_observed_generation",
    ),
    "DaemonSet": (
        "kube_daemonset_status_desired_number_scheduled",
        "kube_daemonset_status_updated_number_scheduled",
        "kube_daemonset_status_number_available",
        "kube_daemonset_status_current_number_scheduled",
        "kube_daemonset_metadata_generation",
        "kube_daemonset_status_observed_generation",
    ),
    # A CronJob is as one replica that is always there.
    "CronJob": ("kube_cronjob_info",) * 6,
    # The controller of Argo Rollouts tells of no generations.
    "Rollout": tuple(
        f'label_replace({told}, "rollout", "$1", "name", "(.+)")'
        for told in (
            "rollout_info_replicas_desired",
            "rollout_info_replicas_updated",
            "rollout_info_replicas_available",
            "rollout_info_replicas_available + rollout_info_replicas_unavailable",
            "0 * rollout_info_replicas_desired",
            "0 * rollout_info_replicas_desired",
        )
    ),
}
"""What tells ``FIELDS``, by kind of workload: metrics of kube-state-metrics and Argo Rollouts."""
AUTOSCALERS: Final = "kube_horizontalpodautoscaler_info"
_POD: Final = {kind: re.compile(f"(.+){ending}") for kind, ending in lineage.ENDINGS.items()}
_OBJECT_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
"""RFC 1123: what the API server accepts as a workload's name."""
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_]")


def queries(kind: str, confinement: compiled.Confinement, namespace: str) -> list[str]:
    """The queries for ``FIELDS``, labels and autoscalers, in this order."""
    labels = f"kube_{kind.lower()}_labels"
    names = (*METRICS[kind], labels, AUTOSCALERS)
    return [confinement.apply(name, namespace) for name in names]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class States:
    """The targets on a stretch. ``exists`` and each of ``fields`` have shape (targets, points)."""

    times: history.Floats
    refs: tuple[model.Ref, ...]
    exists: Bools
    fields: Mapping[str, Ints] | None
    """None where history does not tell."""
    labels: Mapping[str, str]
    """Labels by which the policy's selector finds its targets."""
    autoscalers: Mapping[model.Ref, tuple[str, ...]]

    def at(self, when: float) -> int:
        """The newest point that is not after this moment; the first one before all."""
        return max(0, int(np.searchsorted(self.times, when + 0.002, side="right")) - 1)

    def workload(self, row: int, column: int) -> model.Workload:
        """One target as it was; of what is not known, one replica, rolled out."""
        known = self.fields
        values = (
            (1, 1, 1, 1, 1, 1, 1)
            if known is None
            else tuple(int(known[name][row, column]) for name in (*FIELDS, "template"))
        )
        return _workload(self.refs[row], values, self.labels)

    def changed(self) -> Bools:
        """At which points, of shape (points,), any target is another than one point before."""
        found = np.zeros(len(self.times), np.bool_)
        arrays = [self.exists, *(self.fields or {}).values()]
        for each in arrays:
            found[1:] |= (each[:, 1:] != each[:, :-1]).any(axis=0)
        return found

    def changes(self, row: int) -> NDArray[np.intp]:
        """The first point, and those at which one target is another than one point before."""
        found = np.zeros(len(self.times), np.bool_)
        found[:1] = True
        for each in (self.exists, *(self.fields or {}).values()):
            found[1:] |= each[row, 1:] != each[row, :-1]
        return np.flatnonzero(found)


def _workload(ref: model.Ref, values: Sequence[int], labels: Mapping[str, str]) -> model.Workload:
    replicas, updated, available, total, generation, observed, template = values
    return model.Workload(
        ref=ref,
        uid=f"recorded-{ref.kind}-{ref.namespace}-{ref.name}".lower(),
        generation=generation,
        observed_generation=observed,
        replicas=replicas,
        updated=updated,
        available=available,
        total=total,
        labels=labels,
        selector={},
        template={"metadata": {}, "recorded": template},
    )


def labels_for(selector: types.LabelSelector | None) -> dict[str, str]:
    """Labels that a selector matches: names seen by the policy's queries are taken as meant."""
    if selector is None:
        return {}
    labels = dict(selector.match_labels)
    for each in selector.match_expressions:
        if each.operator is types.SelectorOperator.IN:
            labels.setdefault(each.key, each.values[0])
        elif each.operator is types.SelectorOperator.EXISTS:
            labels.setdefault(each.key, "")
    return labels


def name_of(signal: compiled.Signal, kind: str, labels: Mapping[str, str]) -> str | None:
    """The name of the workload that a series is about, by its labels alone."""
    mapping = signal.spec.mapping
    if mapping is not None and mapping.name is not None:
        return labels.get(mapping.name) or None
    own = compiled.WORKLOAD_LABELS[policy_api.TargetKind(kind)]
    if labels.get(own):
        return labels[own]
    if any(labels.get(each) for each in compiled.WORKLOAD_LABELS.values()):
        return None
    pod = next((labels[each] for each in signal.confinement.pod_labels if labels.get(each)), "")
    pattern = _POD.get(kind)
    found = pattern.fullmatch(pod) if pattern is not None else None
    return found[1] if found is not None else None


class Census:
    """Which workloads there were, stretch by stretch; it remembers the ones seen before."""

    def __init__(
        self,
        namespace: str,
        target: policy_api.Target,
        names: Collection[str],
    ) -> None:
        """``names`` are the only targets, where given."""
        self._namespace = namespace
        self._target = target
        self._names = frozenset({target.name} if target.name is not None else names)
        self._selecting = labels_for(target.selector)
        self.dropped: set[str] = set()
        """Names that were seen and that no object can have."""
        self._last_seen: dict[str, float] = {}
        self._last_fields: dict[str, dict[str, int]] = {}
        self._templates: dict[str, tuple[int, int, int]] = {}

    def wanted(self, name: str) -> bool:
        """Whether this name may be a target, and be one at all."""
        if not _OBJECT_NAME.fullmatch(name):
            self.dropped.add(name)
            return False
        return not self._names or name in self._names

    def ref(self, name: str) -> model.Ref:
        """The target of this name."""
        return model.Ref(self._target.kind.value, self._namespace, name)

    def by_names(self, times: history.Floats, seen: Mapping[str, Bools]) -> States:
        """The states where only series tell. ``seen``: at which points a name had any sample.

        A workload is there from its first sample on, until a day after its last.
        """
        names = sorted({*filter(self.wanted, seen), *self._last_seen, *self._fixed()})
        exists = np.zeros((len(names), len(times)), np.bool_)
        for row, name in enumerate(names):
            last = np.full(len(times), self._last_seen.get(name, -np.inf))
            if name in seen:
                last = np.maximum(last, np.where(seen[name], times, -np.inf))
            last = np.maximum.accumulate(last) if len(last) else last
            exists[row] = (times - last <= GONE_AFTER) | (name in self._fixed())
            if len(last) and np.isfinite(last[-1]):
                self._last_seen[name] = float(last[-1])
        refs = tuple(self.ref(name) for name in names)
        return States(times, refs, exists, None, self._selecting, {})

    def _fixed(self) -> frozenset[str]:
        """A target by name is there whether or not it is seen."""
        return frozenset() if self._target.name is None else frozenset({self._target.name})

    def by_metrics(
        self,
        times: history.Floats,
        matrices: Sequence[history.Matrix],
        meant: Callable[[Mapping[str, str]], bool],
    ) -> States:
        """The states as kube-state-metrics told them; ``meant`` judges a workload's own labels."""
        kind = self._target.kind.value
        label = compiled.WORKLOAD_LABELS[self._target.kind]
        by_field = [_by_name(matrix, label) for matrix in matrices[: len(FIELDS)]]
        told = _by_name(matrices[len(FIELDS)], label, labels_too=True)
        names = sorted(
            name
            for name in {*by_field[0], *self._last_fields}
            if self.wanted(name) and (name not in told or meant(told[name][1]))
        )
        silent = np.isnan(np.stack([v for v, _ in by_field[0].values()])).all(axis=0)
        exists = np.zeros((len(names), len(times)), np.bool_)
        fields = {name: np.zeros(exists.shape, np.int64) for name in (*FIELDS, "template")}
        for row, name in enumerate(names):
            there = self._fill(name, by_field, fields, row, len(times))
            exists[row] = there | (silent & (name in self._last_fields))
        scaled = _scaled(matrices[len(FIELDS) + 1], kind)
        refs = tuple(self.ref(name) for name in names)
        autoscalers = {ref: scaled[ref.name] for ref in refs if ref.name in scaled}
        return States(times, refs, exists, fields, self._selecting, autoscalers)

    def _fill(
        self,
        name: str,
        by_field: Sequence[Mapping[str, tuple[history.Floats, Mapping[str, str]]]],
        fields: Mapping[str, Ints],
        row: int,
        points: int,
    ) -> Bools:
        """Write one workload's fields, gaps filled by what was before; where it is there."""
        before = self._last_fields.setdefault(name, {})
        there = np.zeros(points, np.bool_)
        for field, found in zip(FIELDS, by_field, strict=True):
            values = found[name][0] if name in found else np.full(points, np.nan)
            if field == "replicas":
                there = ~np.isnan(values)
            filled = _filled(values, before.get(field))
            fields[field][row] = filled
            before[field] = int(filled[-1]) if points else before.get(field, 0)
        fields["template"][row] = self._template(name, fields, row)
        return there

    def _template(self, name: str, fields: Mapping[str, Ints], row: int) -> Ints:
        """A number that changes with the pod template: a new generation with the same replicas."""
        generation, replicas = fields["generation"][row], fields["replicas"][row]
        if not len(generation):
            return np.zeros(0, np.int64)
        first = (int(generation[0]), int(replicas[0]), int(generation[0]))
        old_generation, old_replicas, number = self._templates.get(name, first)
        generations = np.concatenate(([old_generation], generation))
        sizes = np.concatenate(([old_replicas], replicas))
        new = (np.diff(generations) != 0) & (np.diff(sizes) == 0)
        numbers: Ints = np.maximum.accumulate(np.where(new, generation, number))
        self._templates[name] = (int(generation[-1]), int(replicas[-1]), int(numbers[-1]))
        return np.asarray(numbers)


def _by_name(
    matrix: history.Matrix, label: str, *, labels_too: bool = False
) -> dict[str, tuple[history.Floats, Mapping[str, str]]]:
    found: dict[str, tuple[history.Floats, Mapping[str, str]]] = {}
    for labels, values in zip(matrix.labels, matrix.values, strict=True):
        name = labels.get(label)
        if not name:
            continue
        before = found.get(name)
        if before is None or labels_too:
            found[name] = (values, labels)
        else:  # Two kube-state-metrics, as while one is replaced by the next: the newer fills up.
            found[name] = (np.where(np.isnan(before[0]), values, before[0]), labels)
    return found


def _filled(values: history.Floats, before: int | None) -> Ints:
    """Gaps filled with the last value before; at the beginning with the first that is known."""
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return np.full(len(values), 0 if before is None else before, np.int64)
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    first = values[known[0]] if before is None else before
    filled: Ints = np.where(last < 0, first, values[np.maximum(last, 0)]).astype(np.int64)
    return filled


def _scaled(matrix: history.Matrix, kind: str) -> dict[str, tuple[str, ...]]:
    """Autoscalers by the name of the workload that they scale."""
    found: dict[str, set[str]] = {}
    for labels in matrix.labels:
        if labels.get("scaletargetref_kind") == kind and labels.get("scaletargetref_name"):
            name = f"HorizontalPodAutoscaler/{labels.get('horizontalpodautoscaler', '?')}"
            found.setdefault(labels["scaletargetref_name"], set()).add(name)
    return {name: tuple(sorted(each)) for name, each in found.items()}


def own_label(key: str) -> str:
    """The label of ``kube_*_labels`` that holds a Kubernetes label."""
    return f"label_{_NOT_IN_NAMES.sub('_', key)}"


def meant_by(selector: types.LabelSelector | None) -> Callable[[Mapping[str, str]], bool]:
    """Whether a selector means a workload, by the labels that kube-state-metrics tells."""

    def judge(labels: Mapping[str, str]) -> bool:
        if selector is None:
            return True
        keys = [*selector.match_labels, *(each.key for each in selector.match_expressions)]
        told = {key: labels[own_label(key)] for key in keys if own_label(key) in labels}
        anything = any(name.startswith("label_") for name in labels)
        return selector.matches(told) if anything else True

    return judge
