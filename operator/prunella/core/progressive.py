"""Progressive delivery: how far an Argo Rollout is with the release that its template names.

All of it is the Rollout's own word, as `kubectl argo rollouts get rollout` shows it.
Source: pkg/apis/rollouts/v1alpha1/types.go of github.com/argoproj/argo-rollouts.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final

Part = Mapping[str, Any]
KIND: Final = "Rollout"
REVISION: Final = "rollout.argoproj.io/revision"
"""Annotation of a Rollout and its ReplicaSets: the number of the release."""
TEMPLATE_HASH: Final = "rollouts-pod-template-hash"
"""Label of its ReplicaSets and pods."""
ABORT, PAUSES, FULL = "abort", "pauseConditions", "promoteFull"
"""Fields of the status that people write, through the plugin: the controller obeys them."""
STEP_PAUSES: Final = frozenset({"CanaryPauseStep", "BlueGreenPause"})
"""Reasons to wait that the spec has foreseen. Any other is a doubt: InconclusiveAnalysisRun."""
STATUS: Final = "/status/"


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """How far a Rollout is. Hashes are those of pod templates, as its ReplicaSets bear them."""

    stable: str = ""
    """The release that was rolled out whole last; empty before the first one was."""
    current: str = ""
    """The release of the template, as far as the controller has seen it."""
    abort: bool | None = None
    """``status.abort`` as it is written; None: it is not there."""
    promote_full: bool | None = None
    """``status.promoteFull`` as it is written; None: it is not there."""
    pauses: tuple[Part, ...] = ()
    """``status.pauseConditions``: why the controller waits for somebody, or for a time."""
    step: int | None = None
    steps: int = 0
    """Of a canary: the step that it is at, from 0 on, and how many there are."""
    abort_seen: bool = False
    """The controller has taken the abort up (``status.abortedAt``)."""
    restarting: bool = False
    """Pods that are older than ``spec.restartAt`` are still there."""
    template_of: str = ""
    """The workload that ``spec.workloadRef`` names, which has the template, as ``Kind/name``."""

    @property
    def aborted(self) -> bool:
        """Whether the release was given up: the stable one serves."""
        return bool(self.abort)

    @property
    def under_way(self) -> bool:
        """Whether another release than the stable one is being rolled out, or was given up."""
        return bool(self.stable) and self.current != self.stable

    @property
    def waiting(self) -> bool:
        """Whether it is paused at a step: nothing moves until somebody, or a time, ends that."""
        return bool(self.pauses) and not self.aborted and not self.promote_full

    @property
    def doubts(self) -> tuple[str, ...]:
        """The reasons to wait that no step has asked for: a person is to decide."""
        reasons = (str(each.get("reason")) for each in self.pauses)
        return tuple(each for each in reasons if each not in STEP_PAUSES)

    @property
    def settling(self) -> bool:
        """Whether pods are to come or go that no count tells of yet."""
        return self.restarting or (self.aborted and not self.abort_seen)

    def __str__(self) -> str:
        """Where it is, in words."""
        if not self.under_way:
            return f"release {self.current or 'unknown'} is the stable one"
        at = f" at step {self.step} of {self.steps}" if self.steps else ""
        reasons = ", ".join(str(each.get("reason")) for each in self.pauses)
        how = "aborted" if self.aborted else f"waiting ({reasons})" if self.waiting else "moving"
        return f"release {self.current} after {self.stable} is {how}{at}"


NONE: Final = Delivery()


def _time(written: str | None) -> datetime.datetime | None:
    """A time of the API, in whatever zone it was written."""
    return datetime.datetime.fromisoformat(written) if written else None


def of(spec: Part, status: Part) -> Delivery:
    """How far the Rollout of a spec and a status is."""
    canary = (spec.get("strategy") or {}).get("canary") or {}
    restart, reference = spec.get("restartAt"), spec.get("workloadRef") or {}
    return Delivery(
        stable=status.get("stableRS", ""),
        current=status.get("currentPodHash", ""),
        abort=status.get(ABORT),
        promote_full=status.get(FULL),
        pauses=tuple(status.get(PAUSES) or ()),
        step=status.get("currentStepIndex"),
        steps=len(canary.get("steps") or ()),
        abort_seen="abortedAt" in status,
        restarting=restart is not None and _time(restart) != _time(status.get("restartedAt")),
        template_of=f"{reference.get('kind', '')}/{reference.get('name', '')}" if reference else "",
    )


def counts(spec: Part, status: Part) -> tuple[int, int, int, int]:
    """Replicas wanted, those of the release that is to serve, those available, and all.

    After an abort it is the stable release that is to serve.  Where traffic is routed, pods of the
    other release get none: they are kept for a while, and are not waited for.
    """
    replicas, total = spec.get("replicas", 1), status.get("replicas", 0)
    updated, delivery = status.get("updatedReplicas", 0), of(spec, status)
    if delivery.aborted:
        updated = total - updated
    if _routed(spec) and (delivery.aborted or not delivery.under_way):
        total = updated
    return replicas, updated, status.get("availableReplicas", 0), total


def limits(spec: Part) -> Part:
    """Where a Rollout's spec says how many pods may be down, or too many, at once."""
    strategy = spec.get("strategy") or {}
    found: Part = strategy.get("canary") or strategy.get("blueGreen") or {}
    return found


def tells(patch: Iterable[Part]) -> bool:
    """Whether a JSON patch is about the status: the controller is told, nothing else is written."""
    return all(str(operation["path"]).startswith(STATUS) for operation in patch)


def _routed(spec: Part) -> bool:
    strategy = spec.get("strategy") or {}
    return "blueGreen" in strategy or "trafficRouting" in (strategy.get("canary") or {})
