"""Which workload a pod belongs to, by the pod's name: what metrics of pods are joined by."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from prunella.adapters.kubernetes import client, kinds, parse
from prunella.core import model

UNKNOWN_SECONDS = 30.0
"""How long a name that no pod had is not asked for again."""
FORGET_SECONDS = 3600.0
"""How long a pod is remembered after it is gone: its series outlive it."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Seen:
    owner: model.Ref | None
    """None for a pod without a workload, and for a name that no pod has."""
    until: float
    exists: bool = True
    """Whether a pod was seen under the name."""


class Owners:
    """A cache of pod name to workload, filled by one metadata-only list per namespace."""

    def __init__(self, api: client.KubeApi, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds that only grow."""
        self._api = api
        self._clock = clock
        self._seen: dict[str, dict[str, _Seen]] = {}
        self._locks: collections.defaultdict[str, asyncio.Lock] = collections.defaultdict(
            asyncio.Lock
        )

    async def find(self, namespace: str, pods: Collection[str]) -> Mapping[str, model.Ref | None]:
        """The workload of each named pod, None for one without any. Raises ClusterError.

        A bare pod, or one of a Job, must be told from a name that no pod has: it is nobody's,
        however much its name is like that of a workload's pods.
        """
        async with self._locks[namespace]:
            if self._missing(namespace, pods):
                await self._list(namespace)
                self._note_unknown(namespace, pods)
        known = self._seen.get(namespace, {})
        return {name: known[name].owner for name in pods if name in known and known[name].exists}

    def _missing(self, namespace: str, pods: Collection[str]) -> bool:
        known, now = self._seen.get(namespace, {}), self._clock()
        return any(name not in known or known[name].until <= now for name in pods)

    async def _list(self, namespace: str) -> None:
        found: dict[str, model.Ref | None] = {}
        path = kinds.POD.path(namespace)
        async for page in self._api.pages(path, accept=client.METADATA_ONLY):
            for raw in page["items"]:
                found[raw["metadata"]["name"]] = owner(namespace, raw)
        now = self._clock()
        kept = {n: s for n, s in self._seen.get(namespace, {}).items() if s.until > now}
        fresh = {name: _Seen(ref, now + FORGET_SECONDS) for name, ref in found.items()}
        self._seen[namespace] = kept | fresh

    def _note_unknown(self, namespace: str, pods: Collection[str]) -> None:
        known = self._seen[namespace]
        until = self._clock() + UNKNOWN_SECONDS
        for name in pods:
            known.setdefault(name, _Seen(None, until, exists=False))


def owner(namespace: str, pod: Mapping[str, Any]) -> model.Ref | None:
    """The workload that a pod's metadata names, or None.

    A ReplicaSet's name is its owner's, a dash and the hash that its pods carry as a label, which
    tells a Rollout's from a Deployment's.
    """
    meta = pod["metadata"]
    for reference in meta.get("ownerReferences") or ():
        kind, name = reference["kind"], reference["name"]
        if not reference.get("controller") or not reference["apiVersion"].startswith("apps/"):
            continue
        if kind == kinds.REPLICA_SET.name:
            found = _of_replica_set(name, meta.get("labels") or {})
            if found is not None:
                return model.Ref(found[0], namespace, found[1])
        if kind in {kinds.STATEFUL_SET.name, kinds.DAEMON_SET.name}:
            return model.Ref(kind, namespace, name)
    return None


def _of_replica_set(name: str, labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Kind and name of a ReplicaSet's owner, by its own name and the labels of its pods."""
    for kind, key in parse.TEMPLATE_HASHES.items():
        suffix = f"-{labels.get(key, '')}"
        if len(suffix) > 1 and name.endswith(suffix):
            return kind, name.removesuffix(suffix)
    return None
