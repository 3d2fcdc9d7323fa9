"""What the cluster was last seen to hold: parsed once per change, read without a request.

Kopf's thread, re-lists and our own writes all feed the same stores. Their order is that of the
API server's resourceVersions: nothing older replaces anything newer, and what was deleted
does not come back.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Generic, TypeVar

import orjson

from prunella.adapters.kubernetes import (
    kinds,
    lazy_json,
    parse,
    parse_approval,
    parse_incident,
    parse_node,
)
from prunella.core import model, objects
from prunella.core.incidents import values as incident_values

T = TypeVar("T")
Raw = Mapping[str, Any]
OnChange = Callable[[str, str, str], None]
"""Called with kind, namespace and name, from whichever thread brought the change."""
Name = tuple[str, str]
TOMBSTONES = 4096
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    version: int
    uid: str
    value: T


def _version(raw: Raw) -> int:
    """A resourceVersion as the number that it is in every cluster that keeps its state in etcd."""
    text = raw["metadata"].get("resourceVersion", "")
    return int(text) if text.isdecimal() else 0


def place_of(raw: Raw) -> str:
    """The namespace of an object; empty of what is in none."""
    found: str = raw["metadata"].get("namespace", "")
    return found


class Store(Generic[T]):
    """The objects of one kind. Safe to use from several threads."""

    def __init__(
        self,
        kind: str,
        parse_one: Callable[[Raw], T],
        on_change: OnChange,
        notable: Callable[[T], object],
        *,
        forgets_unreadable: bool = False,
    ) -> None:
        """``notable`` is what a change must show in to be told to ``on_change``.

        With ``forgets_unreadable`` an object that can't be read any more is as if it were gone;
        without it, it stays as it was last read.
        """
        self._kind = kind
        self._parse = parse_one
        self._on_change = on_change
        self._notable = notable
        self._forgets_unreadable = forgets_unreadable
        self._lock = threading.Lock()
        self._entries: dict[str, dict[str, _Entry[T]]] = {}
        self._gone: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._unreadable: collections.OrderedDict[str, int] = collections.OrderedDict()
        """UIDs, with the newest version that could not be read."""

    def all(self) -> list[T]:
        """All objects."""
        with self._lock:
            return [e.value for names in self._entries.values() for e in names.values()]

    def of(self, namespace: str) -> list[T]:
        """The objects of a namespace."""
        with self._lock:
            return [entry.value for entry in self._entries.get(namespace, {}).values()]

    def get(self, namespace: str, name: str) -> T | None:
        """One object, or None."""
        with self._lock:
            entry = self._entries.get(namespace, {}).get(name)
            return entry.value if entry is not None else None

    def put(self, raw: Raw) -> None:
        """Take in an object, unless something newer is known about it."""
        meta = raw["metadata"]
        namespace, name, uid = place_of(raw), meta["name"], meta["uid"]
        version = _version(raw)
        if not self._wanted(namespace, name, uid, version):
            return
        try:
            # A copy: what is kept would hold on to the memory of the whole list it came in.
            value = self._parse(orjson.loads(orjson.dumps(raw)))
        except parse.Unreadable as error:
            _log.error("%s %s/%s can't be read: %s", self._kind, namespace, name, error)
            self._not_read(namespace, name, uid, version)
            return
        with self._lock:
            old = self._entries.get(namespace, {}).get(name)
            if uid in self._gone or (old is not None and old.version >= version > 0):
                return
            self._entries.setdefault(namespace, {})[name] = _Entry(version, uid, value)
            self._unreadable.pop(uid, None)
        if old is None or self._notable(old.value) != self._notable(value):
            self._on_change(self._kind, namespace, name)

    def _wanted(self, namespace: str, name: str, uid: str, version: int) -> bool:
        """Whether an object is worth parsing."""
        with self._lock:
            old = self._entries.get(namespace, {}).get(name)
            known = max(old.version if old else 0, self._unreadable.get(uid, 0))
            return uid not in self._gone and not known >= version > 0

    def _not_read(self, namespace: str, name: str, uid: str, version: int) -> None:
        """Note a version that can't be read: it is told once, not at each re-list."""
        with self._lock:
            old = self._entries.get(namespace, {}).get(name)
            if uid in self._gone or (old is not None and old.version >= version > 0):
                return
            self._unreadable[uid] = max(version, self._unreadable.get(uid, 0))
            while len(self._unreadable) > TOMBSTONES:
                self._unreadable.popitem(last=False)
            if old is None or not self._forgets_unreadable:
                return
            self._drop(namespace, name)
        self._on_change(self._kind, namespace, name)

    def remove(self, namespace: str, name: str, uid: str) -> None:
        """Forget an object for good; one of the same name with another UID stays."""
        with self._lock:
            self._bury(uid)
            entry = self._entries.get(namespace, {}).get(name)
            if entry is None or entry.uid != uid:
                return
            self._drop(namespace, name)
        self._on_change(self._kind, namespace, name)

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take in a watch event; Kopf's first listing has events of type None."""
        raw = event["object"]
        if event["type"] == "DELETED":
            meta = raw["metadata"]
            self.remove(place_of(raw), meta["name"], meta["uid"])
        else:
            self.put(raw)

    def replace(self, items: Iterable[Raw], version: str, namespace: str | None = None) -> None:
        """Take in a whole list; objects that are not in it are gone.

        ``version`` is the list's resourceVersion: what is newer than the list is not judged by it.
        ``namespace`` is where the list was taken, None for the whole cluster.
        """
        seen: set[Name] = set()
        for raw in items:
            self.put(raw)
            seen.add((place_of(raw), raw["metadata"]["name"]))
        self.retain(seen, version, namespace)

    def retain(self, seen: Collection[Name], version: str, namespace: str | None = None) -> None:
        """Forget what a list of ``version`` did not show."""
        limit = int(version) if version.isdecimal() else 0
        with self._lock:
            missing = [
                (place, name, entry.uid)
                for place, names in self._entries.items()
                if namespace in (None, place)
                for name, entry in names.items()
                if (place, name) not in seen and entry.version <= limit
            ]
        for place, name, uid in missing:
            self.remove(place, name, uid)

    def _drop(self, namespace: str, name: str) -> None:
        names = self._entries[namespace]
        del names[name]
        if not names:
            del self._entries[namespace]

    def _bury(self, uid: str) -> None:
        """UIDs are never used twice, so late news of a deleted object can be told by them."""
        self._gone[uid] = None
        self._unreadable.pop(uid, None)
        while len(self._gone) > TOMBSTONES:
            self._gone.popitem(last=False)


