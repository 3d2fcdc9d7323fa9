"""The samples of files, before they are put into a store."""

from __future__ import annotations

import array
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from prunella.adapters.recorded import spacings, timestamps
from prunella.promql import series_store

Labels = dict[str, str]
Wanted = Callable[[Mapping[str, str]], bool]


class FileError(Exception):
    """A file of samples that can't be read: which, where in it, and what is wrong."""


@dataclasses.dataclass(frozen=True, slots=True)
class Naming:
    """How series without a name are named, and what is asked for."""

    metric: str | None = None
    """The name of series that have none of their own."""
    label: str | None = None
    """The label that holds the name of a target; a header that is a plain text is taken for it."""
    target: str | None = None
    """The only target, which a series without any label is about; None: nobody knows."""
    asked: frozenset[str] = frozenset()
    """The metrics that the queries ask for; empty where they ask for any."""
    matchers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Labels that every series of the source has: what bears none of a name has these."""

    def own(self) -> Labels:
        """The labels of a series that has none."""
        known = self.label is not None and self.target is not None
        return {str(self.label): str(self.target)} if known else {}


@dataclasses.dataclass(slots=True)
class Column:
    """The samples of one series as they come, times in milliseconds."""

    labels: Labels
    times: array.array[int] = dataclasses.field(default_factory=lambda: array.array("q"))
    values: array.array[float] = dataclasses.field(default_factory=lambda: array.array("d"))
    wanted: bool = True

    def add(self, seconds: float, value: float) -> None:
        """Take one sample in. Raises ValueError for what is no time."""
        if not self.wanted:
            return
        try:
            self.times.append(round(seconds * 1000))
        except (OverflowError, ValueError) as error:
            raise ValueError(f"{seconds:g} seconds after 1970 is no time of a sample") from error
        self.values.append(value)


class Samples:
    """All series of some files, before they are put into a store."""

    def __init__(
        self, namespace_label: str, namespace: str, wanted: Wanted, naming: Naming | None = None
    ) -> None:
        """Series without the label are taken to be of ``namespace``; unwanted ones are left."""
        self.naming = naming or Naming()
        self.headers: dict[str, list[str]] = {}
        """The columns of each table, for people who look for theirs."""
        self.unnamed: list[str] = []
        """Columns that name no series."""
        self._own = {**self.naming.matchers, namespace_label: namespace}
        self._wanted = wanted
        self._columns: dict[str, Column] = {}
        self._same: dict[frozenset[tuple[str, str]], Column] = {}

    def series(self, text: str, labels: Callable[[], Labels]) -> Column:
        """The series written as ``text``; its labels are read once."""
        known = self._columns.get(text)
        if known is None:
            whole = {**self._own, **{k: v for k, v in labels().items() if v}}
            key = frozenset(whole.items())
            known = self._same.setdefault(key, Column(whole, wanted=self._wanted(whole)))
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
            series.lookback = spacings.lookback(times)
            stale = np.frombuffer(np.float64(series_store.STALE).tobytes(), np.uint64)[0]
            series.has_stale = bool((values.view(np.uint64) == stale).any())
            first, last = min(first, times[0] / 1000), max(last, times[-1] / 1000)
            column.times, column.values = array.array("q"), array.array("d")
        if first > last:
            raise FileError(self._nothing())
        return store, float(first), float(last)

    @property
    def metrics(self) -> list[str]:
        """The names of all series that were found, wanted or not."""
        names = {column.labels.get(series_store.NAME, "") for column in self._same.values()}
        return sorted(names - {""})

    def _nothing(self) -> str:
        """That no series is wanted: what there is, what is asked for, and how to name it."""
        asked = sorted(self.naming.asked)
        words = ["the files have no sample that the policy's queries could read"]
        for path, header in self.headers.items():
            words.append(f"the columns of {path} are {_few(header)}")
        words.append(f"the metrics found are {_few(self.metrics)}")
        if self.unnamed:
            words.append(f"no series is named by {_few(self.unnamed)}")
        words.append(f"the queries ask for {_few(asked)}")
        name = asked[0] if asked else "NAME"
        words.append(
            f"name them by --metric {name}, by a column `metric`, or by headers such as "
            f'{name}{{{self.naming.label or "deployment"}="checkout"}}'
        )
        return "; ".join(words)


def _few(names: Sequence[str], most: int = 10) -> str:
    """Some names in a sentence."""
    shown = ", ".join(names[:most]) or "none"
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _ordered(column: Column) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
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
