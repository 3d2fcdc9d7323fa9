"""The report's charts as Plotly's own JSON: a timeline, and one chart for each signal.

Curves are down-sampled to the least and the greatest value of each stretch of time, and the band of
all targets together is always drawn: no excursion disappears.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime
import html
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from prunella.api import signals as signals_api
from prunella.backtest import kept_samples, labels, run, summary

COLOURS: Final = (
    "#4c8df6",
    "#e8743b",
    "#19a979",
    "#c774e8",
    "#d9a300",
    "#13a4b4",
    "#ee6868",
    "#8c8cff",
)
"""Readable on white and on black."""
BAD, ACTED, REFUSED, QUIET = "#e5484d", "#30a46c", "#d98c00", "rgba(128,128,128,0.35)"
MOST_TARGETS: Final = 60
MOST_SHAPES: Final = 150
_MOST_MARKS: Final = 3000
_VISIBLE: Final = 6
_FIT_IN_A_ROW: Final = 10

Figure = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Chart:
    """A figure, and what is to be said of it."""

    figure: Figure
    note: str


def rule_of(signal: signals_api.Signal) -> str:
    """How a signal is judged, in words."""
    limits = signal.threshold
    if limits is None:
        kinds = [each for each in signals_api.DETECTORS if each != "threshold"]
        given = signal.model_dump(by_alias=True, exclude_none=True)
        return next((each for each in kinds if each in given), "")
    if limits.above is not None:
        return f"above {limits.above:g}"
    if limits.below is not None:
        return f"below {limits.below:g}"
    return "outside {:g} to {:g}".format(*(limits.outside or (math.nan, math.nan)))


def timeline(found: summary.Summary, windows: Sequence[labels.Window]) -> Chart:
    """Which target was ill when, what would have been done, and what refused."""
    ranks = collections.Counter(each.target for each in found.held)
    ranks.update({each.target: 1_000 for each in found.actions})
    rows = [name for name, _ in ranks.most_common(MOST_TARGETS)][::-1]
    traces = [
        _bars(
            signal, [f for f in found.findings if f.signal == signal and f.target in rows], colour
        )
        for signal, colour in zip(found.verdicts, _cycle(), strict=False)
    ]
    traces.append(_marks_refused(found, rows))
    traces.append(_marks_acted([each for each in found.actions if each.target in rows]))
    left = len(ranks) - len(rows)
    note = f"The {len(rows)} targets with most to tell; {left} more are not drawn." if left else ""
    figure: Figure = {
        "data": traces,
        "layout": _layout(
            height=150 + 22 * max(len(rows), 3),
            found=found,
            shapes=list(_shades(windows)),
            yaxis={
                "type": "category",
                "categoryorder": "array",
                "categoryarray": rows,
                "automargin": True,
            },
        ),
    }
    return Chart(figure, note)


def _cycle() -> Iterator[str]:
    while True:
        yield from COLOURS


def _bars(signal: str, findings: Sequence[summary.Finding], colour: str) -> Figure:
    xs: list[float | None] = []
    ys: list[str | None] = []
    for each in findings[:_MOST_MARKS]:
        xs += [_ms(each.start), _ms(each.end), None]
        ys += [each.target, each.target, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{signal} Unhealthy",
        "x": xs,
        "y": ys,
        "line": {"width": 9, "color": colour},
        "opacity": 0.75,
        "hovertemplate": f"{html.escape(signal)} Unhealthy<br>%{{x}}<extra>%{{y}}</extra>",
    }


def _marks_refused(found: summary.Summary, rows: Sequence[str]) -> Figure:
    shown = [each for each in found.refusals if each.target in rows][:_MOST_MARKS]
    return _marks(
        "refused",
        [(each.start, each.target, f"{each.reason}: {each.message}") for each in shown],
        {"symbol": "x", "size": 7, "color": REFUSED},
    )


def _marks_acted(actions: Sequence[summary.Action]) -> Figure:
    return _marks(
        "action",
        [(each.at, each.target, f"{each.summary}. {each.outcome}") for each in actions],
        {
            "symbol": "triangle-up",
            "size": 12,
            "color": ACTED,
            "line": {"width": 1, "color": "#fff"},
        },
    )


def _marks(
    name: str, points: Sequence[tuple[datetime.datetime, str, str]], marker: Figure
) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [_ms(when) for when, _, _ in points],
        "y": [target for _, target, _ in points],
        "text": [html.escape(said) for _, _, said in points],
        "marker": marker,
        "hovertemplate": "%{x}<br>%{text}<extra>%{y}</extra>",
    }


def signal_chart(
    done: run.Run,
    found: summary.Summary,
    signal: signals_api.Signal,
    windows: Sequence[labels.Window],
    most: int,
) -> Chart:
    """One signal: the band of all targets, curves of those with findings, limits, decisions."""
    times = done.tracker.bucket_times()
    curves = {ref: c for (name, ref), c in done.tracker.curves.items() if name == signal.name}
    ill = collections.Counter(f.target for f in found.findings if f.signal == signal.name)
    chosen = sorted(curves, key=lambda ref: (-ill[str(ref)], ref))[:most]
    step = 1000.0 * done.tracker.step * done.tracker.per_bucket
    traces: list[Figure] = []
    if len(curves) > 1:
        traces += _band(list(curves.values()), 1000 * float(times[0]), step)
    for place, ref in enumerate(chosen):
        colour = COLOURS[place % len(COLOURS)]
        trace = _curve(str(ref), curves[ref], 1000 * float(times[0]), step, colour)
        if place >= _VISIBLE or (place and not ill[str(ref)]):
            trace["visible"] = "legendonly"
        traces.append(trace)
        usual = done.tracker.bands.get((signal.name, ref))
        if usual is not None:
            traces += _usual(str(ref), usual, times, trace.get("visible"))
    traces.append(_worst(found, signal.name))
    traces.append(_decisions(found, signal.name))
    left = len(curves) - len(chosen)
    note = (
        f"Curves of the {len(chosen)} targets with the most findings; the other {left} are within "
        "the grey band of all targets. Click a name in the legend to show or hide its curve."
        if left > 0
        else ""
    )
    shapes = [*_shades(windows), *_limits(signal)]
    layout = _layout(height=400, found=found, shapes=shapes, yaxis={"automargin": True})
    if len(traces) > _FIT_IN_A_ROW:  # At the side they can be scrolled.
        layout["legend"] = {"orientation": "v", "x": 1.02, "xanchor": "left", "y": 1}
    return Chart({"data": traces, "layout": layout}, note)


def _interleaved(curve: kept_samples.Curve) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The least and the greatest value of each stretch, one after the other."""
    both = np.empty(2 * len(curve.low), np.float32)
    both[0::2], both[1::2] = curve.low, curve.high
    return both


