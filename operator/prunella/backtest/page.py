"""The report: one page that needs nothing else, with a timeline and a chart for each signal."""

from __future__ import annotations

import html
import importlib
import json
import string
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

from prunella.backtest import charts, compare, labels, run, summary, text

MOST_BYTES: Final = 15_000_000
MOST_CURVES: Final = 40
MOST_ROWS: Final = 500
_SHOWN_CHANGES: Final = 200
_CUT: Final = "\0"
"""Where the page is cut to put in what is large; escaped text never holds it."""
_CHANGES: Final = {"+": "added", "-": "removed", "~": "moved"}


class PageError(Exception):
    """A page that can't be made: what is missing."""


def check() -> None:
    """Make sure that the plotting library is there. Raises PageError."""
    _plotly()


def _plotly() -> str:
    try:
        offline = importlib.import_module("plotly.offline")
    except ImportError as error:
        message = "--report needs the extra: pip install 'prunella[report]'"
        raise PageError(message) from error
    return str(offline.get_plotlyjs())


def render(
    done: run.Run,
    found: summary.Summary,
    windows: Sequence[labels.Window] | None,
    changes: Sequence[compare.Change] | None,
) -> list[bytes]:
    """The whole page, of at most 15 MB: with many signals fewer curves of single targets.

    It comes in pieces to be written one after the other: it is never there a second time.
    """
    script = _plotly().encode()
    for most in (MOST_CURVES, MOST_CURVES // 4, 1):
        pieces = _page(script, done, found, windows, changes, most)
        if sum(len(each) for each in pieces) <= MOST_BYTES:
            return pieces
    raise PageError("the report would be larger than 15 MB even with one curve for each signal")


def _page(
    script: bytes,
    done: run.Run,
    found: summary.Summary,
    windows: Sequence[labels.Window] | None,
    changes: Sequence[compare.Change] | None,
    most: int,
) -> list[bytes]:
    timeline = charts.timeline(found, windows or ())
    figures = {"timeline": _json(timeline.figure)}
    sections = []
    for number, signal in enumerate(done.request.spec.signals):
        name = f"signal-{number}"
        chart = charts.signal_chart(done, found, signal, windows or (), most)
        figures[name] = _json(chart.figure)
        note = f"<p class=note>{html.escape(chart.note)}</p>" if chart.note else ""
        note += _doubts(found, signal.name)
        title = html.escape(f"{signal.name}: {charts.rule_of(signal)}")
        sections.append(f"<section><h2>{title}</h2>{note}<div id={name}></div></section>")
    template = resources.files("prunella.backtest").joinpath("page.html").read_text("utf-8")
    page = string.Template(template).substitute(
        title=html.escape(f"Backtest of {found.policy}"),
        span=html.escape(_span(found)),
        warnings=_warnings(found),
        tiles=_tiles(found),
        caveats=_caveats(found),
        timeline=html.escape(timeline.note),
        signals="".join(sections),
        actions=_actions(found),
        refusals=_refusals(found),
        changes=_changes(changes),
        plotly=_CUT,
        figures=_CUT,
    )
    before, between, after = page.encode().split(_CUT.encode())
    drawn = b",".join(f'"{name}":'.encode() + figure for name, figure in figures.items())
    return [before, script, between, b"{", drawn, b"}", after]


def _json(document: Any) -> bytes:
    """JSON that can stand in a script: no text in it can end the script, or keep it from ending.

    After ``<!--<script`` a page's parser takes the next ``</script>`` for text
    (https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements).
    """
    return json.dumps(document, separators=(",", ":")).replace("<", "\\u003c").encode()


def _span(found: summary.Summary) -> str:
    state = "" if found.complete else ", interrupted: as far as it came"
    span = f"{found.start:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    return (
        f"{span}{state}; {len(found.targets)} targets, every {found.interval:g} s; "
        f"mode {found.mode}, run as if Live"
    )


def _warnings(found: summary.Summary) -> str:
    lines = "".join(f"<li>{html.escape(each)}</li>" for each in found.warnings)
    return f"<ul class=warnings>{lines}</ul>" if lines else ""


def _doubts(found: summary.Summary, signal: str) -> str:
    """Why a signal was Unknown."""
    verdicts = found.verdicts.get(signal)
    lines = [] if verdicts is None else [html.escape(each) for each in summary.shares(verdicts)]
    items = "".join(f"<li>{each}</li>" for each in lines)
    return f"<p class=note>Unknown:</p><ul class=note>{items}</ul>" if items else ""


