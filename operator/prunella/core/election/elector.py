"""One replica's part in the election: when to look, when to write, whether it may send.

    Following --the Lease was unchanged for its duration--> Leading --somebody else has it--> Lost

Two promises make sure that no two replicas send at the same moment, without any clock in common:
a leader sends until ``renew_deadline`` after the moment *before* its last good renewal was asked
for; a follower takes the Lease ``duration`` after the moment *when* it first saw that renewal.
Of two that take it at once the API server lets one through: each write is under a resourceVersion.

All times are seconds of one monotonic clock that also counts while the process does not run.
"""

from __future__ import annotations

import dataclasses
import enum

from prunella.core.election.lease import Lease, Times

MOST_PROMISED = 60.0
"""Seconds that a Lease may promise: an edited one must not leave all without a leader."""


class Role(enum.StrEnum):
    """What a replica is."""

    FOLLOWING = "Following"
    LEADING = "Leading"
    LOST = "Lost"
    """It has led, and another has the Lease: it is to end, and to begin anew."""
    RELEASED = "Released"
    """It has given the Lease back, and is about to end."""


class Ask(enum.StrEnum):
    """What to ask the API server for now."""

    NOTHING = "Nothing"
    READ = "Read"
    WRITE = "Write"


@dataclasses.dataclass(slots=True)
class Elector:
    """The state of one replica; ``identity`` is nobody else's while this one runs."""

    identity: str
    times: Times = dataclasses.field(default_factory=Times)
    role: Role = Role.FOLLOWING
    epoch: int = 0
    """How often the Lease had been taken when this replica took it; 0 before it leads."""
    _seen: Lease | None = None
    _seen_at: float | None = None
    """When the Lease was first seen as it is, or first seen to be missing."""
    _fresh: bool = False
    """Whether its resourceVersion is of the last answer."""
    _renewed_at: float = 0.0
    _highest: int = 0

    @property
    def holder(self) -> str:
        """Who holds the Lease, as far as is known."""
        return self._seen.holder if self._seen is not None else ""

    def refusal(self, now: float) -> str:
        """Why nothing may be sent now; empty when this replica leads and may."""
        if self.role is not Role.LEADING:
            return f"this replica is {self.role.value.lower()}: only the leader writes"
        silent = now - self._renewed_at
        if silent >= self.times.renew_deadline:
            limit = self.times.renew_deadline
            return f"the Lease was last renewed {silent:.1f} s ago, the limit is {limit:g} s"
        return ""

    def left(self, now: float) -> float:
        """Seconds until another replica may lead: what is sent must be over by then."""
        if self.role is not Role.LEADING:
            return 0.0
        return max(0.0, self._renewed_at + self.times.duration - now)

    def wait(self, now: float) -> float:
        """Seconds until the next look: a follower looks when it could take the Lease."""
        takeable = self._takeable_at()
        if self.role is not Role.FOLLOWING or takeable is None:
            return self.times.retry
        soonest = self.times.retry / 3  # It could be taken, and there was no answer.
        return min(self.times.retry, max(soonest, takeable - now))

    def ask(self, now: float, *, willing: bool = True) -> Ask:
        """What to do now. Who is not ``willing`` only looks, as while it is not warm yet."""
        if self.role in {Role.LOST, Role.RELEASED}:
            return Ask.NOTHING
        if not self._fresh:
            return Ask.READ
        if self.role is Role.LEADING:
            return Ask.WRITE
        return Ask.WRITE if willing and self._may_take(now) else Ask.NOTHING

    def next(self, renewed: str, floor: int = 0) -> Lease:
        """The Lease to write: a renewal, or a taking with an epoch above all that are known.

        ``renewed`` is the wall clock's time, different each time; ``floor`` the highest epoch in
        the ledger, which a Lease that somebody has deleted does not tell any more.
        """
        version = self._seen.version if self._seen is not None else ""
        epoch = self.epoch
        if self.role is not Role.LEADING:
            known = self._seen.transitions if self._seen is not None else 0
            epoch = max(known, self._highest, floor) + 1
        return Lease(
            self.identity,
            epoch,
            renewed,
            self.times.duration,
            taken=self.role is not Role.LEADING,
            version=version,
        )

    def stale(self) -> None:
        """Look before the next write: an answer was lost, or somebody else was first."""
        self._fresh = False

    def read(self, answered: float, found: Lease | None) -> None:
        """Take in what the Lease is, None when there is none; ``answered``: when that was told."""
        self._fresh = True
        if self.role is Role.LEADING and not self._mine(found):
            self.role = Role.LOST
        known, first_look = self._seen, self._seen_at is None
        same = found is known is None or (
            found is not None and known is not None and found.same_as(known)
        )
        if first_look or not same:
            self._seen_at = answered
        self._seen = found
        if found is not None:
            self._highest = max(self._highest, found.transitions)

    def written(self, asked: float, written: Lease) -> None:
        """Take in that a write has succeeded; ``asked``: the time before it was sent."""
        self._fresh, self._seen, self._seen_at = True, written, asked
        self._highest = max(self._highest, written.transitions)
        self._renewed_at = asked
        self.role, self.epoch = Role.LEADING, written.transitions

    def release(self, renewed: str) -> Lease | None:
        """Stop leading for good; the Lease to write so that another need not wait.

        None when there is nothing to give back.  Only for who knows that nothing which it has sent
        is still under way.
        """
        leading, seen = self.role is Role.LEADING, self._seen
        self.role = Role.RELEASED
        if not leading or seen is None:
            return None
        return Lease("", self.epoch, renewed, 1.0, released=self.epoch, version=seen.version)

    def _mine(self, found: Lease | None) -> bool:
        return (
            found is not None and found.holder == self.identity and found.transitions == self.epoch
        )

    def _takeable_at(self) -> float | None:
        """When the Lease may be taken if it stays as it is; None before the first look."""
        if self._seen_at is None:
            return None
        if self._seen is not None and (self._seen.free or self._seen.holder == self.identity):
            # Held by this pod's own name: the process that ran here before is no more.
            return self._seen_at
        promised = self._seen.duration if self._seen is not None else 0.0
        return self._seen_at + max(self.times.duration, min(promised, MOST_PROMISED))

    def _may_take(self, now: float) -> bool:
        takeable = self._takeable_at()
        return takeable is not None and now >= takeable
