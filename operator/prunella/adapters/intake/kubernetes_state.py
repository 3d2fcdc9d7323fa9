"""What the cluster itself says is wrong: conditions of pods and nodes, and Warning Events.

Pods and Events are never watched.  They are listed where a watched workload lacks available
replicas, which costs nothing to know; nodes are known from the journal, or listed.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prunella import ports
from prunella.adapters.intake import objects, polling, told
from prunella.adapters.kubernetes import client, kinds, selectors
from prunella.core import model
from prunella.core.incidents import picture as pictures
from prunella.core.incidents import symptoms

NAME = "Kubernetes"
LINGER_SECONDS = 60.0
"""A workload is still looked at so long after it was whole again: pods crash and come back."""
MOST_WORKLOADS = 64
"""Workloads that are looked at in one round, those that lack most first."""
MOST_EVENTS = 2000
"""Events of a namespace that are read."""
NEWEST_EVENTS = 200
"""Events of a namespace that are judged: the newest of those read."""
_log = logging.getLogger(__name__)


class KubernetesState:
    """Looks at what is not as it should be."""

    def __init__(
        self,
        api: client.KubeApi,
        workloads: Callable[[], Iterable[model.Workload]],
        scene: objects.Scene,
        clock: ports.Clock,
    ) -> None:
        """``workloads`` gives the watched workloads of all namespaces, without a request."""
        self._api = api
        self._workloads = workloads
        self._scene = scene
        self._clock = clock
        self._lacking: dict[model.Ref, float] = {}
        self._since: dict[tuple[model.Ref, str], float] = {}

    async def ask(self) -> Sequence[told.Told]:
        """What is wrong now. Raises polling.PollError."""
        now = self._clock.now().timestamp()
        by_namespace = self._to_look_at(now)
        try:
            manifests = await self._scene.manifests(by_namespace.keys())
            found = [
                symptom
                for _, raw in pictures.of_kind(manifests, "Node")
                for symptom in symptoms.of_node(raw, now)
            ]
            for namespace, workloads in by_namespace.items():
                found += await self._look(namespace, workloads, pictures.of(manifests), now)
        except ports.ClusterError as error:
            raise polling.PollError(str(error)) from error
        joined = symptoms.joined(found)
        known, self._since = self._since, {}
        for each in joined:
            key = (each.target, each.name)
            self._since[key] = known.get(key, each.since)
        return [self._told(each, now) for each in joined]

    def _told(self, symptom: symptoms.Symptom, now: float) -> told.Told:
        target = symptom.target
        pairs = {"kind": target.kind, "namespace": target.namespace, "name": target.name}
        return told.Told(
            source=NAME,
            name=symptom.name,
            labels=told.labels_of(pairs),
            starts_at=self._since[target, symptom.name],
            firing=True,
            received=now,
            message=symptom.message,
            target=target,
        )

    def _to_look_at(self, now: float) -> dict[str, list[model.Workload]]:
        """Workloads that lack replicas, or did a moment ago, by namespace."""
        lacking = {}
        for each in self._workloads():
            if each.available < each.replicas or each.stuck:
                self._lacking[each.ref] = now
            if each.ref in self._lacking:
                lacking[each.ref] = each
        self._lacking = {
            ref: at
            for ref, at in self._lacking.items()
            if now - at <= LINGER_SECONDS and ref in lacking
        }
        worst = sorted(
            (lacking[ref] for ref in self._lacking), key=lambda w: (w.available - w.replicas, w.ref)
        )
        found: dict[str, list[model.Workload]] = collections.defaultdict(list)
        for each in worst[:MOST_WORKLOADS]:
            found[each.ref.namespace].append(each)
        return found

    async def _look(
        self,
        namespace: str,
        workloads: Sequence[model.Workload],
        picture: pictures.Picture,
        now: float,
    ) -> list[symptoms.Symptom]:
        """The symptoms of workloads of one namespace, by their pods and by Events."""
        found: list[symptoms.Symptom] = []
        pods: dict[pictures.Place, model.Ref | None] = {}
        seen: dict[str, Any] = {}
        for workload in workloads:
            for raw in await self._pods(workload):
                owner = pictures.owner_of_pod(namespace, raw)
                pods[namespace, raw["metadata"]["name"]] = owner
                seen[raw["metadata"]["name"]] = raw
                if owner == workload.ref:
                    found += symptoms.of_pod(owner, raw, now)
        known = dataclasses.replace(picture, pods=pods)
        for raw in await self._events(namespace):
            about = seen.get((raw.get("involvedObject") or {}).get("name", ""), {})
            if symptoms.is_over(raw, about):
                continue
            target = symptoms.involved(raw, known)
            event = symptoms.of_event(target, raw, now) if target is not None else None
            if event is not None:
                found.append(event)
        return found

    async def _pods(self, workload: model.Workload) -> list[Any]:
        """The first page of a workload's pods."""
        if not workload.selector:
            return []
        selector = selectors.query({"matchLabels": workload.selector})
        path = kinds.POD.path(workload.ref.namespace)
        async for page in self._api.pages(path, {"labelSelector": selector}):
            return list(page["items"])
        return []

    async def _events(self, namespace: str) -> list[Any]:
        """The newest Warning Events; the API server lists them by name."""
        found: list[Any] = []
        query = {"fieldSelector": "type=Warning"}
        async for page in self._api.pages(kinds.CORE_EVENT.path(namespace), query):
            found += page["items"]
            if len(found) >= MOST_EVENTS:
                break
        return sorted(found, key=_last, reverse=True)[:NEWEST_EVENTS]


def _last(raw: Any) -> str:
    return str(raw.get("lastTimestamp") or raw.get("eventTime") or "")
