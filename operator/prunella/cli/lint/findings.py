"""What a check found, and where."""

from __future__ import annotations

import dataclasses
import enum

Path = tuple[str | int, ...]
"""Keys and indices from the top of a document: ``("spec", "signals", 0, "for")``."""


class Severity(enum.StrEnum):
    """How bad a finding is. Errors fail a run, warnings fail it with ``--strict``."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One finding, at a line of a file (from 1) and a field of a document."""

    file: str
    line: int
    path: str
    severity: Severity
    rule: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """A finding before its place in the file is known: what a rule returns."""

    severity: Severity
    rule: str
    path: Path
    message: str


def error(rule: str, path: Path, message: str) -> Note:
    """Something that the API server or the operator would refuse."""
    return Note(Severity.ERROR, rule, path, message)


def warning(rule: str, path: Path, message: str) -> Note:
    """Something that is accepted and most likely does not do what was meant."""
    return Note(Severity.WARNING, rule, path, message)


def hint(rule: str, path: Path, message: str) -> Note:
    """Something that works and could be better."""
    return Note(Severity.HINT, rule, path, message)


def show_path(path: Path) -> str:
    """A path as people write it: ``spec.signals[0].for``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
