"""The command ``prunella new``."""

from __future__ import annotations

import pathlib
import sys
from typing import Annotated

import typer

from prunella.cli import errors, options

TargetOption = Annotated[
    str | None,
    typer.Option("--target", metavar="KIND/NAME", help="The workload, as Deployment/checkout."),
]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Name of the policy; default: WORKLOAD-PLAYBOOK.")
]
OutOption = Annotated[pathlib.Path | None, typer.Option("--out", help="Write it to this new file.")]


def new(
    playbook: Annotated[
        str | None, typer.Argument(metavar="PLAYBOOK", help="Its name; without: lists all.")
    ] = None,
    target: TargetOption = None,
    namespace: options.NamespaceOption = None,
    name: NameOption = None,
    out: OutOption = None,
    kubeconfig: options.KubeconfigOption = None,
    context: options.ContextOption = None,
) -> None:
    """Write a policy from a ready playbook to start from, in mode Advise.

    Without PLAYBOOK it lists what there is. Nothing is sent to a cluster.
    """
    from prunella.cli.playbooks import filled, shelf  # noqa: PLC0415 - see main

    if playbook is None:
        show()
        return
    chosen = shelf.read(playbook)
    if target is None:
        raise errors.CliError("say which workload: --target KIND/NAME, as Deployment/checkout")
    filled.target(target, "")
    place = namespace or options.connect(kubeconfig, context, None).namespace
    ref = filled.target(target, place)
    text = filled.fill(chosen, ref, name or filled.default_name(chosen, ref))
    if out is None:
        sys.stdout.write(text)
    else:
        write(out, text)


def show() -> None:
    """List the playbooks with what each is for."""
    from prunella.cli import terminal  # noqa: PLC0415
    from prunella.cli.playbooks import shelf  # noqa: PLC0415

    found = [shelf.read(each) for each in shelf.names()]
    width = max(len(each.name) for each in found)
    for each in found:
        terminal.out().print(f"{each.name:{width}}  {each.symptom}", soft_wrap=True)


def write(path: pathlib.Path, text: str) -> None:
    """Write a new file; what is there stays. Raises CliError."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise errors.CliError(f"{path} is there already: choose another, or remove it") from error
    except OSError as error:
        raise errors.CliError(f"can't write {path}: {error.strerror}") from error
