"""Whether a policy's queries can have data, by samples of what they read: ``lint --data``."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Iterator

from prunella import settings as settings_module
from prunella.adapters.recorded import files
from prunella.backtest import history_source, spacings
from prunella.cli import errors
from prunella.cli.lint import findings
from prunella.cli.lint.findings import Note
from prunella.cli.lint.policy import Policy
from prunella.core import objects
from prunella.core.recording import reading as recording

DEFAULT_NAMESPACE = "default"


def check(policy: Policy, data: pathlib.Path) -> Iterator[Note]:
    """What of a policy does not fit these samples. Raises CliError where they can't be read."""
    key = objects.Key(policy.namespace or DEFAULT_NAMESPACE, "policy")
    sources = history_source.settings_for(settings_module.Settings(), {"": policy.spec}, "")
    compiled = recording.compile_policy(key, policy.spec, {})
    try:
        history = history_source.from_files(data, sources, key, {"": compiled}, lambda _: None)
    except files.FileError as error:
        raise errors.CliError(str(error)) from error
    start, end = history.first, history.last
    if start is None or end is None:
        return
    for warning in history.warnings:
        name, _, message = warning.partition(": ")
        yield findings.warning("no-samples", _path(policy, name), message)
    short = asyncio.run(
        spacings.short_ranges(
            compiled, history.metrics, key.namespace, start.timestamp(), end.timestamp()
        )
    )
    for name, ranges in short.items():
        for each in ranges:
            yield findings.warning("range-too-short", _path(policy, name), str(each))


def _path(policy: Policy, name: str) -> findings.Path:
    return next((path for path, signal in policy.signals() if signal.name == name), ("spec",))
