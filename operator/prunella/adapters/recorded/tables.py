"""Tables of samples: CSV and Parquet, one sample in a row or one column for each series.

What Grafana exports (a panel's "Inspect: Data", joined by time or a series at a time) is read as it
is: a first line ``sep=,``, headers that are series or a legend, times in its formats.
"""

from __future__ import annotations

import csv
import importlib
import itertools
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TextIO

from prunella.adapters.recorded import samples as samples_
from prunella.adapters.recorded import timestamps
from prunella.promql import notation, series_store

TIMES: Final = ("timestamp", "time", "ts", "datetime", "date")
NAMES: Final = (series_store.NAME, "metric", "name", "series")
VALUE: Final = "value"
_GAPS: Final = frozenset({"", "null", "undefined", "-"})
_UNNAMED: Final = re.compile(r"value( #[A-Z]+)?", re.IGNORECASE)
_SEPARATOR: Final = re.compile(r"sep=(.)\s*", re.IGNORECASE)
_SERIES: Final = re.compile(r"[a-zA-Z_:][\w:.]*|[^{]*\{.*\}", re.DOTALL)


def read_csv(path: pathlib.Path, stream: TextIO, samples: samples_.Samples) -> None:
    """Read a CSV file. Raises FileError."""
    first = stream.readline()
    told = _SEPARATOR.fullmatch(first.strip("\ufeff\r\n"))
    header = stream.readline() if told else first
    separator = told[1] if told else ";" if ";" in header and "," not in header else ","
    rows = csv.reader(itertools.chain([header], stream), delimiter=separator)
    _table(path, next(rows, []), rows, samples, 3 if told else 2)


def read_parquet(path: pathlib.Path, samples: samples_.Samples) -> None:
    """Read a Parquet file. Raises FileError."""
    header, columns = _parquet(path)
    _table(path, header, zip(*columns, strict=True), samples, 2)


def _parquet(path: pathlib.Path) -> tuple[list[str], list[Sequence[Any]]]:
    try:
        pyarrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        message = f"{path}: reading Parquet needs the extra: pip install 'prunella[parquet]'"
        raise samples_.FileError(message) from error
    try:
        table = parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise samples_.FileError(f"{path} is not Parquet: {str(error).splitlines()[0]}") from error
    return list(table.column_names), [column.to_pylist() for column in table.columns]


def _table(
    path: pathlib.Path,
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    samples: samples_.Samples,
    line: int,
) -> None:
    """Long (a column ``value``, the others are labels) or wide (a column for each series)."""
    low = [each.strip().lower() for each in header]
    samples.headers[str(path)] = [each.strip() for each in header]
    time = next((low.index(each) for each in TIMES if each in low), None)
    if time is None:
        wanted, found = ", ".join(TIMES), ", ".join(header) or "none"
        raise samples_.FileError(
            f"{path}: no column is the time; name one of its columns {wanted}. They are {found}"
        )
    reader = _Long(path, header, low, time) if VALUE in low else _Wide(header, time)
    for number, row in enumerate(rows, line):
        if not row:
            continue
        try:
            reader.read(row, samples)
        except (ValueError, IndexError) as error:
            raise samples_.FileError(f"{path}:{number}: {error}") from error


class _Long:
    """One sample in a row."""

    def __init__(
        self, path: pathlib.Path, header: Sequence[str], low: Sequence[str], time: int
    ) -> None:
        self._path, self._time, self._value = path, time, low.index(VALUE)
        self._others = [
            (index, low[index], header[index].strip())
            for index in range(len(header))
            if index not in {time, self._value}
        ]

    def read(self, row: Sequence[Any], samples: samples_.Samples) -> None:
        """Take in one row. Raises ValueError, IndexError."""
        text = "\0".join(f"{row[index]}" for index, _, _ in self._others)
        column = samples.series(f"{self._path}\0{text}", lambda: self._labels(row, samples.naming))
        value = _number(row[self._value])
        if value is not None:
            column.add(timestamps.parse_seconds(row[self._time]), value)

    def _labels(self, row: Sequence[Any], naming: samples_.Naming) -> samples_.Labels:
        labels: samples_.Labels = {}
        named: samples_.Labels = {}
        for index, low, header in self._others:
            found = "" if row[index] is None else str(row[index])
            if low in NAMES and found:
                named = named_by(found, naming) or {series_store.NAME: found}
            elif low not in NAMES:
                labels[header] = found
        name = naming.metric or self._path.stem
        own = {} if any(labels.values()) or len(named) > 1 else naming.own()
        return {series_store.NAME: name, **labels, **own, **named}


class _Wide:
    """One column for each series."""

    def __init__(self, header: Sequence[str], time: int) -> None:
        self._header = [each.strip() for each in header]
        self._time = time
        self._columns: list[tuple[int, samples_.Column]] | None = None

    def read(self, row: Sequence[Any], samples: samples_.Samples) -> None:
        """Take in one row. Raises ValueError, IndexError."""
        if self._columns is None:
            self._columns = list(self._open(samples))
        when = timestamps.parse_seconds(row[self._time])
        for index, column in self._columns:
            value = _number(row[index]) if index < len(row) else None
            if value is not None:
                column.add(when, value)

    def _open(self, samples: samples_.Samples) -> Iterator[tuple[int, samples_.Column]]:
        for index, text in enumerate(self._header):
            if index == self._time or not text:
                continue
            labels = named_by(text, samples.naming)
            if labels is None:
                samples.unnamed.append(text)
            else:
                yield index, samples.series(text, lambda labels=labels: labels)  # type: ignore[misc]


def named_by(text: str, naming: samples_.Naming) -> samples_.Labels | None:
    """The labels of a series by its header; None where that names no series.

    A header may be ``metric{label="value"}``, a metric's name, or with a given name for the metric
    only labels, ``Value``, or a legend: that is taken for the name of a target.
    """
    labels = _notated(text)
    if naming.metric is None:
        return labels if labels is not None and series_store.NAME in labels else None
    if labels is not None and ("{" in text or text in naming.asked):
        return {series_store.NAME: naming.metric, **labels}
    if _UNNAMED.fullmatch(text) or naming.label is None or text == naming.metric:
        return {series_store.NAME: naming.metric, **naming.own()}
    return {series_store.NAME: naming.metric, naming.label: text}


def _notated(text: str) -> samples_.Labels | None:
    if not _SERIES.fullmatch(text):
        return None
    try:
        return notation.parse_metric(text)
    except ValueError:
        return None


def _number(cell: Any) -> float | None:
    """The number in a cell; None where there is none. Raises ValueError."""
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in _GAPS):
        return None
    if not isinstance(cell, str):
        return float(cell)
    try:
        return float(cell)
    except ValueError as error:
        raise ValueError(
            f"could not read {cell!r} as a number (in Grafana, switch `Formatted data` off)"
        ) from error
