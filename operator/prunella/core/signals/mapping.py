"""Which series belongs to which target, and by which labels.

The order: the workload's own label (``deployment``, ``statefulset``, ``daemonset``), or the label
that the policy names, or a pod's name, whose owner is known from the cluster.  A series
about something outside the selector is counted and left; one that could be about anything makes
the whole signal unbelievable.
"""

from __future__ import annotations

import collections
import dataclasses
import types
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import compiled, lineage

NOBODY_LOOKED: Final[Mapping[model.Ref, Collection[str]]] = types.MappingProxyType({})
"""The living pods of the targets, where none was looked at closely."""


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """One value that belongs to a target; ``pod`` is empty for the workload as a whole."""

    value: float
    pod: str
    mapped_by: str


@dataclasses.dataclass(frozen=True, slots=True)
class Mapped:
    """The series of each target, those that occur twice, and how many were not ours."""

    series: Mapping[model.Ref, tuple[Series, ...]]
    duplicated: frozenset[model.Ref]
    ignored: int
    failure: model.Failure | None = None
    gone: Mapping[model.Ref, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Pods whose series were left out because the pods are gone, see `of_living`."""


def map_samples(
    signal: compiled.Signal,
    samples: Iterable[model.Sample],
    targets: Collection[model.Ref],
    owners: Mapping[str, model.Ref],
) -> Mapped:
    """Tie each sample to its target. ``owners`` tells the workload of each pod by name."""
    found: dict[model.Ref, list[Series]] = collections.defaultdict(list)
    keys: collections.Counter[tuple[model.Ref, str]] = collections.Counter()
    by_name = {target.name: target for target in targets}
    namespaces = {target.namespace for target in targets}
    namespace_labels = signal.namespace_labels
    ignored = 0
    for sample in samples:
        if _is_foreign(namespace_labels, sample.labels, namespaces):
            ignored += 1
            continue
        place = _place(signal, sample.labels, by_name, owners)
        if isinstance(place, model.Failure):
            return Mapped({}, frozenset(), ignored, place)
        if place is None:
            ignored += 1
            continue
        target, pod, mapped_by = place
        keys[target, pod] += 1
        found[target].append(Series(sample.value, pod, mapped_by))
    mixed = {t for t, series in found.items() if len({s.pod == "" for s in series}) > 1}
    duplicated = {target for (target, _), count in keys.items() if count > 1}
    return Mapped(
        {target: tuple(series) for target, series in found.items()},
        frozenset(duplicated | mixed),
        ignored,
    )


def of_living(mapped: Mapped, living: Mapping[model.Ref, Collection[str]]) -> Mapped:
    """Without the series of pods that are gone, for targets whose ``living`` pods are known.

    A pod's series outlive it for as long as a query looks back.  Only names that the target's
    controller would make are judged: beside a workload's label, ``pod`` may be the exporter's.
    """
    series = dict(mapped.series)
    gone: dict[model.Ref, tuple[str, ...]] = {}
    for target, pods in living.items():
        if left := [s.pod for s in series.get(target, ()) if is_gone(s.pod, target, pods)]:
            gone[target] = tuple(left)
            series[target] = tuple(s for s in series[target] if s.pod not in left)
    return dataclasses.replace(mapped, series=series, gone=gone) if gone else mapped


def is_gone(pod: str, target: model.Ref, living: Collection[str]) -> bool:
    """Whether a pod was the target's and is not among its living ones."""
    return bool(pod) and pod not in living and lineage.fits(pod, target)


def _is_foreign(
    namespace_labels: Sequence[str], labels: Mapping[str, str], namespaces: Collection[str]
) -> bool:
    """True when a series says that it is about another namespace; it is not even shown."""
    foreign = False
    for label in namespace_labels:
        said = labels.get(label)
        if said and said in namespaces:
            return False
        foreign = foreign or bool(said)
    return foreign


_Place = tuple[model.Ref, str, str]
_WORKLOAD_LABELS = tuple(compiled.WORKLOAD_LABELS.values())


def _first(wanted: Iterable[str], labels: Mapping[str, str]) -> str | None:
    """The first of the wanted labels that has a value."""
    for each in wanted:
        if labels.get(each):
            return each
    return None


def _place(
    signal: compiled.Signal,
    labels: Mapping[str, str],
    by_name: Mapping[str, model.Ref],
    owners: Mapping[str, model.Ref],
) -> _Place | model.Failure | None:
    mapping = signal.spec.mapping
    if mapping is not None and mapping.single:
        return _single(labels, by_name)
    if mapping is not None and mapping.name is not None:
        return _by_label(signal, mapping.name, labels, by_name)
    if signal.labels == (compiled.NODE_LABEL,):
        return _by_label(signal, compiled.NODE_LABEL, labels, by_name)
    pod_label = _first(signal.confinement.pod_labels, labels)
    if _first(_WORKLOAD_LABELS, labels) is not None:
        usable = (each for each in _WORKLOAD_LABELS if each in signal.labels)
        own = _first(usable, labels)
        target = by_name.get(labels[own]) if own is not None else None
        pod = labels[pod_label] if pod_label is not None else ""
        return None if target is None or own is None else (target, pod, own)
    if pod_label is None:
        return _no_labels(signal, labels)
    owner = owners.get(labels[pod_label])
    target = by_name.get(owner.name) if owner is not None else None
    if target is None or target != owner:
        return None
    guessed = ", guessed by its name" if isinstance(owner, model.GuessedRef) else ""
    return target, labels[pod_label], f"{pod_label} of {owner}{guessed}"


def _single(
    labels: Mapping[str, str], by_name: Mapping[str, model.Ref]
) -> _Place | model.Failure | None:
    if labels:
        return model.Failure(
            reasons.Doubt.NO_MAPPING_LABELS,
            f"mapping single expects one series without labels, found {_show(labels)}",
        )
    target = next(iter(by_name.values()), None)
    return None if target is None else (target, "", "single")


def _by_label(
    signal: compiled.Signal,
    name_label: str,
    labels: Mapping[str, str],
    by_name: Mapping[str, model.Ref],
) -> _Place | model.Failure | None:
    if not labels.get(name_label):
        return _no_labels(signal, labels)
    target = by_name.get(labels[name_label])
    return None if target is None else (target, "", name_label)


def _no_labels(signal: compiled.Signal, labels: Mapping[str, str]) -> model.Failure:
    wanted = ", ".join(signal.labels)
    return model.Failure(
        reasons.Doubt.NO_MAPPING_LABELS,
        f"a series with labels {_show(labels)} names no target; keep one of: {wanted}",
    )


def _show(labels: Mapping[str, str]) -> str:
    inner = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return "{" + inner[:200] + "}"


def are_pods(series: Collection[Mapping[str, str]]) -> bool:
    """Whether labels are those of pods, of which none names its workload."""
    return bool(series) and all(
        _first(compiled.POD_LABELS, labels) is not None and _first(_WORKLOAD_LABELS, labels) is None
        for labels in series
    )


def pod_names(
    samples: Iterable[model.Sample], labels: Sequence[str] = compiled.POD_LABELS
) -> frozenset[str]:
    """Names of the pods that samples speak of without naming their workload.

    ``labels`` are those that hold a pod's name, the one that counts first.
    """
    pod_labels = (
        (sample.labels, _first(labels, sample.labels))
        for sample in samples
        if _first(_WORKLOAD_LABELS, sample.labels) is None
    )
    return frozenset(labels[label] for labels, label in pod_labels if label is not None)
