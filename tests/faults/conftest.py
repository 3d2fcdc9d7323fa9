"""The table of figures at the end of a run, on one worker or on several."""

from __future__ import annotations

import pytest
from _pytest.terminal import TerminalReporter

from tests.faults import figures


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print what was counted."""
    reports = [
        each
        for found in terminalreporter.stats.values()
        for each in found
        if isinstance(each, pytest.TestReport) and each.when == "call"
    ]
    lines = figures.table(figures.total(each for r in reports for each in r.user_properties))
    if lines:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)
