"""The guard of storms: after many actions at once nothing new is begun until it was calm.

medik8s' NodeHealthCheck has the same as ``stormCooldownDuration``.
"""

from __future__ import annotations

import datetime

from prunella.core import model
from prunella.core.decisions import ledger, storms
from prunella.core.decisions.guards.case import Answer, Case, Refused


def calm_after_a_storm(case: Case) -> Answer:
    """Many actions in a short time mean that something else is wrong: a person should look."""
    rules, namespace = case.rules, case.target.namespace
    window = datetime.timedelta(seconds=rules.storm_window_seconds)
    calm = datetime.timedelta(seconds=rules.storm_calm_seconds)
    acted = [
        record
        for record in ledger.acted_since(case.others, case.now - ledger.LONGEST_WINDOW)
        if record.spec.action not in ledger.TAKES_BACK
    ]
    here = [record.spec.decided_at for record in acted if record.target.namespace == namespace]
    everywhere = [record.spec.decided_at for record in acted]
    there = f"in namespace {namespace}" if namespace else "to nodes"
    counted = (
        (here, rules.actions_per_namespace_per_hour, there),
        (everywhere, rules.actions_per_cluster_per_hour, "in the cluster"),
    )
    for times, limit, where in counted:
        most = storms.share(limit, rules.storm_percent)
        storm = storms.newest(times, most, window, calm)
        if storm is not None and case.now < storm.over:
            told = _told(storm, case.now, window, calm, where)
            return model.Refusal(Refused.STORM, told, until=storm.over)
    return ", ".join(
        f"{sum(at > case.now - window for at in times)} actions {where} in "
        f"{window.total_seconds():.0f} s, {storms.share(limit, rules.storm_percent)} are a storm"
        for times, limit, where in counted
    )


def _told(
    storm: storms.Storm,
    now: datetime.datetime,
    window: datetime.timedelta,
    calm: datetime.timedelta,
    where: str,
) -> str:
    return (
        f"{storm.actions} actions {where} within {window.total_seconds():.0f} s were a storm; the "
        f"last was {(now - storm.last).total_seconds():.0f} s ago, {calm.total_seconds():.0f} s "
        f"without any end it, at {storm.over:%H:%M:%SZ} at the earliest"
    )
