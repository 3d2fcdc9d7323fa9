"""`prunella backtest`: what a policy would have done on the history of a Prometheus or of files."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from prunella.cli import errors, options

INTERRUPTED = 130

PrometheusOption = Annotated[
    str | None,
    typer.Option("--prometheus", envvar="PRUNELLA_PROMETHEUS", help="URL of a Prometheus."),
]
DataOption = Annotated[
    pathlib.Path | None,
    typer.Option("--data", help="File or folder: CSV, Parquet, OpenMetrics, promtool tsdb dump."),
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", help="Begin: -30d, or a time; default -30d or all of --data."),
]
ToOption = Annotated[str | None, typer.Option("--to", help="End: now, -1d, or a time.")]
TargetOption = Annotated[
    list[str] | None, typer.Option("--target", help="Only this workload; may be repeated.")
]
LabelsOption = Annotated[
    pathlib.Path | None, typer.Option("--labels", help="CSV or JSON of known incidents.")
]
AgainstOption = Annotated[
    pathlib.Path | None, typer.Option("--against", help="An older policy to compare with.")
]
ReportOption = Annotated[
    pathlib.Path | None, typer.Option("--report", help="Write a page with charts to this file.")
]
ConfigOption = Annotated[
    pathlib.Path | None,
    typer.Option("--config", help="The operator's settings: sources, limits, labels."),
]
NameOption = Annotated[
    str | None, typer.Option("--name", help="The policy, where a file holds several.")
]
StepsOption = Annotated[
    bool, typer.Option("--every-step", help="Run the engine where nothing can happen, too.")
]


def backtest(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    policy: Annotated[pathlib.Path, typer.Argument(metavar="POLICY", help="The policy's file.")],
    prometheus: PrometheusOption = None,
    data: DataOption = None,
    metric: options.MetricOption = None,
    begin: FromOption = None,
    end: ToOption = None,
    target: TargetOption = None,
    labels: LabelsOption = None,
    against: AgainstOption = None,
    output: options.OutputOption = options.Output.TEXT,
    report: ReportOption = None,
    config: ConfigOption = None,
    name: NameOption = None,
    namespace: options.NamespaceOption = None,
    every_step: StepsOption = False,  # noqa: FBT002 - an option of the command line
) -> None:
    """Try a policy on history: what it would have found and done, and what would have refused.

    Exit code 0: done; 2: the policy or the history could not be read; 130: interrupted, and
    what was done until then is shown.
    """
    from prunella import logs  # noqa: PLC0415 - see main
    from prunella.backtest import page  # noqa: PLC0415
    from prunella.cli import backtest_session as session  # noqa: PLC0415

    logs.quiet()
    if (data is None) == (prometheus is None and config is None):
        raise errors.CliError("say where the history is: --prometheus URL or --data PATH")
    if report is not None:
        session.guarded(page.check)
    asked = session.Asked(
        policy=session.read_policy(policy, name, namespace),
        against=None if against is None else session.read_policy(against, name, namespace),
        labels=None if labels is None else session.read_labels(labels),
        settings=session.settings(config),
        url=prometheus or "",
        data=data,
        begin=begin,
        end=end,
        names=tuple(target or ()),
        every_step=every_step,
        metric=metric,
    )
    done = session.run(asked)
    if report is not None:
        session.write_report(done, report)
    session.show(done, output)
    if not done.complete:
        raise typer.Exit(INTERRUPTED)
