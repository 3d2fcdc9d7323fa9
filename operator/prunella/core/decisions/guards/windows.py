"""The guard of windows: when actions may begin. What has begun is finished, and undone."""

from __future__ import annotations

from prunella.core import model
from prunella.core.decisions import windows
from prunella.core.decisions.guards.case import Answer, Case, Refused


def within_windows(case: Case) -> Answer:
    """The windows of the policy and of the operator."""
    found = windows.state(windows.levels(case.spec, case.rules), case.now)
    if not found.open:
        return model.Refusal(Refused.WINDOW_CLOSED, found.message, until=found.changes_at)
    return found.message
