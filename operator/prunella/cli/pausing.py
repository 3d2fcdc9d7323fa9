"""The ConfigMap that pauses: of everything, of a namespace, or of one policy.

Keys of scopes (``namespace.NAME``, ``policy.NAMESPACE.NAME``) hold JSON; with any other key, or
none, everything is paused.  It is replaced under its resourceVersion: nobody's pause is lost.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from http import HTTPStatus

from prunella.adapters.kubernetes import kinds
from prunella.cli import kube, read
from prunella.cli.errors import CliError
from prunella.core.decisions import halts

Data = dict[str, str]
_TRIES = 3


def pause(
    cluster: kube.Cluster, home: str, scope: str, reason: str, who: str, now: datetime.datetime
) -> str:
    """Pause everything (an empty scope) or a scope. A pause that is there stays as it is.

    ``home`` is the operator's namespace.  Raises CliError.
    """
    told = {"reason": reason or "no reason given", "by": who, "at": written(now)}
    added = {scope: json.dumps(told)} if scope else told
    already = ""

    def change(data: Data | None) -> Data | None:
        nonlocal already
        if data is not None and (scope in data if scope else is_whole(data)):
            already = f"Nothing was changed. {read.pause(cluster, home).told()}"
            return data
        return {**(data or {}), **added}

    _edit(cluster, home, change)
    if already:
        return already
    what = f" {read.in_words(scope)}" if scope else ""
    ends = f"prunella resume{f' {_arguments(scope)}' if scope else ''}"
    subject = "No policy starts an action" if not scope else "No action is started there"
    return (
        f"Paused{what} by {who}: {told['reason']}\n"
        f"{subject} until `{ends}`; actions on their way are still verified."
    )


def resume(cluster: kube.Cluster, home: str, scope: str) -> str:
    """End the pause of everything (an empty scope), or of a scope. Raises CliError."""
    ended = False

    def change(data: Data | None) -> Data | None:
        nonlocal ended
        if data is None:
            return None
        ended = scope in data if scope else is_whole(data)
        if not ended:
            return data
        left = {key: text for key, text in data.items() if key != scope}
        if not scope:
            left = {key: text for key, text in data.items() if halts.is_scope(key)}
        return left or None

    left = _edit(cluster, home, change)
    if scope:
        what = read.in_words(scope)
        began = f"Resumed {what}." if ended else f"Not paused: {what}."
    elif not ended:
        began = f"Not paused: there is no ConfigMap {read.PAUSE} in namespace {home}."
        began = began if left is None else "Not paused as a whole."
    else:
        began = "Resumed: policies act again at their next evaluation."
    still = "" if left is None else read.pause(cluster, home).told()
    return f"{began}\nStill paused:\n{still}" if still else began


def is_whole(data: Data) -> bool:
    """Whether it pauses everything: it has no key, or one that names no scope."""
    return not data or any(not halts.is_scope(key) for key in data)


def written(now: datetime.datetime) -> str:
    """RFC 3339 in UTC, with fractions: a record may have finished earlier in this second."""
    return now.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def _arguments(scope: str) -> str:
    """What `prunella resume` is told to end a scope's pause."""
    kind, _, rest = scope.partition(".")
    namespace, _, policy = rest.partition(".")
    return f"{policy} -n {namespace}" if kind == "policy" else f"-n {namespace}"


def _edit(
    cluster: kube.Cluster, home: str, change: Callable[[Data | None], Data | None]
) -> Data | None:
    """Bring the ConfigMap's data to what ``change`` says, None being its absence.

    Tried again when somebody else was faster.  Raises CliError.
    """
    for _ in range(_TRIES):
        found = _read(cluster, home)
        data = None if found is None else found.get("data") or {}
        wanted = change(data)
        if wanted == data:
            return data
        try:
            _write(cluster, home, found, wanted)
        except kube.KubeError as error:
            if error.status not in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
                raise
            if found is None and error.status == HTTPStatus.NOT_FOUND:
                raise CliError(
                    f"there is no namespace {home}: give --operator-namespace, "
                    "or set PRUNELLA_NAMESPACE"
                ) from error
        else:
            return wanted
    raise CliError(f"ConfigMap {read.PAUSE} is being changed by others: try again")


def _read(cluster: kube.Cluster, home: str) -> kube.Object | None:
    try:
        return cluster.request("GET", read.pause_path(home))
    except kube.KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise


def _write(cluster: kube.Cluster, home: str, found: kube.Object | None, data: Data | None) -> None:
    """Create, replace or delete it, as it was read."""
    if found is None:
        metadata = {"name": read.PAUSE, "namespace": home}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        cluster.request("POST", kinds.CONFIG_MAP.path(home), body)
    elif data is None:
        version = found["metadata"].get("resourceVersion", "")
        conditions = {"preconditions": {"resourceVersion": version}}
        cluster.request("DELETE", read.pause_path(home), conditions if version else None)
    else:
        cluster.request("PUT", read.pause_path(home), {**found, "data": data})
