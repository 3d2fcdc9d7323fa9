"""Suggestions as policies with comments, as a table, and as JSON."""

from __future__ import annotations

import json
import pathlib
import textwrap
from collections.abc import Iterator
from typing import Any, TextIO

from prunella.backtest import summary, text
from prunella.cli import errors, terminal
from prunella.cli.playbooks import new, suggestions

WIDTH = 110


def line(tried: summary.Summary) -> str:
    """What the backtest says, in a line; with why signals were Unknown, where many were."""
    doubts = "".join(f"; {each}" for each in tried.warnings)
    span = f"{tried.start:%Y-%m-%d %H:%M} to {tried.until:%Y-%m-%d %H:%M} UTC"
    return f"{span}: {text.counts(tried)}{doubts}"


def policy(found: suggestions.Suggestion) -> str:
    """The policy's file: what the backtest says, and the playbook with names put in."""
    return f"{_comment(f'Backtest {line(found.tried)}')}#\n{found.text}"


def as_yaml(found: suggestions.Found, out: TextIO) -> None:
    """All policies as one stream, for kubectl apply; at its end why the others are not there."""
    out.write("---\n".join(policy(each) for each in found.suggestions))
    out.writelines(_comment(f"Not suggested: {_left(each)}") for each in found.left)


def as_table(found: suggestions.Found) -> None:
    """A line for each, as they are read by people whose policies went into files."""
    out = terminal.out()
    for each in found.suggestions:
        out.print(f"{each.key.name}: {line(each.tried)}", soft_wrap=True)
    for other in found.left:
        out.print(f"not suggested: {_left(other)}", soft_wrap=True)


def as_json(found: suggestions.Found, out: TextIO) -> None:
    """One object: the policies, their backtests, and why the others are not there."""
    document = {
        "suggestions": [_suggestion(each) for each in found.suggestions],
        "notSuggested": [
            {"playbook": each.playbook, "target": each.target, "reason": each.reason}
            for each in found.left
        ],
    }
    out.write(json.dumps(document, indent=2) + "\n")


def _suggestion(found: suggestions.Suggestion) -> dict[str, Any]:
    tried = summary.as_json(found.tried)
    kept = (
        "start",
        "until",
        "actionsPerWeek",
        "findingsPerWeek",
        "escalations",
        "verdicts",
        "warnings",
    )
    counts = {"actions": len(found.tried.actions), "findings": len(found.tried.held)}
    return {
        "playbook": found.playbook,
        "name": found.key.name,
        "namespace": found.key.namespace,
        "target": f"{found.target.kind}/{found.target.name}",
        "backtest": {**counts, **{name: tried[name] for name in kept}},
        "policy": found.text,
    }


def write(found: suggestions.Found, folder: pathlib.Path) -> None:
    """A new file for each policy. Raises CliError; what is there stays."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.CliError(f"can't write into {folder}: {error.strerror}") from error
    for each in found.suggestions:
        new.write(folder / f"{each.key.name}.yaml", policy(each))


def _left(each: suggestions.Left) -> str:
    about = f" for {each.target}" if each.target else ""
    return f"{each.playbook}{about}: {each.reason}"


def _comment(told: str) -> str:
    return "".join(f"# {each}\n" for each in _wrapped(told))


def _wrapped(told: str) -> Iterator[str]:
    yield from textwrap.wrap(told, WIDTH, break_long_words=False, break_on_hyphens=False)
