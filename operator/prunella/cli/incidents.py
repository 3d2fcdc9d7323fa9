"""The commands ``prunella incidents``, ``prunella why`` and ``prunella confirm``."""

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


def incidents(
    namespace: NamespaceOption = None,
    everywhere: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--all-namespaces", "-A", help="Incidents of all namespaces.")
    ] = False,
    resolved: Annotated[
        int, typer.Option("--resolved", min=0, help="How many that are over to show.")
    ] = 10,
    output: OutputOption = Output.TEXT,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show incidents: what is sick together, and the likely cause."""
    from prunella.cli import incident_list, terminal  # noqa: PLC0415 - see main

    cluster = options.connect(kubeconfig, context, namespace)
    scope = None if everywhere else cluster.namespace
    found = incident_list.read(cluster, scope, resolved)
    if output is Output.JSON:
        incident_list.as_json(found, terminal.out())
    else:
        incident_list.as_text(found, terminal.now(), terminal.out(), scope)


def why(
    what: Annotated[
        str,
        typer.Argument(
            metavar="INCIDENT|WORKLOAD", help="inc-NAME, or KIND/NAME or NAME of what is sick."
        ),
    ],
    namespace: NamespaceOption = None,
    output: OutputOption = Output.TEXT,
    operator_namespace: OperatorNamespaceOption = options.OPERATOR_NAMESPACE,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Tell what an incident is about, its likely cause, what was ruled out and what was done."""
    from prunella.cli import incident_list, incident_page, terminal  # noqa: PLC0415 - see main

    cluster = options.connect(kubeconfig, context, namespace)
    found = incident_list.one(cluster, what, operator_namespace)
    if output is Output.JSON:
        incident_list.as_json([found], terminal.out())
    else:
        incident_page.as_text(found, terminal.now(), terminal.out())


def confirm(
    name: Annotated[str, typer.Argument(metavar="INCIDENT", help="inc-NAME.")],
    suspect: Annotated[
        str | None,
        typer.Argument(
            metavar="[SUSPECT]", help="KIND/NAME, or its number; default: the first suspect."
        ),
    ] = None,
    reject: Annotated[  # noqa: FBT002 - an option of the command line
        bool,
        typer.Option("--reject", help="It was not this one; without SUSPECT: none of them."),
    ] = False,
    namespace: NamespaceOption = None,
    operator_namespace: OperatorNamespaceOption = options.OPERATOR_NAMESPACE,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Say which suspect was the cause of an incident, or which was not."""
    from prunella.cli import incident_list, incident_words, terminal  # noqa: PLC0415 - see main

    cluster = options.connect(kubeconfig, context, namespace)
    found = incident_list.one(cluster, name, operator_namespace)
    said = incident_words.say(cluster, found, suspect, terminal.now(), reject=reject)
    terminal.out().print(said, soft_wrap=True)
