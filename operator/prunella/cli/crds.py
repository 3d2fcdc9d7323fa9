"""The command ``prunella crds``."""

from __future__ import annotations

import pathlib
import sys
from typing import Annotated

import typer

from prunella.cli.errors import CliError


def crds(
    directory: Annotated[
        pathlib.Path | None,
        typer.Option("--directory", help="Write a file for each into this folder instead."),
    ] = None,
) -> None:
    """Print the CRDs, for `kubectl apply --server-side --force-conflicts -f -`.

    Helm installs them once and never upgrades them; this is how they are upgraded.  The
    conflict that is forced is with Helm, which stays the owner of what it has installed.
    """
    from prunella.api import crdgen, resources  # noqa: PLC0415 - see main

    if directory is None:
        sys.stdout.write("---\n".join(crdgen.render(each) for each in resources.ALL))
        return
    for resource in resources.ALL:
        path = directory / f"{resource.name}.yaml"
        try:
            path.write_text(crdgen.render(resource), encoding="utf-8")
        except OSError as error:
            raise CliError(f"can't write {path}: {error.strerror}") from error
