"""Recorded samples from files: CSV, Parquet, OpenMetrics text, and `promtool tsdb dump` text.

Sources: OpenMetrics 1.0 ("Text format"); promtool's ``tsdb dump``, one sample in a line, with
milliseconds, ``{__name__="up", job="x"} 1 1700000000000``.
"""

from __future__ import annotations

import array
import csv
import dataclasses
import importlib
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from prunella.adapters.recorded import timestamps
from prunella.promql import notation, series_store

TEXTS: Final = frozenset({".om", ".prom", ".txt", ".openmetrics", ".dump"})
SUFFIXES: Final = TEXTS | {".csv", ".parquet"}
TIMES: Final = ("timestamp", "time", "ts", "datetime", "date")
NAMES: Final = (series_store.NAME, "metric", "name")
VALUE: Final = "value"
_LABEL: Final = re.compile(r'\s*([a-zA-Z_:][\w:.]*|"[^"]*")\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')
_LINE: Final = re.compile(r"([a-zA-Z_:][\w:]*)?\s*(\{.*?\})?\s+(\S+)(?:\s+(\S+))?", re.DOTALL)
_ESCAPES: Final = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}

Labels = dict[str, str]
Wanted = Callable[[Mapping[str, str]], bool]


class FileError(Exception):
    """A file of samples that can't be read: which, where in it, and what is wrong."""


@dataclasses.dataclass(slots=True)
class _Column:
    """The samples of one series as they come, times in milliseconds."""

    labels: Labels
    times: array.array[int] = dataclasses.field(default_factory=lambda: array.array("q"))
    values: array.array[float] = dataclasses.field(default_factory=lambda: array.array("d"))
    wanted: bool = True

    def add(self, seconds: float, value: float) -> None:
        """Take one sample in."""
        if self.wanted:
            self.times.append(round(seconds * 1000))
            self.values.append(value)


class Samples:
    """All series of some files, before they are put into a store."""

    def __init__(self, namespace_label: str, namespace: str, wanted: Wanted) -> None:
        """Series without the label are taken to be of ``namespace``; unwanted ones are left."""
        self._own = {namespace_label: namespace}
        self._wanted = wanted
        self._columns: dict[str, _Column] = {}
        self._same: dict[frozenset[tuple[str, str]], _Column] = {}

    def series(self, text: str, labels: Callable[[], Labels]) -> _Column:
        """The series written as ``text``; its labels are read once."""
        known = self._columns.get(text)
        if known is None:
            whole = {**self._own, **{k: v for k, v in labels().items() if v}}
            key = frozenset(whole.items())
            known = self._same.setdefault(key, _Column(whole, wanted=self._wanted(whole)))
            self._columns[text] = known
        return known

    def store(self) -> tuple[series_store.SeriesStore, float, float]:
        """A store of all series, and the times of the first and last sample in seconds.

        Raises FileError when there is no sample, or one series has two at the same time.
        """
        store = series_store.SeriesStore()
        first, last = np.inf, -np.inf
        for column in self._same.values():
            if not column.times:
                continue
            times, values = _ordered(column)
            series = store.series(column.labels)
            series.times.frombytes(times.tobytes())
            series.values.frombytes(values.tobytes())
            stale = np.frombuffer(np.float64(series_store.STALE).tobytes(), np.uint64)[0]
            series.has_stale = bool((values.view(np.uint64) == stale).any())
            first, last = min(first, times[0] / 1000), max(last, times[-1] / 1000)
            column.times, column.values = array.array("q"), array.array("d")
        if first > last:
            raise FileError("the files have no sample that the policy's queries could read")
        return store, float(first), float(last)


def _ordered(column: _Column) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    times = np.array(column.times, np.int64)
    values = np.array(column.values, np.float64)
    if not (np.diff(times) > 0).all():
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
        same = np.flatnonzero(np.diff(times) == 0)
        different = (values[same] != values[same + 1]) & ~np.isnan(values[same])
        if different.any():
            when = timestamps.show(times[same[different]][0] / 1000)
            raise FileError(f"{notated(column.labels)} has two values at {when}")
        keep = np.concatenate(([True], np.diff(times) > 0))
        times, values = times[keep], values[keep]
    return times, values


def notated(labels: Mapping[str, str]) -> str:
    """A series as people write it."""
    inner = ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items()) if k != series_store.NAME)
    return f"{labels.get(series_store.NAME, '')}{{{inner}}}"


