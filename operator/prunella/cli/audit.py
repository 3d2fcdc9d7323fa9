"""The command ``prunella audit``."""

from __future__ import annotations

import enum
import pathlib
from typing import Annotated

import typer

from prunella.cli import options
from prunella.cli.options import ContextOption, KubeconfigOption, NamespaceOption


class Task(enum.StrEnum):
    """What to do with a file."""

    VERIFY = "verify"


def audit(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    task: Annotated[
        Task | None, typer.Argument(metavar="[verify]", help="Check a file; none: export.")
    ] = None,
    file: Annotated[
        pathlib.Path | None, typer.Argument(metavar="[FILE]", help="The file to check.")
    ] = None,
    output: Annotated[
        pathlib.Path | None,
        typer.Option("--output", help="The file to export to; one that is there is continued."),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="DURATION", help="Remediations that ended since.")
    ] = "180d",
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="HASH", help="With verify: the last hash as it was told."),
    ] = None,
    namespace: NamespaceOption = None,
    everywhere: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--all-namespaces", "-A", help="Remediations of all namespaces.")
    ] = False,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Export ended remediations as chained JSON lines, or check such a file."""
    from prunella.cli import audit_file, terminal  # noqa: PLC0415 - see main

    if task is Task.VERIFY:
        typer.echo(audit_file.verify(file, expect))
        return
    target = audit_file.chosen(file, output)
    cluster = options.connect(kubeconfig, context, namespace)
    scope = None if everywhere else cluster.namespace
    typer.echo(audit_file.export(cluster, scope, target, since, terminal.now()))
