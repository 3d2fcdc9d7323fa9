"""The command ``prunella test``."""

# ruff: noqa: PT028 - a command of this name, whose options have defaults; no test of pytest

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from prunella.cli import errors, options

if TYPE_CHECKING:
    from prunella.cli.testing import report

JunitOption = Annotated[
    pathlib.Path | None, typer.Option("--junit", help="Write the results there as JUnit's XML.")
]
CaseOption = Annotated[
    str, typer.Option("--case", help="Only cases whose name fits: '*rolled back*'.")
]
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", min=0, help="Cases played at a time; 0: one for each CPU.")
]


def test(
    files: Annotated[list[str], typer.Argument(metavar="FILES", help="Test files, or folders.")],
    output: options.OutputOption = options.Output.TEXT,
    junit: JunitOption = None,
    fail_only: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--fail-only", help="Show only what failed.")
    ] = False,
    case: CaseOption = "*",
    jobs: JobsOption = 0,
) -> None:
    """Test policies offline: the real engine plays stories written in YAML.

    Exit code 0: all cases passed; 1: a case failed; 2: a test or policy can't be read.
    """
    from prunella.cli import terminal  # noqa: PLC0415 - see main
    from prunella.cli.testing import load, play, report  # noqa: PLC0415

    tests, problems = load.load(files)
    if problems:
        lines = "\n".join(map(str, problems))
        raise errors.CliError(f"nothing was run:\n{lines}")
    results = play.play(tests, case, jobs)
    if not results:
        raise errors.CliError(f"no case of a PolicyTest in {', '.join(files)}")
    if junit is not None:
        _write(junit, report.as_junit(results))
    if output is options.Output.JSON:
        report.as_json(results, terminal.out())
    else:
        report.as_text(results, terminal.out(), fail_only=fail_only)
    raise typer.Exit(_code(results))


def _write(path: pathlib.Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise errors.CliError(f"can't write {path}: {error.strerror}") from error


def _code(results: Sequence[report.FileResult]) -> int:
    return errors.OK if all(result.passed for result in results) else errors.NEGATIVE
