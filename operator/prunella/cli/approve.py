"""The commands ``prunella approve`` and ``prunella reject``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from prunella.cli import errors, options
from prunella.cli.options import ContextOption, KubeconfigOption, NamespaceOption

if TYPE_CHECKING:
    from prunella.cli import kube

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Decide without being asked.")]


def approve(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAMESPACE/REMEDIATION]", help="What to approve; none: show what waits."
        ),
    ] = None,
    reason: ReasonOption = "",
    yes: YesOption = False,  # noqa: FBT002 - an option of the command line
    everywhere: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--all-namespaces", "-A", help="Without a name: of all namespaces.")
    ] = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show a plan that waits for a person, and approve it; without a name, what waits."""
    from prunella.cli import decisions, terminal  # noqa: PLC0415 - see main

    cluster = options.connect(kubeconfig, context, namespace)
    if name is None:
        scope = None if everywhere else cluster.namespace
        decisions.show_waiting(cluster, scope, terminal.now(), terminal.out())
        return
    _decide(cluster, name, reason, yes=yes, approves=True)


def reject(
    name: Annotated[
        str, typer.Argument(metavar="NAMESPACE/REMEDIATION", help="What is not to be done.")
    ],
    reason: ReasonOption = "",
    yes: YesOption = False,  # noqa: FBT002 - an option of the command line
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show a plan that waits for a person, and say no; it is not asked again in this illness."""
    cluster = options.connect(kubeconfig, context, namespace)
    _decide(cluster, name, reason, yes=yes, approves=False)


def _decide(cluster: kube.Cluster, name: str, reason: str, *, yes: bool, approves: bool) -> None:
    from prunella.api import approval  # noqa: PLC0415 - see main
    from prunella.cli import decisions, terminal  # noqa: PLC0415 - see main

    verdict = approval.Verdict.APPROVE if approves else approval.Verdict.REJECT
    record = decisions.waiting(cluster, name, terminal.now())
    decisions.show(cluster, record, terminal.now(), terminal.out())
    if not yes and not typer.confirm(f"\n{verdict} this plan?"):
        raise errors.CliError("nothing was decided", code=1)
    typer.echo(decisions.say(cluster, record, verdict, reason))
