"""Results as a table, as JSON, and as JUnit's XML."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from xml.etree import ElementTree

from rich import box, console, table, text

from prunella.cli.testing import load
from prunella.policytest import judge, run

PASS, FAIL = "Pass", "Fail"
COLUMNS = ("CASE", "CHECK", "TARGET", "RESULT", "REASON")


@dataclasses.dataclass(frozen=True, slots=True)
class FileResult:
    """What came of one test file; ``numbers`` are the places of the cases in it."""

    file: load.TestFile
    cases: tuple[run.CaseResult, ...]
    numbers: tuple[int, ...]

    @property
    def passed(self) -> bool:
        """Whether all cases passed."""
        return all(case.passed for case in self.cases)

    def lines(self, index: int) -> tuple[int, ...]:
        """The line of each row's expectation, for the case at that index."""
        number = self.numbers[index]
        return tuple(self.file.line(number, row.path) for row in self.cases[index].rows)


def as_text(results: Sequence[FileResult], out: console.Console, *, fail_only: bool) -> None:
    """A table for each file, a line for each failure, and a summary."""
    for result in results:
        _table(result, out, fail_only=fail_only)
    for result in results:
        _failures(result, out)
    cases = [case for result in results for case in result.cases]
    failed = sum(not case.passed for case in cases)
    summary = f"cases: {len(cases) - failed} passed, {failed} failed"
    out.print(text.Text(summary, "bold red" if failed else "bold green"), soft_wrap=True)


def _table(result: FileResult, out: console.Console, *, fail_only: bool) -> None:
    shown = [
        (case, row) for case in result.cases for row in case.rows if not (fail_only and row.passed)
    ]
    if not shown:
        return
    styled = box.ROUNDED if out.is_terminal else None
    grid = table.Table(
        *COLUMNS, box=styled, title=f"{result.file.name} ({result.file.file})", title_justify="left"
    )
    before = ""
    for case, row in shown:
        outcome = text.Text(PASS, "green") if row.passed else text.Text(FAIL, "bold red")
        name = case.name if case.name != before else ""
        before = case.name
        reason = row.expected if row.passed else f"expected {row.expected}, found {row.found}"
        grid.add_row(name, row.check, row.target, outcome, reason)
    out.print(grid)


def _failures(result: FileResult, out: console.Console) -> None:
    """One line for each, its file first so that editors can jump there."""
    for index, case in enumerate(result.cases):
        for row, line in zip(case.rows, result.lines(index), strict=True):
            if not row.passed:
                where = f"{result.file.file}:{line}: "
                what = f"{case.name}: {_sentence(row)}"
                out.print(text.Text.assemble((where, "bold"), what), soft_wrap=True)


def _sentence(row: judge.Row) -> str:
    target = f" {row.target}" if row.target else ""
    return f"{row.check}{target}: expected {row.expected}, found {row.found}"


def as_json(results: Sequence[FileResult], out: console.Console) -> None:
    """One object: the counts, and all comparisons."""
    every = [case for result in results for case in result.cases]
    document = {
        "passed": sum(case.passed for case in every),
        "failed": sum(not case.passed for case in every),
        "tests": [
            {
                "file": result.file.file,
                "name": result.file.name,
                "cases": [_case_as_json(result, index) for index in range(len(result.cases))],
            }
            for result in results
        ],
    }
    out.file.write(json.dumps(document, indent=2) + "\n")


def _case_as_json(result: FileResult, index: int) -> dict[str, object]:
    case = result.cases[index]
    rows = [
        {
            "check": row.check,
            "target": row.target,
            "passed": row.passed,
            "expected": row.expected,
            "found": row.found,
            "line": line,
        }
        for row, line in zip(case.rows, result.lines(index), strict=True)
    ]
    seconds = round(case.seconds, 3)
    return {"name": case.name, "passed": case.passed, "seconds": seconds, "checks": rows}


def as_junit(results: Sequence[FileResult]) -> bytes:
    """A suite for each file, a test case for each case."""
    top = ElementTree.Element("testsuites")
    for result in results:
        suite = ElementTree.SubElement(top, "testsuite", _totals(result))
        for index, case in enumerate(result.cases):
            attributes = {
                "classname": result.file.name,
                "name": case.name,
                "time": f"{case.seconds:.3f}",
                "file": result.file.file,
                "line": str(result.file.line(result.numbers[index], ())),
            }
            entry = ElementTree.SubElement(suite, "testcase", attributes)
            if not case.passed:
                wrong = [_sentence(row) for row in case.rows if not row.passed]
                failure = {"message": wrong[0], "type": "Expectation"}
                ElementTree.SubElement(entry, "failure", failure).text = "\n".join(wrong)
    ElementTree.indent(top)
    written: bytes = ElementTree.tostring(top, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _totals(result: FileResult) -> dict[str, str]:
    failed = sum(not case.passed for case in result.cases)
    seconds = sum(case.seconds for case in result.cases)
    return {
        "name": result.file.name,
        "tests": str(len(result.cases)),
        "failures": str(failed),
        "errors": "0",
        "time": f"{seconds:.3f}",
    }
