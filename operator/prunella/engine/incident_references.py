"""Which changes the open incidents refer to: the journal keeps those beyond their retention."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from prunella import ports
from prunella.api import incident as incident_api
from prunella.core.changes.values import Change
from prunella.core.incidents import values
from prunella.engine import incident_diagnosis

LOG = logging.getLogger(__name__)
MOST = 32


class References:
    """Tells the journal what is referred to; what could not be written is written later."""

    def __init__(self, journal: ports.Journal | None) -> None:
        self._journal = journal
        self._told: dict[str, tuple[Change, tuple[str, ...]]] = {}

    async def keep(
        self,
        records: Iterable[values.Record],
        looked: Mapping[str, incident_diagnosis.Looked],
    ) -> None:
        """Bring the references in line with the open incidents' suspects."""
        if self._journal is None:
            return
        wanted: dict[str, list[str]] = {}
        for record in records:
            if record.status.state is incident_api.State.OPEN:
                for each in record.status.suspects:
                    if each.change:
                        name = f"{record.namespace}/{record.name}"
                        wanted.setdefault(each.change, []).append(name)
        known = {
            change.name: change
            for each in looked.values()
            if each.view is not None
            for change in each.view.changes
        }
        known |= {name: change for name, (change, _) in self._told.items()}
        for name in wanted.keys() | self._told.keys():
            incidents = tuple(sorted(wanted.get(name, ())))[:MOST]
            change = known.get(name)
            if change is None or self._told.get(name, (None, ()))[1] == incidents:
                continue
            try:
                await self._journal.refer(change, incidents)
            except ports.ClusterError as error:
                LOG.debug("%s: the reference was not written: %s", name, error)
                continue
            if incidents:
                self._told[name] = (change, incidents)
            else:
                del self._told[name]
