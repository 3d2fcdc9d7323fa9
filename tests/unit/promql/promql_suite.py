"""Reads Prometheus's own PromQL tests (promql/promqltest) and plays them on our evaluator."""

from __future__ import annotations

import dataclasses
import enum
import math
import os
import pathlib
import re
import subprocess
from collections.abc import Iterator

import numpy as np

from prunella.promql import evaluator, notation, range_evaluator, series_store

ROOT = pathlib.Path(__file__).parents[3]
GO_MODULE = ROOT / "lab" / "tools" / "prometheus"
"""The lab's build of Prometheus brings the module, and with it the tests."""
EXPERIMENTAL = frozenset(
    {"name_label_dropping.test", "start_timestamps.test", "type_and_unit.test"}
)
"""Files about features that Prometheus has switched off unless they are asked for."""
EPSILON = 1e-6
"""The relative error that Prometheus's own runner allows."""
_EVAL = re.compile(
    r"eval(?P<kind>_fail|_warn|_info|_ordered)? "
    r"(?:instant at (?P<at>\S+)|range from (?P<first>\S+) to (?P<last>\S+) step (?P<step>\S+))"
    r"\s+(?P<query>.*)"
)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_HISTOGRAM = "{{"
_NAMELESS = re.compile(r"(^|[^\w\s])\s*\{")
"""A selector without a name may read all series."""


class Verdict(enum.StrEnum):
    """What came of one case."""

    RIGHT = "right"
    WRONG = "wrong"
    REFUSED = "refused"
    HISTOGRAM = "about native histograms"


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """A series with its points, so many seconds apart."""

    step: float
    series: str
    as_histogram: bool
    """Its buckets are loaded as a native histogram, too."""


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One query with the data that it is asked of, and what is expected."""

    place: str
    query: str
    moments: tuple[float, ...]
    ranged: bool
    ordered: bool
    fails: bool
    expected: tuple[str, ...]
    loads: tuple[Load, ...]


def folder() -> pathlib.Path | None:
    """Where the tests are on this machine; None without Go or without the module."""
    command = ["go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/prometheus"]
    try:
        answer = subprocess.run(  # noqa: S603 - fixed arguments
            command,
            cwd=GO_MODULE,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=_offline(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = pathlib.Path(answer.stdout.strip() or "/nowhere") / "promql/promqltest/testdata"
    return found if found.is_dir() else None


def _offline() -> dict[str, str]:
    """Nothing is fetched: the module is there, or it is not."""
    return {**os.environ, "GOFLAGS": "-mod=readonly", "GOPROXY": "off"}


def seconds(text: str) -> float:
    """A duration such as ``1h30m`` or a number of seconds."""
    try:
        return float(text)
    except ValueError:
        sign = -1 if text.startswith("-") else 1
        parts = re.findall(r"([\d.]+)(ms|[smhdwy])", text)
        return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


def read(path: pathlib.Path) -> Iterator[Case]:
    """The cases of a file, in order."""
    loads: list[Load] = []
    for number, head, body in _blocks(path.read_text("utf-8")):
        words = head.split()
        if words[0] == "clear":
            loads = []
        elif words[0].startswith("load"):
            nhcb = words[0].endswith("_nhcb")
            loads = [*loads, *(Load(seconds(words[1]), line, nhcb) for line in body)]
        else:
            yield _case(f"{path.name}:{number}", head, body, loads)


def _blocks(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Each command with its line number and the indented lines below it."""
    head, body, start = "", [], 0
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.strip()
        if not plain or plain.startswith("#"):
            continue
        if not line[0].isspace() and re.match(r"(clear|load|eval|ignore)", plain):
            if head:
                yield start, head, body
            head, body, start = plain, [], number
        elif head:
            body.append(plain)
    if head:
        yield start, head, body


def _case(place: str, head: str, body: list[str], loads: list[Load]) -> Case:
    found = _EVAL.fullmatch(head)
    if found is None:
        raise ValueError(f"{place}: not a command: {head!r}")
    if found["at"] is not None:
        moments: tuple[float, ...] = (seconds(found["at"]),)
    else:
        first, last, step = (seconds(found[each]) for each in ("first", "last", "step"))
        moments = tuple(first + step * n for n in range(int((last - first) / step + 1e-9) + 1))
    told = [line for line in body if line.startswith(("expect ", "expected_fail"))]
    return Case(
        place,
        found["query"],
        moments,
        found["at"] is None,
        found["kind"] == "_ordered" or "expect ordered" in told,
        found["kind"] == "_fail" or any(re.match(r"expect(ed_|\s+)fail", each) for each in told),
        tuple(line for line in body if line not in told),
        tuple(loads),
    )


