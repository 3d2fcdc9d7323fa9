"""When open incidents are looked at, and with which view of the cluster.

A young incident is looked at in nearly every round, an old one when it has changed, and once a
minute otherwise: what is wrong may show only later, and may be repaired meanwhile.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from prunella.api import incident as incident_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import ledger, restoring
from prunella.core.incidents import places, topology, values
from prunella.core.incidents.diagnosis import values as diagnosis
from prunella.engine import guard, waiting
from prunella.engine import incident_world as worlds

LOG = logging.getLogger(__name__)
ERRORS = "prunella_incident_errors_total"
AGAIN = datetime.timedelta(seconds=5)
YOUNG = datetime.timedelta(minutes=10)
YOUNG_AGAIN = datetime.timedelta(seconds=10)
NAMED_AGAIN = datetime.timedelta(seconds=30)
OLD_AGAIN = datetime.timedelta(seconds=60)
MOST_IN_A_ROUND = 50
MOST_VIEWS = 8
VIEW_SECONDS = 1.5
"""How long a round waits for what is looked at; what is slower is used in the next round.

A slow API server must hold up neither the alerts nor what was looked at in time.
"""
UNSEEN = datetime.timedelta(seconds=10)
"""So long an incident is told to nobody until it was looked at: it may be a part of another."""
STEADY = datetime.timedelta(seconds=25)
"""How long a change that is only near in time must be suspected first until that is sure."""
SHOWN_AFTER = datetime.timedelta(seconds=60)
"""How long alerts may go on that look back at what was repaired."""
NEVER = datetime.datetime.min.replace(tzinfo=datetime.UTC)
TIER = "prunella.dev/tier"
NO_REFS: frozenset[model.Ref] = frozenset()


@dataclasses.dataclass(slots=True)
class Looked:
    """The last look at one incident."""

    first: datetime.datetime
    at: datetime.datetime | None = None
    shape: tuple[float, ...] = ()
    """Alerts, sick objects and newest symptom, as they were."""
    found: diagnosis.Diagnosis | None = None
    refs: frozenset[model.Ref] = NO_REFS
    """All objects that the diagnosis could name."""
    view: diagnosis.View | None = None
    leading: tuple[model.Ref, str] | None = None
    """Who is suspected first, and for which change."""
    leading_since: datetime.datetime = NEVER

    def steadied(self, found: diagnosis.Diagnosis, now: datetime.datetime) -> diagnosis.Diagnosis:
        """A diagnosis that is less sure while its first suspect is new, and only near in time.

        Errors may begin with a change by chance: then the next look finds another.
        """
        first = found.suspects[0] if found.suspects else None
        leading = (first.target, first.change) if first is not None else None
        if leading != self.leading:
            self.leading, self.leading_since = leading, now
        if first is None or not first.near or now - self.leading_since >= STEADY:
            return found
        doubted = dataclasses.replace(first, confidence=incident_api.Confidence.MEDIUM)
        return dataclasses.replace(found, suspects=(doubted, *found.suspects[1:]))

    @property
    def first_suspect(self) -> model.Ref | None:
        """What is suspected first; None: nothing."""
        suspects = self.found.suspects if self.found is not None else ()
        return suspects[0].target if suspects else None


class Diagnoser:
    """Keeps the last diagnosis of each open incident; all of it may be lost."""

    def __init__(self, world: worlds.World) -> None:
        self._world = world
        self.looked: dict[str, Looked] = {}
        self._looking: dict[frozenset[str], asyncio.Task[diagnosis.View]] = {}
        self._index: tuple[topology.Links, topology.Links, places.Places] | None = None

    async def look(
        self,
        incidents: Sequence[values.Incident],
        past: Sequence[values.Record],
        spaces: dict[str, Collection[str]],
        now: datetime.datetime,
        treated: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        """Diagnose what is due. ``spaces`` are the namespaces to look at, by incident.

        What is being treated keeps its suspects: who looks at the repaired would find another.  It
        is asked again after the look, for it may have been repaired meanwhile.
        """
        names = {each.id for each in incidents}
        self.looked = {name: each for name, each in self.looked.items() if name in names}
        for each in incidents:
            self.looked.setdefault(each.id, Looked(now))
        if self._world.surroundings is None or self._world.diagnose is None:
            for each in incidents:
                self.looked[each.id].found = diagnosis.Diagnosis(each.suspects)
            return
        due = [each for each in incidents if self._due(each, now)]
        due = self._untreated(due, treated())
        due.sort(key=lambda each: (self.looked[each.id].at or NEVER, -each.last))
        due = due[:MOST_IN_A_ROUND]
        wanted = dict.fromkeys(frozenset(spaces[each.id]) for each in due)
        views = await self._views(wanted, now)
        sick = values.sick(incidents)
        for incident in self._untreated(due, treated()):
            view = views.get(frozenset(spaces[incident.id]))
            if view is not None:
                whole = dataclasses.replace(view, sick=sick, standing=self._standing(view))
                self._judge(incident, whole, past, now)

    def _untreated(
        self, due: Sequence[values.Incident], treated: Collection[str]
    ) -> list[values.Incident]:
        """Those that are not being treated, and those that were never looked at."""
        return [e for e in due if e.id not in treated or self.looked[e.id].at is None]

    async def _views(
        self, wanted: Collection[frozenset[str]], now: datetime.datetime
    ) -> dict[frozenset[str], diagnosis.View]:
        """The views that are there in time; what takes longer is used in a later round.

        They are begun in the order of ``wanted``: only so many are made at once, and who was never
        looked at must not wait behind those whose names come first.
        """
        around = self._world.surroundings
        if around is None:
            return {}
        for each in wanted:
            if each not in self._looking and len(self._looking) < MOST_VIEWS:
                self._looking[each] = asyncio.create_task(around.view(each, now))
        looking = asyncio.gather(*self._looking.values(), return_exceptions=True)
        await waiting.at_most(self._world.clock, VIEW_SECONDS, looking)
        done = {key: task for key, task in self._looking.items() if task.done()}
        self._looking = {key: task for key, task in self._looking.items() if key not in done}
        found = {key: task.exception() for key, task in done.items()}
        for key, error in found.items():
            if error is not None:
                # One look that fails must not cost the others theirs; it is tried again.
                LOG.error("looking at %s failed", ", ".join(sorted(key)), exc_info=error)
                self._world.telemetry.count(ERRORS, {})
        return {key: task.result() for key, task in done.items() if found[key] is None}

    def _standing(self, view: diagnosis.View) -> places.Places:
        """The view's topology as an index: views have the same one until it is worked out anew."""
        links = (view.calls, view.places)
        if self._index is None or self._index[0] is not links[0] or self._index[1] is not links[1]:
            self._index = (*links, places.Places(*links))
        return self._index[2]

    def close(self) -> None:
        """Look at nothing any more."""
        for task in self._looking.values():
            task.cancel()
        self._looking = {}

    def alike(self, incidents: Sequence[values.Incident]) -> list[list[str]]:
        """Names of incidents with the same first suspect, for the same change or field."""
        by_cause: dict[tuple[object, ...], list[str]] = {}
        for each in incidents:
            found = self.looked[each.id].found
            if self._world.surroundings is None or found is None or not found.suspects:
                continue
            first = found.suspects[0]
            if first.confidence is not incident_api.Confidence.LOW:
                key = (first.target, first.change or first.field)
                by_cause.setdefault(key, []).append(each.id)
        return [names for names in by_cause.values() if len(names) > 1]

    def unseen(self, incident: values.Incident, now: datetime.datetime) -> bool:
        """Whether it is too new to be told of: it will be looked at in the next rounds."""
        looked = self.looked[incident.id]
        wanted = self._world.surroundings is not None
        return wanted and looked.at is None and now - looked.first < UNSEEN

    def _due(self, incident: values.Incident, now: datetime.datetime) -> bool:
        looked = self.looked[incident.id]
        if looked.at is None:
            return True
        since = now - looked.at
        if since < AGAIN:
            return False
        if _shape(incident) != looked.shape:
            return True
        named = looked.found is not None and any(
            each.confidence is incident_api.Confidence.HIGH for each in looked.found.suspects[:1]
        )
        young = now - looked.first < YOUNG
        return since >= ((NAMED_AGAIN if named else YOUNG_AGAIN) if young else OLD_AGAIN)

    def _judge(
        self,
        incident: values.Incident,
        view: diagnosis.View,
        past: Sequence[values.Record],
        now: datetime.datetime,
    ) -> None:
        looked = self.looked[incident.id]
        looked.at, looked.shape = now, _shape(incident)
        if self._world.diagnose is None:
            return
        # One incident that can't be judged must not end the round; it is still told of.
        failed = f"{incident.id}: the diagnosis failed"
        with guard.guarded(failed, LOG, self._world.telemetry, ERRORS):
            looked.found = looked.steadied(self._world.diagnose(view, incident, past), now)
        looked.view = view
        looked.refs = frozenset(view.objects) | {change.object for change in view.changes}


