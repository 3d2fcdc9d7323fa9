"""The command ``prunella suggest``."""

from __future__ import annotations

import pathlib
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from prunella.cli import backtest, errors, options

if TYPE_CHECKING:
    from prunella.cli import kube
    from prunella.cli.playbooks import fitting, suggestions

PlaybookOption = Annotated[
    list[str] | None, typer.Option("--playbook", help="Only this one; may be repeated.")
]
FolderOption = Annotated[
    pathlib.Path | None,
    typer.Option("--out", help="Write a file for each policy into this folder."),
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", help="Begin: -30d, or a time; default -7d or all of --data."),
]


def suggest(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    namespace: options.NamespaceOption = None,
    prometheus: backtest.PrometheusOption = None,
    data: backtest.DataOption = None,
    playbook: PlaybookOption = None,
    target: backtest.TargetOption = None,
    begin: FromOption = None,
    end: backtest.ToOption = None,
    out: FolderOption = None,
    output: options.OutputOption = options.Output.TEXT,
    config: backtest.ConfigOption = None,
    kubeconfig: options.KubeconfigOption = None,
    context: options.ContextOption = None,
) -> None:
    """Write Advise policies of the playbooks that have data here, with what each would have done.

    Nothing is sent to a cluster. Exit code 0: there are some; 1: none has data; 2: the history
    could not be read.
    """
    from prunella import logs  # noqa: PLC0415 - see main
    from prunella.cli import backtest_session as session  # noqa: PLC0415
    from prunella.cli.playbooks import filled, suggestions  # noqa: PLC0415

    logs.quiet()
    if (data is None) == (prometheus is None and config is None):
        raise errors.CliError("say where the history is: --prometheus URL or --data PATH")
    settings = session.settings(config)
    chosen = data is None or kubeconfig is not None or context is not None
    place, workloads = (
        _cluster(namespace, kubeconfig, context)
        if chosen
        else (namespace or session.DEFAULT_NAMESPACE, None)
    )
    found = suggestions.run(
        suggestions.Asked(
            namespace=place,
            settings=settings,
            url=prometheus or "",
            data=data,
            begin=begin,
            end=end,
            playbooks=tuple(playbook or ()),
            targets=tuple(filled.target(each, place) for each in target or ()),
            workloads=workloads or frozenset(),
        )
    )
    _show(found, out, output)
    if not found.suggestions:
        raise typer.Exit(errors.NEGATIVE)


def _show(found: suggestions.Found, out: pathlib.Path | None, output: options.Output) -> None:
    """Write files where they are wanted, and print."""
    from prunella.cli.playbooks import shown  # noqa: PLC0415 - see main

    if out is not None:
        shown.write(found, out)
    if output is options.Output.JSON:
        shown.as_json(found, sys.stdout)
    elif out is not None:
        shown.as_table(found)
    else:
        shown.as_yaml(found, sys.stdout)


def _items(cluster: kube.Cluster, path: str, *, optional: bool) -> list[kube.Object]:
    """A list; none of a kind that not every cluster has, or lets be read. Raises KubeError."""
    from prunella.cli import kube  # noqa: PLC0415

    try:
        return cluster.items(path)
    except kube.KubeError as error:
        if optional and error.status in {403, 404}:
            return []
        raise


def _cluster(
    namespace: str | None, kubeconfig: pathlib.Path | None, context: str | None
) -> tuple[str, fitting.Workloads | None]:
    """The namespace and its workloads; None where no cluster was named and none is reached.

    Then they are what series tell of.  Raises CliError where one was named, or no namespace.
    """
    from prunella.adapters.kubernetes import kinds  # noqa: PLC0415
    from prunella.cli import kube, terminal  # noqa: PLC0415

    try:
        cluster = options.connect(kubeconfig, context, namespace)
        place = cluster.namespace
        found = {
            (kind.name, raw["metadata"]["name"])
            for kind in kinds.TARGETS.values()
            for raw in _items(cluster, kind.path(place), optional=kind is kinds.ROLLOUT)
        }
    except kube.KubeError as error:
        if kubeconfig is not None or context is not None or namespace is None:
            raise
        terminal.err().print(f"no cluster is asked, only series: {error}", soft_wrap=True)
        return namespace, None
    if not found:
        raise errors.CliError(f"namespace {place} has no {', '.join(kinds.TARGETS)}")
    return place, frozenset(found)
