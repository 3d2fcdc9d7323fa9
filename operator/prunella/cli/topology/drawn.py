"""The topology as one page that needs nothing else: an SVG, and a table of where things run."""

from __future__ import annotations

import html
import string
from collections.abc import Iterator
from importlib import resources

from prunella.cli.topology import layout, written
from prunella.cli.topology.graph import Graph
from prunella.core import model

WIDE, HIGH, GAP_X, GAP_Y, EDGE = 168, 44, 84, 18, 12
"""Of a box and between boxes, in pixels."""
COLOURS = 8
"""Colours of namespaces in the page's style; a ninth namespace has the first one's again."""
LONGEST = 22
"""Characters of a name that fit into a box; the whole name is in its tooltip."""


def page(graph: Graph) -> str:
    """The page."""
    namespaces = sorted({each.namespace for each in graph.objects})
    template = resources.files("prunella.cli.topology").joinpath("page.html").read_text("utf-8")
    return string.Template(template).substitute(
        scope=html.escape(graph.scope),
        summary=html.escape(written.summary(graph)),
        notes="".join(f"<li>{html.escape(each)}</li>" for each in graph.notes),
        legend="".join(_legend(namespaces)),
        drawing="".join(_drawing(graph, namespaces)),
        rows="".join(_rows(graph)),
    )


def _colour(namespaces: list[str], ref: model.Ref) -> str:
    return f"c{namespaces.index(ref.namespace) % COLOURS}"


def _legend(namespaces: list[str]) -> Iterator[str]:
    for number, name in enumerate(namespaces):
        words = html.escape(name or "outside")
        yield f'<li><i class="c{number % COLOURS}"></i>{words}</li>'


def _drawing(graph: Graph, namespaces: list[str]) -> Iterator[str]:
    columns = layout.layers(graph.objects, [(c.caller, c.callee) for c in graph.calls])
    tallest = max((len(each) for each in columns), default=0)
    width = max(1, len(columns)) * (WIDE + GAP_X) - GAP_X + 2 * EDGE
    height = max(1, tallest) * (HIGH + GAP_Y) - GAP_Y + 2 * EDGE
    at = {
        ref: (
            EDGE + column * (WIDE + GAP_X),
            EDGE + (row + (tallest - len(layer)) / 2) * (HIGH + GAP_Y),
        )
        for column, layer in enumerate(columns)
        for row, ref in enumerate(layer)
    }
    number = {ref: index for index, ref in enumerate(graph.objects)}
    yield (
        f'<svg viewBox="0 0 {width} {height:g}" width="{width}" height="{height:g}" role="img" '
        f'aria-label="Calls of {html.escape(graph.scope)}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
    )
    for call in graph.calls:
        kind = "measured" if call.measured else "declared"
        ends = f"from-{number[call.caller]} to-{number[call.callee]}"
        line = _curve(at[call.caller], at[call.callee])
        yield f'<path class="call {kind} {ends}" d="{line}" marker-end="url(#tip)"/>'
    for ref in graph.objects:
        yield _box(graph, ref, at[ref], number[ref], _colour(namespaces, ref))
    yield "</svg>"


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    """From the right side of the caller to the left side of the callee."""
    x1, y1 = start[0] + WIDE, start[1] + HIGH / 2
    x2, y2 = end[0], end[1] + HIGH / 2
    bend = max(GAP_X / 2, abs(x2 - x1) / 2) if x2 > x1 else GAP_X
    return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"


def _box(graph: Graph, ref: model.Ref, at: tuple[float, float], number: int, colour: str) -> str:
    told = f"{ref} in {ref.namespace or 'no namespace'}"
    told += f": calls {len(graph.callees(ref))}, called by {len(graph.callers(ref))}"
    name = ref.name if len(ref.name) <= LONGEST else ref.name[: LONGEST - 1] + "\u2026"
    return (
        f'<g class="object {colour}" tabindex="0" data-number="{number}" '
        f'transform="translate({at[0]:g} {at[1]:g})"><title>{html.escape(told)}</title>'
        f'<rect width="{WIDE}" height="{HIGH}" rx="6"/>'
        f'<text x="10" y="19" class="name">{html.escape(name)}</text>'
        f'<text x="10" y="34" class="kind">{html.escape(ref.kind)}</text></g>'
    )


def _rows(graph: Graph) -> Iterator[str]:
    """A row for each node: what stands on it, and what it stands in."""
    nodes: dict[model.Ref, list[model.Ref]] = {}
    for ref in graph.objects:
        for node in graph.places.get(ref, ()):
            nodes.setdefault(node, []).append(ref)
    for node in sorted(nodes):
        beyond = graph.racks_and_zones(node)
        rack = ", ".join(each.name for each in beyond if each.kind == "Rack")
        zone = ", ".join(each.name for each in beyond if each.kind == "Zone")
        names = ", ".join(f"{each.namespace}/{each.name}" for each in nodes[node])
        cells = (node.name, rack or "-", zone or "-", names)
        yield "<tr>" + "".join(f"<td>{html.escape(each)}</td>" for each in cells) + "</tr>"
