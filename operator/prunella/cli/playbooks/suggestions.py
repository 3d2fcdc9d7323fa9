"""What `prunella suggest` does: find the playbooks that have data, and try each on history."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from rich import progress as bars

from prunella import settings as settings_module
from prunella.adapters import sources as sources_module
from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.backtest import history_source, spacings, summary
from prunella.backtest import run as run_module
from prunella.cli import backtest_session as session
from prunella.cli import errors
from prunella.cli.playbooks import filled, fitting, shelf
from prunella.core import model, objects
from prunella.core.recording import reading as recording
from prunella.core.signals import compiled

LENGTH: Final = datetime.timedelta(days=7)
"""Of a Prometheus's history, where none is given: each suggestion is a backtest."""
_SHOWN: Final = 5
_WAITS: Final = frozenset({reasons.Doubt.NO_ROLLOUT_SEEN, reasons.Doubt.NOT_JUDGED})
"""What a comparison with before a rollout says of a history without one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for; ``workloads`` are the cluster's, empty where not known."""

    namespace: str
    settings: settings_module.Settings
    url: str
    data: pathlib.Path | None
    begin: str | None
    end: str | None
    playbooks: tuple[str, ...]
    targets: tuple[model.Ref, ...]
    workloads: fitting.Workloads


@dataclasses.dataclass(frozen=True, slots=True)
class Suggestion:
    """A policy that has data, with what it would have done."""

    playbook: str
    key: objects.Key
    target: model.Ref
    text: str
    tried: summary.Summary


