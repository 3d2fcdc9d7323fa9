"""What the operator did about a fault, as its Remediations tell, and why it did nothing more."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.exam.sightings import seconds
from lab.shop.faults import Ref

Object = Mapping[str, Any]
SUCCEEDED, REVERT = "Succeeded", "revert"
UNTOUCHED = frozenset({"", "NotSent", "Refused", "WouldSucceed"})
"""Outcomes of effects that changed nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Remedy:
    """One Remediation."""

    name: str
    action: str
    phase: str
    decided: float
    finished: float | None
    """Both in seconds since the epoch."""
    written: tuple[Ref, ...]
    """The objects that its effects changed, or may have changed."""
    follows: str = ""
    proof: str = ""
    """What the last samples said, or why it came to nothing."""

    @property
    def succeeded(self) -> bool:
        """Whether it was proved to have helped; the undoing of another one heals nothing."""
        return self.phase == SUCCEEDED and self.action != REVERT


def read(found: Object) -> Remedy:
    """What a Remediation object says."""
    spec, status = found["spec"], found.get("status") or {}
    outcomes = [each.get("outcome", "") for each in status.get("effects") or ()]
    effects = list(spec.get("effects") or ())
    outcomes += [""] * (len(effects) - len(outcomes))
    return Remedy(
        name=found["metadata"]["name"],
        action=spec["action"],
        phase=status.get("phase", ""),
        decided=seconds(spec["decidedAt"]) or 0.0,
        finished=seconds(status.get("finishedAt")),
        written=tuple(
            _ref(effect)
            for effect, outcome in zip(effects, outcomes, strict=False)
            if outcome not in UNTOUCHED
        ),
        follows=spec.get("follows", ""),
        proof=status.get("message", ""),
    )


def _ref(effect: Object) -> Ref:
    return Ref(effect["kind"], effect.get("namespace", ""), effect["name"])


def read_all(found: Iterable[Object]) -> list[Remedy]:
    """All Remediations, oldest first."""
    return sorted(map(read, found), key=lambda each: (each.decided, each.name))


def refusals(policies: Iterable[Object]) -> list[str]:
    """Why policies leave sick targets alone, by their status: ``TARGET: REASON: numbers``."""
    statuses = [policy.get("status") or {} for policy in policies]
    entries = [
        each
        for status in statuses
        for each in (*(status.get("unattended") or ()), *(status.get("sick") or ()))
        if each.get("refused")
    ]
    told = (f"{each['name']}: {each['refused']}: {each.get('refusal', '')}" for each in entries)
    return list(dict.fromkeys(told))


def undone(remedy: Remedy, all_of_them: Sequence[Remedy]) -> bool:
    """Whether a remedy's effects were taken back by the operator itself."""
    return any(
        each.action == REVERT and each.follows == remedy.name and each.phase == SUCCEEDED
        for each in all_of_them
    )


def sick(incidents: Iterable[Object]) -> set[Ref]:
    """The objects that have a symptom, by the incidents' members."""
    members = [m for each in incidents for m in (each.get("status") or {}).get("members") or ()]
    return {_ref(each["object"]) for each in members}
