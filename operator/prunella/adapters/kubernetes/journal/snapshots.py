"""Sights kept over a restart, in JournalSnapshot objects beside the objects that they show.

A shard is written when all Changes about it are in the journal: after a crash the snapshot is
older than the journal, never newer, so that nothing is lost; what was told already is told apart
by `core.changes.catch_up`.
"""

from __future__ import annotations

import base64
import datetime
import logging
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from prunella import ports
from prunella.adapters.kubernetes import client, kinds, own_objects
from prunella.adapters.kubernetes.journal.sights import Shard
from prunella.api import journal_snapshot as api
from prunella.core.changes import entry, packing

_CLUSTER: Final = "cluster"
_NAMESPACED: Final = "journal"
_log = logging.getLogger(__name__)


class Snapshot(NamedTuple):
    """What was kept of a namespace, or (empty) of the cluster."""

    namespace: str
    taken_at: datetime.datetime
    sights: list[entry.Sight]


class Snapshots:
    """JournalSnapshot objects."""

    def __init__(self, kube: client.KubeApi, home: str) -> None:
        """``home`` is the operator's namespace: that of cluster-wide objects' sights."""
        self._api = kube
        self._home = home
        self._there: set[tuple[str, str]] = set()

    async def load(self, namespaces: Sequence[str]) -> list[Snapshot]:
        """All that was kept of some namespaces, or of all. Raises ClusterError."""
        places: Sequence[str | None] = (
            [*dict.fromkeys((*namespaces, self._home))] if namespaces else [None]
        )
        found: list[Snapshot] = []
        for place in places:
            async for page in self._api.pages(kinds.JOURNAL_SNAPSHOT.path(place)):
                for raw in page["items"]:
                    meta = raw["metadata"]
                    self._there.add((meta["namespace"], meta["name"]))
                    found.extend(_read(raw))
        return found

    async def keep(
        self, shard: Shard, sights: Sequence[entry.Sight], now: datetime.datetime
    ) -> None:
        """Write a shard, or delete an empty one; the first one stays as a trace.

        Raises ClusterError.
        """
        namespace = shard.namespace or self._home
        name = f"{_NAMESPACED if shard.namespace else _CLUSTER}-{shard.number}"
        if not sights and shard.number:
            await self._delete(namespace, name)
            return
        spec = api.JournalSnapshotSpec(taken_at=now, objects=len(sights), sights=pack(sights))
        body = {"spec": spec.model_dump(mode="json", by_alias=True)}
        if (namespace, name) in self._there and await self._patch(namespace, name, body):
            return
        await self._create(namespace, name, body)

    async def _patch(self, namespace: str, name: str, body: Mapping[str, Any]) -> bool:
        """Replace the spec; False when the object is gone."""
        reply = await self._api.exchange(
            "PATCH",
            kinds.JOURNAL_SNAPSHOT.path(namespace, name),
            own_objects.AS_OPERATOR,
            body,
            client.MERGE_PATCH,
            mutating=True,
        )
        if reply.status == 404:
            self._there.discard((namespace, name))
            return False
        if not reply.ok:
            raise client.refusal(reply, mutating=True)
        return True

    async def _create(self, namespace: str, name: str, body: Mapping[str, Any]) -> None:
        whole = {
            "apiVersion": kinds.JOURNAL_SNAPSHOT.api_version,
            "kind": kinds.JOURNAL_SNAPSHOT.name,
            "metadata": {"namespace": namespace, "name": name},
            **body,
        }
        path = kinds.JOURNAL_SNAPSHOT.path(namespace)
        reply = await self._api.exchange(
            "POST", path, own_objects.AS_OPERATOR, whole, mutating=True
        )
        if reply.ok or reply.status == 409:
            self._there.add((namespace, name))
        if reply.status == 409:
            await self._patch(namespace, name, body)
        elif not reply.ok:
            raise client.refusal(reply, mutating=True)

    async def _delete(self, namespace: str, name: str) -> None:
        if (namespace, name) not in self._there:
            return
        path = kinds.JOURNAL_SNAPSHOT.path(namespace, name)
        reply = await self._api.exchange("DELETE", path, mutating=True)
        if not reply.ok and reply.status != 404:
            raise client.refusal(reply, mutating=True)
        self._there.discard((namespace, name))


def pack(sights: Sequence[entry.Sight]) -> str:
    """Sights as text; the largest contents are left out when it would be too long."""
    by_size = sorted(sights, key=lambda seen: len(seen.packed))
    while True:
        whole = {seen.uid for seen in by_size}
        text = packing.to_text(packing.pack(orjson.dumps([_row(s, whole) for s in sights])))
        if len(text) <= api.MOST_CHARACTERS:
            return text
        by_size = by_size[: len(by_size) * 3 // 4]


def unpack(text: str) -> Iterator[entry.Sight]:
    """The sights of a text. Raises ValueError or zlib.error for what is none."""
    for row in orjson.loads(zlib.decompress(packing.from_text(text))):
        # Those of older versions end with the content.
        kind, namespace, name, uid, version, generation, written, fingerprint, content = row[:9]
        yield entry.Sight(
            kind=kind,
            namespace=namespace,
            name=name,
            uid=uid,
            version=version,
            generation=generation,
            written=written,
            packed=packing.pack(content.encode()) if content is not None else b"",
            fingerprint=base64.b64decode(fingerprint),
            created=row[9] if len(row) > 9 else 0,
        )


def _row(seen: entry.Sight, whole: set[str]) -> list[object]:
    kept = seen.packed and seen.uid in whole
    return [
        seen.kind,
        seen.namespace,
        seen.name,
        seen.uid,
        seen.version,
        seen.generation,
        seen.written,
        base64.b64encode(seen.fingerprint).decode(),
        zlib.decompress(seen.packed).decode() if kept else None,
        seen.created,
    ]


def _read(raw: Mapping[str, Any]) -> Iterator[Snapshot]:
    try:
        spec = api.JournalSnapshotSpec.model_validate(raw["spec"])
        cluster = raw["metadata"]["name"].startswith(f"{_CLUSTER}-")
        namespace = "" if cluster else raw["metadata"]["namespace"]
        yield Snapshot(namespace, spec.taken_at, list(unpack(spec.sights)))
    except (ValueError, zlib.error, TypeError) as error:
        meta = raw["metadata"]
        _log.error("JournalSnapshot %(namespace)s/%(name)s can't be read", meta)
        _log.debug("it says: %s", error)


def retryable(error: ports.ClusterError) -> bool:
    """Whether a write may succeed later: a namespace that ends or is gone refuses for good."""
    return error.status is None or error.status == 429 or error.status >= 500
