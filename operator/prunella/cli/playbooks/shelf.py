"""Where the ready playbooks are, and what is in them."""

from __future__ import annotations

import dataclasses
import difflib
import pathlib

import prunella
from prunella.cli import errors

POLICY = "policy.yaml"
_PACKAGE = pathlib.Path(prunella.__file__).parent


@dataclasses.dataclass(frozen=True, slots=True)
class Playbook:
    """A ready policy, as its file is written."""

    name: str
    text: str

    @property
    def symptom(self) -> str:
        """The first sentence of the comment that it begins with, in one line."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("#"):
                break
            lines.append(line.removeprefix("#").strip())
        first, _, _ = " ".join(lines).partition(". ")
        return " ".join(first.rstrip(".").split())


def folder() -> pathlib.Path:
    """The folder of the playbooks: the package's own, or the checkout's. Raises CliError."""
    for found in (_PACKAGE / "playbooks", _PACKAGE.parents[1] / "playbooks"):
        if any(found.glob(f"*/{POLICY}")):
            return found
    raise errors.CliError(
        f"no playbooks beside {_PACKAGE}: this installation lacks them; install prunella again"
    )


def names() -> list[str]:
    """The names of all playbooks, in order. Raises CliError."""
    return sorted(path.parent.name for path in folder().glob(f"*/{POLICY}"))


def read(name: str) -> Playbook:
    """The playbook of a name. Raises CliError, which lists those that there are."""
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise errors.CliError(f"there is no playbook {name}{hint} There are: {', '.join(known)}")
    path = folder() / name / POLICY
    try:
        return Playbook(name, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise errors.CliError(f"can't read {path}: {error.strerror}") from error
