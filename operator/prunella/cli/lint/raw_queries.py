"""The queries of a manifest, before it is known whether the rest of it fits the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prunella.api import capacity, error_budget
from prunella.api import signals as signals_api
from prunella.cli.lint import findings
from prunella.cli.lint.findings import Note, Path
from prunella.core.signals import query_analysis

PLACES: tuple[Path, ...] = (
    ("prometheus", "query"),
    ("ratio", "bad"),
    ("ratio", "total"),
    ("given", "query"),
    ("forecast", "reachesQuery"),
    ("change", "against"),
    ("absent", "canary"),
    ("presence",),
)
"""Where a signal holds PromQL."""
LEARNED = ("baseline", "forecast", "drift", "change")
"""Detectors that ask for a history, in pieces."""
ANY_WINDOW = "5m"


def check(content: Mapping[str, Any]) -> Iterator[Note]:
    """Every query must parse, and be one that can be confined to the namespace.

    They are taken from the raw manifest, so that a slip elsewhere in it hides none of them.
    """
    namespace = str(_at(content, ("metadata", "namespace")) or "default")
    signals = _at(content, ("spec", "signals"))
    for index, signal in enumerate(signals if isinstance(signals, list) else ()):
        for place in PLACES:
            query = _at(signal, place)
            if not isinstance(query, str) or not query:
                continue
            learned = any(each in signal for each in LEARNED)
            for problem in _problems(place, query, namespace, learned=learned):
                yield findings.error("promql", ("spec", "signals", index, *place), problem)
    yield from _required(_at(content, ("spec", "steps")), namespace)
    stated = _at(content, ("spec", "guards", "errorBudget"))
    for place in (("query",), ("ratio", "bad"), ("ratio", "total")):
        query = _at(stated, place)
        if isinstance(query, str) and query:
            asked = query.replace(error_budget.WINDOW, ANY_WINDOW)
            for problem in _problems(place, asked, namespace, learned=False):
                yield findings.error("promql", ("spec", "guards", "errorBudget", *place), problem)


def _required(steps: object, namespace: str) -> Iterator[Note]:
    """The same of what steps require."""
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        for action, params in step.items() if isinstance(step, dict) else ():
            for where in capacity.REQUIREMENTS:
                required = _at(params, where)
                for number, each in enumerate(required if isinstance(required, list) else ()):
                    place: Path = ("spec", "steps", index, action, *where, number, "query")
                    query = _at(each, ("query",))
                    if not isinstance(query, str) or not query:
                        continue
                    asked = capacity.with_numbers(query, 1, 1)
                    for problem in _problems(place, asked, namespace, learned=False):
                        yield findings.error("promql", place, problem)


def _problems(place: Path, query: str, namespace: str, *, learned: bool) -> Iterator[str]:
    if place[0] == "ratio":
        query = query.replace(signals_api.WINDOW, ANY_WINDOW)
    try:
        query_analysis.validate(query)
        query_analysis.confine(query, "namespace", namespace)
        if learned and query_analysis.reads_range_bounds(query):
            yield "@ start() and @ end() have no meaning in a history, which is asked in pieces"
    except query_analysis.PromqlError as error:
        yield str(error)


def _at(content: object, path: Path) -> object:
    for part in path:
        content = content.get(part) if isinstance(content, dict) else None
    return content
