"""Good sense about `windows`: that they can be read, and open at some time."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final

from prunella.cli.lint import findings
from prunella.cli.lint.findings import Note
from prunella.cli.lint.policy import Policy, Rule
from prunella.core.decisions import windows

SOME_TIME: Final = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
"""From when on an opening is looked for: what comes again and again has no date."""


def windows_open(policy: Policy) -> Iterator[Note]:
    """What the operator can't read is closed for ever, and so is what is never allowed."""
    given = policy.spec.windows
    unread = list(windows.problems(given))
    for name, index, problem in unread:
        place: tuple[str | int, ...] = ("spec", "windows", name, index)
        told = f"{problem}: the operator takes all windows for closed"
        yield findings.error("window", place, told)
    if unread or not given.given:
        return
    found = windows.state(((windows.OWN, given),), SOME_TIME)
    if not found.open and found.changes_at is None:
        message = "no action can ever begin: what is allowed is denied, or nothing ever opens"
        yield findings.warning("window-never", ("spec", "windows"), message)


RULES: tuple[Rule, ...] = (
    windows_open,  # Make sure that there is a time at which something may be done.
)
