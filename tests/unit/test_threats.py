"""The threat model is told with tests that are there."""

from __future__ import annotations

import ast
import functools
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
ATTEMPTS = PAGE.partition("\n## Attempts\n")[2].partition("\n## ")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in ATTEMPTS.splitlines()
    if line.startswith("| ") and not line.startswith("| attempt |")
]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@functools.cache
def _tests(path: str) -> frozenset[str]:
    """The names of a file's tests; none of a file that is not there."""
    file = ROOT / path
    tree = ast.parse(file.read_text() if file.exists() else "")
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


def test_there_are_attempts_of_each_kind() -> None:
    """To do, to read and to silence."""
    kinds = re.findall(r"^### (\w+)$", ATTEMPTS, re.MULTILINE)

    assert ["Doing", "Reading", "Silencing"] == kinds
    assert len(ROWS) > 30


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:50] for row in ROWS])
def test_each_attempt_is_tried_by_a_test(row: list[str]) -> None:
    """A row without a test would be a promise, and a test that is gone proves nothing."""
    attempt, stopped_by, tried_by = row
    named = TEST.findall(tried_by)

    assert "" not in (attempt, stopped_by)
    assert named
    assert tried_by == ", ".join(f"`{path}::{name}`" for path, name in named)
    assert [] == [f"{path}::{name}" for path, name in named if name not in _tests(path)]
