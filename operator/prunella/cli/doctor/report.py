"""The report of `prunella doctor`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping

from rich import console

from prunella.cli import options, page
from prunella.cli.doctor.found import Level, Report
from prunella.cli.doctor.installed import Installed

_STYLES = {Level.PROBLEM: page.BAD, Level.WARNING: page.DOUBT}
_MARKS = {Level.PROBLEM: "x", Level.WARNING: "!"}


def as_text(report: Report, installed: Installed, out: console.Console) -> None:
    """Three lines for each thing found: where and what, and what to do."""
    written = page.Page(out.width)
    problems, warnings = (report.count(level) for level in Level)
    written.title("prunella doctor")
    written.fact("settings", installed.told_by)
    written.fact("account", installed.account or "not found")
    for level in Level:
        for each in report.found:
            if each.level is level:
                words = f"{each.check}: {each.where}: {each.what}"
                written.item(_MARKS[level], words, style=_STYLES[level], indent=0)
                written.item("->", each.todo, indent=2)
    seen = {each.check for each in report.found}
    well = [each for each in report.checks if each not in seen]
    written.fact("nothing found", ", ".join(well), indent=0)
    written.say(f"{_plural(problems, 'problem')}, {_plural(warnings, 'warning')}", indent=0)
    written.print(out)


def as_json(report: Report, installed: Installed, out: console.Console) -> None:
    """One object: the counts, and all that was found."""
    document = {
        "settings": installed.told_by,
        "account": installed.account,
        "problems": report.count(Level.PROBLEM),
        "warnings": report.count(Level.WARNING),
        "checks": report.checks,
        "found": [dataclasses.asdict(each) for each in report.found],
    }
    out.file.write(json.dumps(document, indent=2) + "\n")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


FORMATS: Mapping[options.Output, Callable[[Report, Installed, console.Console], None]] = {
    options.Output.TEXT: as_text,
    options.Output.JSON: as_json,
}
