"""All actions, one line each."""

from __future__ import annotations

from collections.abc import Mapping

from prunella.actions import evict_pod, restart, restore, revert, rollback, scale
from prunella.core.decisions import action


def all_actions() -> Mapping[str, action.Action]:
    """Actions by the name that policies use."""
    actions: tuple[action.Action, ...] = (
        restart.Restart(),
        evict_pod.EvictPod(),
        scale.Scale(),
        rollback.Rollback(),
        restore.Restore(),
        revert.Revert(),
    )
    return {each.name: each for each in actions}
