"""What commands read from a cluster, as the core's own values."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Mapping
from http import HTTPStatus

from prunella.adapters.kubernetes import kinds, parse, switches
from prunella.cli import kube, terminal
from prunella.cli.errors import CliError
from prunella.core import model, objects
from prunella.core.decisions import halts

PAUSE = switches.PAUSE


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """The ConfigMap that pauses the operator or scopes of it, or that it can't be read."""

    paused: bool | None
    reason: str = ""
    by: str = ""
    at: str = ""
    scopes: Mapping[str, str] = dataclasses.field(default_factory=lambda: model.NO_LABELS)
    """What is paused beside it, in words: why, by key of the ConfigMap."""

    def told(self) -> str:
        """All that is paused, a line for each; empty when nothing is."""
        whole = [] if self.paused is False else [str(self)]
        return "\n".join(
            [
                *whole,
                *(f"Paused {in_words(key)}: {why}" for key, why in sorted(self.scopes.items())),
            ]
        )

    def __str__(self) -> str:
        if self.paused is None:
            return f"Paused or not is unknown: {self.reason}"
        if not self.paused:
            return "not paused"
        author = f" by {self.by}" if self.by else ""
        when = since(self.at)
        start = f" since {terminal.moment(when)}" if when is not None else ""
        why = f": {self.reason}" if self.reason else ""
        return f"Paused{start}{author}{why} (`prunella resume` goes on)"


@dataclasses.dataclass(frozen=True, slots=True)
class Overview:
    """Policies by name, and records newest first."""

    pause: Pause
    policies: tuple[objects.Policy, ...]
    records: tuple[objects.Record, ...]
    unreadable: int = 0
    """Records of another version."""


def in_words(scope: str) -> str:
    """The scope that a key of the ConfigMap names: ``namespace shop``, ``policy shop/checkout``."""
    kind, _, rest = scope.partition(".")
    return f"{kind} {rest.replace('.', '/', 1)}"


def pause_path(namespace: str, name: str = PAUSE) -> str:
    """Path of the ConfigMap that pauses the operator."""
    return kinds.CONFIG_MAP.path(namespace, name)


def pause(cluster: kube.Cluster, operator_namespace: str) -> Pause:
    """Whether the operator is paused. Not being allowed to look is an answer, too."""
    try:
        found = cluster.request("GET", pause_path(operator_namespace))
    except kube.KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return Pause(paused=False)
        if error.status == HTTPStatus.FORBIDDEN:
            return Pause(paused=None, reason=f"you may not read ConfigMap {PAUSE}")
        raise
    data = found.get("data") or {}
    known = halts.read_pause(data, PAUSE)
    return Pause(
        paused=known.paused,
        reason=data.get("reason", ""),
        by=data.get("by", ""),
        at=data.get("at", ""),
        scopes=known.scopes,
    )


def overview(cluster: kube.Cluster, namespace: str | None, operator_namespace: str) -> Overview:
    """All policies and records of a namespace, or of all (None). Raises KubeError."""
    policies = [parse.policy(each) for each in cluster.items(kinds.POLICY.path(namespace))]
    if namespace is None:
        policies += of_cluster(cluster)
    found, unreadable = records(cluster, namespace)
    return Overview(
        pause(cluster, operator_namespace),
        tuple(sorted(policies, key=lambda policy: policy.key)),
        tuple(found),
        unreadable,
    )


def of_cluster(cluster: kube.Cluster) -> list[objects.Policy]:
    """The policies of no namespace; none where their definition is missing, or to who may not."""
    try:
        raws = cluster.items(kinds.CLUSTER_POLICY.path(None))
        return [parse.policy(each) for each in raws]
    except kube.KubeError as error:
        if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            return []
        raise


def records(cluster: kube.Cluster, namespace: str | None) -> tuple[list[objects.Record], int]:
    """Records newest first, and how many can't be read. Raises KubeError."""
    found, unreadable = [], 0
    for raw in cluster.items(kinds.RECORD.path(namespace)):
        try:
            found.append(parse.record(raw))
        except parse.Unreadable:
            unreadable += 1
    return newest_first(found), unreadable


def newest_first(records: Collection[objects.Record]) -> list[objects.Record]:
    """By the time of the decision; on one target by its number."""
    return sorted(records, key=lambda r: (r.spec.decided_at, r.spec.attempt), reverse=True)


def named(cluster: kube.Cluster, kind: kinds.Kind, name: str) -> kube.Object:
    """One object of the chosen namespace, or of none. Raises CliError saying where its like is."""
    place = None if kind is kinds.CLUSTER_POLICY else cluster.namespace
    try:
        return cluster.request("GET", kind.path(place, name))
    except kube.KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND and str(error) != kube.CRDS_MISSING:
            raise CliError(
                f"no {kind.name} {name}{f' in namespace {place}' if place else ''}; "
                "`prunella status -A` shows what there is",
                code=1,
            ) from error
        raise


def since(text: str) -> datetime.datetime | None:
    """A written time with its zone, or None when it is none."""
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo is not None else None
