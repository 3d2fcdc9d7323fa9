"""Whose a pod was that is gone: told by its name, as controllers make them.

A Deployment's pods are called ``NAME-REPLICASET-POD``, a StatefulSet's ``NAME-0``, a
DaemonSet's ``NAME-POD``.  Source: k8s.io/apiserver ``names.SimpleNameGenerator`` (5 letters and
digits) and the Deployment controller's pod-template-hash (up to 10).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from prunella.core import model

_ENDINGS: Final = {
    "Deployment": re.compile(r"-[a-z0-9]{4,10}-[a-z0-9]{5}"),
    "StatefulSet": re.compile(r"-[0-9]{1,6}"),
    "DaemonSet": re.compile(r"-[a-z0-9]{5}"),
}


def owners(
    pods: Iterable[str], workloads: Collection[model.Ref], known: Mapping[str, model.Ref]
) -> dict[str, model.Ref]:
    """The workload of each pod, as far as ``known`` or told by its name.

    Where several names fit, the longest is the owner's: pods of ``web-api`` are not of ``web``.
    """
    by_name: dict[str, list[model.Ref]] = {}
    for each in workloads:
        by_name.setdefault(each.name, []).append(each)
    found = {}
    for pod in pods:
        owner = known.get(pod) or _owner(pod, by_name)
        if owner is not None:
            found[pod] = owner
    return found


def _owner(pod: str, by_name: Mapping[str, list[model.Ref]]) -> model.Ref | None:
    end = len(pod)
    while (end := pod.rfind("-", 0, end)) > 0:
        for candidate in by_name.get(pod[:end], ()):
            if _ENDINGS[candidate.kind].fullmatch(pod, end):
                return candidate
    return None
