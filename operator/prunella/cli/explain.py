"""The command ``prunella explain``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from prunella.cli import options
from prunella.cli.errors import CliError
from prunella.cli.options import (
    ContextOption,
    KubeconfigOption,
    NamespaceOption,
    Output,
    OutputOption,
)

RECORD = frozenset({"rem", "remediation", "remediations", "remediations.prunella.dev"})
POLICY = frozenset(
    {
        "policy",
        "policies",
        "rempol",
        "remediationpolicy",
        "remediationpolicies",
        "remediationpolicies.prunella.dev",
    }
)

CLUSTER_POLICY = frozenset(
    {
        "crempol",
        "clusterremediationpolicy",
        "clusterremediationpolicies",
        "clusterremediationpolicies.prunella.dev",
    }
)


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="KIND/NAME", help="remediation/NAME, rem/NAME, policy/NAME or crempol/NAME."
        ),
    ],
    namespace: NamespaceOption = None,
    output: OutputOption = Output.TEXT,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Tell why a remediation or policy did what it did."""
    kind, slash, name = what.partition("/")
    if not (slash and name) or kind.lower() not in RECORD | POLICY | CLUSTER_POLICY:
        raise CliError(
            f"can't explain {what!r}: write remediation/NAME, policy/NAME or crempol/NAME"
        )
    from prunella.adapters.kubernetes import kinds  # noqa: PLC0415 - see main
    from prunella.cli import explain_policy, explain_record, terminal  # noqa: PLC0415

    cluster = options.connect(kubeconfig, context, namespace)
    about: Any = explain_record if kind.lower() in RECORD else explain_policy
    which = {"kind": kinds.CLUSTER_POLICY} if kind.lower() in CLUSTER_POLICY else {}
    if output is Output.JSON:
        about.as_json(cluster, name, terminal.out(), **which)
    else:
        about.as_text(cluster, name, terminal.now(), terminal.out(), **which)
