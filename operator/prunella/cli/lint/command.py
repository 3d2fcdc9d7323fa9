"""The command ``prunella lint``."""

from __future__ import annotations

import enum
import pathlib
import sys
from typing import Annotated

import typer

from prunella.cli import errors, options


class Format(enum.StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def lint(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILES", help="Files, folders, or - for standard input."),
    ],
    output: Annotated[
        Format, typer.Option("--output", "-o", help="github writes annotations for Actions.")
    ] = Format.TEXT,
    strict: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--strict", help="Warnings fail the run too.")
    ] = False,
    scrape_interval: Annotated[
        float,
        typer.Option("--scrape-interval", min=1, help="Seconds between scrapes, for hints."),
    ] = 15.0,
    data: Annotated[
        pathlib.Path | None,
        typer.Option("--data", help="Samples of what the queries read, as for backtest."),
    ] = None,
    metric: options.MetricOption = None,
    matcher: options.MatcherOption = None,
) -> None:
    """Check policies offline: schema, PromQL and good sense.

    Exit code 0: no errors; 1: errors, or warnings with --strict; 2: nothing could be checked.
    """
    from prunella.cli import terminal  # noqa: PLC0415 - see main
    from prunella.cli.lint import check, report  # noqa: PLC0415
    from prunella.cli.lint.findings import Severity  # noqa: PLC0415
    from prunella.cli.lint.policy import Data  # noqa: PLC0415

    if data is None and (metric is not None or matcher):
        raise errors.CliError("--metric and --matcher are about samples: give --data too")
    samples = None if data is None else Data(data, metric, options.matchers(matcher))

    stdin = sys.stdin.read() if check.STANDARD_INPUT in files else ""
    total = check.Report()
    for name, text in check.texts(files, stdin):
        total += check.check_text(name, text, scrape_interval, samples)
    if not total.policies and not total.findings:
        raise errors.CliError(f"no RemediationPolicy of prunella.dev in {', '.join(files)}")
    report.FORMATS[output](total, terminal.out())
    failing = total.count(Severity.ERROR) + (total.count(Severity.WARNING) if strict else 0)
    raise typer.Exit(errors.NEGATIVE if failing else errors.OK)
