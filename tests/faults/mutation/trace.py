"""A pytest plugin that notes which lines of some files each test runs, and how long it takes."""

from __future__ import annotations

import collections
import sys
import time
from collections.abc import Collection, Generator
from types import FrameType
from typing import Any

import pytest

Line = tuple[str, int]


class Tracer:
    """Lines by test."""

    def __init__(self, files: Collection[str]) -> None:
        self._files = frozenset(files)
        self._lines: set[Line] = set()
        self.tests: dict[Line, set[str]] = collections.defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """One test, with its fixtures."""
        self._lines = set()
        began = time.perf_counter()
        sys.settrace(self._enter)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.seconds[item.nodeid] = time.perf_counter() - began
            for line in self._lines:
                self.tests[line].add(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that fails without any fault can't see one."""
        if report.failed:
            self.failed.append(report.nodeid)

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:  # noqa: ARG002
        return self._step if frame.f_code.co_filename in self._files else None

    def _step(self, frame: FrameType, event: str, arg: Any) -> Any:  # noqa: ARG002
        self._lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._step
