"""Releases: which pod templates are the same one, and which of them were proved bad.

A release that was rolled back, with the target Healthy afterwards, is condemned: it is told at once
when it comes again, acted on sooner, and never rolled back to.  The ledger is the memory, so a
restart forgets nothing; after `CONDEMNED_FOR`, or when a person resumes the policy, it is over.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping

from prunella.api import reasons
from prunella.core import model, objects

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
CONDEMNED_FOR = datetime.timedelta(days=30)
SOONER = 4
"""A condemned release is acted on after a quarter of ``for``,"""
LEAST_INTERVALS = 2
"""but never before so many evaluations: one bad sample is a flicker of any release."""


def release(template: Mapping[str, object]) -> dict[str, object]:
    """The template without what a restart writes and without empty metadata.

    A restarted release is still the same, and revisions are kept by several hands.
    """
    metadata = template.get("metadata")
    told = dict(metadata) if isinstance(metadata, Mapping) else {}
    annotations = dict(told.pop("annotations", None) or {})
    annotations.pop(RESTARTED_AT, None)
    kept = {key: value for key, value in told.items() if value}
    if annotations:
        kept["annotations"] = annotations
    return {**template, "metadata": kept}


def release_hash(template: Mapping[str, object]) -> str:
    """A short hash of a release."""
    text = json.dumps(release(template), sort_keys=True, separators=(",", ":"), default=dict)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def condemns(record: objects.Record) -> bool:
    """Whether a record proved that the release it left was the fault."""
    return bool(record.spec.leaves) and record.phase is reasons.Phase.SUCCEEDED


def condemned(
    records: Iterable[objects.Record],
    target_uid: str,
    resumed: datetime.datetime | None,
    now: datetime.datetime,
) -> dict[str, objects.Record]:
    """The condemned releases of a target by their hash, each with its newest record."""
    found: dict[str, objects.Record] = {}
    for record in sorted(records, key=lambda each: each.finished_or_decided_at):
        if not condemns(record) or record.spec.target.uid != target_uid:
            continue
        if now - record.finished_or_decided_at <= CONDEMNED_FOR and (
            resumed is None or record.finished_or_decided_at > resumed
        ):
            found[record.spec.leaves] = record
    return found


def released_again(
    workload: model.Workload,
    records: Iterable[objects.Record],
    resumed: datetime.datetime | None,
    now: datetime.datetime,
) -> objects.Record | None:
    """The record that condemned what the workload is to run now, if one has."""
    known = condemned(records, workload.uid, resumed, now)
    return known.get(release_hash(workload.template)) if known else None


def hold(needed: datetime.timedelta, interval: datetime.timedelta) -> datetime.timedelta:
    """How long a condemned release must be Unhealthy instead of ``needed``."""
    return min(needed, max(needed / SOONER, LEAST_INTERVALS * interval))
