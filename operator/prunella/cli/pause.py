"""The commands ``prunella pause`` and ``prunella resume``."""

from __future__ import annotations

from typing import Annotated

import typer

from prunella.cli import options
from prunella.cli.options import (
    ContextOption,
    KubeconfigOption,
    NamespaceOption,
    OperatorNamespaceOption,
)


def pause(
    reason: Annotated[
        str, typer.Option("--reason", help="Why; shown wherever an action is refused.")
    ] = "",
    operator_namespace: OperatorNamespaceOption = options.OPERATOR_NAMESPACE,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Stop new actions of all policies. Actions on their way are still verified."""
    from prunella.cli import switches, terminal  # noqa: PLC0415 - see main

    cluster = options.connect(kubeconfig, context, None)
    typer.echo(switches.pause(cluster, operator_namespace, reason, terminal.now()))


def resume(
    policy: Annotated[
        str | None,
        typer.Argument(
            metavar="[POLICY]",
            help="A policy that stopped itself, or crempol/NAME; none: end the pause.",
        ),
    ] = None,
    namespace: NamespaceOption = None,
    operator_namespace: OperatorNamespaceOption = options.OPERATOR_NAMESPACE,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """End the pause of all policies, or the latch or demotion of one."""
    from prunella.cli import switches, terminal  # noqa: PLC0415 - see main

    cluster = options.connect(kubeconfig, context, namespace)
    if policy is None:
        typer.echo(switches.resume_all(cluster, operator_namespace))
    else:
        typer.echo(switches.resume_policy(cluster, policy, terminal.now()))