def _array(values: np.ndarray[Any, Any]) -> dict[str, str]:
    """Numbers as Plotly takes them in bulk."""
    data = base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()
    return {"dtype": "f4", "bdata": data}


def _curve(name: str, curve: kept_samples.Curve, start: float, step: float, colour: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x0": start,
        "dx": step / 2,
        "y": _array(_interleaved(curve)),
        "line": {"width": 1.2, "color": colour},
        "hovertemplate": "%{x}<br>%{y:.6g}<extra>%{fullData.name}</extra>",
    }


def _band(curves: Sequence[kept_samples.Curve], start: float, step: float) -> list[Figure]:
    low = np.fmin.reduce([each.low for each in curves])
    high = np.fmax.reduce([each.high for each in curves])
    common = {
        "type": "scatter",
        "mode": "lines",
        "x0": start,
        "dx": step,
        "line": {"width": 0.5, "color": QUIET},
        "hoverinfo": "skip",
        "legendgroup": "all",
    }
    return [
        {**common, "y": _array(low), "showlegend": False},
        {
            **common,
            "y": _array(high),
            "fill": "tonexty",
            "fillcolor": "rgba(128,128,128,0.18)",
            "name": "all targets",
        },
    ]


def _usual(
    name: str, band: kept_samples.Curve, times: np.ndarray[Any, Any], visible: object
) -> list[Figure]:
    """What the detector took for usual; drawn with its curve."""
    step = float(times[1] - times[0]) * 1000 if len(times) > 1 else 1.0
    common: Figure = {
        "type": "scatter",
        "mode": "lines",
        "x0": 1000 * float(times[0]),
        "dx": step,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "legendgroup": f"usual {name}",
        "connectgaps": True,
    }
    if visible is not None:
        common["visible"] = visible
    return [
        {**common, "y": _array(band.low), "showlegend": False},
        {
            **common,
            "y": _array(band.high),
            "fill": "tonexty",
            "fillcolor": "rgba(76,141,246,0.22)",
            "name": f"usual for {name}",
        },
    ]


