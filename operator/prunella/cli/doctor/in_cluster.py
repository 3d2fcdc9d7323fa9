"""Checks of the cluster: custom resources, rights, clock, tiers."""

from __future__ import annotations

import datetime
import http
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prunella.adapters.kubernetes import kinds
from prunella.cli import kube
from prunella.cli.doctor.found import Found, problem, warning
from prunella.cli.doctor.installed import Installed

SKEW_SECONDS = 5.0
TIER = "prunella.dev/tier"
_SHOWN = 5
_WATCH = ("list", "watch")
_RIGHTS: Sequence[tuple[kinds.Kind, tuple[str, ...], str]] = (
    (kinds.POLICY, _WATCH, "nothing is watched"),
    (kinds.RECORD, ("create", *_WATCH), "nothing can be done or remembered"),
    (kinds.INCIDENT, ("create", *_WATCH), "no incident can be written"),
    (kinds.CHANGE, ("create", *_WATCH), "no change can be journalled"),
    *((each, _WATCH, "its targets are not seen") for each in kinds.BUILT_IN.values()),
    (kinds.POD, ("list",), "alerts of pods can't be led to their workloads"),
    (kinds.SERVICE, ("list",), "alerts of Services can't be led to their workloads"),
    (kinds.ENDPOINT_SLICE, ("list",), "Services without a selector are led nowhere"),
    (kinds.CORE_EVENT, ("list",), "Warning Events are not seen"),
)
_OF_CLUSTER = ((kinds.NODE, ("list",), "nodes, racks and zones are not known"),)


def crds(cluster: kube.Cluster) -> Iterator[Found]:
    """The custom resources are installed."""
    try:
        cluster.request("GET", kube.OWN_GROUP)
    except kube.KubeError as error:
        if error.status != http.HTTPStatus.NOT_FOUND:
            raise
        todo = "prunella crds | kubectl apply --server-side --force-conflicts -f -"
        yield problem("crds", "the cluster", "prunella.dev/v1alpha1 is not served", todo)


def clock(cluster: kube.Cluster, now: datetime.datetime) -> Iterator[Found]:
    """The API server's clock and this machine's agree; its header has whole seconds."""
    told = cluster.time()
    if told is not None and abs((told - now).total_seconds()) > SKEW_SECONDS + 1:
        seconds = (told - now).total_seconds()
        yield skewed("the API server", seconds)


def skewed(where: str, seconds: float) -> Found:
    """A clock that is ahead of this machine's by so many seconds, or behind it."""
    way = "ahead of" if seconds > 0 else "behind"
    what = (
        f"its clock is {abs(seconds):.0f} s {way} this machine's, the limit is {SKEW_SECONDS:g} s"
    )
    return problem(
        "clock", where, what, "run NTP on both; changes and alerts are put in order by it"
    )


def rights(cluster: kube.Cluster, installed: Installed) -> Iterator[Found]:
    """The operator's account may do what it needs to, everywhere it works."""
    reviewer = _Reviewer(cluster, installed.account)
    places = installed.settings.namespaces or ("",)
    missing: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for kind, verbs, lost in _RIGHTS:
        for place in places:
            for verb in verbs:
                if not reviewer.may(verb, kind, place):
                    missing[kind.plural, place, lost].append(verb)
    for kind, verbs, lost in _OF_CLUSTER:
        for verb in verbs:
            if not reviewer.may(verb, kind, ""):
                missing[kind.plural, "", lost].append(verb)
    for (plural, place, lost), lacking in missing.items():
        where = f"namespace {place}" if place else "all namespaces"
        what = f"{reviewer.whose} may not {', '.join(lacking)} {plural}: {lost}"
        yield problem("rights", where, what, "upgrade the chart with rbac.create: true")
    if reviewer.note:
        yield warning("rights", "the operator's account", reviewer.note, reviewer.todo)


class _Reviewer:
    """Asks what the operator may do, or, where that is not allowed, what the user may."""

    def __init__(self, cluster: kube.Cluster, account: str) -> None:
        self._cluster = cluster
        self._account = account
        self.note = "" if account else "the operator's Deployment was not found"
        self.todo = "give --operator-namespace, or run this where it may be read"

    @property
    def whose(self) -> str:
        """Whose rights were looked at."""
        return self._account or "this user"

    def may(self, verb: str, kind: kinds.Kind, namespace: str) -> bool:
        """Whether a request would be allowed."""
        wanted = {
            "verb": verb,
            "group": kind.group,
            "version": kind.version,
            "resource": kind.plural,
            "namespace": namespace,
        }
        if self._account:
            try:
                return self._review("subjectaccessreviews", wanted, {"user": self._account})
            except kube.KubeError as error:
                if error.status != http.HTTPStatus.FORBIDDEN:
                    raise
                self.note = (
                    f"you may not ask for its rights: yours were looked at, not {self._account}'s"
                )
                self.todo = "run this as an administrator, or in the operator's pod"
                self._account = ""
        return self._review("selfsubjectaccessreviews", wanted, {})

    def _review(self, plural: str, wanted: Mapping[str, str], who: Mapping[str, str]) -> bool:
        group = "authorization.k8s.io"
        kind = "SelfSubjectAccessReview" if plural.startswith("self") else "SubjectAccessReview"
        body: dict[str, Any] = {
            "apiVersion": f"{group}/v1",
            "kind": kind,
            "spec": {"resourceAttributes": dict(wanted), **who},
        }
        answer = self._cluster.request("POST", f"/apis/{group}/v1/{plural}", body)
        return bool((answer.get("status") or {}).get("allowed"))


def tiers(cluster: kube.Cluster, namespace: str | None) -> Iterator[Found]:
    """Workloads say how much they matter, themselves or by their namespace."""
    tagged: dict[str, bool] = {}
    untagged: dict[str, list[str]] = defaultdict(list)
    for kind in kinds.WORKLOADS.values():
        for raw in cluster.items(kind.path(namespace)):
            place = raw["metadata"]["namespace"]
            if _has_tier(raw):
                continue
            if place not in tagged:
                tagged[place] = _has_tier(_namespace(cluster, place))
            if not tagged[place]:
                untagged[place].append(f"{kind.name}/{raw['metadata']['name']}")
    for place, names in sorted(untagged.items()):
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        what = f"{len(names)} workloads have no {TIER}: {', '.join(names[:_SHOWN])}{more}"
        todo = f"kubectl label namespace {place} {TIER}=standard, or a label on each of them"
        yield warning("tiers", f"namespace {place}", what, todo)


def _has_tier(raw: kube.Object) -> bool:
    meta = raw.get("metadata") or {}
    return any(TIER in (meta.get(part) or {}) for part in ("labels", "annotations"))


def _namespace(cluster: kube.Cluster, name: str) -> kube.Object:
    try:
        return cluster.request("GET", f"/api/v1/namespaces/{name}")
    except kube.KubeError as error:
        if error.status not in {http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND}:
            raise
        return {}
