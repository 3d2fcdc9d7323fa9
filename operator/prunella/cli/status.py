"""The command ``prunella status``."""

from __future__ import annotations

from typing import Annotated

import typer

from prunella.cli import options
from prunella.cli.options import (
    ContextOption,
    KubeconfigOption,
    NamespaceOption,
    OperatorNamespaceOption,
    Output,
    OutputOption,
)


def status(
    namespace: NamespaceOption = None,
    everywhere: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--all-namespaces", "-A", help="Policies of all namespaces.")
    ] = False,
    output: OutputOption = Output.TEXT,
    recent: Annotated[
        int, typer.Option("--recent", min=0, help="How many remediations to show.")
    ] = 10,
    operator_namespace: OperatorNamespaceOption = options.OPERATOR_NAMESPACE,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show policies: what they see, why they act or not, what they did."""
    from prunella.cli import overview, read, terminal  # noqa: PLC0415 - see main

    cluster = options.connect(kubeconfig, context, namespace)
    scope = None if everywhere else cluster.namespace
    found = read.overview(cluster, scope, operator_namespace)
    if output is Output.JSON:
        overview.as_json(found, recent, terminal.out())
    else:
        overview.as_text(found, recent, terminal.now(), terminal.out(), scope)
