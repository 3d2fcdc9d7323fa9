"""What a rule sees of a policy."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping

from prunella.api import base, capacity
from prunella.api import policy as policy_api
from prunella.api import signals as signals_api
from prunella.api import steps as steps_api
from prunella.cli.lint.documents import Document
from prunella.cli.lint.findings import Note, Path


@dataclasses.dataclass(frozen=True, slots=True)
class Data:
    """Samples of what the queries read: what ``--data`` and the options beside it give."""

    path: pathlib.Path
    metric: str | None = None
    """Name of the series that have none of their own."""
    matchers: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    """By source, as in the operator's settings."""


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """A policy whose spec fits the schema, beside the document that it was written in."""

    document: Document
    namespace: str
    spec: policy_api.RemediationPolicySpec
    scrape_seconds: float

    def has(self, *path: str | int) -> bool:
        """Whether the field is written; a default in force is not."""
        return self.document.has(path)

    def signals(self) -> Iterator[tuple[Path, signals_api.Signal]]:
        """Each signal with its path."""
        for index, signal in enumerate(self.spec.signals):
            yield ("spec", "signals", index), signal

    def steps(self) -> Iterator[tuple[Path, steps_api.Step]]:
        """Each step with its path."""
        for index, step in enumerate(self.spec.steps):
            yield ("spec", "steps", index), step

    def queries(self) -> Iterator[tuple[Path, str]]:
        """Each query that decides a verdict, with its path; proofs are not among them."""
        for path, signal in self.signals():
            for place, query in (*values(signal), *beside(signal)):
                yield (*path, *place), query

    def all_queries(self) -> Iterator[tuple[Path, str]]:
        """Each query with its path, proofs too."""
        yield from self.queries()
        for path, signal in self.signals():
            for place, query in proofs(signal):
                yield (*path, *place), query
        stated = self.spec.guards.error_budget
        if stated is not None:
            yield ("spec", "guards", "errorBudget"), stated.asked
        for path, step in self.steps():
            for where, each in capacity.required(step.params):
                place = (step.action, *where, "query")
                yield (*path, *place), capacity.with_numbers(each.query, 1, 1)


def detector(signal: signals_api.Signal) -> str:
    """The field that says how a signal is judged, such as ``burnRate``."""
    fields = {name: base.alias_to_field(name) for name in signals_api.DETECTORS}
    return next(name for name, field in fields.items() if getattr(signal, field) is not None)


def values(signal: signals_api.Signal) -> Iterator[tuple[Path, str]]:
    """The queries of what is judged, by their place in the signal.

    A burn rate's are told for its shortest window.
    """
    if signal.prometheus is not None:
        yield ("prometheus", "query"), signal.prometheus.query
    if signal.ratio is not None:
        rate = signal.burn_rate
        window = f"{rate.windows[0]}s" if rate is not None else signals_api.WINDOW
        yield ("ratio", "bad"), signal.ratio.bad.replace(signals_api.WINDOW, window)
        yield ("ratio", "total"), signal.ratio.total.replace(signals_api.WINDOW, window)


def beside(signal: signals_api.Signal) -> Iterator[tuple[Path, str]]:
    """The queries of what it is compared with; one series may be for all targets."""
    if signal.given is not None:
        yield ("given", "query"), signal.given.query
    if signal.forecast is not None and signal.forecast.reaches_query is not None:
        yield ("forecast", "reachesQuery"), signal.forecast.reaches_query
    if signal.change is not None and signal.change.against is not None:
        yield ("change", "against"), signal.change.against


def proofs(signal: signals_api.Signal) -> Iterator[tuple[Path, str]]:
    """The queries that prove that an empty answer can be believed."""
    if signal.presence is not None:
        yield ("presence",), signal.presence
    if signal.absent is not None:
        yield ("absent", "canary"), signal.absent.canary


Rule = Callable[[Policy], Iterator[Note]]
