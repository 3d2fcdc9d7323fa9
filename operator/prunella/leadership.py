"""The seams of the election: the Lease, and whether this replica may write at this moment."""

from __future__ import annotations

import contextlib
import math
from typing import Protocol

from prunella import ports
from prunella.core.election import lease


class NotLeading(ports.ClusterError):
    """Nothing was sent: another replica leads, or may lead soon."""


class Leases(Protocol):
    """The one Lease of the replicas. An answer comes within two seconds or not at all."""

    async def read(self) -> lease.Lease | None:
        """The Lease as it is, None when there is none. Raises ClusterError."""

    async def write(self, wanted: lease.Lease) -> lease.Lease:
        """Write it under its version, or create it without one; returns it as it is then.

        Raises Conflict when somebody else was first, OutcomeUnknown, ClusterError.
        """


class Leadership(Protocol):
    """Whether this replica is the one that decides and writes."""

    @property
    def epoch(self) -> int:
        """The number of this leadership, above all before it; 0 where nobody is elected."""

    @property
    def leading(self) -> bool:
        """Whether it holds the Lease, though it may be unable to renew it at the moment."""

    def refusal(self) -> str:
        """Why it may not write now; empty when it may."""

    def sending(self) -> contextlib.AbstractContextManager[float]:
        """To be held around each write, from any thread, from the moment before it is sent.

        Gives the seconds in which the write must be over, infinite where nobody is elected.
        Raises NotLeading.
        """


class Alone:
    """The only replica (`Leadership`): it always leads."""

    epoch = 0
    leading = True

    def refusal(self) -> str:
        """Nothing is in the way."""
        return ""

    def sending(self) -> contextlib.AbstractContextManager[float]:
        """There is nobody to give way to."""
        return contextlib.nullcontext(math.inf)


ALONE = Alone()
