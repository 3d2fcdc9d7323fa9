"""Whose a pod was that is gone: guessed by its name, as controllers make them.

A Deployment's or Rollout's pods are called ``NAME-REPLICASET-POD``, a StatefulSet's ``NAME-0``, a
DaemonSet's ``NAME-POD``.  What the API server says of a pod that is there always wins, also that
it belongs to no workload.  Sources: k8s.io/apiserver ``names.SimpleNameGenerator`` (5 letters),
the Deployment controller's pod-template-hash (up to 10), and their letters in
k8s.io/apimachinery/pkg/util/rand: no vowels and no 0, 1, 3, so that they make no words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from prunella.core import model

LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""The letters of generated names."""
_OF_REPLICA_SET: Final = f"-[{LETTERS}]{{5,10}}-[{LETTERS}]{{5}}"
ENDINGS: Final = {
    "Deployment": _OF_REPLICA_SET,
    "Rollout": _OF_REPLICA_SET,
    "StatefulSet": "-(?:0|[1-9][0-9]{0,5})",
    "DaemonSet": f"-[{LETTERS}]{{5}}",
}
"""What follows a workload's name in its pods' names, as regular expressions."""
_PATTERNS: Final = {kind: re.compile(ending, re.ASCII) for kind, ending in ENDINGS.items()}


def owners(
    pods: Iterable[str],
    workloads: Collection[model.Ref],
    known: Mapping[str, model.Ref | None],
) -> dict[str, model.Ref]:
    """The workload of each pod: as ``known``, or else as `model.GuessedRef` by its name.

    ``known`` is what the API server said; None for a pod that belongs to no workload.  Where
    several names fit, the longest is the owner's: pods of ``web-api`` are not of ``web``.
    """
    by_name: dict[str, list[model.Ref]] = {}
    for each in workloads:
        if each.kind in ENDINGS:
            by_name.setdefault(each.name, []).append(each)
    found = {}
    for pod in pods:
        owner = known[pod] if pod in known else _guess(pod, by_name)
        if owner is not None:
            found[pod] = owner
    return found


def fits(pod: str, workload: model.Ref) -> bool:
    """Whether a pod's name is one that this workload's controller would make."""
    name = workload.name
    return pod.startswith(name) and bool(_PATTERNS[workload.kind].fullmatch(pod, len(name)))


def pattern(workload: model.Ref) -> str:
    """A regular expression for the names of a workload's pods, as Prometheus reads it."""
    return workload.name.replace(".", "[.]") + ENDINGS[workload.kind]


def _guess(pod: str, by_name: Mapping[str, list[model.Ref]]) -> model.GuessedRef | None:
    end = len(pod)
    while (end := pod.rfind("-", 0, end)) > 0:
        for candidate in by_name.get(pod[:end], ()):
            if fits(pod, candidate):
                return model.GuessedRef(*candidate)
    return None
