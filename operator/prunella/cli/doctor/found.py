"""What a check has found: what is wrong, where, and what to do."""

from __future__ import annotations

import dataclasses
import enum


class Level(enum.StrEnum):
    """How bad it is: a problem keeps something from working, a warning will at some time."""

    PROBLEM = "problem"
    WARNING = "warning"


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """One line of the report."""

    level: Level
    check: str
    """The check's word, such as ``rights``."""
    where: str
    what: str
    todo: str


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """All that was found, and which checks were made."""

    found: tuple[Found, ...]
    checks: tuple[str, ...]

    def count(self, level: Level) -> int:
        """How many lines of a level."""
        return sum(each.level is level for each in self.found)


def problem(check: str, where: str, what: str, todo: str) -> Found:
    """Something that does not work."""
    return Found(Level.PROBLEM, check, where, what, todo)


def warning(check: str, where: str, what: str, todo: str) -> Found:
    """Something that works worse than it could."""
    return Found(Level.WARNING, check, where, what, todo)
