"""Range answers as arrays: the JSON around the samples is decoded, the samples are not.

A list of two objects and a text for each sample is what a JSON decoder spends its time on.
So the samples of each series are cut out of the body first; orjson decodes what is left, and
checks it.  Then each series' samples are split at the quotes: the values between them are one
flat list of numbers for orjson, and one array; what is around them, the times, is nearly always
the same as the series before had.  That is several times as fast as decoding the body as it is
(`python -m bench.history`), and holds the interpreter's lock for one series at a time.
Source: Prometheus documentation, "HTTP API", range queries.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from prunella import settings
from prunella.adapters import sources
from prunella.adapters.prometheus import client, session
from prunella.api import reasons

Floats = NDArray[np.float64]
_KEY = b'"values":'
_OPEN, _CLOSE = _KEY + b"[[", b"]]"
_FORM = "the answer has samples that are not of Prometheus' form"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some series at some points: ``values`` has the shape (series, points), NaN for gaps."""

    labels: tuple[Mapping[str, str], ...]
    values: Floats


def loads(body: bytes) -> Any:
    """The document, with each series' ``values`` as a memoryview of their bytes.

    Those that are not written without spaces, as Prometheus does, are decoded to lists.
    Raises ValueError for what is not JSON.
    """
    view, at = memoryview(body), 0
    shell: list[bytes | memoryview] = []
    samples: list[memoryview] = []
    # A quote inside a text is escaped, so this can be nothing but a key and its value.
    while (found := body.find(_OPEN, at)) >= 0:
        start = found + len(_KEY)
        end = body.find(_CLOSE, start) + len(_CLOSE)
        if end < start:
            break
        shell += [view[at:start], b"%d" % len(samples)]
        samples.append(view[start:end])
        at = end
    document = orjson.loads(b"".join((*shell, view[at:])))
    _put_back(document, samples)
    return document


def _put_back(document: Any, samples: list[memoryview]) -> None:
    """Give each series its samples again; raises ValueError unless all have their place."""
    try:
        result = document["data"]["result"]
        elements = [each for each in result if type(each.get("values")) is int]
    except (AttributeError, KeyError, TypeError):
        elements = []
    if [each["values"] for each in elements] != list(range(len(samples))):
        raise json.JSONDecodeError("samples in an unexpected place", "", 0)
    for element, raw in zip(elements, samples, strict=True):
        element["values"] = raw


def read_reply(reply: client.Reply, times: Floats, max_series: int) -> Block:
    """The series of a reply, on the grid that was asked for; ``times`` are Unix seconds.

    NaN and infinity are passed on.  Raises session.AskError for a reply that is partial, too
    long, or of another type or form.
    """
    client.check(reply, max_series)
    if reply.result_type != "matrix" or not isinstance(reply.result, list):
        raise session.AskError(
            reasons.Doubt.QUERY_REJECTED,
            f"the answer is a {reply.result_type or 'nameless type'}, not a matrix",
        )
    rows = _Rows(times, np.full((len(reply.result), len(times)), np.nan))
    try:
        for number, element in enumerate(reply.result):
            rows.put(number, element)
        labels = tuple(element["metric"] for element in reply.result)
        distinct = {frozenset(each.items()) for each in labels}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise session.AskError(reasons.Doubt.NOT_JSON, _FORM) from error
    if len(distinct) < len(labels):
        raise session.AskError(
            reasons.Doubt.DUPLICATE_SERIES, "the answer has two series with the same labels"
        )
    return Block(labels, rows.values)


class _Rows:
    """The rows of a block, and how the times of a series without gaps were written last."""

    def __init__(self, times: Floats, values: Floats) -> None:
        self.values = values
        self._times = times
        self._dense: list[bytes] = []

    def put(self, row: int, element: Mapping[str, Any]) -> None:
        """Write one series' samples. Raises ValueError or TypeError for another form."""
        if "histograms" in element:
            raise session.AskError(
                reasons.Doubt.NOT_A_NUMBER,
                "the answer is a native histogram: put histogram_quantile() around it",
            )
        raw = element["values"]
        if isinstance(raw, list):
            pairs = np.array([(float(when), float(value)) for when, value in raw], np.float64)
            self._place(row, *pairs.reshape(-1, 2).T)
            return
        parts = bytes(raw).split(b'"')
        values, around = _numbers(parts[1::2]), parts[0::2]
        if around == self._dense:
            self.values[row] = values
        elif self._place(row, _moments(around), values):
            self._dense = around

    def _place(self, row: int, moments: Floats, values: Floats) -> bool:
        """Write values at their times; True when there is no gap. Raises ValueError."""
        if moments.shape != values.shape:
            raise ValueError("not pairs of a time and a text")
        if np.array_equal(moments, self._times):
            self.values[row] = values
            return True
        columns = np.searchsorted(self._times, moments)
        if columns.max(initial=-1) >= len(self._times):
            raise ValueError("a sample is later than asked for")
        if not np.array_equal(self._times[columns], moments) or np.any(np.diff(columns) <= 0):
            raise ValueError("a sample is not on the grid")
        self.values[row, columns] = values
        return False


def _moments(around: list[bytes]) -> Floats:
    """The times in ``[[1,"``, ``"],[2,"``, ``"]]``, without the quotes. Raises ValueError."""
    text = b"".join(around)
    if not (text.startswith(b"[[") and text.endswith(b",]]")):
        raise ValueError("not a list of lists")
    return np.array(orjson.loads(b"[%b]" % text[2:-3].replace(b",],[", b",")), np.float64)


def _numbers(values: list[bytes]) -> Floats:
    """The numbers that texts are. Raises ValueError."""
    text = b",".join(values)
    # What JSON knows besides numbers: true, false and null have one of these letters.
    if b"u" in text or b"l" in text:
        raise ValueError("a value is not a number")
    if b"I" in text:  # infinity has no form in JSON
        return np.array([float(each) for each in values], np.float64)
    return np.array(orjson.loads(b"[%b]" % text.replace(b"NaN", b"null")), np.float64)


def own_series(block: Block, source: settings.Source, namespace: str) -> tuple[Block, int]:
    """The block without series that bear another namespace or cluster, and how many those were."""
    own = [row for row, each in enumerate(block.labels) if sources.is_own(each, source, namespace)]
    foreign = len(block.labels) - len(own)
    if not foreign:
        return block, 0
    return Block(tuple(block.labels[row] for row in own), block.values[own]), foreign
