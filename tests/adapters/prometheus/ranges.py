"""Range answers on the fault server: for each series a value that tells its time."""

from __future__ import annotations

import http.server
from collections.abc import Callable, Mapping, Sequence

from tests.adapters.prometheus import faultserver

Form = Mapping[str, str]
Labels = Mapping[str, str]
Wrong = Callable[[Form, int], faultserver.Behaviour | None]
"""What else to do with a request, by its form and number of points; None is to answer it."""
PODS: Sequence[Labels] = ({"pod": "a"}, {"pod": "b"})


def value(row: int, when: float) -> float:
    """What a series has at a time."""
    return when + row / 8


def points(form: Form) -> list[float]:
    """The grid that is asked for."""
    start, end, step = (float(form[name]) for name in ("start", "end", "step"))
    return [start + step * number for number in range(round((end - start) / step) + 1)]


def serve(
    series: Sequence[Labels] = PODS,
    wrong: Wrong = lambda _form, _points: None,
    born: Mapping[int, float] | None = None,
    died: Mapping[int, float] | None = None,
) -> faultserver.Behaviour:
    """Answer ranges with a value at each point at which a series was alive."""

    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        form = handler.control.requests[-1].form  # type: ignore[attr-defined]
        asked = points(form)
        other = wrong(form, len(asked))
        if other is not None:
            other(handler)
            return
        result = []
        for row, labels in enumerate(series):
            first, end = (born or {}).get(row, 0.0), (died or {}).get(row, 1e12)
            there = [when for when in asked if first <= when < end]
            samples = [[when, repr(value(row, when))] for when in there]
            if samples:
                result.append({"metric": labels, "values": samples})
        faultserver.answer(faultserver.success("matrix", result))(handler)

    return behave
