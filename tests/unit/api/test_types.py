"""Shared field types: what they take, what they refuse and in which words."""

from __future__ import annotations

import copy
import datetime as dt
import re
from typing import Any

import hypothesis
import pydantic
import pytest
from hypothesis import strategies

from prunella.api import types

UTC = dt.UTC
UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
counts = strategies.one_of(strategies.none(), strategies.integers(0, 999_999))
duration_texts = (
    strategies.tuples(*(counts for _ in UNITS))
    .filter(lambda parts: any(part is not None for part in parts))
    .map(
        lambda parts: "".join(
            f"{part}{unit}"
            for part, (unit, _) in zip(parts, UNITS, strict=True)
            if part is not None
        )
    )
)


def read(annotation: Any, value: Any) -> Any:
    """The value of a field with this type."""
    return pydantic.TypeAdapter(annotation).validate_python(value)


def refusal(annotation: Any, value: Any) -> str:
    """The one message with which a value is refused."""
    with pytest.raises(pydantic.ValidationError) as caught:
        read(annotation, value)
    (error,) = caught.value.errors()
    return str(error["msg"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("90m", 5400), ("2d", 172_800),
     ("1w2d3h4m5s", 788_645), ("604800s", 604_800), ("007s", 7)],
)  # fmt: skip
def test_duration_reads(text: str, seconds: int) -> None:
    """A duration has the length that Prometheus would give it."""
    assert float(seconds) == read(types.Duration, text).total_seconds()


@pytest.mark.parametrize(
    "value",
    ["", "5", "s", "m5", "5 m", "-5m", "1.5h", "500ms", "1m1h", "5m5m", "5M", "1y", "5m\n",
     "\u0665m", "1234567s", 5, 5.0, True, None, ["5m"]],
)  # fmt: skip
def test_duration_refuses(value: Any) -> None:
    """Whatever is no duration is refused with examples and with what was found."""
    expected = f"must be a duration such as 30s, 5m or 1h30m, got {value!r}"
    assert expected == refusal(types.Duration, value)


@hypothesis.given(duration_texts)
def test_duration_text_is_stable(text: str) -> None:
    """Text to value to text changes nothing, and the CRD's pattern takes every text."""
    adapter = pydantic.TypeAdapter(types.Duration)
    value = adapter.validate_python(text)
    assert text == adapter.dump_python(value, mode="json")
    assert value == adapter.validate_json(adapter.dump_json(value))
    crd = adapter.json_schema()
    assert re.search(crd["pattern"], text)
    assert crd["minLength"] <= len(text) <= crd["maxLength"]


@hypothesis.given(strategies.integers(0, 10**9))
def test_duration_of_seconds_is_exact(seconds: int) -> None:
    """A duration made from seconds has that many."""
    assert dt.timedelta(seconds=seconds) == types.Duration.from_seconds(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m"), (5430, "1h30m30s"), (604_800, "1w")]
)
def test_duration_of_seconds_is_short(seconds: int, text: str) -> None:
    """A duration made from seconds is written in the largest units."""
    assert text == str(types.Duration.from_seconds(seconds))


def test_duration_is_a_timedelta() -> None:
    """It compares and adds by its length, whatever its text."""
    minute = types.duration("60s")
    assert types.duration("1m") == minute
    assert types.duration("9m") < types.duration("10m")
    noon = dt.datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert dt.datetime(2026, 1, 31, 12, 1, tzinfo=UTC) == noon + minute
    assert "60s" == f"{minute}"
    assert "Duration('60s')" == repr(minute)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_duration_survives_a_copy(copied: Any) -> None:
    """A copy keeps the text, and only what goes to JSON becomes text."""
    assert "90s" == str(copied(types.duration("90s")))
    assert isinstance(
        pydantic.TypeAdapter(types.Duration).dump_python(copied(types.duration("90s"))),
        types.Duration,
    )


