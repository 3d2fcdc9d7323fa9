"""The command ``prunella logs``."""

from __future__ import annotations

from typing import Annotated

import typer

from prunella.cli import explain, options
from prunella.cli.errors import CliError
from prunella.cli.options import (
    ContextOption,
    KubeconfigOption,
    NamespaceOption,
    Output,
    OutputOption,
)


def logs(
    what: Annotated[
        str, typer.Argument(metavar="remediation/NAME", help="remediation/NAME or rem/NAME.")
    ],
    namespace: NamespaceOption = None,
    output: OutputOption = Output.TEXT,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show what was kept before a remediation, and the log of what it has started."""
    kind, slash, name = what.partition("/")
    if not (slash and name) or kind.lower() not in explain.RECORD:
        raise CliError(f"no logs of {what!r}: write remediation/NAME")
    from prunella.cli import kept_logs, terminal  # noqa: PLC0415 - see main

    cluster = options.connect(kubeconfig, context, namespace)
    found = kept_logs.read_kept(cluster, name)
    if output is Output.JSON:
        kept_logs.as_json(found, terminal.out())
    else:
        kept_logs.as_text(found, terminal.out())
