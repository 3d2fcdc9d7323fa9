"""The Lease that replicas elect their leader by, and its times.

A Lease (coordination.k8s.io/v1) is compared, never timed by what is written in it: the clocks of
two nodes may differ by any amount.  Who waits measures on its own clock for how long it has seen
no change (client-go, leaderelection.go).
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Times:
    """All in seconds. Each must be less than the one before it."""

    duration: float = 10.0
    """A Lease that was seen unchanged for so long may be taken."""
    renew_deadline: float = 7.0
    """A leader that could not renew for so long sends nothing more."""
    retry: float = 1.5
    """Between two looks at the Lease, and two renewals of it."""

    @property
    def margin(self) -> float:
        """From the moment when a leader falls silent to the one when another may begin."""
        return self.duration - self.renew_deadline


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as it was read, or as it is to be written."""

    holder: str
    """Who holds it; empty: nobody."""
    transitions: int = 0
    """How often it was taken: the epoch of who holds it."""
    renewed: str = ""
    """When it was renewed, by the holder's clock; compared, never read as a time."""
    duration: float = 0.0
    """Seconds that its holder was promised."""
    released: int = 0
    """The epoch whose leader gave it back, knowing that nothing of its own is under way."""
    taken: bool = False
    """Whether this write takes it from somebody, and is no renewal."""
    version: str = ""
    """Its resourceVersion: the condition of the next write."""

    @property
    def free(self) -> bool:
        """Whether nobody can be at work under it, so that it may be taken at once.

        Not so one that merely has no holder: somebody may have edited it under a leader.
        """
        if self.holder:
            return False
        never_held = not self.renewed and not self.transitions
        return never_held or self.released == self.transitions > 0

    def same_as(self, other: Lease) -> bool:
        """Whether nobody has renewed or taken it in between; other edits do not count."""
        return (self.holder, self.transitions, self.renewed) == (
            other.holder,
            other.transitions,
            other.renewed,
        )
