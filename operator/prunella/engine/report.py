"""Telling people: the policy's status, Events, the operator's own metrics, log lines.

The only place that writes a policy's status; nothing is written that has not changed.
"""

from __future__ import annotations

import datetime
import logging

from prunella import ports
from prunella.api import conditions, policy_status
from prunella.core import model, objects
from prunella.core.decisions import decide, step
from prunella.core.outcomes import halted, standing, summary
from prunella.engine import memory as memories
from prunella.engine import world as worlds

LOG = logging.getLogger(__name__)


class Reporter:
    """Writes what changed, where people look."""

    def __init__(self, world: worlds.World, options: worlds.Options) -> None:
        self._world = world
        self._rules = options.rules
        self._actions = options.actions

    async def report(
        self,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        outcome: step.Outcome,
        now: datetime.datetime,
    ) -> None:
        """Status, refusals and gauges after one pass."""
        seen = self._with_last_written(policy, memory)
        records = tuple(self._world.ledger.records())
        stands = standing.stand(
            seen, outcome, records, self._rules, self._actions, memory.ceilings, now
        )
        status = summary.summarize(
            seen, outcome, records, self._rules, now, memory.unattended or [], stands
        )
        status = halted.told(seen, status, outcome, self._rules, memory.pause, now)
        await self._tell_condemned(seen, status)
        await self._tell_demoted(seen, status)
        await self._write(seen, memory, status)
        await self._tell_refusals(policy, memory, outcome)
        self._gauges(policy, outcome, status)

    async def invalid(
        self,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        problem: str,
        now: datetime.datetime,
    ) -> None:
        """The status of a policy that can't be evaluated."""
        seen = self._with_last_written(policy, memory)
        await self._write(seen, memory, summary.invalid(seen, problem, now))

    def acted(self, command: decide.Command, policy: objects.Policy) -> None:
        """Measure the time from the first bad evaluation to the decision."""
        if command.held_since is None:
            return
        waited = (command.decided_at - command.held_since).total_seconds()
        labels = {"namespace": policy.key.namespace, "policy": policy.key.name}
        self._world.telemetry.observe("prunella_onset_to_decision_seconds", labels, waited)

    def _with_last_written(
        self, policy: objects.Policy, memory: memories.PolicyMemory
    ) -> objects.Policy:
        """The policy with the status that was written last: the watch may be behind."""
        if memory.written is None or memory.written_over != policy.resource_version:
            return policy
        return objects.with_status(policy, memory.written)

    async def _write(
        self,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        status: policy_status.RemediationPolicyStatus,
    ) -> None:
        if status == policy.status:
            return
        try:
            await self._world.policies.write_status(policy, status)
        except ports.ClusterError as error:
            LOG.warning("status of %s was not written: %s", policy.key, error)
            return
        memory.written, memory.written_over = status, policy.resource_version

    async def _tell_refusals(
        self,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        outcome: step.Outcome,
    ) -> None:
        told: dict[model.Ref, str] = {}
        for ref, decision in outcome.decisions.items():
            refusal = decision.refusal
            if refusal is None:
                continue
            told[ref] = refusal.reason
            labels = {
                "namespace": policy.key.namespace,
                "policy": policy.key.name,
                "reason": refusal.reason.value,
            }
            self._world.telemetry.count("prunella_refusals_total", labels)
            if memory.told.get(ref) != refusal.reason:
                await self._tell_refusal(policy, ref, refusal)
        memory.told = told

    async def _tell_condemned(
        self, policy: objects.Policy, status: policy_status.RemediationPolicyStatus
    ) -> None:
        """An Event, when a release that was proved bad comes again."""
        before = {each.type: each.message for each in policy.status.conditions}
        for each in status.conditions:
            if each.type == conditions.CONDEMNED and before.get(each.type) != each.message:
                LOG.warning("%s: %s", policy.key, each.message, extra={"policy": str(policy.key)})
                notice = ports.Notice(policy, ports.Severity.WARNING, each.type, each.message)
                await self._world.notifier.event(notice)

    async def _tell_demoted(
        self, policy: objects.Policy, status: policy_status.RemediationPolicyStatus
    ) -> None:
        """An Event, when a bad streak makes a policy act as Advise."""
        before = policy.status.trust.demoted if policy.status.trust is not None else None
        after = status.trust.demoted if status.trust is not None else None
        if after is None or after == before:
            return
        LOG.warning("%s: %s", policy.key, after.message, extra={"policy": str(policy.key)})
        notice = ports.Notice(policy, ports.Severity.WARNING, summary.DEMOTED, after.message)
        await self._world.notifier.event(notice)

    async def _tell_refusal(
        self, policy: objects.Policy, ref: model.Ref, refusal: model.Refusal
    ) -> None:
        message = f"nothing is done to {ref}: {refusal.message}"
        LOG.info(
            "%s: %s: %s",
            policy.key,
            refusal.reason,
            message,
            extra={"policy": str(policy.key), "target": str(ref), "reason": refusal.reason},
        )
        notice = ports.Notice(policy, ports.Severity.NORMAL, refusal.reason, message)
        await self._world.notifier.event(notice)

    def _gauges(
        self,
        policy: objects.Policy,
        outcome: step.Outcome,
        status: policy_status.RemediationPolicyStatus,
    ) -> None:
        labels = {"namespace": policy.key.namespace, "policy": policy.key.name}
        verdicts = list(outcome.verdicts.values())
        for verdict in model.Verdict:
            self._world.telemetry.gauge(
                "prunella_targets", {**labels, "verdict": verdict.value}, verdicts.count(verdict)
            )
        latched = 0.0 if status.latch is None else 1.0
        self._world.telemetry.gauge("prunella_policy_latched", labels, latched)
        demoted = status.trust is not None and status.trust.demoted is not None
        self._world.telemetry.gauge("prunella_policy_demoted", labels, float(demoted))
