"""What each journalled object was last seen as; a difference becomes a Change that waits.

Kopf's thread and re-lists both feed it; the API server's resourceVersions are the order.  Nothing
here sends a request, so that a slow API server never holds up the watch.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import logging
import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from prunella.api import change as change_api
from prunella.core import model
from prunella.core.changes import entry, kinds, noise, packing
from prunella.core.changes.values import Change

Raw = Mapping[str, Any]
Told = Callable[[str, int], Sequence[change_api.FieldChange]]
"""Fields of the Changes of a UID after a resourceVersion, oldest first."""
MOST_WAITING: Final = 2_000
"""Changes that wait to be written; more are left to the next re-list."""
MOST_IN_A_MINUTE: Final = 12
"""Changes of one object in a minute; more are joined by the next re-list."""
SHARDS: Final = 16
"""Parts that a namespace's sights are kept in: one change rewrites one part."""
TOMBSTONES: Final = 4096
_ALIVE: Final = datetime.timedelta(minutes=10)
_MINUTE: Final = 60.0
_log = logging.getLogger(__name__)


class Shard(NamedTuple):
    """Sights that are kept in one object."""

    namespace: str
    """Namespace of the objects; empty for cluster-wide ones."""
    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """A Change to be written before its shard may be kept."""

    change: Change
    shard: Shard


def shard_of(seen: entry.Sight) -> Shard:
    """Where a sight is kept."""
    return Shard(seen.namespace, zlib.crc32(seen.uid.encode()) % SHARDS)


