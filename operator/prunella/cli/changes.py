"""The command ``prunella changes``."""

from __future__ import annotations

from typing import Annotated

import typer

from prunella.cli import options
from prunella.cli.options import (
    ContextOption,
    KubeconfigOption,
    NamespaceOption,
    Output,
    OutputOption,
)


def changes(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    namespace: NamespaceOption = None,
    everywhere: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--all-namespaces", "-A", help="Changes in all namespaces.")
    ] = False,
    around: Annotated[
        str | None,
        typer.Option(
            "--around",
            metavar="TIME",
            help="Changes near a moment: 2026-01-31T08:30:00Z, 08:30, or 20m for 20 minutes ago.",
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DURATION", help="Changes of the last 2h.")
    ] = None,
    workload: Annotated[
        str | None,
        typer.Option("--workload", metavar="KIND/NAME", help="Changes of one object."),
    ] = None,
    scaling: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--scaling", help="Also what autoscalers did.")
    ] = False,
    output: OutputOption = Output.TEXT,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show what changed: which object, when, by whom, which fields."""
    from prunella.cli import journal, terminal  # noqa: PLC0415 - see main

    wanted = journal.wanted(around, since, workload, terminal.now(), scaling=scaling)
    cluster = options.connect(kubeconfig, context, namespace)
    scope = None if everywhere else cluster.namespace
    found = journal.read(cluster, scope, wanted)
    if output is Output.JSON:
        journal.as_json(found, terminal.out())
    else:
        journal.as_text(found, wanted, scope, terminal.now(), terminal.out())
