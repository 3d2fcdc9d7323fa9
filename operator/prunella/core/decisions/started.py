"""What an action starts outside its target: a Job, or a run of another system."""

from __future__ import annotations

import dataclasses
import enum

DEADLINE = "deadlineSeconds"
"""Of a call: how many seconds what it starts may take."""


class RunState(enum.StrEnum):
    """How far it has come."""

    RUNNING = "Running"
    WAITING = "Waiting"
    """It goes on when a person says so there."""
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"
    """It is over, or gone, and nobody can tell how it ended."""


UNFINISHED = frozenset({RunState.RUNNING, RunState.WAITING})


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """Something that was started, as it is now."""

    state: RunState
    message: str = ""
    mark: str = ""
    """The record that it was started by."""
    log: str = ""
    """The end of what it has written, not redacted yet."""
    id: str = ""
    """What the other system calls it."""
    url: str = ""
    """Where people can look at it."""
