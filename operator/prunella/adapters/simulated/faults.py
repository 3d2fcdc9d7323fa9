"""What can be made to go wrong, and where: one switchboard for all twins of a world.

A twin calls `Faults.reach` just before and just after each of its requests.  An error that is
armed there is raised there: before a request nothing has happened yet, after it the effect
is done and only the answer is lost.
"""

from __future__ import annotations

import collections
import enum

from prunella import ports


class Crash(BaseException):
    """The operator's process dies here: no handler of errors may catch it."""


class Point(enum.StrEnum):
    """The places of faults: one for a read, two for a write."""

    LIVE_STATE = "look"
    OWNERS = "owners"
    PAUSED = "paused"
    FREEZE = "freeze"
    NAMESPACE = "namespace"
    BEFORE_SEND = "before send"
    AFTER_SEND = "after send"
    GIVE_BACK = "give back"
    REPOSITORY = "repository"
    READ_POLICY = "read policy"
    READ_APPROVAL = "read approval"
    BEFORE_ANSWER = "before answer"
    AFTER_ANSWER = "after answer"
    BEFORE_POLICY_STATUS = "before policy status"
    AFTER_POLICY_STATUS = "after policy status"
    REFRESH = "refresh"
    BEFORE_CREATE = "before create"
    AFTER_CREATE = "after create"
    BEFORE_UPDATE = "before update"
    AFTER_UPDATE = "after update"
    BEFORE_LABEL = "before label"
    AFTER_LABEL = "after label"
    BEFORE_DELETE = "before delete"
    AFTER_DELETE = "after delete"
    BEFORE_CREATE_INCIDENT = "before create incident"
    AFTER_CREATE_INCIDENT = "after create incident"
    BEFORE_UPDATE_INCIDENT = "before update incident"
    AFTER_UPDATE_INCIDENT = "after update incident"
    BEFORE_DELETE_INCIDENT = "before delete incident"
    AFTER_DELETE_INCIDENT = "after delete incident"


class Faults:
    """Armed errors. ``passed`` lists the points that were reached, in order."""

    def __init__(self) -> None:
        self.passed: list[Point] = []
        self._once: dict[Point, collections.deque[BaseException]] = {}
        self._always: dict[Point, BaseException] = {}
        self._crash_at: int | None = None

    def once(self, point: Point, error: BaseException) -> None:
        """Raise ``error`` the next time that ``point`` is reached."""
        self._once.setdefault(point, collections.deque()).append(error)

    def always(self, point: Point, error: BaseException) -> None:
        """Raise ``error`` each time that ``point`` is reached, until `heal`."""
        self._always[point] = error

    def crash_at(self, count: int) -> None:
        """Die at the ``count``-th point from now, counted from 1; once."""
        self._crash_at = len(self.passed) + count

    def unreachable(self) -> None:
        """No request arrives any more, until `heal`."""
        for point in Point:
            if not point.startswith("after"):
                self._always[point] = ports.ClusterError("connection refused")

    def heal(self) -> None:
        """End all faults."""
        self._once.clear()
        self._always.clear()
        self._crash_at = None

    def reach(self, point: Point) -> None:
        """Raise what is armed here, if anything."""
        self.passed.append(point)
        if self._crash_at == len(self.passed):
            self._crash_at = None
            raise Crash(f"died at point {len(self.passed)}: {point}")
        if waiting := self._once.get(point):
            raise waiting.popleft()
        if point in self._always:
            raise self._always[point]
