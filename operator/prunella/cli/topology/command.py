"""The command ``prunella topology``."""

from __future__ import annotations

import enum
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from prunella.cli import errors, options
from prunella.cli.options import ContextOption, KubeconfigOption, NamespaceOption

if TYPE_CHECKING:
    from prunella import settings as settings_module


class Format(enum.StrEnum):
    """How the topology is shown."""

    TEXT = "text"
    DOT = "dot"
    HTML = "html"


def topology(
    namespace: NamespaceOption = None,
    everywhere: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--all-namespaces", "-A", help="Workloads of all namespaces.")
    ] = False,
    shown_as: Annotated[
        Format, typer.Option("--format", help="Text, DOT for Graphviz, or a page with a drawing.")
    ] = Format.TEXT,
    prometheus: Annotated[
        str | None,
        typer.Option(
            "--prometheus",
            envvar="PRUNELLA_PROMETHEUS",
            help="URL of a Prometheus with service-graph metrics.",
        ),
    ] = None,
    config: Annotated[
        pathlib.Path | None,
        typer.Option("--config", help="The operator's settings: the source and its credentials."),
    ] = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show who calls whom and what runs where, as incidents are told apart by it."""
    from prunella import logs  # noqa: PLC0415 - see main
    from prunella.cli import terminal  # noqa: PLC0415
    from prunella.cli.topology import drawn, read, written  # noqa: PLC0415

    logs.quiet()
    cluster = options.connect(kubeconfig, context, namespace)
    scope = None if everywhere else cluster.namespace
    found = read.read(cluster, scope, _source(prometheus, config))
    out = terminal.out()
    if shown_as is Format.HTML:
        out.file.write(drawn.page(found))
    elif shown_as is Format.DOT:
        out.file.writelines(f"{line}\n" for line in written.dot(found))
    else:
        written.text(found, out.width).print(out)


def _source(url: str | None, config: pathlib.Path | None) -> settings_module.Source | None:
    """The source of service-graph metrics; None when none is named. Raises CliError."""
    from prunella import settings  # noqa: PLC0415 - see main

    if config is None:
        return None if url is None else settings.Source(url=url)
    try:
        chosen = settings.load(config)
    except settings.SettingsError as error:
        raise errors.CliError(str(error)) from error
    name = chosen.intake.service_graph_source
    if name not in chosen.sources:
        raise errors.CliError(f"{config}: intake.serviceGraphSource: there is no source {name}")
    return chosen.sources[name]