@dataclasses.dataclass(frozen=True, slots=True)
class Left:
    """A playbook that is not suggested, for one workload or (empty) for any, and why."""

    playbook: str
    target: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """All of it."""

    suggestions: tuple[Suggestion, ...]
    left: tuple[Left, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Book:
    """A playbook with its spec and its signals, compiled for each kind of workload."""

    playbook: shelf.Playbook
    key: objects.Key
    spec: policy_api.RemediationPolicySpec
    policies: Mapping[str, compiled.Policy]


def run(asked: Asked) -> Found:
    """Look, and try what fits. Raises CliError."""
    return session.guarded(asyncio.run, _run(asked))


async def _run(asked: Asked) -> Found:
    raw = {name: shelf.read(name) for name in (*asked.playbooks, *shelf.names())}
    specs = {name: filled.parsed(each.text)[1] for name, each in raw.items()}
    sources = history_source.settings_for(asked.settings, specs, asked.url)
    confined = sources_module.confinements(sources.sources)
    books = {name: _book(each, asked.namespace, confined) for name, each in raw.items()}
    history = _open(asked, sources, books.values())
    try:
        start, end = session.span(asked.begin, asked.end, history, LENGTH)
        work = _Work(asked, history, start, end)
        confinement = confined.get("default", compiled.DEFAULT_CONFINEMENT)
        chosen = [books[name] for name in asked.playbooks or books]
        return await work.all(chosen, confinement)
    finally:
        history.close()


def _book(
    playbook: shelf.Playbook, namespace: str, confined: Mapping[str, compiled.Confinement]
) -> _Book:
    key, spec = filled.parsed(playbook.text)
    own = objects.Key(namespace, key.name)
    policies = {}
    for kind in fitting.kinds():
        target = spec.target.model_copy(update={"kind": policy_api.TargetKind(kind)})
        of_kind = spec.model_copy(update={"target": target})
        policies[kind] = recording.compile_policy(own, of_kind, confined)
    return _Book(playbook, own, spec, policies)


def _open(
    asked: Asked, sources: settings_module.Settings, books: Iterable[_Book]
) -> history_source.Origin:
    if asked.data is None:
        return history_source.from_prometheus(sources)
    ready = {each.playbook.name: each.policies[each.spec.target.kind.value] for each in books}
    return history_source.from_files(
        asked.data, sources, objects.Key(asked.namespace, "suggest"), ready, lambda _: None
    )


class _Work:
    """The playbooks on one history."""

    def __init__(
        self,
        asked: Asked,
        history: history_source.Origin,
        start: datetime.datetime,
        end: datetime.datetime,
    ) -> None:
        self._asked, self._history = asked, history
        self._start, self._end = start, end

    async def all(self, books: Sequence[_Book], confinement: compiled.Confinement) -> Found:
        """Each playbook, each workload that it has data for."""
        looks = fitting.moments(self._start, self._end)
        eyes = fitting.Eyes(self._history.metrics, self._asked.namespace, looks)
        known = self._asked.workloads or await eyes.workloads(confinement)
        _check_targets(self._asked.targets, known)
        suggestions: list[Suggestion] = []
        left: list[Left] = []
        with session.bar() as bar:
            task = bar.add_task("looking", total=len(books))
            for book in books:
                bar.update(task, advance=1, description=book.playbook.name)
                fit = await eyes.fit(book.policies, known, book.spec.target.kind.value)
                if not fit.workloads:
                    left.append(Left(book.playbook.name, "", fit.why_not))
                for ref in self._refs(fit.workloads):
                    found = await self._try(book.playbook, ref, bar)
                    if isinstance(found, Left):
                        left.append(found)
                    else:
                        suggestions.append(found)
        return Found(tuple(suggestions), tuple(left))

    def _refs(self, workloads: fitting.Workloads) -> Iterator[model.Ref]:
        for kind, name in sorted(workloads):
            ref = model.Ref(kind, self._asked.namespace, name)
            if not self._asked.targets or ref in self._asked.targets:
                yield ref

    async def _try(
        self, playbook: shelf.Playbook, ref: model.Ref, bar: bars.Progress
    ) -> Suggestion | Left:
        """A playbook on one workload's history."""
        try:
            text = filled.fill(playbook, ref, filled.default_name(playbook, ref))
        except errors.CliError as error:
            return Left(playbook.name, f"{ref.kind}/{ref.name}", str(error))
        key, spec = filled.parsed(text)
        request = run_module.Request(
            key=key,
            spec=spec,
            start=self._start,
            end=self._end,
            settings=self._history.settings,
        )
        request = await spacings.prepared(request, self._history.metrics)
        runner = run_module.Runner(request, self._history.metrics)
        task = bar.add_task(key.name, total=runner.result.points)
        done = await runner.run(lambda each: bar.update(task, completed=each.done))
        bar.remove_task(task)
        tried = summary.summarize(done, None)
        why = _blind(tried, spec)
        if why:
            return Left(playbook.name, f"{ref.kind}/{ref.name}", why)
        return Suggestion(playbook.name, key, ref, text, tried)


def _check_targets(targets: Sequence[model.Ref], known: fitting.Workloads) -> None:
    """Raises CliError for a target that is not there, where it is known what is."""
    for ref in targets:
        if known and (ref.kind, ref.name) not in known:
            there = ", ".join(f"{kind}/{name}" for kind, name in sorted(known)[:_SHOWN])
            raise errors.CliError(
                f"namespace {ref.namespace} has no {ref.kind}/{ref.name}: it has {len(known)} "
                f"workloads, such as {there}"
            )


def _blind(tried: summary.Summary, spec: policy_api.RemediationPolicySpec) -> str:
    """Which signal judged nothing of all the history, and why; empty where all judged some.

    A signal that compares with before a rollout may wait for one: it is of use from then on.
    """
    waiting = {each.name for each in spec.signals if each.change and not each.change.against}
    for name, verdicts in tried.verdicts.items():
        mostly = next((each.reason for each in verdicts.reasons), "")
        waits = name in waiting and mostly in _WAITS
        if verdicts.unknown >= verdicts.judged and not waits:
            told = "; ".join(summary.shares(verdicts)) or "it was never judged"
            return f"{name} is Unknown all the time: {told}"
    return ""
