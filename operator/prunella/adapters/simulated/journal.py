"""The Journal port in memory: an API server for Changes, and clients of it."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Collection, Mapping, Sequence

from prunella import ports
from prunella.api import change as change_api
from prunella.core import model
from prunella.core.changes.values import Change
from prunella.core.incidents.diagnosis import formerly

_Key = tuple[str, str]


class JournalServer:
    """What the API server keeps: it outlives every client."""

    def __init__(self) -> None:
        self.changes: dict[_Key, Change] = {}
        self.manifests: dict[model.Ref, Mapping[str, object]] = {}
        """The watched objects, as a story shows them."""
        self._versions = itertools.count(1)

    def create(self, change: Change) -> Change:
        """Take a name. Raises Conflict when it is taken."""
        if (change.namespace, change.name) in self.changes:
            raise ports.Conflict(f'changes "{change.name}" already exists', status=409)
        version = str(next(self._versions))
        spec = change_api.ChangeSpec.model_validate_json(change.spec.model_dump_json(by_alias=True))
        return self._keep(
            Change(
                name=change.name,
                namespace=change.namespace,
                spec=spec,
                uid=f"change-{version}",
                resource_version=version,
            )
        )

    def refer(self, change: Change, incidents: Sequence[str]) -> Change | None:
        """Replace the incidents that refer to a Change; None when it is gone."""
        stored = self.changes.get((change.namespace, change.name))
        if stored is None:
            return None
        version = str(next(self._versions))
        return self._keep(
            dataclasses.replace(stored, incidents=tuple(incidents), resource_version=version)
        )

    def delete(self, change: Change) -> None:
        """Delete a Change under its UID. Raises Conflict when another has its name."""
        stored = self.changes.get((change.namespace, change.name))
        if stored is not None and stored.uid != change.uid:
            raise ports.Conflict(f"{change.name}: the UID {change.uid} is not its own", status=409)
        self.changes.pop((change.namespace, change.name), None)

    def _keep(self, change: Change) -> Change:
        self.changes[change.namespace, change.name] = change
        return change


class SimulatedJournal:
    """One operator's client of the server (`ports.Journal`)."""

    def __init__(self, server: JournalServer | None = None) -> None:
        self.server = server or JournalServer()

    def changes(self, namespaces: Collection[str], since: datetime.datetime) -> Sequence[Change]:
        """Changes in namespaces, and of cluster-wide objects, oldest first."""
        found = (
            dataclasses.replace(each, spec=formerly.light(each.spec))
            for each in self.server.changes.values()
            if each.at >= since
            and (not each.object.namespace or each.object.namespace in namespaces)
        )
        return sorted(found, key=lambda each: (each.at, each.namespace, each.name))

    def manifests(
        self, namespaces: Collection[str], kinds: Collection[str] = ()
    ) -> Mapping[model.Ref, Mapping[str, object]]:
        """The watched objects of namespaces and the nodes."""
        return {
            ref: manifest
            for ref, manifest in self.server.manifests.items()
            if (not ref.namespace or ref.namespace in namespaces)
            and (not kinds or ref.kind in kinds)
        }

    async def record(self, change: Change) -> bool:
        """Write a Change once; False when it is there already."""
        try:
            self.server.create(change)
        except ports.Conflict:
            return False
        return True

    async def whole(self, change: Change) -> Change | None:
        """A Change with the object before it, or None when it is gone."""
        return self.server.changes.get((change.namespace, change.name))

    async def refer(self, change: Change, incidents: Sequence[str]) -> None:
        """Write which open incidents refer to a change."""
        self.server.refer(change, incidents)

    async def delete(self, change: Change) -> None:
        """Delete an old one, under its UID. Raises Conflict."""
        self.server.delete(change)