def treated(
    incidents: Sequence[values.Incident],
    records: Iterable[objects.Record],
    now: datetime.datetime,
    looked: Mapping[str, Looked],
) -> set[str]:
    """Incidents whose cause is being treated, or was with success; maybe for another of them.

    What still fires a minute later has another cause.
    """
    firsts = {each.id: looked[each.id].first_suspect for each in incidents if each.id in looked}
    last: dict[str, objects.Record] = {}
    for record in sorted(records, key=lambda each: each.spec.decided_at):
        if not (record.spec.incident and (record.acted or record.in_flight)):
            continue
        written = {record.target, *restoring.written(record)}
        since = record.spec.decided_at.timestamp()
        begun = [each.id for each in incidents if each.onset <= since]
        names = (name for name in begun if firsts.get(name) in written)
        last |= dict.fromkeys((record.spec.incident, *names), record)
    return {
        each.id
        for each in incidents
        if each.id in last and _helps(last[each.id], now, firing=each.firing > 0)
    }


def _helps(record: objects.Record, now: datetime.datetime, *, firing: bool) -> bool:
    if record.in_flight:
        return True
    ended = record.status.finished_at
    young = ended is not None and now - ended < SHOWN_AFTER
    undoing = record.spec.action in ledger.TAKES_BACK
    heals = record.phase is reasons.Phase.SUCCEEDED and not undoing
    return heals and (young or not firing)


def _shape(incident: values.Incident) -> tuple[float, ...]:
    return (incident.alerts, incident.objects, incident.last, incident.firing)


def tiers(
    incident: values.Incident,
    workloads: Sequence[model.Workload],
    view: diagnosis.View | None,
) -> dict[model.Ref, str]:
    """The tier of each sick workload, by its own label or annotation or by its namespace's."""
    own = {each.ref: each for each in workloads}
    found: dict[model.Ref, str] = {}
    for member in incident.members:
        workload = own.get(member.target)
        told = ""
        if workload is not None:
            told = workload.annotations.get(TIER) or workload.labels.get(TIER) or ""
        told = told or _of_namespace(member.target.namespace, view)
        if told:
            found[member.target] = told
    return found


def _of_namespace(namespace: str, view: diagnosis.View | None) -> str:
    manifest = view.objects.get(model.Ref("Namespace", "", namespace)) if view else None
    metadata = manifest.get("metadata") if manifest is not None else None
    if not isinstance(metadata, dict):
        return ""
    for part in ("annotations", "labels"):
        told = (metadata.get(part) or {}).get(TIER)
        if told:
            return str(told)
    return ""
