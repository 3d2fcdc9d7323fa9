"""The journal at work: which kinds are there, lists that repair, writes, snapshots, retention."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import datetime
import functools
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prunella import leadership as leaderships
from prunella import ports
from prunella.adapters.kubernetes import client, relist
from prunella.adapters.kubernetes import kinds as paths
from prunella.adapters.kubernetes.journal import changes, sights, snapshots, users
from prunella.api import change as change_api
from prunella.core.changes import audit, entry, kinds, retention

TICK_SECONDS: Final = 0.25
KEEP_SECONDS: Final = 10.0
SWEEP_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 5.0
END_SECONDS: Final = 4.0
FOLLOWED: Final = datetime.timedelta(minutes=2)
"""A follower keeps Changes for so long, should the leader die before it has written them."""
PAGE: Final = 100
"""Objects of a list at a time: their raw JSON is what takes memory."""
_AT_ONCE: Final = 4
_BATCH: Final = 64
_MOST_ENDING: Final = 256
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What is journalled, and how long it is kept."""

    kinds: tuple[kinds.Kind, ...] = kinds.ALL
    namespaces: tuple[str, ...] = ()
    """Namespaces to watch; empty means all but the closed ones."""
    closed_namespaces: tuple[str, ...] = ()
    journalling: entry.Journalling = dataclasses.field(default_factory=entry.Journalling)
    retention: retention.Retention = dataclasses.field(default_factory=retention.Retention)
    relist_seconds: float = 300.0
    audit: bool = False
    """Whether an audit webhook tells of users."""


