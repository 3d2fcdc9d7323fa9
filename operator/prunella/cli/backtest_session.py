"""What `prunella backtest` does: read, run with a progress bar, show."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

from rich import progress as bars

from prunella import settings as settings_module
from prunella.adapters import sources as sources_module
from prunella.adapters.recorded import files, timestamps
from prunella.adapters.recorded import metrics as recorded
from prunella.api import policy as policy_api
from prunella.backtest import compare, history_source, labels, page, spacings, summary, text
from prunella.backtest import run as run_module
from prunella.cli import errors, options, terminal
from prunella.cli.lint import documents, schema
from prunella.core import objects
from prunella.core.signals import compiled

P = ParamSpec("P")
T = TypeVar("T")
DEFAULT_NAMESPACE = "default"
DEFAULT_LENGTH = datetime.timedelta(days=30)


@dataclasses.dataclass(frozen=True, slots=True)
class Named:
    """A policy as a file holds it."""

    file: pathlib.Path
    key: objects.Key
    spec: policy_api.RemediationPolicySpec


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    policy: Named
    against: Named | None
    labels: list[labels.Window] | None
    settings: settings_module.Settings
    url: str
    data: pathlib.Path | None
    begin: str | None
    end: str | None
    names: tuple[str, ...]
    every_step: bool
    metric: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """What came of it."""

    asked: Asked
    result: run_module.Run
    summary: summary.Summary
    changes: list[compare.Change] | None

    @property
    def complete(self) -> bool:
        """Whether all of the history was gone through."""
        return self.summary.complete


def guarded(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do it; whatever is wrong with policy or history becomes one line. Raises CliError."""
    try:
        return work(*args, **kwargs)
    except (
        files.FileError,
        labels.LabelsError,
        recorded.HistoryError,
        compiled.PolicyError,
        settings_module.SettingsError,
        page.PageError,
    ) as error:
        raise errors.CliError(str(error)) from error


