"""Samples are read from every format; what can't be read says where and why."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import pytest

from prunella.adapters.recorded import files
from prunella.adapters.recorded import samples as samples_
from prunella.promql import series_store

SERIES = {"__name__": "load", "namespace": "shop", "deployment": "cart"}
SAMPLES = [(1_700_000_000.0, 0.5), (1_700_000_060.0, 1.5)]

GOOD = {
    "a long CSV": (
        "load.csv",
        "timestamp,value,deployment\n1700000000,0.5,cart\n1700000060,1.5,cart\n",
    ),
    "a long CSV with the metric": (
        "x.csv",
        (
            "metric,time,deployment,Value\n"
            "load,2023-11-14T22:13:20Z,cart,0.5\nload,1700000060000,cart,1.5\n"
        ),
    ),
    "a wide CSV": (
        "x.csv",
        'time,"load{deployment=""cart""}",other\n1700000000,0.5,\n1700000060,1.5,3\n',
    ),
    "OpenMetrics": (
        "x.om",
        (
            '# TYPE load gauge\nload{deployment="cart"} 0.5 1700000000\n'
            'load{deployment="cart"} 1.5 1700000060.0 # {trace="a"} 1\n# EOF\n'
        ),
    ),
    "a tsdb dump": (
        "x.txt",
        (
            '{__name__="load", deployment="cart", namespace="shop"} 0.5 1700000000000\n'
            '{__name__="load", deployment="cart", namespace="shop"} 1.5 1700000060000\n'
        ),
    ),
    "samples out of order": (
        "load.csv",
        "timestamp,value,deployment\n1700000060,1.5,cart\n1700000000,0.5,cart\n",
    ),
    "the same sample twice": (
        "load.csv",
        "timestamp,value,deployment\n1700000000,0.5,cart\n1700000000,0.5,cart\n1700000060,1.5,cart\n",
    ),
}


def _samples(**naming: str) -> files.Samples:
    named = samples_.Naming(label="deployment", asked=frozenset({"load"}), **naming)
    return files.Samples("namespace", "shop", lambda labels: labels["__name__"] == "load", named)


def _load(path: pathlib.Path, **naming: str) -> tuple[series_store.SeriesStore, float, float]:
    samples = _samples(**naming)
    files.load(path, samples, lambda _: None)
    return samples.store()


def _found(store: series_store.SeriesStore, labels: Mapping[str, str]) -> list[tuple[float, float]]:
    series = store.series(labels)
    return [(when / 1000, value) for when, value in zip(series.times, series.values, strict=True)]


@pytest.mark.parametrize(("name", "content"), GOOD.values(), ids=GOOD.keys())
def test_every_format_gives_the_same_samples(
    tmp_path: pathlib.Path, name: str, content: str
) -> None:
    """Given the same samples in any format, then the same series comes of it."""
    (tmp_path / name).write_text(content)
    store, first, last = _load(tmp_path / name)

    assert SAMPLES == _found(store, SERIES)
    assert (first, last) == (1_700_000_000.0, 1_700_000_060.0)


MILLISECONDS = ("1700000000000", "1700000060000")
ISO = ("2023-11-14T22:13:20.000Z", "2023-11-14T22:14:20.000Z")
FORMATTED = ("2023-11-14 22:13:20", "2023-11-14 22:14:20")
EXPORTS = {
    "joined by time, raw": (
        MILLISECONDS,
        '"Time","{__name__=""load"", deployment=""cart""}","{__name__=""load"", deployment=""x""}"',
        "{},{},7",
        {},
    ),
    "joined by time, for Excel, formatted, by the legend": (
        FORMATTED,
        'sep=,\r\n"Time","cart","x"',
        '"{}",{},undefined',
        {"metric": "load"},
    ),
    "joined by time, of an expression": (
        ISO,
        '"Time","{deployment=""cart""}"',
        "{},{}",
        {"metric": "load"},
    ),
    "one column, named": (ISO, '"Time","load{deployment=""cart""}"', "{},{}", {}),
    "one column, for Excel in a land of commas": (
        FORMATTED,
        'sep=;\n"Time";"load{deployment=""cart""}"',
        "{};{}",
        {},
    ),
    "one column, of the only target": (
        MILLISECONDS,
        '"Time","Value"',
        "{},{}",
        {"metric": "load", "target": "cart"},
    ),
    "a series at a time, of old": (
        ISO,
        "Series;Time;Value",
        'load{{deployment="cart"}};{};{}',
        {},
    ),
}


@pytest.mark.parametrize(("times", "header", "row", "naming"), EXPORTS.values(), ids=EXPORTS.keys())
def test_what_grafana_exports_is_read_as_it_is(
    tmp_path: pathlib.Path,
    times: tuple[str, ...],
    header: str,
    row: str,
    naming: Mapping[str, str],
) -> None:
    """Given an export in any of its forms, then the same samples come of it."""
    rows = [row.format(when, value) for when, (_, value) in zip(times, SAMPLES, strict=True)]
    (tmp_path / "panel.csv").write_text("\n".join([header, *rows, ""]))
    store, _, _ = _load(tmp_path, **naming)

    assert SAMPLES == _found(store, SERIES)


def test_a_table_that_does_not_fit_says_what_it_has_and_what_is_asked_for(
    tmp_path: pathlib.Path,
) -> None:
    """Given columns that no query reads, then all that is needed to name them is said."""
    (tmp_path / "a.csv").write_text('Time,"{deployment=""cart""}",p99\n1700000000,1,2\n')

    with pytest.raises(files.FileError) as caught:
        _load(tmp_path)
    assert str(caught.value) == (
        "the files have no sample that the policy's queries could read; "
        f'the columns of {tmp_path / "a.csv"} are Time, {{deployment="cart"}}, p99; '
        'the metrics found are p99; no series is named by {deployment="cart"}; '
        "the queries ask for load; name them by --metric load, by a column `metric`, or by "
        'headers such as load{deployment="checkout"}'
    )


def test_parquet_is_read_like_csv(tmp_path: pathlib.Path) -> None:
    """Given a Parquet file in the long form, then its samples are read."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "timestamp": [1_700_000_000, 1_700_000_060],
        "value": [0.5, 1.5],
        "deployment": ["cart", "cart"],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "load.parquet")
    store, _, _ = _load(tmp_path)

    assert SAMPLES == _found(store, SERIES)