class Stores:
    """The stores of all watched kinds."""

    def __init__(
        self,
        on_change: OnChange,
        closed_namespaces: Collection[str] = (),
        *,
        nodes: bool = False,
    ) -> None:
        """Workloads of ``closed_namespaces`` are not kept; ``nodes``: they are, with policies."""
        self.kinds = (*kinds.WATCHED, *(kinds.WATCHED_OF_CLUSTER if nodes else ()))
        """The kinds to watch, in the order in which they are listed."""
        self._closed = frozenset(closed_namespaces)
        self.policies: Store[objects.Policy] = Store(
            kinds.POLICY.name,
            parse.policy,
            on_change,
            lambda policy: (policy.uid, policy.generation, policy.annotations, policy.deleting),
        )
        self.cluster_policies: Store[objects.Policy] = Store(
            kinds.CLUSTER_POLICY.name,
            parse.policy,
            on_change,
            lambda policy: (policy.uid, policy.generation, policy.annotations, policy.deleting),
        )
        self.nodes: Store[model.Workload] = Store(
            kinds.NODE.name,
            parse_node.node,
            on_change,
            lambda node: node.resource_version,
            forgets_unreadable=True,
        )
        self.records: Store[objects.Record] = Store(
            kinds.RECORD.name, parse.record, on_change, lambda record: record.resource_version
        )
        self.approvals: Store[objects.Approval] = Store(
            kinds.APPROVAL.name,
            parse_approval.approval,
            on_change,
            lambda approval: approval.resource_version,
            forgets_unreadable=True,
        )
        self.incidents: Store[incident_values.Record] = Store(
            kinds.INCIDENT.name,
            parse_incident.incident,
            on_change,
            lambda found: found.resource_version,
        )
        self.workloads: dict[str, Store[model.Workload]] = {
            kind: _workload_store(kind, on_change) for kind in kinds.TARGETS
        }

    def all_workloads(self) -> list[model.Workload]:
        """The watched workloads of all namespaces."""
        return [each for store in self.workloads.values() for each in store.all()]

    def namespaces(self) -> frozenset[str]:
        """The namespaces that have watched workloads."""
        return frozenset(each.ref.namespace for each in self.all_workloads())

    def of_kind(self, kind: str) -> Store[Any]:
        """The store of a watched kind."""
        others: dict[str, Store[Any]] = {
            kinds.POLICY.name: self.policies,
            kinds.CLUSTER_POLICY.name: self.cluster_policies,
            kinds.NODE.name: self.nodes,
            kinds.RECORD.name: self.records,
            kinds.APPROVAL.name: self.approvals,
            kinds.INCIDENT.name: self.incidents,
        }
        return others.get(kind) or self.workloads[kind]

    def keeps(self, kind: str, namespace: str) -> bool:
        """Whether objects of a kind are kept from a namespace."""
        return kind not in kinds.TARGETS or namespace not in self._closed

    def apply(self, kind: str, event: Mapping[str, Any]) -> None:
        """Take in a watch event."""
        if self.keeps(kind, place_of(event["object"])):
            self.of_kind(kind).apply(event)


def _workload_store(kind: str, on_change: OnChange) -> Store[model.Workload]:
    def parse_one(raw: Raw) -> model.Workload:
        workload = parse.workload(kind, raw)
        return dataclasses.replace(workload, template=lazy_json.LazyJson(workload.template))

    return Store(
        kind,
        parse_one,
        on_change,
        lambda workload: workload.resource_version,
        forgets_unreadable=True,
    )
