"""Whether a policy's queries can have data, by samples of what they read: ``lint --data``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pydantic

from prunella import settings as settings_module
from prunella.adapters import sources as sources_module
from prunella.adapters.recorded import files
from prunella.backtest import history_source, spacings
from prunella.cli import errors
from prunella.cli.lint import findings
from prunella.cli.lint.findings import Note
from prunella.cli.lint.policy import Data, Policy
from prunella.core import objects
from prunella.core.recording import reading as recording

DEFAULT_NAMESPACE = "default"


def check(policy: Policy, data: Data) -> Iterator[Note]:
    """What of a policy does not fit these samples. Raises CliError where they can't be read."""
    key = objects.Key(policy.namespace or DEFAULT_NAMESPACE, "policy")
    sources = history_source.settings_for(_settings(policy, data), {"": policy.spec}, "")
    confined = sources_module.confinements(sources.sources)
    compiled = recording.compile_policy(key, policy.spec, confined)
    names = history_source.naming(policy.spec, data.metric)
    try:
        history = history_source.from_files(
            data.path, sources, key, {"": compiled}, lambda _: None, names
        )
    except files.FileError as error:
        raise errors.CliError(str(error)) from error
    start, end = history.first, history.last
    if start is None or end is None:
        return
    for warning in history.warnings:
        name, _, message = warning.partition(": ")
        yield findings.warning("no-samples", _path(policy, name), message)
    for name, message in history.mixed.items():
        yield findings.warning("many-clusters", _path(policy, name), message)
    short = asyncio.run(
        spacings.short_ranges(
            compiled, history.metrics, key.namespace, start.timestamp(), end.timestamp()
        )
    )
    for name, ranges in short.items():
        for each in ranges:
            yield findings.warning("range-too-short", _path(policy, name), str(each))


def _settings(policy: Policy, data: Data) -> settings_module.Settings:
    """The operator's settings as far as they are known: the matchers of the policy's sources."""
    names = dict.fromkeys(signal.source for signal in policy.spec.signals)
    try:
        sources = {
            name: settings_module.Source(matchers=dict(data.matchers.get(name, {})))
            for name in names
        }
    except pydantic.ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, matchers: ")
        raise errors.CliError(f"--matcher: {message}") from error
    return settings_module.Settings(sources=sources)


def _path(policy: Policy, name: str) -> findings.Path:
    return next((path for path, signal in policy.signals() if signal.name == name), ("spec",))
