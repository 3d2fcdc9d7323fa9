"""Options that several commands share, and how commands reach terminal and cluster."""

from __future__ import annotations

import enum
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from prunella.cli import kube


class Output(enum.StrEnum):
    """How an answer is written."""

    TEXT = "text"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How the answer is written.")]
NamespaceOption = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Namespace; default: that of the context."),
]
ContextOption = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig; default: the current.")
]
KubeconfigOption = Annotated[
    pathlib.Path | None,
    typer.Option("--kubeconfig", help="Kubeconfig file; default: $KUBECONFIG, ~/.kube/config."),
]
OperatorNamespaceOption = Annotated[
    str,
    typer.Option(
        "--operator-namespace",
        envvar="PRUNELLA_NAMESPACE",
        help="Namespace that the operator runs in.",
    ),
]
OPERATOR_NAMESPACE = "prunella-system"


def connect(
    kubeconfig: pathlib.Path | None, context: str | None, namespace: str | None
) -> kube.Cluster:
    """The cluster that the options name; raises CliError when there is no way to it."""
    from prunella.cli import kube  # noqa: PLC0415 - the client takes a second to import

    return kube.connect(kubeconfig, context, namespace)
