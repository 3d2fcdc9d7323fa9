"""The command ``prunella trust``."""

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


def trust(
    policy: Annotated[
        str | None, typer.Argument(metavar="[POLICY]", help="One policy in full; none: a table.")
    ] = None,
    namespace: NamespaceOption = None,
    everywhere: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--all-namespaces", "-A", help="Policies of all namespaces.")
    ] = False,
    output: OutputOption = Output.TEXT,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show what the actions of policies were worth, and the mode that this supports."""
    from prunella.cli import scoreboard, terminal  # noqa: PLC0415 - see main

    cluster = options.connect(kubeconfig, context, namespace)
    scope = None if everywhere else cluster.namespace
    found = scoreboard.read(cluster, scope, policy)
    if output is Output.JSON:
        scoreboard.as_json(found, terminal.out())
    elif policy is not None:
        scoreboard.as_page(found[0], terminal.now(), terminal.out())
    else:
        scoreboard.as_table(found, scope, terminal.out())
