"""Recorded samples from files: CSV, Parquet, OpenMetrics text, and `promtool tsdb dump` text.

Sources: OpenMetrics 1.0 ("Text format"); promtool's ``tsdb dump``, one sample in a line, with
milliseconds, ``{__name__="up", job="x"} 1 1700000000000``.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prunella.adapters.recorded import samples as samples_
from prunella.adapters.recorded import tables
from prunella.promql import series_store

TEXTS: Final = frozenset({".om", ".prom", ".txt", ".openmetrics", ".dump"})
SUFFIXES: Final = TEXTS | {".csv", ".parquet"}
_LABEL: Final = re.compile(r'\s*([a-zA-Z_:][\w:.]*|"[^"]*")\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')
_LINE: Final = re.compile(r"([a-zA-Z_:][\w:]*)?\s*(\{.*?\})?\s+(\S+)(?:\s+(\S+))?", re.DOTALL)
_ESCAPES: Final = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}

FileError = samples_.FileError
Samples = samples_.Samples
Wanted = samples_.Wanted


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
            tables.read_csv(path, stream, samples)
    elif path.suffix == ".parquet":
        tables.read_parquet(path, samples)
    else:
        with path.open(encoding="utf-8") as stream:
            _text(path, stream, samples)


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


def _text_labels(name: str | None, inner: str) -> samples_.Labels:
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
