"""What a guard is asked, and how it answers."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence

from prunella.api import base, reasons
from prunella.api import policy as policy_api
from prunella.api import restore as restore_api
from prunella.core import model, node_state, objects
from prunella.core.decisions import action, causes, fields, restoring
from prunella.core.decisions.rules import Rules

Refused = reasons.Refused


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One action on one target, with everything that a guard may look at."""

    policy: objects.Policy
    spec: policy_api.RemediationPolicySpec
    rules: Rules
    now: datetime.datetime
    workload: model.Workload
    action: action.Action
    findings: Sequence[model.Finding]
    held_since: datetime.datetime | None
    held_for: datetime.timedelta
    """The longest ``for`` that has been reached counts; this is the one to compare with."""
    verdicts: Mapping[model.Ref, model.Verdict]
    """The policy's own set of targets."""
    peers: Mapping[model.Ref, model.Verdict]
    """All targets of all policies in the namespace."""
    records: Sequence[objects.Record]
    pause: model.PauseState
    incidents: Sequence[causes.OpenIncident] = ()
    """The open incidents of the cluster that have a suspect."""
    live_state: model.LiveState | None = None
    follows: objects.Record | None = None
    params: base.ApiModel | None = None
    """Parameters of the step; none of a revert."""
    suspect: model.Ref | None = None
    """The object that an incident suspects."""
    looked: restoring.Looked | None = None
    """The object beside the target that is written, as it is now, once it was looked at."""
    measured: Mapping[model.Ref, model.Verdict] = dataclasses.field(default_factory=dict)
    """What the policy's signals alone say of its targets, whatever an incident names."""
    also: tuple[restoring.Looked, ...] = ()
    """Objects that are written along: put back with a rollback, or further ones of a kind."""
    left: Mapping[model.Ref, restoring.Looked] = dataclasses.field(default_factory=dict)
    """Objects that the followed action wrote beside the target, as they are now."""
    written: fields.Written | None = None
    """The fields of another object that the step writes; of a restore `looked` tells them."""
    nodes: Mapping[model.Ref, node_state.NodeState] = dataclasses.field(default_factory=dict)
    """The nodes of the cluster, for a policy that is about nodes."""
    own_record: str = ""
    """Name of the record that this case is about to carry out, which is in flight itself."""

    @property
    def target(self) -> model.Ref:
        """The workload in question."""
        return self.workload.ref

    @property
    def elsewhere(self) -> bool:
        """Whether another object than the target is written."""
        if self.action.name == restoring.RESTORE:
            return self.suspect != self.target
        if fields.writes_elsewhere(self.params):
            return True
        return any(ref != self.target for ref in self.put_back)

    @property
    def put_back(self) -> tuple[model.Ref, ...]:
        """The restored objects that are put back; none but of the undoing of a restore."""
        undone = self.follows if self.params is None else None
        return restoring.written(undone) if undone is not None else ()

    @property
    def readers(self) -> tuple[model.Ref, ...]:
        """The workloads that are restarted after the ConfigMap that they read."""
        if not isinstance(self.params, restore_api.Restore) or self.looked is None:
            return ()
        return restoring.restarted(self.looked, self.params)

    @property
    def touched(self) -> frozenset[model.Ref]:
        """The target, and all other objects that would be written, as far as they are known."""
        found = {self.target, *self.put_back, *self.readers, *(each.ref for each in self.also)}
        if self.action.name == restoring.RESTORE and self.suspect is not None:
            found.add(self.suspect)
        if self.written is not None:
            found.add(self.written.ref)
        return frozenset(found)

    @property
    def others(self) -> list[objects.Record]:
        """All records but the one that is about to be carried out."""
        return [record for record in self.records if record.name != self.own_record]


Answer = model.Refusal | str
Guard = Callable[[Case], Answer]
