"""A report as text, as JSON, or as annotations of GitHub Actions."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping

from rich import console, text

from prunella.cli.lint.check import Report
from prunella.cli.lint.findings import Finding, Severity

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.HINT: "cyan"}
ANNOTATIONS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.HINT: "notice"}


def as_text(report: Report, out: console.Console) -> None:
    """A line for each finding, its file first so that editors can jump there, and a summary."""
    for _, group in itertools.groupby(report.findings, key=lambda finding: finding.file):
        for finding in group:
            out.print(_line(finding), soft_wrap=True)
    counts = ", ".join(_plural(report.count(each), each.value) for each in Severity)
    checked = f"{_plural(report.policies, 'policy')} in {_plural(report.files, 'file')}"
    skipped = f", {_plural(report.skipped, 'other document')} skipped" if report.skipped else ""
    style = "red" if report.count(Severity.ERROR) else "green"
    out.print(text.Text(f"{checked}{skipped}: {counts}", style), soft_wrap=True)


def _line(finding: Finding) -> text.Text:
    return text.Text.assemble(
        (f"{finding.file}:{finding.line}: ", "bold"),
        (f"{finding.severity.value}: ", STYLES[finding.severity]),
        (f"{finding.path}: " if finding.path else "", "bold"),
        finding.message,
        (f" [{finding.rule}]", "dim"),
    )


def _plural(count: int, noun: str) -> str:
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun.removesuffix('y') + 'ies' if noun.endswith('y') else noun + 's'}"


def as_json(report: Report, out: console.Console) -> None:
    """One object: the counts, and all findings."""
    document = {
        "files": report.files,
        "policies": report.policies,
        "skipped": report.skipped,
        "errors": report.count(Severity.ERROR),
        "warnings": report.count(Severity.WARNING),
        "hints": report.count(Severity.HINT),
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
    }
    out.file.write(json.dumps(document, indent=2) + "\n")


def as_github(report: Report, out: console.Console) -> None:
    """Workflow commands that mark the lines of a pull request."""
    for finding in report.findings:
        where = f"file={_property(finding.file)},line={finding.line}"
        title = _property(f"prunella: {finding.rule}")
        body = f"{finding.path}: {finding.message}" if finding.path else finding.message
        kind = ANNOTATIONS[finding.severity]
        out.file.write(f"::{kind} {where},title={title}::{_data(body)}\n")


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


FORMATS: Mapping[str, Callable[[Report, console.Console], None]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
}