def read_policy(path: pathlib.Path, name: str | None, namespace: str | None) -> Named:
    """The one policy of a file, or the one by that name. Raises CliError."""
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise errors.CliError(f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise errors.CliError(f"can't read {path}: not UTF-8 text (byte {error.start})") from error
    found, broken = documents.read(str(path), content)
    if broken:
        raise errors.CliError(f"{path}:{broken[0].line}: {broken[0].message}")
    ours = [item for whole in found for item in whole.items() if schema.is_ours(item)]
    named = [each for each in ours if name is None or _metadata(each).get("name") == name]
    if not named:
        what = "no RemediationPolicy of prunella.dev" if name is None else f"no policy {name}"
        raise errors.CliError(f"{path} holds {what}")
    if len(named) > 1:
        names = ", ".join(str(_metadata(each).get("name")) for each in named)
        raise errors.CliError(f"{path} holds several policies ({names}): choose by --name")
    return _named(path, named[0], namespace)


def _metadata(document: documents.Document) -> Mapping[str, object]:
    content = document.content
    found = content.get("metadata") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def _named(path: pathlib.Path, document: documents.Document, namespace: str | None) -> Named:
    spec, notes = schema.check_spec(document)
    if spec is None:
        first = next((document.place(each) for each in notes), None)
        where = f"{path}:{first.line}: {first.path}: " if first is not None else f"{path}: "
        raise errors.CliError(f"{where}{first.message if first is not None else 'not a policy'}")
    if spec.target.kind is policy_api.TargetKind.NODE:
        raise errors.CliError(f"{path}: history tells nothing of nodes: it can't be played")
    metadata = _metadata(document)
    place = namespace or metadata.get("namespace") or DEFAULT_NAMESPACE
    return Named(path, objects.Key(str(place), str(metadata.get("name", "policy"))), spec)


def read_labels(path: pathlib.Path) -> list[labels.Window]:
    """Known incidents. Raises CliError."""
    return guarded(labels.read, path)


def settings(path: pathlib.Path | None) -> settings_module.Settings:
    """The operator's settings. Raises CliError."""
    return settings_module.Settings() if path is None else guarded(settings_module.load, path)


def run(asked: Asked) -> Done:
    """Read the history, run one policy or two. Raises CliError."""
    return guarded(asyncio.run, _run(asked))


async def _run(asked: Asked) -> Done:
    both = {"new": asked.policy} | ({"old": asked.against} if asked.against is not None else {})
    specs = {name: each.spec for name, each in both.items()}
    sources = history_source.settings_for(asked.settings, specs, asked.url)
    with bar() as shown:
        history = _open(asked, sources, both, shown)
        try:
            start, end = span(asked.begin, asked.end, history)
            done = {}
            for name, each in both.items():
                done[name] = await _one(asked, each, history, start, end, shown)
                if done[name].evaluated < done[name].points:
                    break
        finally:
            history.close()
    new = summary.summarize(done["new"], asked.labels)
    changes = None
    if "old" in done:
        changes = compare.compare(new, summary.summarize(done["old"], asked.labels))
    return Done(asked, done["new"], new, changes)


def _open(
    asked: Asked,
    sources: settings_module.Settings,
    both: Mapping[str, Named],
    bar: bars.Progress,
) -> history_source.Origin:
    if asked.data is None:
        return history_source.from_prometheus(sources)
    confined = sources_module.confinements(sources.sources)
    ready = {
        name: compiled.compile_policy(each.key, each.spec, confined) for name, each in both.items()
    }
    task = bar.add_task("reading", total=None)
    found = history_source.from_files(
        asked.data,
        sources,
        asked.policy.key,
        ready,
        lambda file: bar.update(task, description=f"reading {file}"),
        history_source.naming(asked.policy.spec, asked.metric),
    )
    bar.remove_task(task)
    return found


def span(
    first: str | None,
    last: str | None,
    history: history_source.Origin,
    length: datetime.timedelta = DEFAULT_LENGTH,
) -> tuple[datetime.datetime, datetime.datetime]:
    """Begin and end as written, or the whole of files, or the last ``length``. Raises CliError."""
    try:
        now = history.last or terminal.now()
        end = timestamps.parse(last, now) if last is not None else now
        default = history.first or end - length
        start = timestamps.parse(first, end) if first is not None else default
    except ValueError as error:
        raise errors.CliError(f"--from or --to: {error}") from error
    if start >= end:
        raise errors.CliError(f"--from ({start:%F %T}) must be before --to ({end:%F %T})")
    return start, end


async def _one(
    asked: Asked,
    policy: Named,
    history: history_source.Origin,
    start: datetime.datetime,
    end: datetime.datetime,
    bar: bars.Progress,
) -> run_module.Run:
    mixed = (f"{name}: {each}" for name, each in history.mixed.items())
    request = run_module.Request(
        key=policy.key,
        spec=policy.spec,
        start=start,
        end=end,
        names=asked.names,
        settings=history.settings,
        thorough=asked.every_step,
        warnings=(*mixed, *history.warnings),
    )
    request = await spacings.prepared(request, history.metrics)
    runner = run_module.Runner(request, history.metrics)
    task = bar.add_task(f"{policy.file.name}", total=runner.result.points)

    def show(progress: run_module.Progress) -> None:
        bar.update(task, completed=progress.done, description=f"{progress.moment:%Y-%m-%d}")

    try:
        return await runner.run(show)
    except asyncio.CancelledError:
        return runner.result


def bar() -> bars.Progress:
    """A bar on standard error, gone when it is done; none where nobody is looking."""
    console = terminal.err()
    return bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def show(done: Done, output: options.Output) -> None:
    """Print the summary."""
    out = terminal.out()
    if output is options.Output.JSON:
        document = summary.as_json(done.summary)
        if done.changes is not None:
            document["changes"] = [
                {
                    "kind": c.kind,
                    "sign": c.sign,
                    "at": c.at.isoformat(),
                    "target": c.target,
                    "what": c.what,
                }
                for c in done.changes
            ]
        # A console would take it apart for its layout, in thirty times its size.
        for piece in json.JSONEncoder(indent=2).iterencode(document):
            out.file.write(piece)
        out.file.write("\n")
        return
    text.show(out, done.summary)
    if done.changes is not None:
        text.show_changes(out, done.changes)


def write_report(done: Done, path: pathlib.Path) -> None:
    """Write the page. Raises CliError."""
    pieces = guarded(page.render, done.result, done.summary, done.asked.labels, done.changes)
    try:
        with path.open("wb") as file:
            file.writelines(pieces)
    except OSError as error:
        raise errors.CliError(f"can't write {path}: {error.strerror}") from error
