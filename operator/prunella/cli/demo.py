"""`prunella demo`: the whole story in a minute, on the simulator or on a real cluster."""

from __future__ import annotations

import asyncio
import enum
import pathlib
from typing import Annotated

import typer

from prunella.cli import errors, options


class Stage(enum.StrEnum):
    """Where the demo is played."""

    SIMULATOR = "simulator"
    CURRENT = "current"


class Fault(enum.StrEnum):
    """What the demo is made to fail by."""

    NONE = "none"
    WRONG_ACTION = "wrong-action"
    METRICS_STOP = "metrics-stop"
    NO_GUARDS = "no-guards"


StageOption = Annotated[
    Stage, typer.Option("--cluster", help="The simulator, or the current kubeconfig context.")
]
FaultOption = Annotated[
    Fault, typer.Option("--fault", help="Build in a fault: the demo must then exit with 1.")
]
PaceOption = Annotated[
    float, typer.Option("--pace", min=0.0, help="Real seconds for each simulated second.")
]
PrometheusOption = Annotated[
    str | None,
    typer.Option(
        "--prometheus",
        envvar="PRUNELLA_PROMETHEUS",
        help="URL of one that reports the demo's pods; default: the demo runs its own there.",
    ),
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Play it also on a cluster that is no playground.")
]
PLAYGROUNDS = ("kind-", "kwok-")
"""Contexts of clusters that are made to be played with begin like this."""


def demo(
    cluster: StageOption = Stage.SIMULATOR,
    fault: FaultOption = Fault.NONE,
    pace: PaceOption = 0.12,
    prometheus: PrometheusOption = None,
    kubeconfig: options.KubeconfigOption = None,
    context: options.ContextOption = None,
    yes: YesOption = False,  # noqa: FBT002 - an option of the command line
) -> None:
    """Heal a bad release before your eyes; exit 0 only when it is healed and proved."""
    import rich.console  # noqa: PLC0415 - help should not wait

    from prunella import logs, ports  # noqa: PLC0415
    from prunella.demo import real, simulated, story, view  # noqa: PLC0415

    if cluster is Stage.CURRENT and not yes:
        check_playground(kubeconfig, context)
    logs.quiet()
    console = rich.console.Console()
    chosen = story.Fault(fault.value)
    stage = simulated.SimulatedStage if cluster is Stage.SIMULATOR else real.RealStage
    shown = view.open_view(console, stage.title)
    try:
        if cluster is Stage.SIMULATOR:
            work = simulated.play(chosen, shown.show, pace=pace)
        else:
            work = real.play(chosen, shown.show, prometheus, kubeconfig, context)
        healed = asyncio.run(work)
    except ports.ClusterError as error:
        raise errors.CliError(str(error)) from error
    finally:
        shown.close()
    if not healed:
        raise errors.CliError("the target was not healed and proved so", code=errors.NEGATIVE)
    console.print("healed and proved", style="bold green", highlight=False)


def check_playground(kubeconfig: pathlib.Path | None, context: str | None) -> None:
    """Make sure that nobody plays on production by mistake. Raises CliError."""
    from prunella.cli import kube  # noqa: PLC0415 - the client takes a second to import

    name = kube.context_name(kubeconfig, context)
    if not name.startswith(PLAYGROUNDS):
        raise errors.CliError(
            f"context {name} is no kind or lab cluster: the demo would create the namespace "
            "prunella-demo there, and missing CRDs, and delete them again; --yes if you mean it"
        )
