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
    policy: Annotated[
        str | None,
        typer.Argument(metavar="[POLICY]", help="Pause one policy; none: a namespace, or all."),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; shown wherever an action is refused.")
    ] = "",
    namespace: NamespaceOption = None,
    operator_namespace: OperatorNamespaceOption = options.OPERATOR_NAMESPACE,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Stop new actions: of all policies, of a namespace (-n), or of one policy.

    Actions on their way are still verified.
    """
    from prunella.adapters.kubernetes import kinds  # noqa: PLC0415 - see main
    from prunella.cli import read, switches, terminal  # noqa: PLC0415
    from prunella.core.decisions import halts  # noqa: PLC0415

    cluster = options.connect(kubeconfig, context, namespace)
    scope = ""
    if policy is not None:
        read.named(cluster, kinds.POLICY, policy)
        scope = halts.scope(cluster.namespace, policy)
    elif namespace is not None:
        scope = halts.scope(namespace)
    typer.echo(switches.pause(cluster, operator_namespace, scope, reason, terminal.now()))


def resume(
    policy: Annotated[
        str | None,
        typer.Argument(
            metavar="[POLICY]",
            help="A stopped policy, or crempol/NAME; none: end the pause of -n, or of all.",
        ),
    ] = None,
    namespace: NamespaceOption = None,
    operator_namespace: OperatorNamespaceOption = options.OPERATOR_NAMESPACE,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """End the pause of all policies, of a namespace (-n), or whatever stops one policy."""
    from prunella.cli import pausing, switches, terminal  # noqa: PLC0415 - see main
    from prunella.core.decisions import halts  # noqa: PLC0415

    cluster = options.connect(kubeconfig, context, namespace)
    if policy is not None:
        now = terminal.now()
        for told in switches.resume_whatever_stops(cluster, operator_namespace, policy, now):
            typer.echo(told)
    else:
        scope = halts.scope(namespace) if namespace is not None else ""
        typer.echo(pausing.resume(cluster, operator_namespace, scope))
