"""The journal as settings want it."""

from __future__ import annotations

import datetime

from prunella import settings
from prunella.adapters.kubernetes.journal import recorder
from prunella.core.changes import entry, kinds, noise, retention


def options_of(wanted: settings.Settings) -> recorder.Options:
    """What the journal is told once."""
    chosen = wanted.journal
    return recorder.Options(
        kinds=kinds.wanted(chosen.kinds),
        namespaces=wanted.namespaces,
        closed_namespaces=wanted.system_namespaces,
        journalling=entry.Journalling(
            noise=noise.Noise(
                annotations=chosen.ignored_annotations,
                autoscalers=chosen.autoscalers,
                objects=chosen.ignored_objects,
            ),
            values_of=frozenset(chosen.values_of),
            home=wanted.operator_namespace,
        ),
        retention=retention.Retention(
            age=datetime.timedelta(seconds=chosen.retention.age_seconds),
            per_object=chosen.retention.per_object,
            total=chosen.retention.total,
        ),
        relist_seconds=chosen.relist_seconds,
        audit=chosen.audit.enabled,
    )
