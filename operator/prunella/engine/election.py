"""The election at work: looks at the Lease, renews it, and says whether this replica may write.

It asks by a connection of its own, so that a renewal never waits for a free thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator

from prunella import leadership, ports
from prunella.core.election import elector as electors

LOG = logging.getLogger(__name__)
Ask, Role = electors.Ask, electors.Role
SOON = 0.2
"""Seconds to the next try after one that took long."""
LEAST_LEFT = 1.0
"""Seconds that a write must be given; with less it is not begun."""
ON_THE_WAY = 3.0
"""Seconds that a request may take to arrive: for a connection, or until it was acknowledged."""
_TICK = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Around:
    """What an election needs from its surroundings."""

    clock: ports.Clock
    monotonic: Callable[[], float]
    """Seconds that also count while the process, or the machine, is suspended."""
    telemetry: ports.Telemetry
    floor: Callable[[], int] = lambda: 0
    """The highest epoch that the ledger knows."""
    jitter: Callable[[], float] = lambda: 0.0
    """0 to 1, by chance: followers do not all look at the same moment."""


class Election:
    """One replica's part in it (`leadership.Leadership`)."""

    def __init__(
        self, elector: electors.Elector, leases: leadership.Leases, around: Around
    ) -> None:
        self._elector = elector
        self._leases = leases
        self._around = around
        self._lock = threading.Lock()
        self._turn = asyncio.Lock()
        self._under_way = 0
        self._closed = ""
        self.willing = False
        """Whether it would lead: not before it has seen what there is."""
        self.elected = asyncio.Event()
        self.turned_at = around.monotonic()
        """When the loop has turned last, for who watches over it from another thread."""

    @property
    def epoch(self) -> int:
        """The number of this leadership; 0 before it leads."""
        return self._elector.epoch

    @property
    def leading(self) -> bool:
        """Whether it holds the Lease, though it may be unable to renew it at the moment."""
        return self._elector.role is Role.LEADING

    def refusal(self) -> str:
        """Why it may not write now; empty when it may."""
        return self._closed or self._elector.refusal(self._around.monotonic())

    @contextlib.contextmanager
    def sending(self) -> Iterator[float]:
        """Around each write, from any thread; gives the seconds in which it must be over.

        Raises NotLeading.
        """
        with self._lock:
            left = self._elector.left(self._around.monotonic())
            if refusal := self.refusal() or _too_late(left):
                raise leadership.NotLeading(refusal)
            self._under_way += 1
        try:
            yield left - ON_THE_WAY
        finally:
            with self._lock:
                self._under_way -= 1

    async def run(self) -> None:
        """Take part until another has the Lease that was this replica's, or it is given back."""
        while self._elector.role not in {Role.LOST, Role.RELEASED}:
            began = self.turned_at = self._around.monotonic()
            await self.step()
            self._measure()
            took = self._around.monotonic() - began
            wait = self._elector.wait(self._around.monotonic())
            if not self.leading:
                wait *= 1 + 0.1 * self._around.jitter()
            await self._around.clock.sleep(max(SOON, wait - took if self.leading else wait))

    async def step(self) -> None:
        """One look, and one write if it is time for it."""
        async with self._turn:
            await self._look()

    async def _look(self) -> None:
        willing = self.willing and not self._closed
        if self._elector.ask(self._around.monotonic(), willing=willing) is not Ask.WRITE:
            self._elector.stale()
        for _ in range(2):
            asked = self._around.monotonic()
            ask = self._elector.ask(asked, willing=willing)
            try:
                if ask is Ask.READ:
                    found = await self._leases.read()
                    self._elector.read(self._around.monotonic(), found)
                elif ask is Ask.WRITE:
                    await self._write(asked)
                    return
            except ports.Conflict:
                self._elector.stale()  # Somebody was first: who, is seen at once.
            except ports.ClusterError as error:
                self._elector.stale()
                LOG.warning("the Lease: %s", error)
                return

    async def hand_over(self, within: float) -> bool:
        """Give the Lease back once nothing of this replica is under way; True when it was.

        After ``within`` seconds it is kept until it ends by itself: what was sent may still come.
        """
        self._closed = "this replica is stopping"
        until = self._around.monotonic() + within
        while self._under_way and self._around.monotonic() < until:
            await self._around.clock.sleep(_TICK)
        async with self._turn:
            if self._under_way or (freed := self._elector.release(self._renewed())) is None:
                return False
            try:
                await self._leases.write(freed)
            except ports.ClusterError as error:
                LOG.warning("the Lease was not given back, another waits for its end: %s", error)
                return False
            LOG.info("the Lease was given back (epoch %d)", freed.transitions)
            return True

    async def _write(self, asked: float) -> None:
        before = self.leading
        wanted = self._elector.next(self._renewed(), self._around.floor())
        self._elector.written(asked, await self._leases.write(wanted))
        if not before:
            LOG.info("this replica leads (epoch %d)", self.epoch, extra={"epoch": self.epoch})
            self._around.telemetry.count("prunella_leader_transitions_total", {})
            self.elected.set()

    def _renewed(self) -> str:
        return self._around.clock.now().isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _measure(self) -> None:
        leads = 1.0 if not self.refusal() else 0.0
        self._around.telemetry.gauge("prunella_leader", {}, leads)
        self._around.telemetry.gauge("prunella_leader_epoch", {}, self.epoch)
        if self._elector.role is Role.LOST:
            LOG.error("another replica leads: %s", self._elector.holder or "the Lease was deleted")


def _too_late(left: float) -> str:
    needed = ON_THE_WAY + LEAST_LEFT
    if left >= needed:
        return ""
    return f"another replica may lead in {left:.1f} s, and a write needs {needed:g} s"
