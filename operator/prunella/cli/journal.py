"""Changes as `prunella changes` reads, chooses and shows them."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import textwrap
from collections.abc import Sequence
from typing import Final

import pydantic
from rich import console as rich_console
from rich import text

from prunella.adapters.kubernetes import kinds
from prunella.adapters.kubernetes.journal import changes
from prunella.api import change as change_api
from prunella.api import types
from prunella.cli import kube, terminal
from prunella.cli.errors import CliError
from prunella.core.changes import summary
from prunella.core.changes.values import Change

NEAR: Final = datetime.timedelta(minutes=30)
DEFAULT_SINCE: Final = datetime.timedelta(hours=24)
_MOST_FIELDS: Final = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Which Changes to show."""

    first: datetime.datetime
    last: datetime.datetime
    around: datetime.datetime | None = None
    kind: str = ""
    name: str = ""
    scaling: bool = False

    def has(self, change: Change) -> bool:
        """Whether a Change is wanted."""
        target = change.spec.object
        return (
            self.first <= change.at <= self.last
            and self.kind in ("", target.kind.lower())
            and self.name in ("", target.name)
            and (self.scaling or change.class_ is not change_api.Class.SCALING)
        )


def wanted(
    around: str | None,
    since: str | None,
    workload: str | None,
    now: datetime.datetime,
    *,
    scaling: bool = False,
) -> Wanted:
    """What the options ask for. Raises CliError."""
    if around is not None and since is not None:
        raise CliError("--around and --since exclude each other: give one of them")
    kind, slash, name = (workload or "").partition("/")
    if workload is not None and not (kind and slash and name):
        raise CliError(f"--workload must be KIND/NAME, as deployment/checkout, found {workload}")
    kind = kind.lower()
    if around is not None:
        at = _moment(around, now)
        return Wanted(at - NEAR, at + NEAR, at, kind, name, scaling)
    length = _duration("--since", since) if since is not None else DEFAULT_SINCE
    # Clocks differ: what the cluster has dated a little ahead is not left out.
    return Wanted(now - length, now + NEAR, None, kind, name, scaling)


def read(cluster: kube.Cluster, namespace: str | None, wanted: Wanted) -> list[Change]:
    """The wanted Changes of a namespace, or of all (None), newest first. Raises KubeError."""
    found = []
    for raw in cluster.items(kinds.CHANGE.path(namespace)):
        try:
            change = changes.parse(raw)
        except pydantic.ValidationError:
            continue
        if wanted.has(change):
            found.append(change)
    return sorted(found, key=lambda each: (each.at, each.name), reverse=True)


def as_json(found: Sequence[Change], out: rich_console.Console) -> None:
    """The Changes as a list, newest first, without the objects before them."""
    shown = [
        {
            "namespace": each.namespace,
            "name": each.name,
            **each.spec.model_dump(mode="json", by_alias=True, exclude={"before"}),
            "by": each.by.model_dump(mode="json", by_alias=True),
            "incidents": list(each.incidents),
        }
        for each in found
    ]
    out.file.write(json.dumps(shown, indent=2) + "\n")


def as_text(
    found: Sequence[Change],
    wanted: Wanted,
    scope: str | None,
    now: datetime.datetime,
    out: rich_console.Console,
) -> None:
    """A paragraph for each Change: when and what, then the fields that one line does not tell."""
    where = f"namespace {scope}" if scope is not None else "all namespaces"
    span = f"{terminal.moment(wanted.first)} to {terminal.moment(min(wanted.last, now))}"
    if not found:
        out.print(f"No change in {where}, {span}.", soft_wrap=True)
        return
    for each in found:
        _print(each, wanted, scope, now, out)
    plural = "s" if len(found) > 1 else ""
    out.print(f"\n{len(found)} change{plural} in {where}, {span}.", soft_wrap=True)


def _print(
    change: Change,
    wanted: Wanted,
    scope: str | None,
    now: datetime.datetime,
    out: rich_console.Console,
) -> None:
    when = _when(change, wanted.around, now)
    place = f"{change.namespace}  " if scope is None else ""
    late = " (found by a list)" if change.spec.late else ""
    told = summary.attributed(change.spec.summary, change.spec.by, change.by)
    line = f"{when:<14}{place}{told}{late}"
    out.print(_indented(line, out.width))
    others = change.spec.fields if len(change.spec.fields) > 1 else []
    for field in others[:_MOST_FIELDS]:
        out.print(_indented(f"{'':14}- {summary.field(field)}", out.width), style="dim")
    left = len(others) - _MOST_FIELDS
    if left > 0:
        shown = left + change.spec.fields_omitted
        out.print(f"{'':14}- {shown} more: kubectl get chg {change.name} -o yaml", style="dim")


def _when(change: Change, around: datetime.datetime | None, now: datetime.datetime) -> str:
    """``5m ago``, or from the moment asked for: ``40s before``."""
    if around is None:
        return f"{terminal.age(change.at, now)} ago"
    if change.at <= around:
        return f"{terminal.age(change.at, around)} before"
    return f"{terminal.age(around, change.at)} after"


def _indented(line: str, width: int) -> text.Text:
    """A line broken so that what follows stands under the sentence."""
    broken = textwrap.fill(
        line,
        max(width, 40),
        subsequent_indent=" " * 16,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return text.Text(broken, overflow="fold")


def _duration(option: str, given: str) -> datetime.timedelta:
    try:
        return types.duration(given)
    except ValueError:
        raise CliError(f"{option} must be a duration such as 30m or 2h, found {given}") from None


def _moment(given: str, now: datetime.datetime) -> datetime.datetime:
    """A time of RFC 3339, a time of day here, or so long ago. Raises CliError."""
    if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", given):
        local = now.astimezone()
        parts = [int(part) for part in given.split(":")]
        try:
            at = local.replace(hour=parts[0], minute=parts[1], second=0, microsecond=0)
        except ValueError:
            raise CliError(f"--around: {given} is no time of day") from None
        return at if at <= local else at - datetime.timedelta(days=1)
    try:
        at = datetime.datetime.fromisoformat(given)
    except ValueError:
        return now - _duration("--around", given)
    return at if at.tzinfo is not None else at.astimezone()
