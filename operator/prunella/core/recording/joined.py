"""One value for each target in PromQL: what `prunella.core.signals.joined` does with a history.

Pods are given their workload by their names, then joined by the signal's ``pods`` rule.  What the
operator would not believe is absent: numbers that are none, several series of the same object,
too few events.
"""

from __future__ import annotations

from typing import Final

from prunella.api import detectors as detectors_api
from prunella.core.signals import compiled, lineage

ENDINGS: Final = {kind.lower(): ending for kind, ending in lineage.ENDINGS.items()}
"""What follows a workload's name in its pods' names, as in `prunella.core.signals.lineage`."""
_WHO: Final = "prunella_pod"
_FINITE: Final = "> -Inf < Inf"


def value(signal: compiled.Signal, side: detectors_api.Side) -> str:
    """PromQL of the signal's value for each target; its labels are those that map it."""
    pods = tuple(each for each in signal.labels if each in compiled.POD_LABELS)
    target = tuple(each for each in signal.labels if each not in pods)
    if compiled.TOTAL in signal.queries:
        each, counted = _share(signal, target, pods)
    else:
        counted = _owned(signal, signal.queries[compiled.VALUE])
        each = f"({counted}) {_FINITE}"
    alone = f"{_by('count', (*target, *pods))} ({counted})"
    once = f"{_by('max', target)} ({alone}) == 1"
    return f"{_joined(signal.spec.pods, side, target)}{each}) and ({once})"


def _share(
    signal: compiled.Signal, target: tuple[str, ...], pods: tuple[str, ...]
) -> tuple[str, str]:
    """Bad over total, pod by pod; also what is counted to find doubled series."""
    labels = (*target, *pods)
    minimum = signal.spec.ratio.minimum if signal.spec.ratio is not None else 0.0
    total = _owned(signal, signal.queries[compiled.TOTAL])
    bad = f"{_by('max', labels)} (({_owned(signal, signal.queries[compiled.BAD])}) {_FINITE})"
    least = minimum / signal.events_factor
    enough = f"({_by('max', labels)} (({total}) {_FINITE}) >= {least!r} > 0)"
    return f"({bad} / {enough} or 0 * {enough})", total


def _owned(signal: compiled.Signal, query: str) -> str:
    """The query, with the label of the workload filled from the pod's name where it is empty.

    Series that name no workload then are of other pods, and are left out: ``vector(0)`` has no
    labels, so that it matches those alone.
    """
    workload = next((each for each in signal.labels if each in ENDINGS), None)
    if workload is None or signal.spec.mapping is not None:
        return query
    first, second = signal.confinement.pod_labels
    name = f"([^;]+){ENDINGS[workload]}"
    who = f'label_join({query}, "{_WHO}", ";", "{workload}", "{first}", "{second}")'
    named = f'label_replace({who}, "{workload}", "$1$2", "{_WHO}", ";{name};.*|;;{name}")'
    return f"({named} unless on ({workload}) vector(0))"


def _joined(rule: str, side: detectors_api.Side, labels: tuple[str, ...]) -> str:
    """The aggregation that lets one pod speak for all, up to its opening parenthesis."""
    if side is detectors_api.Side.BOTH:
        return f"{_by('quantile', labels)} (0.5, "
    worst, best = ("max", "min") if side is detectors_api.Side.ABOVE else ("min", "max")
    if rule in {"Any", "All"}:
        return f"{_by(worst if rule == 'Any' else best, labels)} ("
    share = int(rule.rstrip("%")) / 100
    rank = 1.0 - share if side is detectors_api.Side.ABOVE else share
    return f"{_by('quantile', labels)} ({rank:.2f}, "


def _by(operation: str, labels: tuple[str, ...]) -> str:
    return f"{operation} by ({', '.join(labels)})" if labels else operation