def test_duration_takes_a_timedelta() -> None:
    """Code may give a timedelta, in whole seconds from 0."""
    assert "1m30s" == str(read(types.Duration, dt.timedelta(seconds=90)))
    assert refusal(types.Duration, dt.timedelta(seconds=1.5)).startswith(
        "must be a duration in whole"
    )
    assert refusal(types.Duration, dt.timedelta(seconds=-1)).startswith(
        "must be a duration in whole"
    )


ACCEPTED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "percent": (types.Percent, ("0%", "5%", "25%", "100%")),
    "int or percent": (types.IntOrPercent, (0, 3, 2**31 - 1, "0%", "100%")),
    "label": (types.DnsLabel, ("a", "a-1", "0", "x" * 63)),
    "object name": (types.ObjectName, ("a", "a.b-c", "1.2", "x" * 253)),
    "label value": (types.LabelValue, ("", "a", "A_b.c-1", "x" * 63)),
    "label key": (types.LabelKey, ("app", "A_b.c", "app.kubernetes.io/name", f"a/{'x' * 63}")),
}
REFUSED: dict[str, tuple[Any, tuple[Any, ...], str]] = {
    "percent": (types.Percent, ("101%", "25", "-1%", "2.5%", "05%", "%", "25%\n"), "a percentage"),
    "int or percent": (
        types.IntOrPercent,
        (-1, 2**31, True, 1.0, "3", "101%", "", None),
        "a whole number from 0, or a percentage such as 25%",
    ),
    "label": (types.DnsLabel, ("", "A", "-a", "a-", "a.b", "a_b", "x" * 64, "a\n"), "a DNS label"),
    "object name": (types.ObjectName, ("", "A", ".a", "a..b", "x" * 254), "an object's name"),
    "label value": (types.LabelValue, ("-a", "a-", "a b", "x" * 64), "a label value"),
    "label key": (
        types.LabelKey,
        ("", "/a", "a/", "a/b/c", "A.io/b", "-a", f"a/{'x' * 64}", f"{'x' * 254}/a"),
        "a label key",
    ),
    "time": (
        types.LocalTime,
        ("2026-01-31", "2026-01-31 08:30:00Z", "2026-01-31T08:30:00", "1700000000", 1_700_000_000),
        "a time such as 2026-01-31T08:30:00Z (RFC 3339)",
    ),
}