def play(case: Case) -> tuple[Verdict, str]:
    """What came of a case, and what was found where it is wrong.

    Native histograms are not loaded; a case that is right without them is right.
    """
    verdict, why = _judged(case)
    doubtful = verdict in {Verdict.WRONG, Verdict.REFUSED}
    if doubtful and any(_HISTOGRAM in line for line in (*case.expected, *_read_by(case))):
        return Verdict.HISTOGRAM, ""
    return verdict, why


def _judged(case: Case) -> tuple[Verdict, str]:
    try:
        found = _evaluate(_store(case), case)
    except evaluator.EvaluationError as error:
        return (Verdict.RIGHT if case.fails else Verdict.REFUSED), str(error)
    if case.fails:
        return Verdict.WRONG, "an answer where Prometheus refuses"
    if any(_HISTOGRAM in line for line in case.expected):
        return Verdict.WRONG, "a native histogram is expected"
    return _compare(case, found)


def _read_by(case: Case) -> Iterator[str]:
    """The loaded series that a query may read, by their names."""
    for load in case.loads:
        name = re.match(r"[\w:.]*", load.series.lstrip('{" '))
        known = "" if name is None else name[0]
        if load.as_histogram:
            base = known.removesuffix("_bucket")
            if re.search(rf"\b{base}(?!\w)", case.query) or "__name__" in case.query:
                yield f"{_HISTOGRAM}{base}"
        if not known or known in case.query or _NAMELESS.search(case.query):
            yield load.series


def _store(case: Case) -> series_store.SeriesStore:
    """All that was loaded, but for native histograms; what was loaded later counts."""
    found: dict[frozenset[tuple[str, str]], dict[float, float]] = {}
    for load in case.loads:
        if _HISTOGRAM in load.series:
            continue
        metric, points = _split(load.series)
        samples = found.setdefault(frozenset(notation.parse_metric(metric).items()), {})
        for number, value in enumerate(notation.parse_values(points)):
            if value is not None:
                samples[load.step * number] = value
    store = series_store.SeriesStore()
    for labels, samples in found.items():
        series = store.series(dict(labels))
        for when in sorted(samples):
            series.append(when, samples[when])
    return store


Found = list[tuple[dict[str, str], list[float | None]]]


def _evaluate(store: series_store.SeriesStore, case: Case) -> Found:
    if case.ranged:
        times = np.array([round(1000 * each) for each in case.moments], np.int64)
        rows = range_evaluator.evaluate(store, case.query, times)
        return [
            (
                dict(row.labels),
                [
                    float(value) if there else None
                    for value, there in zip(row.values, row.present, strict=True)
                ],
            )
            for row in rows
        ]
    answer = evaluator.evaluate(store, case.query, case.moments[0])
    if isinstance(answer, evaluator.Scalar):
        return [({}, [answer.value])]
    return [(dict(sample.labels), [sample.value]) for sample in answer.samples]


def _compare(case: Case, found: Found) -> tuple[Verdict, str]:
    expected = list(_expected(case))
    shown = f"expected {expected}, found {found}"
    if len(expected) != len(found):
        return Verdict.WRONG, shown
    pairs = zip(expected, found, strict=True)
    if not case.ordered:
        by_labels = {frozenset(labels.items()): values for labels, values in found}
        pairs = (  # type: ignore[assignment]
            ((labels, values), (labels, by_labels.get(frozenset(labels.items()), [])))
            for labels, values in expected
        )
    for (labels, values), (own, numbers) in pairs:
        if labels != own or len(values) != len(numbers) or not all(map(_same, values, numbers)):
            return Verdict.WRONG, shown
    return Verdict.RIGHT, ""


def _expected(case: Case) -> Iterator[tuple[dict[str, str], list[float | None]]]:
    for line in case.expected:
        metric, values = _split(line)
        labels = {} if metric in {"", "{}"} else notation.parse_metric(metric)
        points = list(notation.parse_values(values))
        yield labels, [*points, *[None] * (len(case.moments) - len(points))]


def _split(line: str) -> tuple[str, str]:
    """The series and its points; a line with a number only is a scalar."""
    end = line.rfind("}")
    if end >= 0:
        return line[: end + 1], line[end + 1 :].strip()
    name, *values = line.split(maxsplit=1)
    return (name, values[0]) if values else ("", name)


def _same(expected: float | None, found: float | None) -> bool:
    if expected is None or found is None:
        return expected is found
    if math.isnan(expected) or math.isnan(found):
        return math.isnan(expected) and math.isnan(found)
    if math.isinf(expected) or math.isinf(found) or expected == 0 or found == 0:
        return expected == found or abs(expected - found) < 5e-324 / EPSILON
    return abs(expected - found) / (abs(expected) + abs(found)) < EPSILON