def _worst(found: summary.Summary, signal: str) -> Figure:
    """A mark for each finding at its worst value."""
    own = [f for f in found.held if f.signal == signal and math.isfinite(f.worst)][:_MOST_MARKS]
    trace = _marks(
        "finding",
        [(f.start, f.target, f"{f.target}: Unhealthy, at worst {f.worst:.6g}") for f in own],
        {"symbol": "circle-open", "size": 8, "color": BAD, "line": {"width": 2}},
    )
    trace["y"] = [f.worst for f in own]
    trace["hovertemplate"] = "%{x}<br>%{text}<extra></extra>"
    return trace


def _decisions(found: summary.Summary, signal: str) -> Figure:
    """Actions at the worst value of the finding that they rest on."""
    points, values = [], []
    for each in found.actions:
        of = [
            f
            for f in found.findings
            if f.target == each.target and f.signal == signal and f.start <= each.at <= f.end
        ]
        if of:
            points.append((each.at, each.target, f"{each.summary}. {each.outcome}"))
            values.append(of[0].worst)
    trace = _marks("action", points, {"symbol": "triangle-up", "size": 12, "color": ACTED})
    trace["y"] = values
    trace["hovertemplate"] = "%{x}<br>%{text}<extra></extra>"
    return trace


def _limits(signal: signals_api.Signal) -> Iterator[Figure]:
    limits = signal.threshold
    if limits is None:
        return
    for value in (limits.above, limits.below, *(limits.outside or ())):
        if value is not None:
            yield {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": value,
                "y1": value,
                "line": {"color": BAD, "width": 1.2, "dash": "dash"},
            }


def _shades(windows: Sequence[labels.Window]) -> Iterator[Figure]:
    """Known incidents."""
    for each in windows[:MOST_SHAPES]:
        yield {
            "type": "rect",
            "yref": "paper",
            "x0": _ms(each.start),
            "x1": _ms(each.end),
            "y0": 0,
            "y1": 1,
            "fillcolor": "rgba(229,72,77,0.13)",
            "line": {"width": 0},
            "layer": "below",
        }


def _layout(height: int, found: summary.Summary, shapes: list[Figure], yaxis: Figure) -> Figure:
    grid = {"gridcolor": "rgba(128,128,128,0.22)", "zeroline": False}
    return {
        "height": height,
        "margin": {"l": 60, "r": 40, "t": 30, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hovermode": "closest",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "modebar": {
            "orientation": "v",
            "bgcolor": "rgba(0,0,0,0)",
            "color": "rgba(128,128,128,0.7)",
            "remove": ["lasso2d", "select2d", "autoScale2d"],
        },
        "xaxis": {"type": "date", "range": [_ms(found.start), _ms(found.until)], **grid},
        "yaxis": {**grid, **yaxis},
        "shapes": shapes,
    }


def _ms(when: datetime.datetime) -> float:
    return round(when.timestamp() * 1000)