@pytest.mark.parametrize(("annotation", "values"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepts(annotation: Any, values: tuple[Any, ...]) -> None:
    """Good values are kept as they were written, and written back so."""
    adapter = pydantic.TypeAdapter(annotation)
    assert values == tuple(read(annotation, value) for value in values)
    assert values == tuple(adapter.dump_python(value, mode="json") for value in values)


@pytest.mark.parametrize(("annotation", "values", "what"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(annotation: Any, values: tuple[Any, ...], what: str) -> None:
    """Bad values are refused in words: what it must be, and what was found."""
    for value in values:
        message = refusal(annotation, value)
        assert message.startswith(f"must be {what}"), value
        assert message.endswith((f"got {value!r}", "..."))


@pytest.mark.parametrize("name", ["percent", "label", "object name", "label value"])
def test_schema_agrees_with_python(name: str) -> None:
    """The pattern and length in the CRD take what Python takes, and refuse what it refuses."""
    crd = pydantic.TypeAdapter(ACCEPTED[name][0]).json_schema()

    def server_takes(value: str) -> bool:
        return len(value) <= crd["maxLength"] and bool(re.fullmatch(crd["pattern"], value))

    assert all(server_takes(value) for value in ACCEPTED[name][1])
    assert not any(server_takes(value) for value in REFUSED[name][1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-01-31T08:30:00Z", "2026-01-31T08:30:00Z", id="UTC"),
        pytest.param("2026-01-31T08:30:00+02:00", "2026-01-31T06:30:00Z", id="offset"),
        pytest.param("2026-01-31T08:30:00.25Z", "2026-01-31T08:30:00.250000Z", id="fraction"),
    ],
)
def test_time_is_written_in_utc(text: str, expected: str) -> None:
    """Times are kept and written in UTC with Z."""
    adapter = pydantic.TypeAdapter(types.LocalTime)
    value = adapter.validate_python(text)
    assert dt.timedelta(0) == value.utcoffset()
    assert expected == adapter.dump_python(value, mode="json")


def test_time_refuses_a_naive_datetime() -> None:
    """A time without a zone is no moment."""
    naive = dt.datetime(2026, 1, 31)  # noqa: DTZ001 - the fault under test
    assert "Input should have timezone info" == refusal(types.LocalTime, naive)


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        pytest.param({"matchLabels": {"app": "a"}}, {"app": "a", "x": "y"}, True, id="label"),
        pytest.param({"matchLabels": {"app": "a"}}, {"app": "b"}, False, id="other value"),
        pytest.param({"matchLabels": {"app": "a", "x": "y"}}, {"app": "a"}, False, id="all labels"),
        pytest.param({}, {"app": "a"}, True, id="empty selects all"),
        pytest.param({"In": ["a", "b"]}, {"app": "b"}, True, id="In"),
        pytest.param({"In": ["a", "b"]}, {"app": "c"}, False, id="not In"),
        pytest.param({"In": ["a"]}, {}, False, id="In, label missing"),
        pytest.param({"NotIn": ["a"]}, {"app": "b"}, True, id="NotIn"),
        pytest.param({"NotIn": ["a"]}, {"app": "a"}, False, id="not NotIn"),
        pytest.param({"NotIn": ["a"]}, {}, True, id="NotIn, label missing"),
        pytest.param({"Exists": []}, {"app": ""}, True, id="Exists"),
        pytest.param({"Exists": []}, {}, False, id="not Exists"),
        pytest.param({"DoesNotExist": []}, {}, True, id="DoesNotExist"),
        pytest.param({"DoesNotExist": []}, {"app": ""}, False, id="not DoesNotExist"),
        pytest.param({"Exists": [], "NotIn": ["a"]}, {"app": "a"}, False, id="all expressions"),
    ],
)
def test_selector_matches(selector: dict[str, Any], labels: dict[str, str], expected: bool) -> None:
    """A selector means what it means to Kubernetes; expressions here are about ``app``."""
    operators = [name for name in types.SelectorOperator if name in selector]
    written = {
        "matchLabels": selector.get("matchLabels", {}),
        "matchExpressions": [
            {"key": "app", "operator": name, "values": selector[name]} for name in operators
        ],
    }
    assert expected is types.LabelSelector.model_validate(written).matches(labels)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"matchLabels": {}, "matchExpressions": []}, True, id="empty parts"),
        pytest.param({"matchLabels": {"a": "b"}}, False, id="a label"),
        pytest.param(
            {"matchExpressions": [{"key": "a", "operator": "Exists"}]}, False, id="an expression"
        ),
    ],
)
def test_selector_knows_that_it_is_empty(written: dict[str, Any], expected: bool) -> None:
    """A selector that asks for nothing can be told, to be refused."""
    assert expected is types.LabelSelector.model_validate(written).is_empty


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param({"matchLabels": {"a b": "c"}}, "must be a label key", id="key"),
        pytest.param({"matchLabels": {"a": "b c"}}, "must be a label value", id="value"),
        pytest.param({"matchLabels": {f"a{n}": "" for n in range(17)}}, "at most 16", id="many"),
        pytest.param({"labels": {}}, "Extra inputs", id="unknown field"),
        pytest.param(
            {"matchExpressions": [{"key": "a", "operator": "In"}]}, "need values", id="no values"
        ),
        pytest.param(
            {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
            "take none",
            id="values for Exists",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "a", "operator": "Equals"}]},
            "'In', 'NotIn'",
            id="operator",
        ),
    ],
)
def test_selector_refuses(written: dict[str, Any], message: str) -> None:
    """What Kubernetes would refuse in a selector is refused here."""
    assert message in refusal(types.LabelSelector, written)
