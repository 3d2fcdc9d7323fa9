"""What is kept before an action: looked at for so long at most, and never in its way."""

from __future__ import annotations

import asyncio
import logging

from prunella import outside_ports, ports
from prunella.api import capture
from prunella.core import objects
from prunella.core.outcomes import capturing
from prunella.engine import waiting
from prunella.engine import world as worlds

LOG = logging.getLogger(__name__)
LATE = "the time was over before all was looked at"


class Captures:
    """Takes captures; what is written late goes on beside the action."""

    def __init__(self, world: worlds.World) -> None:
        self._world = world
        self._late: set[asyncio.Future[str]] = set()

    async def before(self, record: objects.Record, policy: objects.Policy) -> objects.Record:
        """Keep what the policy wants before a record is carried out; the record tells of it.

        Raises ClusterError when the ledger can't be written, as any step of the record does.
        """
        limits, port = capturing.wanted(record, policy), self._world.captures
        if limits is None or port is None:
            return record
        parts: list[capturing.Part] = []
        taking = asyncio.ensure_future(self._take(record, limits, port, parts))
        await waiting.at_most(self._world.clock, limits.timeout.total_seconds(), taking)
        told = taking.result() if taking.done() else self._overdue(taking, parts)
        status = record.status.model_copy(update={"capture": told})
        return await self._world.ledger.update(record, status)

    def _overdue(self, taking: asyncio.Future[str], parts: list[capturing.Part]) -> str:
        """Let it go on beside the action, which does not wait."""
        parts.append(capturing.Part("all", problem=LATE))
        self._late.add(taking)
        taking.add_done_callback(self._late.discard)
        return f"{LATE}; what was there is kept if that can still be written"

    async def _take(
        self,
        record: objects.Record,
        limits: capture.CapturePolicy,
        port: outside_ports.Captures,
        parts: list[capturing.Part],
    ) -> str:
        """Look, within the time that is left for writing it, and keep; says what became of it."""
        looking = asyncio.ensure_future(port.look(record, limits, parts))
        seconds = limits.timeout.total_seconds() * 0.8
        await waiting.at_most(self._world.clock, seconds, looking)
        if not looking.done():
            looking.cancel()
            parts.append(capturing.Part("the rest", problem=LATE))
        await asyncio.gather(looking, return_exceptions=True)
        now = self._world.clock.now()
        spec = await port.pack(record, tuple(parts), limits, now)
        try:
            await port.keep(record, spec)
        except ports.Conflict:
            return "kept before, by an attempt that was taken up again"
        except ports.ClusterError as error:
            LOG.warning("%s: nothing is kept: %s", record.name, error)
            return f"nothing is kept: {error}"[:2048]
        return capturing.told(spec)
