"""The command ``prunella doctor``."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from prunella.cli import errors, options
from prunella.cli.options import (
    ContextOption,
    KubeconfigOption,
    NamespaceOption,
    OperatorNamespaceOption,
    Output,
    OutputOption,
)


def doctor(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    namespace: NamespaceOption = None,
    everywhere: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--all-namespaces", "-A", help="Policies of all namespaces.")
    ] = False,
    config: Annotated[
        pathlib.Path | None,
        typer.Option("--config", help="The operator's settings; default: its ConfigMap."),
    ] = None,
    prometheus: Annotated[
        str | None,
        typer.Option(
            "--prometheus",
            envvar="PRUNELLA_PROMETHEUS",
            help="URL of the source `default` as it is reached from here.",
        ),
    ] = None,
    strict: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--strict", help="Warnings fail the run too.")
    ] = False,
    output: OutputOption = Output.TEXT,
    operator_namespace: OperatorNamespaceOption = options.OPERATOR_NAMESPACE,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Look for what keeps the operator from seeing, mapping and acting, and say what to do.

    Exit code 0: no problem; 1: problems, or warnings with --strict; 2: nothing could be checked.
    """
    from prunella import logs  # noqa: PLC0415 - see main
    from prunella.cli import terminal  # noqa: PLC0415
    from prunella.cli.doctor import examination, installed, report  # noqa: PLC0415
    from prunella.cli.doctor.found import Level  # noqa: PLC0415

    logs.quiet()
    cluster = options.connect(kubeconfig, context, namespace)
    operator = installed.find(cluster, operator_namespace, config, prometheus)
    scope = None if everywhere else cluster.namespace
    done = examination.examine(cluster, operator, scope, terminal.now)
    report.FORMATS[output](done, operator, terminal.out())
    failing = done.count(Level.PROBLEM) + (done.count(Level.WARNING) if strict else 0)
    raise typer.Exit(errors.NEGATIVE if failing else errors.OK)
