"""What a rule sees of a policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from prunella.api import policy as policy_api
from prunella.api import signals as signals_api
from prunella.api import steps as steps_api
from prunella.cli.lint.documents import Document
from prunella.cli.lint.findings import Note, Path


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
        """Each query that decides a verdict, with its path; presence queries are not among them."""
        for path, signal in self.signals():
            if signal.prometheus is not None:
                yield (*path, "prometheus", "query"), signal.prometheus.query
            if signal.ratio is not None:
                yield (*path, "ratio", "bad"), signal.ratio.bad
                yield (*path, "ratio", "total"), signal.ratio.total


Rule = Callable[[Policy], Iterator[Note]]
