"""The command ``prunella``, also as the plugin ``kubectl prunella``.

Each command lives in a module of its own, which imports at its top only what its options need:
the clients and models that do the work take a second to import, and help should not wait for them.
A new command is one more line in ``COMMANDS``.

Exit codes of all commands: 0 done; 1 a finding or a negative answer; 2 used wrongly, or files,
cluster or rights did not let it work.
"""

from __future__ import annotations

import os
import pathlib
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

import prunella
from prunella.cli import (
    approve,
    audit,
    backtest,
    changes,
    crds,
    demo,
    errors,
    explain,
    incidents,
    logs,
    pause,
    run,
    status,
    test,
    trust,
    visible,
)
from prunella.cli import compile as compiling
from prunella.cli.doctor import command as doctor
from prunella.cli.lint import command as lint
from prunella.cli.playbooks import new, suggest
from prunella.cli.topology import command as topology

PLUGIN = "kubectl-prunella"

COMMANDS: tuple[Callable[..., None], ...] = (
    lint.lint,
    test.test,
    backtest.backtest,
    new.new,
    suggest.suggest,
    compiling.compile,
    status.status,
    explain.explain,
    logs.logs,
    incidents.incidents,
    incidents.why,
    incidents.confirm,
    topology.topology,
    doctor.doctor,
    changes.changes,
    approve.approve,
    approve.reject,
    trust.trust,
    audit.audit,
    pause.pause,
    pause.resume,
    crds.crds,
    run.run,
    demo.demo,
)
"""All commands, in the order in which help shows them."""

app = typer.Typer(
    help="Self-healing for Kubernetes by policy: guarded, explained and proved.",
    epilog="Exit codes: 0 done; 1 findings or a negative answer; 2 unusable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich's help would treble the time to show it.
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for each in COMMANDS:
    app.command()(each)


def _show_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"prunella {prunella.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[  # noqa: FBT002 - an option of the command line
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda wanted: _show_version(wanted=wanted),
            help="Show the version.",
        ),
    ] = False,
) -> None:
    """Take the options of the command itself."""


def program_name(argument: str) -> str:
    """The name in help texts, for the name that the program was started by."""
    return "kubectl prunella" if pathlib.Path(argument).stem == PLUGIN else "prunella"


def main() -> None:
    """Run a command; whatever goes wrong is one line on standard error and an exit code."""
    try:
        app(prog_name=program_name(sys.argv[0]))
    except errors.CliError as error:
        _fail(str(error), error.code)
    except BrokenPipeError:
        # The reader, such as head, has seen enough. Python would complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(errors.OK)
    except Exception as error:  # noqa: BLE001 - the last guard: users are never shown a traceback
        if os.environ.get("PRUNELLA_DEBUG"):
            traceback.print_exc()
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        _fail(f"this is a defect of prunella, not yours: {what} (see PRUNELLA_DEBUG=1)", 2)


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"error: {visible.visible(message)}\n")
    sys.exit(code)
