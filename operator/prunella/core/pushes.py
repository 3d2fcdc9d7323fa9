"""What is written to a Git repository, as data."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class GitChange:
    """A commit to revert. The push is refused unless the branch is where it was seen."""

    repository: str
    """URL as the tool that deploys has it, without credentials."""
    branch: str
    path: str
    """The folder that is deployed; empty: all of the repository."""
    revert: str
    files: tuple[str, ...]
    expected_head: str
    applied: str
    """The commit that was deployed when this was planned; 40 hexadecimal digits, as all three."""
    message: str
    request: bool = False
    """A request is opened, and the branch is not written."""
