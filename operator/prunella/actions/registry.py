"""All actions, one line each."""

from __future__ import annotations

from collections.abc import Mapping

from prunella.actions import (
    abort_rollout,
    cordon,
    delete_stuck_pod,
    drain,
    evict_pod,
    expand_volume,
    git_revert,
    helm_rollback,
    patch_field,
    promote,
    raise_quota,
    renew_certificate,
    rerun_job,
    resize,
    restart,
    restart_pods,
    restore,
    return_traffic,
    revert,
    rollback,
    run_job,
    scale,
    scale_bounds,
    shift_traffic,
    suspend_cron_job,
    uncordon,
    webhook,
)
from prunella.api import offers
from prunella.core.decisions import action


def all_actions(offered: offers.Offers = offers.NONE) -> Mapping[str, action.Action]:
    """Actions by the name that policies use; ``offered`` is what administrators let them name."""
    actions: tuple[action.Action, ...] = (
        restart.Restart(),
        evict_pod.EvictPod(),
        scale.Scale(),
        rollback.Rollback(),
        restart_pods.RestartPods(),
        delete_stuck_pod.DeleteStuckPod(),
        rerun_job.RerunJob(),
        run_job.RunJob(offered.job_templates),
        suspend_cron_job.SuspendCronJob(),
        restore.Restore(),
        webhook.Webhook(offered.endpoints),
        patch_field.PatchField(),
        scale_bounds.ScaleBounds(),
        raise_quota.RaiseQuota(),
        resize.Resize(),
        expand_volume.ExpandVolume(),
        shift_traffic.ShiftTraffic(),
        renew_certificate.RenewCertificate(),
        git_revert.GitRevert(),
        helm_rollback.HelmRollback(offered.helm_rollback),
        abort_rollout.AbortRollout(),
        promote.Promote(),
        cordon.Cordon(),
        drain.Drain(),
        uncordon.Uncordon(),
        revert.Revert(),
        return_traffic.ReturnTraffic(),
        uncordon.ReturnNode(),
    )
    return {each.name: each for each in actions}
