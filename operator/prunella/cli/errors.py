"""What ends a command early, and the exit codes of all commands.

0: done, and nothing was found.  1: a finding or a negative answer.  2: the command was used
wrongly or its surroundings (files, cluster, rights) did not let it work.
"""

from __future__ import annotations

OK, NEGATIVE, UNUSABLE = 0, 1, 2


class CliError(Exception):
    """One line for the user: what was wrong, where, and what to do about it."""

    def __init__(self, message: str, *, code: int = UNUSABLE) -> None:
        super().__init__(message)
        self.code = code