def test_only_wanted_series_are_kept(tmp_path: pathlib.Path) -> None:
    """Given series that no query reads, then they take no memory."""
    text = 'load{deployment="cart"} 1 1700000000\nnoise{deployment="cart"} 1 1700000000\n'
    (tmp_path / "x.om").write_text(text)
    store, _, _ = _load(tmp_path)

    assert ["load"] == [each.labels["__name__"] for each in store.select(())]


def test_escapes_and_staleness_are_read(tmp_path: pathlib.Path) -> None:
    """Given escaped labels and a NaN, then the labels are plain and the NaN is a sample."""
    (tmp_path / "x.om").write_text('load{path="a\\"b\\\\c\\nd"} NaN 1700000000\n')
    store, _, _ = _load(tmp_path)
    series = store.select(())[0]

    assert series.labels["path"] == 'a"b\\c\nd'
    assert len(series.values) == 1
    assert not series.has_stale


BAD = {
    "no time": ("load.csv", "value,deployment\n1,cart\n", "no column is the time"),
    "a text as value": ("load.csv", "time,value\n1700000000,much\n", "load.csv:2: could not"),
    "a text as time": ("load.csv", "time,value\nsoon,1\n", "load.csv:2: 'soon' is no time"),
    "a time without end": ("x.om", "load 1 1e400\n", "x.om:1: inf seconds after 1970 is no time"),
    "no timestamp": ("x.om", "load 1\n", "x.om:1: the sample has no timestamp"),
    "no sample": ("x.om", "load\n", "x.om:1: not a sample"),
    "bad labels": ("x.om", "load{a=b} 1 1700000000\n", "x.om:1: labels must be written"),
    "nothing wanted": ("x.om", "other 1 1700000000\n", "no sample that the policy's queries"),
    "a value with its unit": (
        "load.csv",
        "time,value\n1700000000,0.2 s\n",
        "load.csv:2: could not read '0.2 s' as a number (in Grafana, switch `Formatted data` off)",
    ),
    "a number with a comma": ("load.csv", 'time,value\n1700000000,"1,234"\n', "could not read"),
    "two values at once": (
        "x.om",
        "load 1 1700000000\nload 2 1700000000\n",
        'load{namespace="shop"} has two values at 2023-11-14T22:13:20Z',
    ),
    "binary": ("x.om", "\udcff", "not UTF-8 text"),
    "no Parquet": ("load.parquet", "PAR", "is not Parquet"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: pathlib.Path, name: str, content: str, message: str
) -> None:
    """Given a file that can't be read, then the error names file, place and problem."""
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(files.FileError) as caught:
        _load(tmp_path / name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_samples_is_an_error(tmp_path: pathlib.Path) -> None:
    """Given a folder of other files, then the error says which endings are read."""
    (tmp_path / "readme.md").write_text("load 1 1")

    with pytest.raises(files.FileError, match=r"no file that ends in one of .*\.csv"):
        _load(tmp_path)