def load(path: pathlib.Path, samples: Samples, note: Callable[[str], None]) -> None:
    """Read a file, or all files of a folder that hold samples. Raises FileError."""
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
        if not found:
            known = ", ".join(sorted(SUFFIXES))
            raise FileError(f"{path} has no file that ends in one of {known}")
    else:
        found = [path]
    for each in found:
        note(str(each))
        try:
            _read(each, samples)
        except OSError as error:
            raise FileError(f"can't read {each}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise FileError(f"can't read {each}: not UTF-8 text (byte {error.start})") from error


def _read(path: pathlib.Path, samples: Samples) -> None:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            header = next(rows, [])
            _table(path, header, rows, samples)
    elif path.suffix == ".parquet":
        header, columns = _parquet(path)
        _table(path, header, zip(*columns, strict=True), samples)
    else:
        with path.open(encoding="utf-8") as stream:
            _text(path, stream, samples)


def _parquet(path: pathlib.Path) -> tuple[list[str], list[Sequence[Any]]]:
    try:
        pyarrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        message = f"{path}: reading Parquet needs the extra: pip install 'prunella[parquet]'"
        raise FileError(message) from error
    try:
        table = parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise FileError(f"{path} is not Parquet: {str(error).splitlines()[0]}") from error
    return list(table.column_names), [column.to_pylist() for column in table.columns]


def _table(
    path: pathlib.Path, header: Sequence[str], rows: Iterable[Sequence[Any]], samples: Samples
) -> None:
    """Long (a column ``value``, the others are labels) or wide (a column for each series)."""
    low = [each.strip().lower() for each in header]
    time = next((low.index(each) for each in TIMES if each in low), None)
    if time is None:
        wanted = ", ".join(TIMES)
        raise FileError(f"{path}: no column is the time; name one of its columns {wanted}")
    reader = _long if VALUE in low else _wide
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        try:
            reader(path, header, low, time, row, samples)
        except (ValueError, IndexError) as error:
            raise FileError(f"{path}:{number}: {error}") from error


def _long(
    path: pathlib.Path,
    header: Sequence[str],
    low: Sequence[str],
    time: int,
    row: Sequence[Any],
    samples: Samples,
) -> None:
    value = low.index(VALUE)
    others = [index for index in range(len(header)) if index not in (time, value)]
    text = "\0".join(f"{row[index]}" for index in others)
    column = samples.series(
        f"{path}\0{text}", lambda: _table_labels(path, header, low, others, row)
    )
    if row[value] not in ("", None):
        column.add(timestamps.parse_seconds(row[time]), float(row[value]))


def _table_labels(
    path: pathlib.Path,
    header: Sequence[str],
    low: Sequence[str],
    others: Sequence[int],
    row: Sequence[Any],
) -> Labels:
    labels = {}
    name = path.stem
    for index in others:
        found = "" if row[index] is None else str(row[index])
        if low[index] in NAMES and found:
            name = found
        elif low[index] not in NAMES:
            labels[header[index].strip()] = found
    return {**labels, series_store.NAME: name}


def _wide(
    path: pathlib.Path,  # noqa: ARG001 - as for the long form
    header: Sequence[str],
    low: Sequence[str],  # noqa: ARG001
    time: int,
    row: Sequence[Any],
    samples: Samples,
) -> None:
    when = timestamps.parse_seconds(row[time])
    for index, cell in enumerate(row):
        if index != time and cell not in ("", None):
            text = header[index].strip()
            column = samples.series(text, lambda text=text: notation.parse_metric(text))  # type: ignore[misc]
            column.add(when, float(cell))


def _text(path: pathlib.Path, lines: Iterable[str], samples: Samples) -> None:
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _LINE.match(stripped)
        if found is None or (found[1] is None and found[2] is None):
            raise FileError(f"{path}:{number}: not a sample: {stripped[:80]!r}")
        if found[4] is None:
            raise FileError(f"{path}:{number}: the sample has no timestamp")
        try:
            _sample(found, samples)
        except ValueError as error:
            raise FileError(f"{path}:{number}: {error}") from error


def _sample(found: re.Match[str], samples: Samples) -> None:
    name, inner = found[1], found[2] or "{}"
    column = samples.series(f"{name}{inner}", lambda: _text_labels(name, inner))
    # promtool writes whole milliseconds and the name among the labels, OpenMetrics seconds.
    scale = 1000.0 if name is None else 1.0
    column.add(float(found[4]) / scale, float(found[3]))


def _text_labels(name: str | None, inner: str) -> Labels:
    labels = {key.strip('"'): _plain(value) for key, value in _pairs(inner[1:-1])}
    return {series_store.NAME: name, **labels} if name is not None else labels


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text.rstrip()):
        found = _LABEL.match(text, at)
        if found is None:
            raise ValueError(f'labels must be written name="value", found {text[at : at + 60]!r}')
        yield found[1], found[2]
        at = found.end()


def _plain(value: str) -> str:
    return re.sub(r'\\[\\"n]', lambda found: _ESCAPES[found[0]], value)
