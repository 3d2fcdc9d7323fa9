"""Range answers become arrays: every number as it was written, every other form refused."""

from __future__ import annotations

import json
import math
from typing import Any

import hypothesis
import numpy as np
import orjson
import pytest
from hypothesis import strategies

from prunella import settings
from prunella.adapters.prometheus import client, matrix, session
from prunella.api import reasons

Doubt = reasons.Doubt
TIMES = np.array([100.0, 115.0, 130.0])
COMPACT = (",", ":")


def document(*elements: object, kind: str = "matrix", **more: object) -> dict[str, Any]:
    """A successful answer."""
    return {"status": "success", "data": {"resultType": kind, "result": list(elements)}, **more}


def series(*samples: tuple[float, str], **labels: str) -> dict[str, Any]:
    """An element of a matrix."""
    return {"metric": labels, "values": [list(each) for each in samples]}


def read(text: bytes, max_series: int = 10, times: matrix.Floats = TIMES) -> matrix.Block:
    """Decode and read, as the client does with a body."""
    found = matrix.loads(text)
    data = found["data"]
    reply = client.Reply(data["resultType"], data["result"], tuple(found.get("warnings", ())))
    return matrix.read_reply(reply, times, max_series)


def dense(*values: str, **labels: str) -> dict[str, Any]:
    """A series with a sample at each point."""
    return series(*zip((100, 115, 130), values, strict=True), **labels)


NAN, INF = math.nan, math.inf
ROWS = {
    "dense": (dense("1", "2.5", "-3e-07"), [1, 2.5, -3e-07]),
    "all digits": (
        dense("0.30000000000000004", "1.7976931348623157e+308", "5e-324"),
        [0.30000000000000004, 1.7976931348623157e308, 5e-324],
    ),
    "long integers": (
        dense("123456789012345678901234567890", "9007199254740993", "-0"),
        [1.2345678901234568e29, 9007199254740992.0, 0.0],
    ),
    "NaN": (dense("NaN", "1", "NaN"), [NAN, 1, NAN]),
    "infinity": (dense("+Inf", "-Inf", "1.5"), [INF, -INF, 1.5]),
    "infinity and NaN": (dense("NaN", "+Inf", "0"), [NAN, INF, 0]),
    "gap in the middle": (series((100, "1"), (130, "3")), [1, NAN, 3]),
    "only the last": (series((130, "3")), [NAN, NAN, 3]),
    "none": (series(), [NAN, NAN, NAN]),
    "hostile labels": (
        dense("1", "2", "3", a='"values":[[1,"2"]]', b=']],"values":[[', c="\\"),
        [1, 2, 3],
    ),
}


@pytest.mark.parametrize("separators", [COMPACT, None], ids=["compact", "with spaces"])
@pytest.mark.parametrize(("element", "expected"), ROWS.values(), ids=ROWS)
def test_rows(
    element: dict[str, Any], expected: list[float], separators: tuple[str, str] | None
) -> None:
    """Each sample at its point, NaN where there is none, however the JSON is spaced."""
    block = read(json.dumps(document(element), separators=separators).encode())

    assert (element["metric"],) == block.labels
    np.testing.assert_array_equal(np.array([expected], np.float64), block.values)


def test_milliseconds() -> None:
    """Times with a fraction, as Prometheus writes them."""
    text = orjson.dumps(document(series((100.5, "1"), (100.75, "2"))))
    times = np.array([100.5, 100.625, 100.75])

    np.testing.assert_array_equal([[1, NAN, 2]], read(text, times=times).values)


def test_many_series() -> None:
    """A series with gaps among others changes nothing for those after it."""
    elements = [
        dense("1", "2", "3", pod="a"),
        series((115, "9"), pod="b"),
        dense("4", "5", "6", pod="c"),
    ]

    block = read(orjson.dumps(document(*elements)))

    np.testing.assert_array_equal([[1, 2, 3], [NAN, 9, NAN], [4, 5, 6]], block.values)
    assert ["a", "b", "c"] == [each["pod"] for each in block.labels]


def test_no_series() -> None:
    """An empty answer is an answer."""
    block = read(orjson.dumps(document()))

    assert () == block.labels
    assert (0, 3) == block.values.shape


@hypothesis.given(strategies.lists(strategies.floats(), min_size=3, max_size=3))
def test_every_float_arrives(values: list[float]) -> None:
    """The shortest text of a float is that float again."""
    texts = [repr(value).replace("inf", "Inf").replace("nan", "NaN") for value in values]

    block = read(orjson.dumps(document(dense(*texts))))

    np.testing.assert_array_equal([values], block.values)


def element_of(values: str) -> bytes:
    """An answer with samples that are written so."""
    head = b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":'
    return head + values.encode() + b"}]}}"


