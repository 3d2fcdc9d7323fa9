"""The topology as text for a terminal, and as DOT for Graphviz."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

from prunella.cli import page
from prunella.cli.topology.graph import Graph
from prunella.core import model


def summary(graph: Graph) -> str:
    """How much there is, in one line."""
    declared = len(graph.calls) - graph.measured
    return (
        f"{len(graph.objects)} objects, {len(graph.calls)} calls "
        f"({graph.measured} measured, {declared} only declared)"
    )


def text(graph: Graph, width: int = page.WIDTH) -> page.Page:
    """A paragraph for each object."""
    written = page.Page(width)
    written.title(f"Topology of {graph.scope}")
    written.say(summary(graph))
    for note in graph.notes:
        written.item("!", note, style=page.DOUBT)
    for ref in graph.objects:
        written.section(str(ref), ref.namespace)
        written.fact("calls", _names(ref, graph.callees(ref)), column=12)
        written.fact("called by", _names(ref, graph.callers(ref)), column=12)
        written.fact("runs on", "; ".join(_standing(graph, ref)), column=12)
    return written


def dot(graph: Graph) -> Iterator[str]:
    """Lines of DOT, a cluster for each namespace; dashed is declared and not measured."""
    yield "digraph topology {"
    yield "  rankdir=LR; node [shape=box, style=rounded, fontname=sans];"
    by_namespace = itertools.groupby(graph.objects, lambda each: each.namespace)
    for number, (namespace, group) in enumerate(by_namespace):
        yield f"  subgraph cluster_{number} {{"
        yield f"    label={_quoted(namespace or 'outside')};"
        for ref in group:
            label = _quoted(f"{ref.name}\n{ref.kind}")
            yield f"    {_quoted(_id(ref))} [label={label}];"
        yield "  }"
    for call in graph.calls:
        style = "" if call.measured else " [style=dashed]"
        yield f"  {_quoted(_id(call.caller))} -> {_quoted(_id(call.callee))}{style};"
    yield "}"


def _names(ref: model.Ref, others: list[model.Ref]) -> str:
    return ", ".join(
        str(each) if each.namespace == ref.namespace else f"{each} ({each.namespace or 'outside'})"
        for each in others
    )


def _standing(graph: Graph, ref: model.Ref) -> Iterator[str]:
    for node in graph.places.get(ref, ()):
        beyond = ", ".join(f"{e.kind.lower()} {e.name}" for e in graph.racks_and_zones(node))
        yield f"{node.name}{f' ({beyond})' if beyond else ''}"


def _id(ref: model.Ref) -> str:
    return f"{ref.kind}/{ref.namespace}/{ref.name}"


def _quoted(words: str) -> str:
    return json.dumps(words, ensure_ascii=False)
