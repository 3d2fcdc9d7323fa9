"""What a person may switch: pauses of everything or of a scope, and the latch of one policy.

Each function changes one object and returns what to tell the user about it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from http import HTTPStatus

from prunella.adapters.kubernetes import kinds, parse
from prunella.api import reasons
from prunella.cli import kube, pausing, read, terminal
from prunella.core import objects
from prunella.core.decisions import halts

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def author(cluster: kube.Cluster) -> str:
    """Who the API server takes us for."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = cluster.request("POST", REVIEW, review)
    except kube.KubeError as error:
        if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            return "somebody whom the API server does not name"
        raise
    return str(answer["status"]["userInfo"]["username"])


def pause(cluster: kube.Cluster, home: str, scope: str, reason: str, now: datetime.datetime) -> str:
    """Pause everything, or a scope; ``home`` is the operator's namespace."""
    return pausing.pause(cluster, home, scope, reason, author(cluster), now)


def resume_whatever_stops(
    cluster: kube.Cluster, home: str, name: str, now: datetime.datetime
) -> Iterator[str]:
    """End the pause of one policy, if it has one of its own, and whatever else it waits for.

    ``name`` is that of a policy of the chosen namespace, or ``crempol/NAME``.
    """
    _, of_cluster, plain = name.rpartition("crempol/")
    scope = "" if of_cluster else halts.scope(cluster.namespace, plain)
    # Who may not read the pause is told of the latch all the same: it needs no such right.
    if scope and scope in read.pause(cluster, home).scopes:
        yield pausing.resume(cluster, home, scope)
    kind = kinds.CLUSTER_POLICY if of_cluster else kinds.POLICY
    policy = parse.policy(read.named(cluster, kind, plain))
    yield resume_policy(cluster, kind, policy, now)


def resume_policy(
    cluster: kube.Cluster, kind: kinds.Kind, policy: objects.Policy, now: datetime.datetime
) -> str:
    """Clear what has stopped a policy, by an annotation that keeps the time and the author.

    It is written whatever the status tells: a rejection, a veto or a doubled cooldown ends by it as
    a latch does, and of a paused policy the status tells nothing but the pause.
    """
    who = author(cluster)
    annotation = {objects.RESUMED: f"{pausing.written(now)} by {who}"}
    path = kind.path(policy.key.namespace or None, policy.key.name)
    cluster.request("PATCH", path, {"metadata": {"annotations": annotation}}, kube.MERGE_PATCH)
    recorded = f"Recorded as {objects.RESUMED}: {annotation[objects.RESUMED]}"
    stopped = _stopped(policy)
    if stopped is None:
        ends = "rejections, vetoes and back-off until now count no more"
        return f"Resumed {policy.key}, which was not latched: {ends}.\n{recorded}"
    word, since, message = stopped
    return (
        f"Resumed {policy.key}, {word} {terminal.age(since, now)} ago. "
        f"It had stopped because: {message}\n{recorded}"
    )


def _stopped(policy: objects.Policy) -> tuple[str, datetime.datetime, str] | None:
    """How, since when and why a policy or the remedy of one of its targets has stopped itself."""
    latch = policy.status.latch
    if latch is not None:
        return "latched", latch.since, latch.message
    demoted = policy.status.trust.demoted if policy.status.trust is not None else None
    if demoted is not None:
        return "demoted", demoted.since, demoted.message
    limit = reasons.Refused.SAME_REMEDY_LIMIT
    for each in policy.status.unattended:
        if each.refused == limit:
            return f"stopped for {each.name}", each.since, each.refusal
    return None
