"""What people have stopped: pauses of everything or of a scope, and frozen namespaces and objects.

A pause is a ConfigMap, whose keys say what it is about; a freeze is a label or an annotation.
What can't be read or understood stops as well.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from prunella.core import model, objects

FREEZE: Final = "prunella.dev/freeze"
"""Label or annotation: ``true``, ``false``, or (annotations only) an RFC 3339 time of its end."""
_DNS_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SCOPE: Final = re.compile(
    rf"namespace\.{_DNS_LABEL}|policy\.{_DNS_LABEL}\.{_DNS_LABEL}(\.{_DNS_LABEL})*", re.ASCII
)
_RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_MOST_SHOWN: Final = 80


@dataclasses.dataclass(frozen=True, slots=True)
class Freeze:
    """What a namespace or an object says of being frozen; None: nothing."""

    label: str | None = None
    annotation: str | None = None
    problem: str = ""
    """Why it can't be read."""


NOT_FROZEN: Final = Freeze()


def freeze_of(labels: Mapping[str, str], annotations: Mapping[str, str]) -> Freeze:
    """What labels and annotations say."""
    return Freeze(labels.get(FREEZE), annotations.get(FREEZE))


def freeze_of_manifest(manifest: Mapping[str, Any] | None) -> Freeze:
    """What an object says as the API server shows it; nothing when it is not there."""
    metadata = (manifest or {}).get("metadata") or {}
    return freeze_of(metadata.get("labels") or {}, metadata.get("annotations") or {})


def why_frozen(freeze: Freeze, what: str, now: datetime.datetime) -> str:
    """Why ``what`` must not be changed, in words; empty when it may be."""
    if freeze.problem:
        return f"can't read whether {what} is frozen: {freeze.problem}"
    for kind, value in (("label", freeze.label), ("annotation", freeze.annotation)):
        if value is None or value == "false":
            continue
        told = f"{what} is frozen by the {kind} {FREEZE}"
        if value == "true":
            return told
        end = _time(value)
        if end is None:
            shown = value if len(value) <= _MOST_SHOWN else f"{value[:_MOST_SHOWN]}..."
            return f"{told}: {shown!r} is not true, false or an RFC 3339 time, so it stays so"
        if now < end:
            return f"{told} until {moment(end)}"
    return ""


def _time(text: str) -> datetime.datetime | None:
    if not _RFC3339.fullmatch(text):
        return None
    try:
        return datetime.datetime.fromisoformat(text.upper()).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return None


def moment(when: datetime.datetime) -> str:
    """A time in UTC to the second, as in every message."""
    return f"{when.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def scope(namespace: str, policy: str = "") -> str:
    """The key of the ConfigMap by which a namespace, or one policy, is paused."""
    return f"policy.{namespace}.{policy}" if policy else f"namespace.{namespace}"


def is_scope(key: str) -> bool:
    """Whether a key of the ConfigMap names a scope; any other key is about everything."""
    return bool(_SCOPE.fullmatch(key))


def read_pause(data: Mapping[str, Any], name: str) -> model.PauseState:
    """What the ConfigMap ``name`` pauses: everything, unless it has only keys of scopes."""
    scopes = {key: _told(str(text)) for key, text in data.items() if is_scope(key)}
    if scopes and scopes.keys() == data.keys():
        return model.PauseState(paused=False, scopes=scopes)
    reason = str(data.get("reason") or f"ConfigMap {name} gives no reason")
    return model.PauseState(paused=True, message=reason, scopes=scopes)


def _told(text: str) -> str:
    """The reason of one scope, and who gave it, from JSON; any other text is the reason."""
    try:
        found = json.loads(text)
    except ValueError:
        return text or "no reason given"
    if not isinstance(found, dict):
        return text
    by, at = found.get("by"), found.get("at")
    author = (f" by {by}" if by else "") + (f" since {at}" if at else "")
    return f"{found.get('reason') or 'no reason given'}{f' ({author.strip()})' if author else ''}"


def for_pods(
    pause: model.PauseState, namespace: str, freeze: Freeze, now: datetime.datetime
) -> str:
    """Why the pods of a namespace must be left alone, in words; empty when they need not be."""
    if pause.paused:
        return f"the operator is paused: {pause.message}"
    if (key := scope(namespace)) in pause.scopes:
        return f"namespace {namespace} is paused: {pause.scopes[key]}"
    return why_frozen(freeze, f"namespace {namespace}", now)


def for_policy(
    pause: model.PauseState,
    policy: objects.Key,
    freeze: Freeze,
    now: datetime.datetime,
    target: model.Workload | None = None,
) -> model.PauseState:
    """What of all pauses and of its namespace's freeze, or its target's, stops one policy."""
    frozen = why_frozen(freeze, f"namespace {policy.namespace}", now)
    if not frozen and target is not None:
        frozen = why_frozen(freeze_of(target.labels, target.annotations), str(target.ref), now)
    if pause.paused:
        return model.PauseState(paused=True, message=pause.message, frozen=frozen)
    # A policy of the cluster has no namespace, and is no scope of its own.
    for what, key in (
        ()
        if not policy.namespace
        else (
            (f"namespace {policy.namespace}", scope(policy.namespace)),
            (f"policy {policy}", scope(policy.namespace, policy.name)),
        )
    ):
        if key in pause.scopes:
            message = f"{what} is paused: {pause.scopes[key]}"
            return model.PauseState(paused=True, message=message, frozen=frozen)
    return model.PauseState(paused=False, frozen=frozen, server_time=pause.server_time)