def _tiles(found: summary.Summary) -> str:
    judged = sum(each.judged for each in found.verdicts.values()) or 1
    unknown = sum(each.unknown for each in found.verdicts.values()) / judged
    tiles = [
        ("actions", len(found.actions), f"{found.per_week(len(found.actions)):.1f} a week"),
        ("findings", len(found.held), f"{found.per_week(len(found.held)):.1f} a week"),
        ("flickers", len(found.findings) - len(found.held), "shorter than for"),
        ("refusals", len(found.refusals), "stretches of time"),
        ("Unknown", f"{unknown:.1%}", "of all verdicts"),
        ("calls for a person", found.escalations, "escalations"),
    ]
    if found.score is not None:
        score = found.score
        tiles += [
            ("precision", _share(score.precision), f"{score.true} of {score.fired}"),
            ("recall", _share(score.recall), f"{score.found} of {score.windows}"),
        ]
    return "".join(
        f"<div class=tile><b>{html.escape(str(value))}</b><span>{name}</span>"
        f"<small>{html.escape(more)}</small></div>"
        for name, value, more in tiles
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _caveats(found: summary.Summary) -> str:
    lines = [f"Not judged: {each.guard}: {each.message}." for each in found.not_judged]
    return "".join(f"<li>{html.escape(each)}</li>" for each in (*lines, *found.caveats))


def _actions(found: summary.Summary) -> str:
    if not found.actions:
        nothing = "Nothing found, and nothing would have been done."
        return f"<p>{'Nothing would have been done.' if found.findings else nothing}</p>"
    rows = "".join(_action(each) for each in found.actions[:MOST_ROWS])
    head = "<tr><th>time (UTC)<th>target<th>effect<th>ill for<th>what history did<th>guards</tr>"
    return f"<table class=actions>{head}{rows}</table>{_left(len(found.actions))}"


def _action(each: summary.Action) -> str:
    answers = "".join(
        f"<li class={'no' if g.answer != 'passed' else 'ok'}>{html.escape(g.guard)}: "
        f"{html.escape(g.message)}</li>"
        for g in each.guards
    )
    open_guards = sum(g.answer != "passed" for g in each.guards)
    after = "" if each.time_to_detect is None else text.length(each.time_to_detect)
    follows = f"<br><small>follows {html.escape(each.follows)}</small>" if each.follows else ""
    mark = {True: " class=hit", False: " class=miss"}.get(each.labelled, "")  # type: ignore[arg-type]
    return (
        f"<tr{mark}><td>{each.at:%Y-%m-%d %H:%M:%S}<td>{html.escape(each.target)}"
        f"<td>{html.escape(each.summary)}<br><small>{html.escape(each.why)}</small>{follows}"
        f"<td data-name='ill for'>{after}"
        f"<td data-name='what history did'>{html.escape(each.outcome)}"
        f"<td><details><summary>{len(each.guards) - open_guards} passed, {open_guards} not judged"
        f"</summary><ul>{answers}</ul></details></tr>"
    )


def _refusals(found: summary.Summary) -> str:
    if not found.refusals:
        return "<p>Nothing was refused.</p>"
    rows = "".join(
        f"<tr><td>{html.escape(reason)}<td>{count}<td>{html.escape(message)}</tr>"
        for reason, count, message in summary.refused_by_reason(found)
    )
    return f"<table><tr><th>reason<th>times<th>such as</tr>{rows}</table>"


def _changes(changes: Sequence[compare.Change] | None) -> str:
    if changes is None:
        return ""
    if not changes:
        return "<section><h2>Against the old policy</h2><p>The same.</p></section>"
    rows = "".join(
        f"<tr class={_CHANGES[c.sign]}><td>{c.sign}"
        f"<td>{c.at:%Y-%m-%d %H:%M:%S}<td>{c.kind}<td>{html.escape(c.target)}"
        f"<td>{html.escape(c.what)}</tr>"
        for c in changes[:_SHOWN_CHANGES]
    )
    more = _left(len(changes), _SHOWN_CHANGES)
    return f"<section><h2>Against the old policy</h2><table>{rows}</table>{more}</section>"


def _left(count: int, most: int = MOST_ROWS) -> str:
    return f"<p class=note>and {count - most} more</p>" if count > most else ""
