"""A policy and a ledger record as the core sees them: metadata beside the API's own models."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence

from prunella.api import approval as approval_api
from prunella.api import policy as policy_api
from prunella.api import policy_status, reasons
from prunella.api import remediation as remediation_api
from prunella.core import model, pushes

FIELD_MANAGER = "prunella"
"""The operator's name in managedFields."""
MARK = "prunella.dev/remediation"
"""Annotation on a target: the newest Remediation that changed it."""
RESUMED = "prunella.dev/resumed"
"""Annotation on a policy: when a person last cleared its latch, as ``TIME by AUTHOR``."""


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Key:
    """Namespace and name of a policy: what limits and latches are counted by."""

    namespace: str
    """Empty of a ClusterRemediationPolicy."""
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def argument(self) -> str:
        """How commands are told which policy is meant."""
        return f"{self.name} -n {self.namespace}" if self.namespace else f"crempol/{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """A policy of either kind as read. ``problem`` says why a spec can't be used, if it can't."""

    key: Key
    uid: str
    generation: int
    spec: policy_api.RemediationPolicySpec | None
    status: policy_status.RemediationPolicyStatus = dataclasses.field(
        default_factory=policy_status.RemediationPolicyStatus
    )
    annotations: Mapping[str, str] = dataclasses.field(default_factory=lambda: model.NO_LABELS)
    resource_version: str = ""
    deleting: bool = False
    problem: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """A Remediation as read."""

    name: str
    namespace: str
    spec: remediation_api.RemediationSpec
    status: remediation_api.RemediationStatus
    uid: str = ""
    resource_version: str = ""
    created: datetime.datetime | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=lambda: model.NO_LABELS)

    @property
    def policy(self) -> Key:
        """The policy that decided."""
        return Key(self.spec.policy.namespace, self.spec.policy.name)

    @property
    def target(self) -> model.Ref:
        """The workload that was acted on."""
        target = self.spec.target
        return model.Ref(target.kind, target.namespace, target.name)

    @property
    def phase(self) -> reasons.Phase:
        """Where the attempt stands."""
        return self.status.phase

    @property
    def in_flight(self) -> bool:
        """True while something is under way, or about to be, because of this record."""
        return not self.phase.final and not self.awaiting

    @property
    def awaiting(self) -> bool:
        """True while nothing happens before a person has said a word."""
        return self.phase is reasons.Phase.AWAITING_APPROVAL

    @property
    def acted(self) -> bool:
        """True when an effect was, or may have been, sent: such a record counts for limits."""
        return self.phase in reasons.ACTED

    @property
    def touched(self) -> frozenset[model.Ref]:
        """The target, and all objects that the effects write."""
        effects = self.spec.effects
        return frozenset({self.target, *(model.Ref(e.kind, e.namespace, e.name) for e in effects)})

    @property
    def finished_or_decided_at(self) -> datetime.datetime:
        """When it ended; when it was decided, while it has not."""
        return self.status.finished_at or self.spec.decided_at

    @property
    def last_sent_or_decided_at(self) -> datetime.datetime:
        """When the newest effect was sent; when it was decided, while none was."""
        return self.last_sent_at or self.spec.decided_at

    @property
    def sent_at(self) -> datetime.datetime | None:
        """When the first effect was sent, or was about to be."""
        return min(self._sent, default=None)

    @property
    def last_sent_at(self) -> datetime.datetime | None:
        """When the newest effect was sent, or was about to be."""
        return max(self._sent, default=None)

    @property
    def _sent(self) -> list[datetime.datetime]:
        return [each.sent_at for each in self.status.effects if each.sent_at is not None]


@dataclasses.dataclass(frozen=True, slots=True)
class Approval:
    """An Approval as read. Its name is that of the Remediation that it is about."""

    name: str
    namespace: str
    spec: approval_api.ApprovalSpec
    status: approval_api.ApprovalStatus
    uid: str
    resource_version: str
    created: datetime.datetime

    @property
    def answered(self) -> bool:
        """Whether the operator has said what became of it."""
        return any(each.type == approval_api.ACCEPTED for each in self.status.conditions)


def effect_to_spec(effect: model.Effect) -> remediation_api.EffectSpec:
    """An effect as it is frozen in a Remediation."""
    return remediation_api.EffectSpec(
        verb=effect.verb.value,
        kind=effect.target.kind,
        namespace=effect.target.namespace,
        name=effect.target.name,
        precondition=remediation_api.Precondition(
            uid=effect.uid,
            generation=effect.generation,
            resource_version=effect.resource_version,
        ),
        patch=_dump(effect.patch),
        summary=effect.summary,
        inverse=_dump(effect.inverse),
        paced=effect.paced,
        forced=effect.forced,
        git=_git_to_spec(effect.git),
    )


def _git_to_spec(change: pushes.GitChange | None) -> remediation_api.GitChange | None:
    if change is None:
        return None
    told = dataclasses.asdict(change)
    return remediation_api.GitChange(**{**told, "files": list(change.files)})


def _git_from_spec(spec: remediation_api.GitChange | None) -> pushes.GitChange | None:
    if spec is None:
        return None
    told = spec.model_dump()
    return pushes.GitChange(**{**told, "files": tuple(spec.files)})


def effect_from_spec(spec: remediation_api.EffectSpec) -> model.Effect:
    """The effect that was frozen in a Remediation."""
    return model.Effect(
        verb=model.Verb(spec.verb),
        target=model.Ref(spec.kind, spec.namespace, spec.name),
        uid=spec.precondition.uid,
        summary=spec.summary,
        generation=spec.precondition.generation,
        patch=tuple(json.loads(spec.patch or "[]")),
        inverse=tuple(json.loads(spec.inverse or "[]")),
        paced=spec.paced,
        forced=spec.forced,
        resource_version=spec.precondition.resource_version,
        git=_git_from_spec(spec.git),
    )


def effect_to_spec_text(effect: model.Effect) -> str:
    """The longer of an effect's patch and inverse, as the ledger holds it."""
    return max(_dump(effect.patch), _dump(effect.inverse), key=len)


def _dump(patch: Sequence[model.PatchOperation]) -> str:
    return json.dumps([dict(op) for op in patch], sort_keys=True) if patch else ""


def with_status(policy: Policy, status: policy_status.RemediationPolicyStatus) -> Policy:
    """The policy with another status."""
    return dataclasses.replace(policy, status=status)
