"""Incidents as traces, sent as they go: each span when it has ended, the whole with the incident.

It looks at the objects from outside of the loop of incidents, so that nothing waits for a backend
of traces.  What could not be sent is sent later, and given up an hour after the incident's end.
After a start all that has ended of open and just ended incidents is sent again: ids stay the same.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prunella import ports
from prunella.api import incident as incident_api
from prunella.core import objects
from prunella.core.incidents import trace, values
from prunella.engine import guard

LOG = logging.getLogger(__name__)
EVERY_SECONDS: Final = 5.0
MOST_SPANS: Final = 512
"""Spans of one request."""
JUST_ENDED: Final = datetime.timedelta(minutes=10)
"""An incident that ended so long before the start is sent: the last process may not have."""
GIVE_UP: Final = datetime.timedelta(hours=1)
AGAIN: Final = datetime.timedelta(seconds=30)
"""Time until the next attempt, after one that failed."""
EXPORTS: Final = "prunella_trace_exports_total"
_OPEN: Final = incident_api.State.OPEN
Records = Callable[[], Mapping[str, values.Record]]


class IncidentTraces:
    """Sends the spans of incidents until it is cancelled."""

    def __init__(
        self,
        mains: Records,
        ledger: ports.Ledger,
        traces: ports.Traces,
        clock: ports.Clock,
        telemetry: ports.Telemetry,
    ) -> None:
        """``mains`` gives the incidents by name, without mirrors."""
        self._mains = mains
        self._ledger = ledger
        self._traces = traces
        self._clock = clock
        self._telemetry = telemetry
        self._since = clock.now() - JUST_ENDED
        self._sent: dict[str, set[str]] = {}
        """Ids of spans that have arrived, by trace."""
        self._not_before: datetime.datetime | None = None
        self._failing = False

    async def run(self) -> None:
        """Look, and send what has ended, until cancelled."""
        failed = {"outcome": "failed"}
        try:
            while True:
                await self._clock.sleep(EVERY_SECONDS)
                with guard.guarded("sending traces failed", LOG, self._telemetry, EXPORTS, failed):
                    await self.round()
        finally:
            self._traces.close()

    async def round(self) -> None:
        """Send what has ended since the last round, at most `MOST_SPANS`."""
        now = self._clock.now()
        if self._not_before is not None and now < self._not_before:
            return
        followed = [each for each in self._mains().values() if self._is_followed(each, now)]
        self._forget({trace.trace_id(each) for each in followed})
        new = [span for each in followed for span in self._new(each)][:MOST_SPANS]
        if new:
            self._note(new, await self._traces.send(new), now)

    def _is_followed(self, record: values.Record, now: datetime.datetime) -> bool:
        """Whether spans of an incident may still be to send."""
        status = record.status
        if not status.title:
            return False
        ended = status.resolved_at
        return status.state is _OPEN or (
            ended is not None and ended > max(self._since, now - GIVE_UP)
        )

    def _new(self, record: values.Record) -> Iterator[trace.Span]:
        sent = self._sent.get(trace.trace_id(record), set())
        names = set(record.status.remediations)
        done: list[objects.Record] = []
        if names:
            done = [e for e in self._ledger.records() if f"{e.namespace}/{e.name}" in names]
        return (each for each in trace.spans(record, done) if each.id not in sent)

    def _note(self, spans: list[trace.Span], failure: str, now: datetime.datetime) -> None:
        self._telemetry.count(EXPORTS, {"outcome": "failed" if failure else "sent"})
        if failure:
            say = LOG.debug if self._failing else LOG.warning
            say("traces of incidents were not sent and will be: %s", failure)
            self._failing, self._not_before = True, now + AGAIN
            return
        self._failing, self._not_before = False, None
        for each in spans:
            self._sent.setdefault(each.trace, set()).add(each.id)
            if not each.parent:
                LOG.info(
                    "%s: trace %s is complete", each.attributes["prunella.incident"], each.trace
                )

    def _forget(self, followed: set[str]) -> None:
        for gone in self._sent.keys() - followed:
            del self._sent[gone]
