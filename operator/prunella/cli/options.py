"""Options that several commands share, and how commands reach terminal and cluster."""

from __future__ import annotations

import enum
import pathlib
import re
from typing import TYPE_CHECKING, Annotated

import typer

from prunella.cli import errors

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
MatcherOption = Annotated[
    list[str] | None,
    typer.Option(
        "--matcher",
        metavar="SOURCE:LABEL=VALUE",
        help="A matcher of a source, as in the operator's settings. Can be repeated.",
    ),
]
MetricOption = Annotated[
    str | None,
    typer.Option("--metric", help="Name of the series of --data that have none of their own."),
]
_LABEL = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
OPERATOR_NAMESPACE = "prunella-system"


def connect(
    kubeconfig: pathlib.Path | None, context: str | None, namespace: str | None
) -> kube.Cluster:
    """The cluster that the options name; raises CliError when there is no way to it."""
    from prunella.cli import kube  # noqa: PLC0415 - the client takes a second to import

    return kube.connect(kubeconfig, context, namespace)


def pairs(option: str, values: list[str] | None) -> dict[str, str]:
    """What an option gives as KEY=VALUE. Raises CliError."""
    split = [value.partition("=") for value in values or ()]
    for name, equals, text in split:
        if not (name and equals and text):
            raise errors.CliError(f"{option} must be KEY=VALUE, found {name}{equals}{text}")
    return {name: text for name, _, text in split}


def matchers(values: list[str] | None) -> dict[str, dict[str, str]]:
    """The matchers of each source that ``--matcher`` names. Raises CliError."""
    chosen: dict[str, dict[str, str]] = {}
    for text in values or ():
        source, colon, pair = text.partition(":")
        if not (source and colon):
            raise errors.CliError(f"--matcher must be SOURCE:LABEL=VALUE, found {text}")
        for label, value in pairs("--matcher", [pair]).items():
            if not _LABEL.fullmatch(label):
                raise errors.CliError(f"--matcher {text}: {label} is no name of a label")
            chosen.setdefault(source, {})[label] = value
    return chosen
