"""What an operator has promised, looked at with each of its requests.

One effect for a decision, none without a record of it, none on doubt, none over a limit; in the
end nothing stays unfinished.  What is broken is noted with its kind, and counted.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
from typing import TYPE_CHECKING, Any, Final

from prunella.adapters.simulated import metrics as metrics_module
from prunella.core import objects
from prunella.core.decisions import ledger, nodes, sides
from tests.faults import wires

if TYPE_CHECKING:
    from tests.faults import stage

DOUBLE: Final = "double effects"
ON_UNKNOWN: Final = "effects on Unknown"
OVER_LIMIT: Final = "effects over a limit"
UNRECORDED: Final = "effects without a record"
UNAPPROVED: Final = "effects that nobody let go"
UNSETTLED: Final = "records left unfinished"
KINDS: Final = (DOUBLE, ON_UNKNOWN, OVER_LIMIT, UNRECORDED, UNAPPROVED, UNSETTLED)
HOUR: Final = datetime.timedelta(hours=1)
NO_LIMIT: Final = {ledger.REVERT, nodes.RETURN_NODE, sides.RETURN_TRAFFIC}
"""Ways back count for no limit."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """An effect that was on its way, by the true time."""

    at: datetime.datetime
    record: objects.Record


class Promises:
    """Looks on at every request of every operator."""

    def __init__(self, story: stage.FaultStory) -> None:
        self._story = story
        self.broken: list[tuple[str, str]] = []
        """Kind, and what was seen."""
        self.sent: list[Sent] = []
        self._requests: collections.Counter[str] = collections.Counter()

    def note(self, kind: str, told: str) -> None:
        """A promise was broken."""
        self.broken.append((kind, told))

    def on_request(self, operator: stage.Operator, request: wires.Request) -> None:
        """Before it arrives."""
        if request.changes:
            self._effect(request)
        elif (request.port, request.method) == ("ledger", "create"):
            self._decision(operator, request)

    def on_answer(self, operator: stage.Operator, request: wires.Request, answer: Any) -> None:  # noqa: ARG002
        """When it was carried out."""
        if request.port == "ledger" and request.method in {"create", "update"}:
            self._one_at_a_time()

    def _effect(self, request: wires.Request) -> None:
        effect, mark = request.args
        key = f"{mark} {effect}"
        self._requests[key] += 1
        if self._requests[key] > 1:
            self.note(DOUBLE, f"{self._requests[key]} requests of {key}")
        name = mark.rpartition("/")[2]
        record = next((r for r in self._story.records() if r.name == name), None)
        if record is None or record.sent_at is None:
            self.note(UNRECORDED, f"{mark}: {record.phase if record else 'no record'}")
            return
        if not _may_act(record):
            self.note(UNAPPROVED, f"{mark} is of mode {record.spec.mode}: {record.status.approval}")
        found = {str(each.verdict) for each in record.spec.evidence}
        way_back = record.spec.action in NO_LIMIT  # What is Healthy may be undone for the others.
        if found not in ({"Unhealthy"}, {"Healthy"} if way_back else {"Unhealthy"}):
            self.note(ON_UNKNOWN, f"{mark}: {record.spec.evidence}")
        self.sent.append(Sent(self._story.world.clock.now(), record))
        self._limits(record)

    def _limits(self, record: objects.Record) -> None:
        """What was sent in the last hour, by the true time; what was not carried out is no action.

        That a record denies only what was not carried out is another promise.
        """
        since = self._story.world.clock.now() - HOUR
        denied = {(r.namespace, r.name) for r in self._story.records() if r.phase == "NotSent"}
        recent = {
            (each.record.namespace, each.record.name): each.record
            for each in self.sent
            if each.at > since
            and each.record.spec.action not in NO_LIMIT
            and (each.record.namespace, each.record.name) not in denied
        }
        limits, policy = self._story.settings.limits, self._story.policy_of(record)
        counted = [
            (
                sum(r.namespace == record.namespace for r in recent.values()),
                limits.actions_per_namespace_per_hour,
                "namespace",
            ),
            (len(recent), limits.actions_per_cluster_per_hour, "cluster"),
        ]
        if policy is not None and policy.spec is not None:
            own = sum(r.policy == record.policy for r in recent.values())
            counted.append((own, policy.spec.guards.max_per_hour, "policy"))
        for count, limit, of in counted:
            if count > limit:
                self.note(OVER_LIMIT, f"{count} actions of {limit} in an hour of the {of}")

    def _one_at_a_time(self) -> None:
        """Of two that were let go at the same moment the second sees the first before it acts."""
        acting = [r for r in self._story.records() if r.in_flight and r.sent_at is not None]
        busy = collections.Counter(record.target for record in acting)
        if any(count > 1 for count in busy.values()):
            self.note(DOUBLE, f"two at work on one target: {busy}")

    def _decision(self, operator: stage.Operator, request: wires.Request) -> None:
        """Nothing is decided by what was asked while Prometheus could not be believed."""
        doubt = self._story.world.metrics.faults
        if doubt.fault in {None, metrics_module.Fault.FROZEN} or doubt.since is None:
            return
        spec = request.args[2]
        if not any(each.query for each in spec.evidence):
            return  # It rests on what the API server says, as of a node's conditions.
        decided = spec.decided_at - operator.clock.wrong_by
        if doubt.since <= decided:
            self.note(ON_UNKNOWN, f"decided at {decided} while Prometheus was {doubt.fault}")

    def at_the_end(self) -> None:
        """What holds when everything works again, and some time has passed."""
        for record in self._story.records():
            if record.in_flight:
                self.note(UNSETTLED, f"{record.name} is {record.phase}: {record.status.message}")
        self._carried_out()

    def _carried_out(self) -> None:
        """What those have seen who carry effects out: each of a record's effects once."""
        world = self._story.world
        marks = [f"{mark} {effect}" for effect, mark in world.cluster.sent]
        marks += world.outward.sent
        marks += [each.remediation for each in world.repositories.commits if each.remediation]
        for mark, count in collections.Counter(marks).items():
            if count > 1:
                self.note(DOUBLE, f"{count} times carried out: {mark}")
        denied = {r.name for r in self._story.records() if r.phase == "NotSent"}
        for mark in denied & {mark.partition(" ")[0] for mark in marks}:
            self.note(DOUBLE, f"{mark} was carried out, and its record denies it")

    @property
    def counts(self) -> dict[str, int]:
        """How often each was broken."""
        found = collections.Counter(kind for kind, _ in self.broken)
        return {kind: found[kind] for kind in (*KINDS, *(found.keys() - set(KINDS)))}


def _may_act(record: objects.Record) -> bool:
    """Whether the policy lets it act by itself, or a person has approved it, or its way back is."""
    if record.spec.mode != "Approve":
        return record.spec.mode == "Live"
    word = record.status.approval
    approved = word is not None and word.verdict == "Approve"
    return approved or record.spec.action in NO_LIMIT
