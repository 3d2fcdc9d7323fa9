"""The Leases port without an API server: one Lease, and a way to it that may be slow or cut."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Final

from prunella import ports
from prunella.adapters.simulated import clock as clocks
from prunella.core.election import lease as leases

ANSWER_SECONDS: Final = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """How one request fares; in seconds. None: it never arrives, or its answer does not."""

    there: float | None = 0.01
    back: float | None = 0.01


DEAD: Final = Way(None, None)


class LeaseServer:
    """Keeps the Lease, as an API server would."""

    def __init__(self, found: leases.Lease | None = None) -> None:
        self.lease = found
        self._version = 0
        if found is not None:
            self.edit()

    def write(self, wanted: leases.Lease) -> leases.Lease:
        """Write under the version. Raises Conflict."""
        is_now = self.lease.version if self.lease is not None else ""
        if wanted.version != is_now:
            raise ports.Conflict(f"the Lease is at version {is_now!r}", status=409)
        self.lease = dataclasses.replace(wanted, taken=False)
        self.edit()
        return self.lease

    def edit(self, **changes: object) -> None:
        """Change it by hand, under no condition."""
        if self.lease is None:
            raise ValueError("there is no Lease to edit")
        self._version += 1
        self.lease = dataclasses.replace(self.lease, version=str(self._version), **changes)  # type: ignore[arg-type]


class SimulatedLeases:
    """One replica's access to the Lease (`leadership.Leases`)."""

    def __init__(
        self,
        server: LeaseServer,
        clock: clocks.VirtualClock,
        way: Callable[[], Way] = Way,
        sleep: Callable[[float], asyncio.Future[None]] | None = None,
    ) -> None:
        """``way`` tells how the next request fares; ``sleep`` is the replica's own, if it hangs."""
        self._server = server
        self._clock = clock
        self._way = way
        self._sleep = sleep or clock.sleep

    async def read(self) -> leases.Lease | None:
        """The Lease as it is, None when there is none. Raises ClusterError."""
        found: list[leases.Lease | None] = []
        await self._exchange(lambda: found.append(self._server.lease))
        return found[0]

    async def write(self, wanted: leases.Lease) -> leases.Lease:
        """Write it under its version. Raises Conflict, OutcomeUnknown."""
        answer: list[leases.Lease | ports.Conflict] = []

        def carry_out() -> None:
            try:
                answer.append(self._server.write(wanted))
            except ports.Conflict as error:
                answer.append(error)

        await self._exchange(carry_out)
        if isinstance(answer[0], ports.Conflict):
            raise answer[0]
        return answer[0]

    async def _exchange(self, carry_out: Callable[[], None]) -> None:
        """Carry out at the server when the request arrives, be it long after it was given up."""
        way = self._way()
        if way.there == 0:
            carry_out()
        elif way.there is not None:
            self._clock.call_later(way.there, carry_out)
        if way.there is None or way.back is None or way.there + way.back > ANSWER_SECONDS:
            await self._sleep(ANSWER_SECONDS)
            raise ports.OutcomeUnknown(f"the Lease: no answer for {ANSWER_SECONDS:g} s")
        await self._sleep(way.there + way.back)
