"""Open incidents for a policy, with who can lead a restore for what is sick in other namespaces."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final

from prunella import ports
from prunella.core import objects
from prunella.core.changes import packing
from prunella.core.decisions import causes
from prunella.core.incidents import dependents, links, topology
from prunella.core.incidents import picture as pictures
from prunella.engine import world as worlds

MOST_KEPT: Final = 256
"""Objects before a Change that are kept; when there are more, all are read again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Around:
    """What is known around the suspects of one namespace."""

    journal: ports.Journal
    namespace: str
    now: datetime.datetime
    manifests: pictures.Manifests
    calls: topology.Links


class Leaders:
    """Looks around the suspects of a namespace, for policies that want to know."""

    def __init__(self, world: worlds.World) -> None:
        self._world = world
        self._before: dict[str, Mapping[str, Any] | None] = {}

    async def incidents(
        self, policy: objects.Policy, now: datetime.datetime
    ) -> tuple[causes.OpenIncident, ...]:
        """The open incidents; never raises ClusterError."""
        known = self._world.incidents
        found = () if known is None else causes.open_incidents(known.all())
        trigger = policy.spec.trigger if policy.spec is not None else None
        if trigger is None or not trigger.incident.anywhere or self._world.journal is None:
            return found
        namespace = policy.key.namespace
        if not any(v.suspect.namespace == namespace for each in found for v in _views(each)):
            return found
        around = await self._around(self._world.journal, namespace, found, now)
        return tuple([await self._led(each, around) for each in found])

    async def _around(
        self,
        journal: ports.Journal,
        namespace: str,
        incidents: Iterable[causes.OpenIncident],
        now: datetime.datetime,
    ) -> Around:
        """Calls are as measured and declared, or as the journal's objects declare them."""
        if self._world.topology is not None:
            calls, _ = await self._world.topology(now)
        else:
            sick = {ref.namespace for each in incidents for ref in each.members}
            calls = links.from_manifests(journal.manifests({namespace, *sick})).calls
        return Around(journal, namespace, now, journal.manifests({namespace}), calls)

    async def _led(self, each: causes.OpenIncident, around: Around) -> causes.OpenIncident:
        views = [
            await self._view(view, around) if view.suspect.namespace == around.namespace else view
            for view in _views(each)
        ]
        return dataclasses.replace(views[0], others=tuple(views[1:]))

    async def _view(self, view: causes.OpenIncident, around: Around) -> causes.OpenIncident:
        before = await self._before_change(view, around)
        found = dependents.leaders(
            view.suspect, view.members, around.manifests, before, around.calls
        )
        return dataclasses.replace(view, leaders=frozenset(found - view.members))

    async def _before_change(
        self, view: causes.OpenIncident, around: Around
    ) -> Mapping[str, Any] | None:
        """The suspect before its Change: a Service may have served others then."""
        if view.change in self._before:
            return self._before[view.change]
        since = (view.changed_at or around.now) - datetime.timedelta(minutes=1)
        known = around.journal.changes({around.namespace}, since)
        change = next((one for one in known if one.name == view.change), None)
        if change is None:
            return None
        try:
            whole = await around.journal.whole(change)
            text = whole.spec.before if whole is not None else ""
            before = packing.unpack(packing.from_text(text)) if text else None
        except (ports.ClusterError, ValueError):
            return None
        if len(self._before) >= MOST_KEPT:
            self._before.clear()
        self._before[view.change] = before
        return before


def _views(each: causes.OpenIncident) -> tuple[causes.OpenIncident, ...]:
    """An incident by each of its suspects."""
    return (each, *each.others)
