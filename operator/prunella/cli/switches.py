"""What a person may switch: the pause of everything, and the latch of one policy.

Each function changes one object and returns what to tell the user about it.
"""

from __future__ import annotations

import datetime
from http import HTTPStatus

from prunella.adapters.kubernetes import kinds, parse
from prunella.api import reasons
from prunella.cli import kube, read, terminal
from prunella.cli.errors import CliError
from prunella.core import objects

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


def pause(cluster: kube.Cluster, namespace: str, reason: str, now: datetime.datetime) -> str:
    """Create the ConfigMap that pauses. A pause that is there stays as it is."""
    who = author(cluster)
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": read.PAUSE, "namespace": namespace},
        "data": {"reason": reason or "no reason given", "by": who, "at": _written(now)},
    }
    try:
        cluster.request("POST", kinds.CONFIG_MAP.path(namespace), body)
    except kube.KubeError as error:
        if error.status == HTTPStatus.CONFLICT:
            return f"Nothing was changed. {read.pause(cluster, namespace)}"
        if error.status == HTTPStatus.NOT_FOUND:
            raise CliError(
                f"there is no namespace {namespace}: give --operator-namespace, "
                "or set PRUNELLA_NAMESPACE"
            ) from error
        raise
    return (
        f"Paused by {who}: {body['data']['reason']}\n"  # type: ignore[index]
        "No policy starts an action until `prunella resume`; "
        "actions on their way are still verified."
    )


def resume_all(cluster: kube.Cluster, namespace: str) -> str:
    """Delete the ConfigMap that pauses."""
    try:
        cluster.request("DELETE", read.pause_path(namespace))
    except kube.KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return f"Not paused: there is no ConfigMap {read.PAUSE} in namespace {namespace}."
        raise
    return "Resumed: policies act again at their next evaluation."


def resume_policy(cluster: kube.Cluster, name: str, now: datetime.datetime) -> str:
    """Clear what has stopped a policy, by an annotation that keeps the time and the author.

    ``name`` is that of a policy of the chosen namespace, or ``crempol/NAME``.
    """
    _, of_cluster, plain = name.rpartition("crempol/")
    kind = kinds.CLUSTER_POLICY if of_cluster else kinds.POLICY
    policy = parse.policy(read.named(cluster, kind, plain))
    stopped = _stopped(policy)
    if stopped is None:
        return f"{policy.key} is not latched; nothing was changed."
    who = author(cluster)
    annotation = {objects.RESUMED: f"{_written(now)} by {who}"}
    path = kind.path(policy.key.namespace or None, plain)
    cluster.request("PATCH", path, {"metadata": {"annotations": annotation}}, kube.MERGE_PATCH)
    word, since, message = stopped
    return (
        f"Resumed {policy.key}, {word} {terminal.age(since, now)} ago. "
        f"It had stopped because: {message}\n"
        f"Recorded as {objects.RESUMED}: {annotation[objects.RESUMED]}"
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


def _written(now: datetime.datetime) -> str:
    """RFC 3339 in UTC, with fractions: a record may have finished earlier in this second."""
    return now.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
