"""Whom alerts are about, in this cluster: asks for what the labels alone do not say.

An answer is kept for as long as the alert is followed: a pod whose alert ends may be gone by then,
and its alert must end where it began.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Mapping, Sequence

from prunella import ports
from prunella.adapters.intake import objects, told
from prunella.core import model
from prunella.core.incidents import alert_owner
from prunella.core.incidents import picture as pictures

PICTURE_SECONDS = 15.0
"""How old the picture of a namespace may be."""
_log = logging.getLogger(__name__)
_Key = int
"""A hash: the labels of 50,000 alerts would take as much memory as all else."""


class Attribution:
    """Leads alerts to owners. At most ``limit`` answers are kept, the oldest used are forgotten."""

    def __init__(
        self,
        scene: objects.Scene,
        cluster: ports.Cluster,
        clock: ports.Clock,
        limit: int = 50_000,
    ) -> None:
        self._scene = scene
        self._cluster = cluster
        self._clock = clock
        self._limit = limit
        self._known: OrderedDict[_Key, model.Ref] = OrderedDict()
        self._picture = pictures.Picture()
        self._seen: dict[str, float] = {}

    async def targets(self, batch: Sequence[told.Told]) -> list[model.Ref]:
        """The owner of each; never raises: what can't be asked is guessed from the labels."""
        unknown = {_key(each): each for each in batch if each.target is None}
        unknown = {key: each for key, each in unknown.items() if key not in self._known}
        if unknown:
            await self._look_up(unknown)
        return [each.target or self._recall(_key(each)) for each in batch]

    def _recall(self, key: _Key) -> model.Ref:
        self._known.move_to_end(key)
        return self._known[key]

    async def _look_up(self, unknown: Mapping[_Key, told.Told]) -> None:
        labels = {key: dict(each.labels) for key, each in unknown.items()}
        namespaces = {each for some in labels.values() for each in alert_owner.namespaces_of(some)}
        await self._renew(namespaces)
        pods = await self._owners(
            {place for each in labels.values() if (place := alert_owner.needs_pod(each))}
        )
        picture = dataclasses.replace(self._picture, pods={**self._picture.pods, **pods})
        for key, each in labels.items():
            self._known[key] = alert_owner.owner(each, picture).target
        # What is asked for in this batch is kept, however small the limit.
        while len(self._known) > max(self._limit, len(unknown)):
            self._known.popitem(last=False)

    async def _renew(self, namespaces: Collection[str]) -> None:
        """Look again at the namespaces whose picture is old or missing."""
        now = self._clock.now().timestamp()
        self._seen = {name: at for name, at in self._seen.items() if now - at < PICTURE_SECONDS}
        if self._seen.keys() >= set(namespaces):
            return
        wanted = {*namespaces, *self._seen}
        self._picture = pictures.of(await self._scene.manifests(wanted))
        self._seen = dict.fromkeys(wanted, now)

    async def _owners(
        self, places: Collection[pictures.Place]
    ) -> dict[pictures.Place, model.Ref | None]:
        by_namespace: defaultdict[str, set[str]] = defaultdict(set)
        for namespace, pod in places:
            by_namespace[namespace].add(pod)
        found: dict[pictures.Place, model.Ref | None] = {}
        for namespace, names in sorted(by_namespace.items()):
            try:
                owners = await self._cluster.owners(namespace, names)
            except ports.ClusterError as error:
                _log.warning("owners of pods of %s are guessed by name: %s", namespace, error)
                continue
            found |= {(namespace, pod): owner for pod, owner in owners.items()}
        return found


def _key(each: told.Told) -> _Key:
    return hash((each.name, each.labels))
