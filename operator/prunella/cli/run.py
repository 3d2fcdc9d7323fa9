"""`prunella run`: the operator itself."""

from __future__ import annotations

import asyncio
import os
import pathlib
import sys
from typing import Annotated

import typer

from prunella.cli import errors, options

ConfigOption = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--config", envvar="PRUNELLA_CONFIG", help="Settings file (YAML), as the chart writes it."
    ),
]


def run(
    config: ConfigOption = None,
    kubeconfig: options.KubeconfigOption = None,
    context: options.ContextOption = None,
) -> None:
    """Run the operator until it is told to stop."""
    from prunella import logs, ports, process, settings  # noqa: PLC0415 - help should not wait

    try:
        chosen = settings.load(config) if config is not None else settings.Settings()
        logs.configure(chosen.log_format, chosen.log_level)
        code = asyncio.run(process.run(chosen, kubeconfig, context))
    except (settings.SettingsError, ports.ClusterError, OSError) as error:
        raise errors.CliError(str(error)) from error
    sys.stderr.flush()
    # A thread that hangs in a request must not keep a stopped operator alive.
    os._exit(code)
