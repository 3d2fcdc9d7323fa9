"""The Journal port on Change objects of a real API server.

Thousands are kept in memory, each as compressed JSON, and few are looked at, which are parsed once.
The object before a change is left out, but for routes and policies: whom they led to or let in
before is asked for in each diagnosis, and there are few of them.
"""

from __future__ import annotations

import bisect
import collections
import dataclasses
import datetime
import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
import pydantic

from prunella import ports
from prunella.adapters.kubernetes import client, kinds, own_objects
from prunella.api import change as change_api
from prunella.core import model
from prunella.core.changes.values import Change
from prunella.core.incidents.diagnosis import formerly

Raw = Mapping[str, Any]
Manifests = Callable[[Collection[str], Collection[str]], Mapping[model.Ref, Mapping[str, object]]]
_PARSED: Final = 512
_Key = tuple[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """A Change in memory: what is looked for by, and the rest as bytes."""

    name: str
    namespace: str
    at: datetime.datetime
    object: model.Ref
    object_uid: str
    class_: change_api.Class
    version: int
    """The object's resourceVersion after the change."""
    incidents: tuple[str, ...]
    uid: str
    resource_version: str
    spec: bytes
    told: change_api.LateAuthor | None = None

    def parsed(self) -> Change:
        """The Change, mostly without the object before it."""
        return Change(
            name=self.name,
            namespace=self.namespace,
            spec=change_api.ChangeSpec.model_validate_json(zlib.decompress(self.spec)),
            incidents=self.incidents,
            uid=self.uid,
            resource_version=self.resource_version,
            told=self.told,
        )


def parse(raw: Raw) -> Change:
    """A Change as read. Raises pydantic.ValidationError for one of another version."""
    meta = raw["metadata"]
    status = change_api.ChangeStatus.model_validate(raw.get("status") or {})
    return Change(
        name=meta["name"],
        namespace=meta["namespace"],
        spec=change_api.ChangeSpec.model_validate(raw["spec"]),
        incidents=tuple(status.incidents),
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        told=status.by,
    )


def _keep(change: Change) -> Kept:
    spec = formerly.light(change.spec)
    version = spec.resource_version
    return Kept(
        name=change.name,
        namespace=change.namespace,
        at=change.at,
        object=change.object,
        object_uid=change.object_uid,
        class_=change.class_,
        version=int(version) if version.isdecimal() else 0,
        incidents=change.incidents,
        uid=change.uid,
        resource_version=change.resource_version,
        spec=zlib.compress(spec.model_dump_json(by_alias=True, exclude_defaults=True).encode()),
        told=change.told,
    )


class KubernetesJournal:
    """Changes (`ports.Journal`). Own writes are seen when a call returns."""

    def __init__(self, kube: client.KubeApi, manifests: Manifests = lambda _, __: {}) -> None:
        """``manifests`` gives the watched objects of namespaces."""
        self._api = kube
        self._objects = own_objects.OwnObjects(kube, kinds.CHANGE)
        self._manifests = manifests
        self._lock = threading.Lock()
        self._kept: dict[_Key, Kept] = {}
        self._order: list[tuple[datetime.datetime, str, str]] = []
        self._parsed: collections.OrderedDict[_Key, Change] = collections.OrderedDict()

    def changes(self, namespaces: Collection[str], since: datetime.datetime) -> Sequence[Change]:
        """Changes in namespaces, and of cluster-wide objects, oldest first; costs no request.

        The object before most is left out: `whole` reads it.
        """
        with self._lock:
            first = bisect.bisect_left(self._order, (since, "", ""))
            found = [self._kept[place, name] for _, place, name in self._order[first:]]
        return [
            self._parse(kept)
            for kept in found
            if kept.object.namespace in namespaces or not kept.object.namespace
        ]

    def manifests(
        self, namespaces: Collection[str], kinds: Collection[str] = ()
    ) -> Mapping[model.Ref, Mapping[str, object]]:
        """The watched objects of namespaces and the nodes, as last seen; costs no request."""
        return self._manifests(namespaces, kinds)

    def told(self, uid: str, version: int) -> list[change_api.FieldChange]:
        """Fields of an object's Changes after a resourceVersion, oldest first."""
        with self._lock:
            found = [
                kept
                for kept in self._kept.values()
                if kept.object_uid == uid and kept.version > version
            ]
        found.sort(key=lambda kept: kept.version)
        return [field for kept in found for field in kept.parsed().spec.fields]

    def kept(self) -> Collection[Kept]:
        """All Changes, for retention; costs no request."""
        with self._lock:
            return list(self._kept.values())

    async def load(self, namespaces: Sequence[str]) -> None:
        """Read the Changes of namespaces, or of all. Raises ClusterError."""
        places: Sequence[str | None] = [*dict.fromkeys(namespaces)] or [None]
        for place in places:
            async for page in self._api.pages(kinds.CHANGE.path(place)):
                self._add(page["items"])

    async def record(self, change: Change) -> bool:
        """Write a Change once; False when it is there already.

        Raises OutcomeUnknown, ClusterError; either may be tried again.
        """
        spec = change.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        try:
            raw = await self._objects.create(change.namespace, change.name, spec)
        except ports.Conflict:
            return False
        self._add([raw])
        return True

    async def whole(self, change: Change) -> Change | None:
        """A Change with the object before it, or None when it is gone. Raises ClusterError."""
        path = kinds.CHANGE.path(change.namespace, change.name)
        reply = await self._api.exchange("GET", path, mutating=False)
        if reply.status == 404:
            return None
        if not reply.ok:
            raise client.refusal(reply, mutating=False)
        return parse(reply.body)

    async def refer(self, change: Change, incidents: Sequence[str]) -> None:
        """Write which open incidents refer to a change. Raises Conflict, ClusterError."""
        await self._restate(change, {"incidents": list(incidents)[-32:]})

    async def attribute(self, change: Change, by: change_api.LateAuthor) -> None:
        """Write who made a change, once that is known. Raises Conflict, ClusterError."""
        await self._restate(change, {"by": by})

    async def _restate(self, change: Change, said: Mapping[str, object]) -> None:
        """Write something into a status, beside what else it says; one that is gone is no error."""
        found = await self.whole(change)
        if found is None:
            self._drop(change.namespace, change.name)
            return
        known = change_api.ChangeStatus(incidents=list(found.incidents), by=found.told)
        status = known.model_copy(update=said)
        spec = found.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        written = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        self._add([await self._objects.write_status(found, spec, written)])

    async def delete(self, change: Change | Kept) -> None:
        """Delete an old one, under its UID; one that is gone is no error.

        Raises Conflict, ClusterError.
        """
        await self._objects.delete(change)
        self._drop(change.namespace, change.name)

    def _parse(self, kept: Kept) -> Change:
        key = kept.namespace, kept.name
        with self._lock:
            known = self._parsed.get(key)
        if known is not None and known.resource_version == kept.resource_version:
            return known
        change = kept.parsed()
        with self._lock:
            self._parsed[key] = change
            while len(self._parsed) > _PARSED:
                self._parsed.popitem(last=False)
        return change

    def _add(self, items: Iterable[Raw]) -> None:
        for raw in items:
            try:
                # A copy: what is kept would hold on to the memory of the whole list it came in.
                kept = _keep(parse(orjson.loads(orjson.dumps(raw))))
            except pydantic.ValidationError:
                continue
            key = kept.namespace, kept.name
            with self._lock:
                if key not in self._kept:
                    bisect.insort(self._order, (kept.at, *key))
                self._kept[key] = kept

    def _drop(self, namespace: str, name: str) -> None:
        with self._lock:
            kept = self._kept.pop((namespace, name), None)
            self._parsed.pop((namespace, name), None)
            if kept is not None:
                at = bisect.bisect_left(self._order, (kept.at, namespace, name))
                del self._order[at]
