"""Good sense about `trigger`: that an incident can ever name a target, and a remedy fits."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.cli.lint import findings
from prunella.cli.lint.findings import Note
from prunella.cli.lint.policy import Policy, Rule

_PATH = ("spec", "trigger", "incident", "causeKind")
NEVER_A_WORKLOAD = frozenset({CauseKind.NODE, CauseKind.QUOTA, CauseKind.EXTERNAL})
"""Causes whose suspect is another object than a workload."""
RESTORABLE = frozenset({CauseKind.QUOTA})
"""Those of them whose suspect a restore can put back."""
OF_THE_TEMPLATE = frozenset(
    {
        CauseKind.RELEASE,
        CauseKind.CONFIGURATION,
        CauseKind.RESOURCES,
        CauseKind.PROBE,
        CauseKind.SCHEDULING,
        CauseKind.ACCESS,
        CauseKind.STORAGE,
        CauseKind.NETWORKING,
    }
)
"""Causes that a pod template can hold: what a rollback takes back."""


def trigger_can_fire(policy: Policy) -> Iterator[Note]:
    """A kind of cause that never names a workload lets nobody act."""
    trigger = policy.spec.trigger
    if trigger is None:
        return
    kinds = trigger.incident.cause_kind
    restores = any(step.restore is not None for step in policy.spec.steps)
    never_applies = NEVER_A_WORKLOAD - RESTORABLE if restores else NEVER_A_WORKLOAD
    for never in (each for each in kinds if each in never_applies):
        message = f"{never} names no workload, and the targets are workloads: it never applies"
        yield findings.warning("trigger-never", _PATH, message)
    if OF_THE_TEMPLATE.isdisjoint(kinds):
        for path, step in policy.steps():
            if step.rollback is not None:
                message = f"a rollback takes back pod templates, no cause of {', '.join(kinds)}"
                yield findings.warning("trigger-remedy", path, message)


RULES: tuple[Rule, ...] = (
    trigger_can_fire,  # Make sure an incident can name a target, and the remedy fits.
)
