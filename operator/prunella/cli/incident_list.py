"""Incidents read from a cluster, and a table of them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from http import HTTPStatus

from rich import console

from prunella.adapters.kubernetes import kinds, parse, parse_incident
from prunella.api import incident as incident_api
from prunella.cli import kube, page, terminal
from prunella.cli.errors import CliError
from prunella.core.incidents import values, words

State = incident_api.State
COLUMNS = ("NAME", "STATE", "SEVERITY", "ALERTS", "AGE", "SUSPECT")
LEAST_SUSPECT = 24
"""Columns that the suspect has at least, however narrow the terminal."""


def read(cluster: kube.Cluster, namespace: str | None, over: int) -> list[values.Record]:
    """The open incidents, newest first, and some that are over. Raises KubeError."""
    found = []
    for raw in cluster.items(kinds.INCIDENT.path(namespace)):
        try:
            found.append(parse_incident.incident(raw))
        except parse.Unreadable:
            continue  # of another version
    found.sort(key=_began, reverse=True)
    open_ones = [each for each in found if each.status.state is State.OPEN]
    return open_ones + [each for each in found if each.status.state is not State.OPEN][:over]


def one(cluster: kube.Cluster, what: str, operator_namespace: str) -> values.Record:
    """The incident of a name, or the newest one that a workload is in. Raises CliError."""
    name = what.partition("/")[2] if what.startswith(("incident/", "inc/")) else what
    if name.startswith("inc-"):
        return _named(cluster, name, operator_namespace)
    kind, slash, rest = what.partition("/")
    found = read(cluster, cluster.namespace, 1000)
    for record in found:
        status = record.status
        items = [*(each.object for each in status.members), *(e.object for e in status.suspects)]
        for each in items:
            same = not slash or each.kind.lower() == kind.lower()
            if same and each.name == (rest if slash else what):
                return record
    raise CliError(
        f"none of {len(found)} incidents in namespace {cluster.namespace} is about {what}; "
        "`prunella incidents -A` shows what there is",
        code=1,
    )


def _named(cluster: kube.Cluster, name: str, operator_namespace: str) -> values.Record:
    """The incident where the user looks; the whole of it, if that is only a mirror and he may."""
    shown: values.Record | None = None
    for namespace in dict.fromkeys((cluster.namespace, operator_namespace)):
        try:
            raw = cluster.request("GET", kinds.INCIDENT.path(namespace, name))
        except kube.KubeError as error:
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN} and (
                str(error) != kube.CRDS_MISSING
            ):
                continue
            raise
        try:
            found = parse_incident.incident(raw)
        except parse.Unreadable as error:
            raise CliError(f"{name} is of another version of prunella ({error})") from error
        if not found.spec.mirror:
            return found
        shown = found
    if shown is None:
        raise CliError(
            f"no incident {name} in namespace {cluster.namespace}; "
            "`prunella incidents -A` shows what there is",
            code=1,
        )
    return shown


def as_text(
    found: Sequence[values.Record],
    now: datetime.datetime,
    out: console.Console,
    scope: str | None,
) -> None:
    """A table; what is about several namespaces is marked in theirs."""
    written = page.Page(out.width)
    if not found:
        where = "in any namespace" if scope is None else f"in namespace {scope}; -A looks in all"
        written.say(f"No incidents {where}", indent=0)
    else:
        header = COLUMNS if scope is not None else ("NAMESPACE", *COLUMNS)
        rows = [_row(each, now, with_namespace=scope is None) for each in found]
        written.table(header, _fitted(header, rows, out.width))
        written.say("")
        written.say("`prunella why NAME` tells more", indent=0, style=page.QUIET)
    written.print(out)


def as_json(found: Sequence[values.Record], out: console.Console) -> None:
    """A list of objects; fields are named as in the custom resource."""
    documents = [
        {
            "namespace": each.namespace,
            "name": each.name,
            "spec": each.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
            "status": each.status.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        for each in found
    ]
    out.file.write(json.dumps(documents, indent=2) + "\n")


def _began(record: values.Record) -> datetime.datetime:
    return record.status.started_at or record.spec.opened_at


def _row(record: values.Record, now: datetime.datetime, *, with_namespace: bool) -> tuple[str, ...]:
    status = record.status
    first = next((e for e in status.suspects if e.mark is not incident_api.Mark.REJECTED), None)
    told = "-"
    if first is not None:
        sure = first.mark if first.mark is incident_api.Mark.CONFIRMED else first.confidence
        told = f"{words.suspect(status.suspects)} ({sure})"
    elif status.state is State.MERGED:
        told = f"see {status.merged_into}"
    row = (
        record.name,
        status.state.value,
        status.severity.value,
        str(status.alerts),
        terminal.age(_began(record), now),
        told,
    )
    return (record.namespace, *row) if with_namespace else row


def _fitted(
    header: Sequence[str], rows: Sequence[tuple[str, ...]], width: int
) -> list[tuple[str, ...]]:
    """The rows with suspects cut so that a line fits the terminal."""
    others = sum(
        max(len(row[column]) for row in (header, *rows)) + page.COLUMN_GAP
        for column in range(len(header) - 1)
    )
    room = max(LEAST_SUSPECT, width - others)
    return [
        (*row[:-1], row[-1] if len(row[-1]) <= room else row[-1][: room - 3] + "...")
        for row in rows
    ]