FAILURES = {
    "warnings": (
        orjson.dumps(document(warnings=["a store is away"])),
        Doubt.WARNINGS,
        "may be partial: a store is away",
    ),
    "too many series": (
        orjson.dumps(document(*({"metric": {"n": str(n)}, "values": []} for n in range(11)))),
        Doubt.TOO_MANY_SERIES,
        "more than 10 series",
    ),
    "vector": (orjson.dumps(document(kind="vector")), Doubt.QUERY_REJECTED, "a vector, not"),
    "result is no list": (
        orjson.dumps({"data": {"resultType": "matrix", "result": {}}}),
        Doubt.QUERY_REJECTED,
        "not a matrix",
    ),
    "native histogram": (
        orjson.dumps(document({"metric": {}, "histograms": [[100, {}]]})),
        Doubt.NOT_A_NUMBER,
        "histogram_quantile",
    ),
    "native histogram among numbers": (
        orjson.dumps(document({**dense("1", "2", "3"), "histograms": [[100, {}]]})),
        Doubt.NOT_A_NUMBER,
        "histogram_quantile",
    ),
    "same labels twice": (
        orjson.dumps(document(dense("1", "2", "3"), dense("1", "2", "3"))),
        Doubt.DUPLICATE_SERIES,
        "same labels",
    ),
    "off the grid": (orjson.dumps(document(series((101, "1")))), Doubt.NOT_JSON, "form"),
    "before the grid": (orjson.dumps(document(series((85, "1")))), Doubt.NOT_JSON, "form"),
    "after the grid": (orjson.dumps(document(series((145, "1")))), Doubt.NOT_JSON, "form"),
    "backwards": (
        orjson.dumps(document(series((145, "1"), (100, "1")))),
        Doubt.NOT_JSON,
        "form",
    ),
    "twice the same point": (
        orjson.dumps(document(series((100, "1"), (100, "2")))),
        Doubt.NOT_JSON,
        "form",
    ),
    "no labels": (orjson.dumps(document({"values": []})), Doubt.NOT_JSON, "form"),
    "no samples": (orjson.dumps(document({"metric": {}})), Doubt.NOT_JSON, "form"),
    "labels are a list": (
        orjson.dumps(document({"metric": [], "values": []})),
        Doubt.NOT_JSON,
        "form",
    ),
    "no element": (orjson.dumps(document(None)), Doubt.NOT_JSON, "form"),
    "numbers instead of texts": (element_of("[[100,1],[115,2]]"), Doubt.NOT_JSON, "form"),
    "three in a sample": (element_of('[[100,"1","2"]]'), Doubt.NOT_JSON, "form"),
    "a sample without a value": (element_of('[[100],[115,"2"]]'), Doubt.NOT_JSON, "form"),
    "two values in a text": (element_of('[[100,"1,2"]]'), Doubt.NOT_JSON, "form"),
    "a nested value": (element_of('[[100,"[1]"]]'), Doubt.NOT_JSON, "form"),
    "a word": (element_of('[[100,"one"]]'), Doubt.NOT_JSON, "form"),
    "true": (element_of('[[100,"true"]]'), Doubt.NOT_JSON, "form"),
    "null": (element_of('[[100,"null"]]'), Doubt.NOT_JSON, "form"),
    "no value": (element_of('[[100,""]]'), Doubt.NOT_JSON, "form"),
    "no time": (element_of('[[,"1"]]'), Doubt.NOT_JSON, "form"),
    "time is a text": (element_of('[["100","1"]]'), Doubt.NOT_JSON, "form"),
}


@pytest.mark.parametrize(("text", "reason", "words"), FAILURES.values(), ids=FAILURES)
def test_failures(text: bytes, reason: reasons.Doubt, words: str) -> None:
    """What is partial, too long or of another form is no history."""
    with pytest.raises(session.AskError) as caught:
        read(text)

    assert reason == caught.value.reason
    assert words in str(caught.value)


WHOLE = orjson.dumps(document(dense("1", "2", "3"), dense("4", "5", "6", a="b")))
BROKEN = {
    "empty": b"",
    "html": b"<html>",
    "samples elsewhere": b'{"a":{"values":[[1,"2"]]}}',
    "samples of nobody": b'{"data":{"result":[{"x":{"values":[[1,"2"]]}}]}}',
    "a number for samples": b'{"data":{"result":[{"values":0}]}}',
    "a number beside samples": b'{"data":{"result":[{"values":0},{"values":[[1,"2"]]}]}}',
    "result is text": b'{"data":{"result":"x"},"values":[[1,"2"]]}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_no_json(text: bytes) -> None:
    """What is not JSON, or has samples where none belong, is a decoding error, nothing else."""
    with pytest.raises(json.JSONDecodeError):
        matrix.loads(text)


def test_cut_off_anywhere() -> None:
    """Half of a body is never taken for all of it."""
    for end in range(len(WHOLE)):
        with pytest.raises((ValueError, session.AskError)):
            read(WHOLE[:end])


def test_own_series() -> None:
    """Rows of another namespace are dropped; those without the label are aggregates."""
    labels: tuple[dict[str, str], ...] = ({"namespace": "shop"}, {"namespace": "bank"}, {})
    block = matrix.Block(labels, np.array([[1.0], [2.0], [3.0]]))

    own, foreign = matrix.own_series(block, settings.Source(), "shop")

    assert ({"namespace": "shop"}, {}) == own.labels
    np.testing.assert_array_equal([[1.0], [3.0]], own.values)
    assert foreign == 1
    assert (own, 0) == matrix.own_series(own, settings.Source(), "shop")