class Recorder:
    """Watches, writes and repairs the journal. ``journal`` is what others read."""

    def __init__(
        self,
        kube: client.KubeApi,
        clock: ports.Clock,
        telemetry: ports.Telemetry,
        options: Options,
        leadership: leaderships.Leadership = leaderships.ALONE,
    ) -> None:
        self._api = kube
        self._clock = clock
        self._telemetry = telemetry
        self._options = options
        self._leadership = leadership
        self.journal = changes.KubernetesJournal(kube, self._manifests)
        self._sights = sights.Sights(
            options.journalling,
            self.journal.told,
            options.closed_namespaces,
            whole_cluster=not options.namespaces,
        )
        self._snapshots = snapshots.Snapshots(kube, options.journalling.home)
        self._users = users.Users(kube, self.journal, clock)
        self._absent: dict[str, int] = {}
        self._ending: collections.deque[str] = collections.deque(maxlen=_MOST_ENDING)
        self.watched: frozenset[str] = frozenset()
        """Names of the kinds whose objects have all been seen."""

    def _manifests(self, namespaces: Any, kinds_: Any) -> Mapping[Any, Mapping[str, object]]:
        return self._sights.manifests(namespaces, kinds_)

    async def begin(self) -> Sequence[kinds.Kind]:
        """Read what was kept and list all kinds once; returns those that are to be watched.

        Raises ClusterError when the journal itself can't be read.
        """
        if self._options.audit:
            await self._users.begin()
        home = self._options.journalling.home
        namespaces = self._options.namespaces
        await self.journal.load((*namespaces, home) if namespaces else ())
        for each in await self._snapshots.load(namespaces):
            self._sights.restore(each.namespace, each.sights, each.taken_at)
        self._sights.begin(namespaces)
        watched = [kind for kind in self._options.kinds if await self._list(kind)]
        self.watched = frozenset(kind.name for kind in watched)
        _log.info("journalling %s", ", ".join(kind.name for kind in watched))
        return watched

    def apply(self, kind: kinds.Kind, event: Mapping[str, Any]) -> None:
        """Take in a watch event, in Kopf's thread."""
        self._sights.apply(kind, event, self._clock.now())

    def told(self, writes: Sequence[audit.Write]) -> int:
        """Take in which users made writes; returns how many of the writes are new."""
        return self._users.told(writes)

    async def run(self) -> None:
        """Write, keep, sweep and list anew, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(TICK_SECONDS, self._leading(self.write)))
            group.create_task(self._every(TICK_SECONDS, self._leading(self.name_users)))
            group.create_task(self._every(KEEP_SECONDS, self._leading(self.keep)))
            group.create_task(self._every(KEEP_SECONDS, self.follow))
            group.create_task(self._every(SWEEP_SECONDS, self._leading(self.sweep)))
            group.create_task(self._every(self._options.relist_seconds, self.relist))

    async def end(self) -> None:
        """Write and keep what waits; never raises, for the next start finds what is left."""
        if not self._leadership.leading:
            return
        try:
            async with asyncio.timeout(END_SECONDS):
                await self.write()
                await self.keep()
        except (ports.ClusterError, TimeoutError) as error:
            _log.info("the journal is caught up with at the next start: %s", error)

    async def lead(self) -> None:
        """Read what the leader before has written; what it has not is written by `run`.

        Raises ClusterError.
        """
        home, namespaces = self._options.journalling.home, self._options.namespaces
        await self.journal.load((*namespaces, home) if namespaces else ())

    async def follow(self) -> None:
        """Drop Changes that the leader has written long since: it sees the same ones."""
        if self._leadership.leading:
            return
        since = self._clock.now() - FOLLOWED
        self._sights.drop(lambda change: change.at < since)

    async def name_users(self) -> None:
        """Write the users that were told after their Changes. Raises ClusterError."""
        await self._users.write()

    async def relist(self) -> None:
        """List all kinds anew: what a watch has missed is journalled late. Raises ClusterError."""
        for kind in self._options.kinds:
            await self._list(kind)

    async def write(self) -> None:
        """Write the Changes that wait. Raises ClusterError when the API server does not answer.

        What was created is kept at once: after a crash nothing else would tell what it was like.
        """
        created = False
        while batch := self._sights.take(_BATCH):
            created |= any(each.change.spec.verb is change_api.Verb.CREATED for each in batch)
            slots = asyncio.Semaphore(_AT_ONCE)
            left = await asyncio.gather(*(self._write(each, slots) for each in batch))
            errors = [error for error in left if error is not None]
            if errors:
                again = zip(batch, left, strict=True)
                self._sights.again([each for each, error in again if error is not None])
                raise errors[0]
        if created:
            await self.keep()

    async def _write(
        self, waiting: sights.Waiting, slots: asyncio.Semaphore
    ) -> ports.ClusterError | None:
        """Write one; the error when it is to be tried again."""
        late, place = waiting.change.spec.late, waiting.change.namespace
        async with slots:
            try:
                if place in self._ending:
                    raise _ending(place)
                change = self._users.named(waiting.change)
                new = await self.journal.record(change)
                self._users.written(change)
                outcome = ("Late" if late else "Written") if new else "Known"
            except ports.ClusterError as error:
                if snapshots.retryable(error):
                    return error
                if "terminat" in str(error):
                    self._end(place)
                else:
                    _log.warning("a Change can't be written: %s", error)
                outcome = "Refused"
        self._sights.done(waiting)
        self._telemetry.count("prunella_changes_total", {"outcome": outcome})
        return None

    def _end(self, namespace: str) -> None:
        """Ask no more of a namespace that is being deleted, and say so once."""
        if namespace not in self._ending:
            _log.info("namespace %s is being deleted: its Changes end with it", namespace)
            self._ending.append(namespace)

    async def keep(self) -> None:
        """Keep over a restart what was seen. Raises ClusterError."""
        now = self._clock.now()
        self._telemetry.gauge("prunella_journal_objects", {}, len(self._sights))
        self._telemetry.gauge("prunella_journal_waiting", {}, self._sights.waiting)
        slots = asyncio.Semaphore(_AT_ONCE)
        found = self._sights.to_keep()
        left = await asyncio.gather(
            *(self._keep(shard, seen, now, slots) for shard, seen in found.items())
        )
        errors = [error for error in left if error is not None]
        if errors:
            raise errors[0]

    async def _keep(
        self,
        shard: sights.Shard,
        seen: Sequence[entry.Sight],
        now: datetime.datetime,
        slots: asyncio.Semaphore,
    ) -> ports.ClusterError | None:
        if shard.namespace in self._ending:
            return None
        async with slots:
            try:
                await self._snapshots.keep(shard, seen, now)
            except ports.ClusterError as error:
                if snapshots.retryable(error):
                    self._sights.not_kept(shard)
                    return error
                _log.info("a JournalSnapshot can't be written: %s", error)
        return None

    async def sweep(self) -> None:
        """Delete what is beyond retention. Raises ClusterError."""
        self._ending.clear()
        now = self._clock.now()
        for each in retention.expired(self.journal.kept(), now, self._options.retention):
            await self.journal.delete(each)

    def _leading(self, chore: Any) -> Any:
        """A chore that is left to the leader."""

        @functools.wraps(chore)
        async def led() -> None:
            if self._leadership.leading:
                await chore()

        return led

    async def _every(self, seconds: float, chore: Any) -> None:
        while True:
            await self._clock.sleep(seconds)
            try:
                await chore()
            except ports.ClusterError as error:
                _log.warning("journal: %s failed and is tried again: %s", chore.__name__, error)
                await self._clock.sleep(RETRY_SECONDS)

    async def _list(self, kind: kinds.Kind) -> bool:
        """List a kind; False when it is not installed or may not be read.

        Raises ClusterError when there was no usable answer.
        """
        namespaced = self._options.namespaces if kind.namespaced else ()
        try:
            for namespace in namespaced or (None,):
                list_once = functools.partial(self._list_once, kind, namespace)
                await relist.again_if_too_old(list_once)
        except ports.ClusterError as error:
            if error.status not in (403, 404):
                raise
            self._tell_absent(kind, error)
            return False
        self._absent.pop(kind.name, None)
        self._sights.listed(kind)
        return True

    def _tell_absent(self, kind: kinds.Kind, error: ports.ClusterError) -> None:
        """Say once that a kind is not journalled; a custom resource that is not there is usual."""
        status = error.status or 0
        if self._absent.get(kind.name) == status:
            return
        self._absent[kind.name] = status
        usual = status == 404 and not kind.built_in
        level = logging.DEBUG if usual else logging.WARNING
        _log.log(level, "changes of %s are not journalled: %s", kind.plural, error)

    async def _list_once(self, kind: kinds.Kind, namespace: str | None) -> None:
        seen: set[str] = set()
        version = ""
        put = functools.partial(self._sights.put, kind, late=True)
        path = paths.Kind(kind.name, kind.plural, kind.version, kind.group).path(namespace)
        async for page in self._api.pages(path, page=PAGE):
            version = version or page["metadata"]["resourceVersion"]
            for raw in page["items"]:
                seen.add(raw["metadata"]["uid"])
                put(raw, self._clock.now())
        self._sights.retain(kind, seen, version, namespace, self._clock.now())


def _ending(namespace: str) -> ports.ClusterError:
    return ports.ClusterError(f"namespace {namespace} is being terminated", status=403)
