"""What a ResourceQuota has no room for: by the API server's own words, or by its numbers.

https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from prunella.api import quantities
from prunella.core import model

_REFUSAL: Final = re.compile(r"exceeded quota: ([a-z0-9.-]+), requested: ([^ ]+), used: ")
"""What the admission plugin says (apiserver, resourcequota/controller.go)."""
_PODS: Final = frozenset({"pods", "count/pods"})
_SHORT: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
"""Names that mean requests without saying so."""


@dataclasses.dataclass(frozen=True, slots=True)
class Short:
    """A resource of which a quota has not enough for one more pod."""

    resource: str
    hard: str
    """The limit as it is written."""
    used: float
    requested: float
    """By one pod."""


def refuser(failure: str) -> str:
    """The quota that a Deployment's status names; empty: none."""
    found = _REFUSAL.search(failure)
    return "" if found is None else found[1]


def short(quota: Mapping[str, Any], workload: model.Workload) -> list[Short]:
    """What a quota, as the API server shows it, has not enough of for one more pod."""
    name = quota["metadata"]["name"]
    hard = (quota.get("spec") or {}).get("hard") or {}
    used = (quota.get("status") or {}).get("used") or {}
    told = _told(name, workload.failure)
    found = []
    for resource, limit in sorted(hard.items()):
        wanted = told.get(resource, requested(workload.template, resource))
        taken = quantities.read(used.get(resource, 0))
        if wanted and taken + wanted > quantities.read(limit):
            found.append(Short(resource, str(limit), taken, wanted))
    return found


def _told(name: str, failure: str) -> dict[str, float]:
    """What a refused pod asked for, in the API server's words: defaults are in it."""
    found = _REFUSAL.search(failure)
    if found is None or found[1] != name:
        return {}
    pairs = (each.partition("=") for each in found[2].split(","))
    return {resource: quantities.read(amount) for resource, _, amount in pairs}


def requested(template: Mapping[str, Any], resource: str) -> float:
    """What a pod of a template counts for a resource; 0 for what pods do not count for."""
    if resource in _PODS:
        return 1.0
    whole = f"requests.{resource}" if resource in _SHORT else resource
    kind, _, name = whole.partition(".")
    if kind not in {"requests", "limits"}:
        return 0.0
    spec: Any = template.get("spec") or {}
    main = sum(_amounts(spec.get("containers"), kind, name))
    return max([main, *_amounts(spec.get("initContainers"), kind, name)])


def _amounts(containers: Iterable[Any] | None, kind: str, name: str) -> Iterator[float]:
    """Of each container; a request that is not written is as large as the limit."""
    for container in containers or ():
        resources = container.get("resources") or {}
        limits = resources.get("limits") or {}
        known = {**limits, **(resources.get(kind) or {})} if kind == "requests" else limits
        yield quantities.read(known.get(name, 0))