class Sights:
    """The last sights of all journalled objects. Safe to use from several threads."""

    def __init__(
        self,
        rules: entry.Journalling,
        told: Told,
        closed_namespaces: Collection[str] = (),
        *,
        whole_cluster: bool = True,
    ) -> None:
        """``told`` knows the journal; objects of ``closed_namespaces`` are not looked at."""
        self._whole_cluster = whole_cluster
        self._rules = rules
        self._told = told
        self._closed = frozenset(closed_namespaces)
        self._lock = threading.Lock()
        self._seen: dict[model.Ref, entry.Sight] = {}
        self._traces: dict[model.Ref, bytes] = {}
        """Fingerprints of contents before credentials are hashed: most news is none."""
        self._gone: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._recent: collections.OrderedDict[str, list[float]] = collections.OrderedDict()
        self._waiting: collections.deque[Waiting] = collections.deque()
        self._unwritten: collections.Counter[Shard] = collections.Counter()
        self._dirty: set[Shard] = set()
        self._restored: set[str] = set()
        self._listed: set[str] = set()
        self._alive: dict[str, datetime.datetime] = {}
        self.overflown = 0
        """Changes left to the next re-list."""

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def waiting(self) -> int:
        """Changes that are not written yet."""
        return sum(self._unwritten.values())

    # What was seen

    def begin(self, namespaces: Iterable[str]) -> None:
        """Keep a trace of each namespace, even of one without objects."""
        with self._lock:
            self._dirty.update(Shard(namespace, 0) for namespace in namespaces)

    def restore(
        self, namespace: str, sights: Iterable[entry.Sight], taken_at: datetime.datetime
    ) -> None:
        """Take in what was kept over a restart, of a namespace or (empty) of the cluster."""
        with self._lock:
            for seen in sights:
                self._seen[model.Ref(seen.kind, seen.namespace, seen.name)] = seen
                self._restored.add(seen.uid)
            self._alive[namespace] = max(taken_at, self._alive.get(namespace, taken_at))

    def apply(self, kind: kinds.Kind, event: Mapping[str, Any], now: datetime.datetime) -> None:
        """Take in a watch event; Kopf's own listings have events of type None."""
        raw = event["object"]
        if event["type"] == "DELETED":
            self._remove(kind, raw, now)
        else:
            self.put(kind, raw, now, late=event["type"] is None)

    def put(self, kind: kinds.Kind, raw: Raw, now: datetime.datetime, *, late: bool) -> None:
        """Take in an object as it is, unless something newer is known about it."""
        meta = raw["metadata"]
        if meta.get("namespace") in self._closed or self._rules.noise.ignores(kind.name, raw):
            return
        ref = model.Ref(kind.name, meta.get("namespace") or "", meta["name"])
        content = noise.content(kind, raw, self._rules.noise)
        # In memory only: of credentials it is a hash that is not salted.
        trace = packing.fingerprint(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
        with self._lock:
            was = self._seen.get(ref)
            if meta["uid"] in self._gone:
                return
            if was is not None and was.uid == meta["uid"]:
                if was.version >= entry.version(raw) > 0:
                    return
                if self._traces.get(ref) == trace:
                    self._seen[ref] = entry.seen_again(was, raw)
                    return
            self._take_in(kind, ref, entry.Occasion(raw, now, late))
            if (known := self._seen.get(ref)) is not None and known.version == entry.version(raw):
                self._traces[ref] = trace

    def _take_in(self, kind: kinds.Kind, ref: model.Ref, occasion: entry.Occasion) -> None:
        seen = entry.sight(kind, occasion.manifest, self._rules)
        was = self._seen.get(ref)
        if was is not None and was.uid != seen.uid:
            self._forget(kind, ref, was, occasion.now, late=occasion.late)
            was = None
        if was is None:
            self._create(kind, ref, seen, occasion)
        else:
            self._compare(kind, ref, was, seen, occasion)

    def retain(
        self,
        kind: kinds.Kind,
        seen: Collection[str],
        version: str,
        namespace: str | None,
        now: datetime.datetime,
    ) -> None:
        """Journal as deleted what a list of ``version`` did not show; ``seen`` are UIDs."""
        limit = int(version) if version.isdecimal() else 0
        with self._lock:
            missing = [
                (ref, was)
                for ref, was in self._seen.items()
                if ref.kind == kind.name
                and namespace in (None, ref.namespace)
                and was.uid not in seen
                and was.version <= limit
            ]
            for ref, was in missing:
                self._forget(kind, ref, was, now, late=True)

    def listed(self, kind: kinds.Kind) -> None:
        """From now on an object of this kind that is not known is a new one."""
        with self._lock:
            self._listed.add(kind.name)

    def manifests(
        self, namespaces: Collection[str], kinds_: Collection[str] = ()
    ) -> dict[model.Ref, Mapping[str, object]]:
        """The objects of namespaces and the nodes, as last seen; ``kinds_``: of these alone."""
        with self._lock:
            found = [
                (ref, seen)
                for ref, seen in self._seen.items()
                if (not ref.namespace or ref.namespace in namespaces)
                and (not kinds_ or ref.kind in kinds_)
            ]
        return {
            ref: entry.manifest(kinds.BY_NAME[ref.kind], seen)
            for ref, seen in found
            if self._rules.keeps_values(kinds.BY_NAME[ref.kind])
        }

    # What is to be written

    def take(self, most: int) -> list[Waiting]:
        """The oldest Changes that wait; each is to be given to `done` or `again`."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def drop(self, over: Callable[[Change], bool]) -> None:
        """Forget Changes that wait, and that somebody else has written."""
        with self._lock:
            waiting, self._waiting = self._waiting, collections.deque()
            for each in waiting:
                if over(each.change):
                    self._written(each.shard)
                else:
                    self._waiting.append(each)

    def again(self, waiting: Sequence[Waiting]) -> None:
        """Put Changes that could not be written back to the front."""
        with self._lock:
            self._waiting.extendleft(reversed(waiting))

    def done(self, waiting: Waiting) -> None:
        """A Change is in the journal, or can never be."""
        with self._lock:
            self._written(waiting.shard)

    def _written(self, shard: Shard) -> None:
        self._unwritten[shard] -= 1
        if not self._unwritten[shard]:
            del self._unwritten[shard]

    def to_keep(self) -> dict[Shard, list[entry.Sight]]:
        """The shards that have changed, all of whose Changes are written."""
        with self._lock:
            ready = {shard for shard in self._dirty if not self._unwritten[shard]}
            self._dirty -= ready
            found: dict[Shard, list[entry.Sight]] = {shard: [] for shard in ready}
            for seen in self._seen.values() if ready else ():
                if (shard := shard_of(seen)) in found:
                    found[shard].append(seen)
            return found

    def not_kept(self, shard: Shard) -> None:
        """A shard could not be kept: it is tried again."""
        with self._lock:
            self._dirty.add(shard)

    def _create(
        self, kind: kinds.Kind, ref: model.Ref, seen: entry.Sight, occasion: entry.Occasion
    ) -> None:
        """A new object, or one that was there before the journal first looked."""
        if kind.name in self._listed or self._came_since(occasion.manifest):
            change = entry.created(kind, seen, occasion, self._rules)
            if not self._wait(change, seen, occasion.now):
                return
        self._see(ref, seen)

    def _came_since(self, raw: Raw) -> bool:
        """Whether an object was created after the journal was last known to be kept.

        Of a namespace that has never been looked at only a watch of the whole cluster can tell
        that its objects are new.
        """
        namespace = raw["metadata"].get("namespace") or ""
        everywhere = self._whole_cluster and self._alive
        alive = self._alive.get(namespace) or (max(self._alive.values()) if everywhere else None)
        if alive is None:
            return False
        created = datetime.datetime.fromisoformat(raw["metadata"]["creationTimestamp"])
        return created > alive - _ALIVE

    def _compare(
        self,
        kind: kinds.Kind,
        ref: model.Ref,
        was: entry.Sight,
        seen: entry.Sight,
        occasion: entry.Occasion,
    ) -> None:
        """A known object; after a restart the journal may know more of it than the snapshot."""
        told = self._told(was.uid, was.version) if was.uid in self._restored else ()
        if was.fingerprint == seen.fingerprint and not told:
            self._restored.discard(was.uid)
            self._seen[ref] = seen
            return
        change = entry.modified(kind, was, seen, occasion, self._rules, told)
        if change is None or self._wait(change, seen, occasion.now):
            self._restored.discard(was.uid)
            self._see(ref, seen)

    def _remove(self, kind: kinds.Kind, raw: Raw, now: datetime.datetime) -> None:
        meta = raw["metadata"]
        ref = model.Ref(kind.name, meta.get("namespace") or "", meta["name"])
        with self._lock:
            was = self._seen.get(ref)
            if was is not None and was.uid == meta["uid"]:
                self._forget(kind, ref, was, now, late=False)
            self._bury(meta["uid"])

    def _forget(
        self,
        kind: kinds.Kind,
        ref: model.Ref,
        was: entry.Sight,
        now: datetime.datetime,
        *,
        late: bool,
    ) -> None:
        change = entry.deleted(kind, was, now, self._rules, late=late)
        if not self._wait(change, was, now):
            return
        self._bury(was.uid)
        del self._seen[ref]
        self._traces.pop(ref, None)
        self._dirty.add(shard_of(was))

    def _see(self, ref: model.Ref, seen: entry.Sight) -> None:
        self._seen[ref] = seen
        self._dirty.add(shard_of(seen))

    def _wait(self, change: Change, seen: entry.Sight, now: datetime.datetime) -> bool:
        """Let a Change wait; False when there is no room: then the object is as if not seen."""
        if len(self._waiting) >= MOST_WAITING or self._too_often(seen.uid, now.timestamp()):
            self.overflown += 1
            return False
        shard = shard_of(seen)
        self._waiting.append(Waiting(change, shard))
        self._unwritten[shard] += 1
        return True

    def _too_often(self, uid: str, now: float) -> bool:
        times = [t for t in self._recent.pop(uid, ()) if now - t < _MINUTE]
        often = len(times) >= MOST_IN_A_MINUTE
        self._recent[uid] = times if often else [*times, now]
        while len(self._recent) > TOMBSTONES:
            self._recent.popitem(last=False)
        return often

    def _bury(self, uid: str) -> None:
        """UIDs are never used twice, so late news of a deleted object can be told by them."""
        self._restored.discard(uid)
        self._gone[uid] = None
        while len(self._gone) > TOMBSTONES:
            self._gone.popitem(last=False)
