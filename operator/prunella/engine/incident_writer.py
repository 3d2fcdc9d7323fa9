"""Incident objects: created, written when they changed, mirrored, closed, moved and deleted.

The only place that writes them.  A write that fails is made again in the next round, from what is
known by then.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Awaitable, Collection, Iterable, Mapping

from prunella import ports
from prunella.api import incident as incident_api
from prunella.core import model
from prunella.core.incidents import mirror as mirrors
from prunella.core.incidents import status as statuses
from prunella.core.incidents import values, words
from prunella.engine import incident_world as worlds

LOG = logging.getLogger(__name__)
Status = incident_api.IncidentStatus


class Writer:
    """Brings the objects in line, with a bounded number of writes in a round."""

    def __init__(self, world: worlds.World, options: worlds.Options) -> None:
        self._world = world
        self._options = options
        self._left = 0
        self._failed: set[tuple[str, str]] = set()

    def begin(self) -> None:
        """Begin a round."""
        self._left = self._options.most_writes

    def mains(self) -> dict[str, values.Record]:
        """The objects that are no mirrors, by name; the operator's own namespace wins."""
        found: dict[str, values.Record] = {}
        own = self._options.operator_namespace
        for record in self._world.incidents.all():
            if record.spec.mirror or self._is_of_another_operator(record):
                continue
            if record.namespace == own or record.name not in found:
                found[record.name] = record
        return found

    def _is_of_another_operator(self, record: values.Record) -> bool:
        """Whether it is about namespaces of an operator that has the same one of its own."""
        watched, about = self._options.namespaces, record.status.namespaces
        return bool(watched) and bool(about) and watched.isdisjoint(about)

    def word(self, name: str) -> words.Word:
        """What people have said, on the object and on its mirrors."""
        said = words.Word()
        main = self.mains().get(name)
        since = words.since(main.status) if main is not None else None
        for record in self._world.incidents.all():
            if record.name != name or not record.annotations:
                continue
            told = words.word(record.annotations, since)
            said = said.joined(told.within(record.namespace) if record.spec.mirror else told)
        return said

    async def write(self, name: str, status: Status, refs: Collection[model.Ref]) -> None:
        """Bring the object of an incident and its mirrors to a status."""
        own = self._options.operator_namespace
        main = self.mains().get(name)
        place = mirrors.home(status, own, refs)
        if main is not None and main.namespace == own:
            place = own
        if main is None or main.namespace != place:
            main = await self._open(place, name, status, opened=main)
        elif main.status != status:
            await self._update(main, status)
        if main is None or place != own:
            return
        for namespace in self._seen_from(status):
            await self._mirror(namespace, name, status, refs)

    async def close(
        self, record: values.Record, status: Status, refs: Collection[model.Ref]
    ) -> None:
        """Bring the mirrors of what is over, and then the object, to their last status."""
        for each in list(self._world.incidents.all()):
            if each.name == record.name and each.spec.mirror:
                shown = mirrors.mirror(status, each.namespace, refs)
                if not await self._update(each, shown):
                    return
        await self._update(record, status)

    async def drop(self, record: values.Record) -> None:
        """Delete an object that was created and never written, as after a crash."""
        if self._left > 0:
            self._left -= 1
            deleting = self._world.incidents.delete(record)
            await self._guarded(record.namespace, record.name, deleting)

    async def retain(self, now: datetime.datetime) -> None:
        """Delete what is over and old, and mirrors of what is gone."""
        mains = self.mains()
        kept = {each.name for each in mains.values()}
        old = [*_expired(mains.values(), self._options, now)]
        gone = {each.name for each in old}
        for record in list(self._world.incidents.all()):
            orphan = record.spec.mirror and record.name not in kept
            if (record.name in gone or orphan) and self._left > 0:
                self._left -= 1
                await self._guarded(
                    record.namespace, record.name, self._world.incidents.delete(record)
                )

    def _seen_from(self, status: Status) -> list[str]:
        """The namespaces of what is sick, and that of the first suspect if it is likely."""
        own = self._options.operator_namespace
        found = set(status.namespaces)
        for each in status.suspects[:1]:
            if each.confidence is not incident_api.Confidence.LOW and each.object.namespace:
                found.add(each.object.namespace)
        return sorted(found - {own})

    async def _open(
        self, place: str, name: str, status: Status, opened: values.Record | None
    ) -> values.Record | None:
        """Create the object; one that was in a namespace of its own gives way to a mirror."""
        if self._left <= 0:
            return None
        self._left -= 1
        if opened is None:
            spec = incident_api.IncidentSpec(opened_at=self._world.clock.now())
        else:
            spec = incident_api.IncidentSpec(opened_at=opened.spec.opened_at)
        made = await self._guarded(place, name, self._world.incidents.create(place, name, spec))
        if made is None:
            return None
        if opened is None:
            self._world.telemetry.count("prunella_incidents_opened_total", {})
            LOG.info("%s/%s: opened: %s", place, name, status.title, extra={"incident": name})
        await self._update(made, status)
        if opened is not None:
            await self._guarded(opened.namespace, name, self._world.incidents.delete(opened))
        return made

    async def _mirror(
        self, namespace: str, name: str, status: Status, refs: Collection[model.Ref]
    ) -> None:
        shown = mirrors.mirror(status, namespace, refs)
        every = self._world.incidents.all()
        record = next((e for e in every if (e.namespace, e.name) == (namespace, name)), None)
        if record is not None and not record.spec.mirror:
            await self._guarded(namespace, name, self._world.incidents.delete(record))
            record = None
        if record is None:
            if self._left <= 0:
                return
            self._left -= 1
            spec = incident_api.IncidentSpec(opened_at=self._world.clock.now(), mirror=True)
            making = self._world.incidents.create(namespace, name, spec)
            record = await self._guarded(namespace, name, making)
        if record is not None and record.status != shown:
            await self._update(record, shown)

    async def _update(self, record: values.Record, status: Status) -> bool:
        """Write a status that differs; False when it must be tried again."""
        if record.status == status:
            return True
        if self._left <= 0:
            return False
        self._left -= 1
        writing = self._world.incidents.update(record, status)
        written = await self._guarded(record.namespace, record.name, writing)
        if written is not None and not record.spec.mirror:
            self._count_words(record.status, status)
        return written is not None

    def _count_words(self, before: Status, after: Status) -> None:
        """Count what people have said of suspects, once for each: the precision of diagnosis."""
        marks = {words.written(words.ref_of(e.object)): e.mark for e in before.suspects}
        ranked = sorted(after.suspects, key=lambda each: -each.score)
        for place, each in enumerate(ranked, start=1):
            said = each.mark is not incident_api.Mark.SUSPECT
            if said and marks.get(words.written(words.ref_of(each.object))) is not each.mark:
                labels = {"place": str(place), "cause_kind": str(each.cause_kind)}
                word = "confirmed" if each.mark is incident_api.Mark.CONFIRMED else "rejected"
                self._world.telemetry.count(f"prunella_suspects_{word}_total", labels)

    async def _guarded(
        self, namespace: str, name: str, write: Awaitable[values.Record | None]
    ) -> values.Record | None:
        """Await a write; what fails is said once and made again in a later round."""
        key = (namespace, name)
        try:
            made = await write
        except ports.ClusterError as error:
            say = LOG.debug if key in self._failed else LOG.warning
            say("incident %s/%s was not written and will be: %s", namespace, name, error)
            self._failed.add(key)
            self._world.telemetry.count("prunella_incident_errors_total", {})
            return None
        self._failed.discard(key)
        return made


def _expired(
    records: Iterable[values.Record], options: worlds.Options, now: datetime.datetime
) -> Iterable[values.Record]:
    """What is over and has been kept long enough, or is one of too many."""
    over: dict[str, list[tuple[datetime.datetime, values.Record]]] = {}
    for record in records:
        if record.status.state is incident_api.State.OPEN:
            continue
        ended = record.status.resolved_at or record.spec.opened_at
        if judged(record):
            if now - ended > options.judged_retention:
                yield record
            continue
        over.setdefault(record.namespace, []).append((ended, record))
    for each in over.values():
        each.sort(key=lambda pair: pair[0], reverse=True)
        for place, (ended, record) in enumerate(each):
            if place >= options.most_kept or now - ended > options.retention:
                yield record


def judged(record: values.Record) -> bool:
    """Whether a person has confirmed or rejected a suspect."""
    return any(e.mark is not incident_api.Mark.SUSPECT for e in record.status.suspects)


def known(mains: Mapping[str, values.Record]) -> list[values.Known]:
    """What a correlator takes up: the open ones, and the resolved as long as they are kept."""
    merged = incident_api.State.MERGED
    return [statuses.known(each) for each in mains.values() if each.status.state is not merged]
