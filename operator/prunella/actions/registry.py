"""All actions, one line each."""

from __future__ import annotations

from collections.abc import Mapping

from prunella.actions import (
    delete_stuck_pod,
    evict_pod,
    restart,
    restart_pods,
    revert,
    rollback,
    scale,
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
        revert.Revert(),
    )
    return {each.name: each for each in actions}
