"""The scheduler: when each policy is looked at, and that all is repaired by a re-list.

Policies of one namespace with the same interval are due at the same moments, so that equal queries
are asked once; namespaces are spread over the interval.  Watch events only bring a pass forward.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import heapq
import itertools
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterable

from prunella import ports
from prunella.core import objects
from prunella.core.decisions import ledger
from prunella.core.outcomes import records as record_rules
from prunella.engine import approvals, attempt, guard, orphans, policy_pass, waiting
from prunella.engine import memory as memories
from prunella.engine import world as worlds

LOG = logging.getLogger(__name__)
RETRY_INVALID = datetime.timedelta(minutes=5)
RETRY_AFTER_ERROR = datetime.timedelta(seconds=10)
NOTICEABLY_LATE = datetime.timedelta(seconds=1)
SWEEP_EVERY = datetime.timedelta(seconds=60)
LABEL_AFTER = datetime.timedelta(minutes=2)
MOST_LABELLED = 20
"""Records whose labels one sweep mends: more would be a burst of writes after an upgrade."""
EPOCH = datetime.datetime.fromtimestamp(0, tz=datetime.UTC)


class Engine:
    """Runs passes over all policies until it is stopped."""

    def __init__(self, world: worlds.World, options: worlds.Options) -> None:
        world = dataclasses.replace(world, home=options.rules.operator_namespace)
        self.world = self._world = world
        self._options = options
        self._passes = policy_pass.Passes(world, options)
        self._executor = attempt.Executor(world)
        self._questions = approvals.Questions(world, self._executor)
        self._due: dict[objects.Key, datetime.datetime] = {}
        self._heap: list[tuple[datetime.datetime, objects.Key]] = []
        self._running: dict[objects.Key, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._slots = asyncio.Semaphore(options.concurrency)
        self._stopping = False

    def mark_dirty(self, key: objects.Key) -> None:
        """Look at a policy as soon as possible: it was created, changed or deleted."""
        self._schedule(key, self._world.clock.now())
        self._woken.set()

    def lead(self) -> None:
        """Look at all policies at once: from now on this replica decides."""
        for policy in self._world.policies.all():
            self.mark_dirty(policy.key)

    def unjudged(self, since: datetime.datetime | None = None) -> int:
        """How many policies were not evaluated since then (None: ever), by this replica."""
        known = [each for each in self._world.policies.all() if not each.deleting]
        found = self._passes.memories
        return sum(not memories.judged(found.get(each.key), each, since) for each in known)

    async def run(self, relist: Callable[[], Awaitable[None]], relist_seconds: float) -> None:
        """Run until `stop`; then wait for the passes under way to end."""
        self.lead()
        async with asyncio.TaskGroup() as group:
            chores = [
                group.create_task(self._repeat(relist_seconds, relist)),
                group.create_task(self._repeat(SWEEP_EVERY.total_seconds(), self.sweep)),
            ]
            await self._schedule_passes()
            for chore in chores:
                chore.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def stop(self) -> None:
        """Begin no more passes."""
        self._stopping = True
        self._woken.set()

    async def sweep(self) -> None:
        """Notice policies that came or went unseen, end orphans, apply retention."""
        alive = {policy.key for policy in self._world.policies.all()}
        for key in alive - self._due.keys():
            self.mark_dirty(key)
        if self._world.follows:
            return
        await orphans.close_orphans(self._world, self._executor, alive)
        await orphans.give_back_fields(self._world, self._executor)
        await self._questions.answer()
        now = self._world.clock.now()
        if self._world.captures is not None:
            await self._world.captures.expire(now)
        records = list(self._world.ledger.records())
        for record in ledger.expired(records, now, self._options.retention, ledger.LONGEST_WINDOW):
            await self._world.ledger.delete(record)
        for record in _to_label(self._world.ledger.records(), now):
            await self._executor.label(record)

    async def _repeat(self, seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._world.clock.sleep(seconds)
            try:
                await chore()
            except ports.ClusterError as error:
                LOG.warning("%s failed and will be tried again: %s", chore.__name__, error)

    def _schedule(self, key: objects.Key, when: datetime.datetime) -> None:
        self._due[key] = when
        heapq.heappush(self._heap, (when, key))

    async def _schedule_passes(self) -> None:
        while not self._stopping:
            now = self._world.clock.now()
            while self._heap and self._heap[0][0] <= now:
                due, key = heapq.heappop(self._heap)
                if self._due.get(key) == due and key not in self._running:
                    self._running[key] = asyncio.create_task(self._pass(key, due))
            await self._wait_for_next(now)

    async def _wait_for_next(self, now: datetime.datetime) -> None:
        self._woken.clear()
        wait = SWEEP_EVERY.total_seconds()
        if self._heap:
            wait = max(0.0, (self._heap[0][0] - now).total_seconds())
        await waiting.until_set(self._world.clock, wait, self._woken)

    async def _pass(self, key: objects.Key, due: datetime.datetime) -> None:
        try:
            async with self._slots:
                await self._pass_guarded(key, due)
        finally:
            del self._running[key]
            now = self._world.clock.now()
            if key in self._due and self._due[key] <= now and self._due[key] != due:
                self._schedule(key, now)
            self._woken.set()

    async def _pass_guarded(self, key: objects.Key, due: datetime.datetime) -> None:
        policy = next((p for p in self._world.policies.all() if p.key == key), None)
        if policy is None or policy.deleting:
            self._due.pop(key, None)
            self._passes.forget(key)
            return
        began = self._world.clock.now()
        now = began if began - due > NOTICEABLY_LATE else due
        again: datetime.datetime | None = now + RETRY_AFTER_ERROR
        labels = {"namespace": key.namespace, "policy": key.name}
        with guard.guarded(
            f"{key}: a pass failed",
            LOG,
            self._world.telemetry,
            "prunella_pass_errors_total",
            labels,
            extra={"policy": str(key)},
        ):
            try:
                again = await self._passes.run(policy, now)
            except ports.ClusterError as error:
                LOG.warning("%s: the API server did not answer: %s", key, error)
                self._world.telemetry.count("prunella_pass_errors_total", labels)
        took = (self._world.clock.now() - began).total_seconds()
        self._world.telemetry.observe("prunella_pass_seconds", {}, took)
        if self._due.get(key) == due:
            self._schedule(key, self._next(policy, now, again))

    def _next(
        self, policy: objects.Policy, now: datetime.datetime, again: datetime.datetime | None
    ) -> datetime.datetime:
        """The next aligned moment, or an earlier one that the core has asked for."""
        if policy.spec is None or again is None:
            return now + RETRY_INVALID
        return min(again, aligned(now, policy.spec.interval.total_seconds(), policy.key.namespace))


def _to_label(found: Iterable[objects.Record], now: datetime.datetime) -> Iterable[objects.Record]:
    """Ended records whose labels are not those of their phase, as after a crash; a few at a time.

    Those that have just ended may still be written to by a pass, which would lose the race.
    """
    wrong = (
        record
        for record in found
        if record.status.finished_at is not None
        and now - record.status.finished_at > LABEL_AFTER
        and record_rules.mislabelled(record)
    )
    return itertools.islice(wrong, MOST_LABELLED)


def aligned(now: datetime.datetime, interval: float, namespace: str) -> datetime.datetime:
    """The first moment after ``now`` at which policies of a namespace are due.

    ``interval`` is in seconds; the namespace's own phase spreads namespaces over it.
    """
    period = datetime.timedelta(seconds=interval)
    first = EPOCH + period * (zlib.crc32(namespace.encode()) % 1000) / 1000
    # Not in floats: they are too coarse to tell this very moment from the one just before it.
    return first + ((now - first) // period + 1) * period
