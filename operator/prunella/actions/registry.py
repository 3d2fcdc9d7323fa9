"""All actions, one line each."""

from __future__ import annotations

from collections.abc import Mapping

from prunella.actions import (
    delete_stuck_pod,
    evict_pod,
    patch_field,
    raise_quota,
    rerun_job,
    resize,
    restart,
    restart_pods,
    restore,
    revert,
    rollback,
    scale,
    scale_bounds,
    suspend_cron_job,
)
from prunella.core.decisions import action


def all_actions() -> Mapping[str, action.Action]:
    """Actions by the name that policies use."""
    actions: tuple[action.Action, ...] = (
        restart.Restart(),
        evict_pod.EvictPod(),
        scale.Scale(),
        rollback.Rollback(),
        restart_pods.RestartPods(),
        delete_stuck_pod.DeleteStuckPod(),
        rerun_job.RerunJob(),
        suspend_cron_job.SuspendCronJob(),
        restore.Restore(),
        patch_field.PatchField(),
        scale_bounds.ScaleBounds(),
        raise_quota.RaiseQuota(),
        resize.Resize(),
        revert.Revert(),
    )
    return {each.name: each for each in actions}
