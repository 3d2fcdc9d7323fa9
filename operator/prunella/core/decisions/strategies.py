"""Update strategies: what a new pod template does to the pods that run, and in which words.

Kubernetes resolves percentages differently for each kind: a Deployment's ``maxUnavailable`` is
rounded down, that of a StatefulSet or DaemonSet up (k8s.io/api/apps/v1, RollingUpdate*).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prunella.core import model, progressive

DEFAULT_SHARE = 4
"""A rollout takes down a quarter of a Deployment at once unless its owner says otherwise."""
REVISION_HASH = "controller-revision-hash"
"""Label of a StatefulSet's pod: the name of its ControllerRevision."""
ORDINAL = "apps.kubernetes.io/pod-index"
_REPLACEMENTS = {each.value: each for each in model.Replacement}


def of(kind: str, spec: Mapping[str, Any], replicas: int) -> model.Strategy:
    """The strategy of a workload's spec; fields that are not there have the server's defaults."""
    if kind == progressive.KIND:
        return model.Strategy(most_down=_of_deployment(progressive.limits(spec), replicas))
    written = spec.get("strategy" if kind == "Deployment" else "updateStrategy") or {}
    replacement = _REPLACEMENTS.get(written.get("type", ""), model.Replacement.ROLLING_UPDATE)
    rolling = written.get("rollingUpdate") or {}
    if replacement is model.Replacement.RECREATE:
        return model.Strategy(replacement, most_down=replicas)
    if kind == "Deployment":
        return model.Strategy(replacement, _of_deployment(rolling, replicas))
    ordered = kind == "StatefulSet" and spec.get("podManagementPolicy") != "Parallel"
    if replacement is model.Replacement.ON_DELETE:
        return model.Strategy(replacement, most_down=0, ordered=ordered)
    unavailable = resolve(rolling.get("maxUnavailable", 1), replicas, up=True)
    surge = resolve(rolling.get("maxSurge", 0), replicas, up=True)
    down = unavailable if surge else max(1, unavailable)
    return model.Strategy(replacement, down, rolling.get("partition") or 0, ordered)


def _of_deployment(rolling: Mapping[str, Any], replicas: int) -> int:
    """Those of a Rollout have the same defaults.

    Where both limits come to nothing the controller takes one pod down, to move at all.
    """
    surge = resolve(rolling.get("maxSurge", "25%"), replicas, up=True)
    down = resolve(rolling.get("maxUnavailable", "25%"), replicas, up=False)
    return down if surge or down or not replicas else 1


def resolve(limit: int | str, replicas: int, *, up: bool) -> int:
    """A number of pods, or a percentage of the replicas, as a number of pods."""
    if isinstance(limit, int):
        return min(limit, replicas)
    pods = replicas * int(limit.rstrip("%"))
    return min(-(-pods // 100) if up else pods // 100, replicas)


def replaced(workload: model.Workload) -> int:
    """How many pods a new template replaces in the end."""
    if workload.strategy.replacement is model.Replacement.ON_DELETE:
        return 0
    return max(0, workload.replicas - workload.strategy.partition)


def taken_down(workload: model.Workload) -> int:
    """How many of the pods that are available now a rollout may take down at once.

    Pods that are not available are replaced first and count as down already.
    """
    down = min(workload.strategy.most_down, replaced(workload))
    return max(0, workload.available - (workload.replicas - down))


def pod_by_pod(workload: model.Workload) -> bool:
    """Whether a rollout takes down one pod at a time and replaces all in the end."""
    strategy = workload.strategy
    if strategy.replacement is not model.Replacement.ROLLING_UPDATE:
        return False
    return strategy.most_down <= 1 and not strategy.partition


def in_words(workload: model.Workload) -> str:
    """How a rollout goes, as a plan tells it."""
    replicas, strategy = workload.replicas, workload.strategy
    if strategy.replacement is model.Replacement.RECREATE:
        return f"all {replicas} pods at once (Recreate): none serves until new ones are ready"
    kept = f"; {strategy.partition} keep theirs (partition)" if strategy.partition else ""
    if strategy.most_down <= 1:
        return f"pod by pod ({replicas} replicas{kept})"
    return f"up to {strategy.most_down} of {replicas} pods down at once{kept}"


def blocking(live_state: model.LiveState, healthy_revision: str = "") -> tuple[model.Pod, ...]:
    """The pods for which an ordered StatefulSet waits before it replaces any other.

    With ``OrderedReady`` its controller waits for a pod that is not ready even after the template
    was repaired, so that somebody must delete it: "forced rollback" in the documentation of
    StatefulSets.  Pods of ``healthy_revision`` are left to become ready.
    """
    workload = live_state.workload
    if not workload.strategy.ordered or not replaced(workload):
        return ()
    waiting = [
        pod
        for pod in live_state.pods
        if not (pod.ready or pod.deleting)
        and ordinal(pod) >= workload.strategy.partition
        and (not healthy_revision or pod.labels.get(REVISION_HASH) != healthy_revision)
    ]
    return tuple(sorted(waiting, key=ordinal))


def ordinal(pod: model.Pod) -> int:
    """A StatefulSet pod's number, by its label or by the end of its name."""
    number = pod.labels.get(ORDINAL) or pod.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
