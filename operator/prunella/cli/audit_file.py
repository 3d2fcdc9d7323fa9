"""Files of the audit export: written by appending, checked from the first line on."""

from __future__ import annotations

import datetime
import os
import pathlib

from prunella.api import types
from prunella.cli import kube, read
from prunella.cli.errors import CliError
from prunella.core.outcomes import auditing


def chosen(file: pathlib.Path | None, output: pathlib.Path | None) -> pathlib.Path:
    """The file to export to. Raises CliError."""
    if file is not None or output is None:
        raise CliError("give --output FILE to export, or `verify FILE` to check one")
    return output


def export(
    cluster: kube.Cluster,
    scope: str | None,
    target: pathlib.Path,
    since: str,
    now: datetime.datetime,
) -> str:
    """Append what has ended since and is not in the file yet. Raises CliError, KubeError.

    A file that is broken is not continued.
    """
    try:
        first = now - types.duration(since)
    except ValueError:
        message = f"--since must be a duration such as 12h or 30d, found {since}"
        raise CliError(message) from None
    before = _verified(target) if target.exists() else auditing.Chain(frozenset())
    found, unreadable = read.records(cluster, scope)
    wanted = [record for record in found if record.finished_or_decided_at >= first]
    lines, after = auditing.export(wanted, before)
    _append(target, lines)
    told = f"{len(lines)} remediations written to {target}, {len(after.records)} in all"
    more = f"\n{unreadable} of another version could not be read" if unreadable else ""
    return f"{told}\nlast hash {after.last}{more}"


def verify(file: pathlib.Path | None, expect: str | None) -> str:
    """Check a file from its first line to its last. Raises CliError; code 1: it is broken."""
    if file is None:
        raise CliError("give the file: prunella audit verify FILE")
    chain = _verified(file)
    if expect is not None and expect != chain.last:
        raise CliError(
            f"{file} ends with hash {chain.last}, expected {expect}: lines are missing at its end, "
            "or it is another file",
            code=1,
        )
    kept = "" if expect is not None else "; keep it elsewhere, --expect compares it"
    return f"{file} is whole: {len(chain.records)} remediations\nlast hash {chain.last}{kept}"


def _verified(file: pathlib.Path) -> auditing.Chain:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"can't read {file}: {error}") from error
    if text and not text.endswith("\n"):
        raise CliError(f"{file} ends within a line: it was not written to its end", code=1)
    try:
        return auditing.verify(text.splitlines())
    except auditing.BrokenChainError as error:
        raise CliError(f"{file}: {error}", code=1) from error


def _append(target: pathlib.Path, lines: list[str]) -> None:
    """Write all lines and have them on disk. Raises CliError."""
    try:
        with target.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CliError(f"can't write {target}: {error.strerror}") from error
