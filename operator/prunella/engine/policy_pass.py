"""One pass over one policy: observe, decide, act at most once, take records forward, report."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import functools
from collections.abc import Mapping

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import causes, decide, episode, returning, sickness, step, undoing
from prunella.core.outcomes import escalation, pacing, records, runs, verification
from prunella.core.signals import compiled, detect
from prunella.engine import (
    approvals,
    attempt,
    captures,
    closer_look,
    deployments,
    disruptions,
    leaders,
    observe,
    orphans,
    pauses,
    peers,
    report,
    stops,
    suspects,
    switches,
    telling,
    trusting,
    unattended,
    volumes,
)
from prunella.engine import memory as memories
from prunella.engine import world as worlds

Phase = reasons.Phase
READINGS_LAST = datetime.timedelta(seconds=10)  # A pass that waited longer reads again first.
MOST_QUESTIONS = 16  # How often one target may ask; a rollback asks once for each revision.


class Passes:
    """Runs passes. Deciding and taking the ledger's lock is done by one policy at a time."""

    def __init__(self, world: worlds.World, options: worlds.Options) -> None:
        self._world = world
        self._options = options
        self._observer = observe.Observer(world, options.detectors)
        self._closer_look = closer_look.CloserLook(world, self._observer, options.confinements)
        self._executor = attempt.Executor(world)
        self._budgeted = disruptions.Budgeted(world, self._executor, options.rules)
        self._questions = approvals.Questions(world, self._executor)
        self._captures = captures.Captures(world)
        self._reporter = report.Reporter(world, options)
        self._trusting = trusting.Trusting(world)
        self._unattended = unattended.Watcher(world)
        self._leaders = leaders.Leaders(world)
        self._switches = switches.Switches(world)
        self._stops = stops.Stops(world, options, self._switches, self._trusting)
        self._pauses = pauses.Pauses(world, self._switches)
        self._deciding = asyncio.Lock()
        self.memories: dict[objects.Key, memories.PolicyMemory] = {}
        self._peers = peers.Peers(world, self.memories)

    async def run(self, policy: objects.Policy, now: datetime.datetime) -> datetime.datetime | None:
        """One pass; returns when the policy wants to be looked at again, at the latest."""
        memory = self.memories.setdefault(policy.key, memories.PolicyMemory())
        memories.begin_anew(memory, policy, self._options.confinements)
        if memory.compiled is None:
            memory.verdicts = {}
            if self._world.follows:
                return None
            rules, problem = self._options.rules, memory.problem
            await orphans.close_unjudged(self._world, self._executor, policy, problem, rules)
            await self._reporter.invalid(policy, memory, memory.problem, now)
            telling.forget(self._world, policy.key)
            return None
        workloads = tuple(self._world.cluster.workloads(policy.key.namespace))
        scene = observe.scene_of(policy, memory.memory, workloads)
        readings, owners = await self._observer.read(memory.compiled, memory.learners, scene, now)
        memory.compiled = observe.with_ranges(memory.compiled, readings)
        snapshot = step.Snapshot(
            workloads=workloads,
            readings=readings,
            owners=owners,
            records=tuple(self._world.ledger.records()),
            peers=self._peers.verdicts(policy.key, workloads),
            doubted=self._peers.doubted(policy.key, now),
            incidents=await self._leaders.incidents(policy, now),
            ceilings=await self._trusting.told(policy, memory),
        )
        config = self._config(memory.compiled)
        outcome = step.step(snapshot, memory.memory, policy, config, now)
        # Remembered before anything can fail: an onset that was interrupted must not live on.
        memory.memory, memory.verdicts = outcome.memory, outcome.verdicts
        memory.judged_at = now
        if self._world.follows:
            telling.tell(self._world, policy, memory.compiled, outcome, now)
            return outcome.next_check
        if outcome.needs:
            outcome = await self._decide(snapshot, policy, memory, outcome, now)
        telling.tell(self._world, policy, memory.compiled, outcome, now)
        called = await self._take_forward(policy, memory, snapshot, outcome, now)
        await self._unattended.look(policy, memory, outcome, called, now)
        for record in outcome.to_clear:
            await self._executor.clear(record)
        memory.pause = await self._switches.lately(policy.key)
        await self._trusting.mark(policy)
        await self._reporter.report(policy, memory, outcome, now)
        return outcome.next_check

    def forget(self, key: objects.Key) -> None:
        """Drop what is kept of a policy that is gone."""
        self.memories.pop(key, None)
        self._world.telemetry.forget(key)
        telling.forget(self._world, key)

    def _config(self, signals: compiled.Policy) -> step.Config:
        told = self._options
        return step.Config(signals, told.rules, told.actions, told.detectors, told.guards)

    async def _decide(
        self,
        snapshot: step.Snapshot,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        outcome: step.Outcome,
        now: datetime.datetime,
    ) -> step.Outcome:
        """Look closely, decide on fresh state, begin and carry out the command, if any."""
        asked = self._world.clock.now()
        async with self._deciding:
            if self._world.clock.now() - asked > READINGS_LAST:
                return dataclasses.replace(outcome, decisions={}, needs=(), command=None)
            current = await self._world.policies.read(policy.key)
            if current is None or memories.version(current) != memories.version(policy):
                return dataclasses.replace(outcome, decisions={}, needs=(), command=None)
            snapshot = await self._fresh(snapshot, policy)
            outcome = await self._answer(snapshot, current, memory, now)
            # What the closer look took back has not held: it begins anew, as after any doubt.
            memory.memory, memory.verdicts = outcome.memory, outcome.verdicts
            if outcome.command is None or memory.compiled is None:
                return outcome
            command = outcome.command
            begun = await self._executor.begin(current, command, observe.queries(memory.compiled))
            if isinstance(begun, model.Refusal):
                refused = decide.Decision(refusal=begun)
                decisions = {**outcome.decisions, command.workload.ref: refused}
                return dataclasses.replace(outcome, decisions=decisions, command=None)
            if begun.phase is Phase.PENDING:
                self._reporter.acted(command, policy)
                await self._carry_out(begun, snapshot, current, memory, now)
            return outcome

    async def _fresh(self, snapshot: step.Snapshot, policy: objects.Policy) -> step.Snapshot:
        await self._world.ledger.refresh(policy.key.namespace or self._world.home)
        return dataclasses.replace(
            snapshot,
            records=tuple(self._world.ledger.records()),
            pause=await self._pauses.read(policy.key),
            ceilings=await self._trusting.ceilings(policy),
            workloads=tuple(self._world.cluster.workloads(policy.key.namespace)),
            incidents=await self._leaders.incidents(policy, self._world.clock.now()),
            live_states={},
            living_only={},
            looked={},
            numbers={},
            deployed={},
        )

    async def _answer(
        self,
        snapshot: step.Snapshot,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        now: datetime.datetime,
    ) -> step.Outcome:
        """Ask the core again and again until it needs to know no more."""
        config = self._config(memory.compiled) if memory.compiled is not None else None
        if config is None:
            raise ValueError(f"policy {policy.key} is not compiled")
        for _ in range(MOST_QUESTIONS * max(1, len(memory.verdicts))):
            outcome = step.step(snapshot, memory.memory, policy, config, now)
            if not outcome.needs:
                return outcome
            for need in outcome.needs:
                snapshot = await self._closer_look.answer(need, snapshot, outcome, config, now)
        return outcome

    async def _carry_out(
        self,
        record: objects.Record,
        snapshot: step.Snapshot,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        now: datetime.datetime,
    ) -> None:
        """Plan a Pending record again on the freshest state; go on only with an equal plan."""
        record = await self._captures.before(record, policy)
        replanned = await self._again(record, snapshot, policy, memory, now)
        # Planning may have taken seconds: what is stopped meanwhile is not sent.
        stopped = await self._switches.refusal(policy.key)
        refused = replanned if isinstance(replanned, model.Refusal) else stopped
        if refused is not None:
            await self._questions.turn_away(record, refused)
            return
        await self._budgeted.carry_out(record)

    async def _again(
        self,
        record: objects.Record,
        snapshot: step.Snapshot,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        now: datetime.datetime,
    ) -> decide.Command | model.Refusal:
        """The record's plan made again on the freshest state, if it is the same."""
        snapshot = await self._fresh(snapshot, policy)
        if memory.compiled is None:
            return model.Refusal(reasons.Refused.PLAN_CHANGED, "the policy can't be evaluated")
        config = self._config(memory.compiled)
        following = returning.again(record, snapshot.records)
        known = (policy, step.valid_spec(policy), record, snapshot.records)
        if ended := episode.ended(following, *known):
            return model.Refusal(reasons.Refused.PLAN_CHANGED, ended)
        for _ in range(MOST_QUESTIONS):
            outcome = step.step(snapshot, memory.memory, policy, config, now)
            judged = (outcome.verdicts, now, outcome.measured)
            scene = step.make_scene(snapshot, policy, config, *judged)
            workload = outcome.workloads.get(record.target)
            if workload is None or workload.uid != record.spec.target.uid:
                return model.Refusal(reasons.Refused.TARGET_GONE, f"{record.target} is gone")
            verdict = outcome.verdicts.get(record.target)
            sick_now = following.back is None
            wanted = model.Verdict.UNHEALTHY if sick_now else model.Verdict.HEALTHY
            if verdict is not wanted and not (
                following.revert and undoing.harmed(following.follows)
            ):
                message = f"{record.target} is no longer known to be {wanted}"
                return model.Refusal(reasons.Refused.NOT_HELD, message)
            others = [r for r in snapshot.records if r.name != record.name]
            told = (snapshot.incidents, others, outcome.measured)
            named = causes.named(scene.spec, [record.target], *told)
            cause, findings = named.get(record.target), outcome.findings
            sick = sickness.judge(config.compiled, workload, findings, outcome.memory, now, cause)
            # Only a target that is Healthy is another one here: it was made sure of above.
            sick = returning.healthy(workload, findings, verdict) or sick
            decided_at, name = record.spec.decided_at, record.name
            decision = decide.plan_attempt(scene, sick, following, decided_at, name)
            if decision.refusal is not None:
                return decision.refusal
            if decision.command is not None:
                return decide.same(record, decision.command, scene)
            for need in decision.needs:
                snapshot = await self._closer_look.answer(need, snapshot, outcome, config, now)
        return model.Refusal(reasons.Refused.PLAN_CHANGED, "the plan could not be made again")

    async def _take_forward(
        self,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        snapshot: step.Snapshot,
        outcome: step.Outcome,
        now: datetime.datetime,
    ) -> frozenset[model.Ref]:
        """Take the policy's unfinished records one step further, and call people in.

        Returns the targets for which a person is called.
        """
        for known in tuple(self._world.ledger.records()):
            record = known
            if record.policy != policy.key:
                continue
            if outcome.command is None:
                again = functools.partial(self._again, record, snapshot, policy, memory, now)
                record = await self._questions.look(record, policy, outcome, again)
            if record.phase is Phase.PENDING and outcome.command is None:
                await self._resume(record, snapshot, policy, memory, now)
            elif record.phase is Phase.ACTING:
                await self._settle(record, outcome)
            elif runs.is_running(record):
                await self._executor.follow(record)
            elif record.phase is Phase.VERIFYING:
                await self._verify(record, policy, memory, snapshot.readings, outcome, now)
        await self._questions.answer(policy.key)
        records = tuple(self._world.ledger.records())
        limit = self._options.rules.unhelpful_before_latch
        waiting = escalation.to_call(policy, records, outcome.decisions, limit)
        for record in waiting:
            await self._executor.escalate(record)
        return frozenset(record.target for record in waiting)

    async def _settle(self, record: objects.Record, outcome: step.Outcome) -> None:
        """Settle what was sent; the effects after it follow, unless somebody said stop."""
        async with self._deciding:
            stopped = await self._stops.why(record, outcome.workloads.get(record.target))
            if pacing.is_paced(record):
                now, rules = self._world.clock.now(), self._options.rules
                scene = pacing.scene(record, outcome, rules, now, stopped=stopped)
                await self._executor.pace(record, scene)
            else:
                await self._executor.settle(record, may_send=not stopped)

    async def _resume(
        self,
        record: objects.Record,
        snapshot: step.Snapshot,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        now: datetime.datetime,
    ) -> None:
        """Take up a record that was created and not sent, as after a crash."""
        if not record.spec.mode.acts:
            phase = records.first_phase(record.spec.mode, record.spec.action)
            await self._executor.close(record, phase, phase.value, record.spec.reason)
            return
        asked = self._world.clock.now()
        async with self._deciding:
            if self._world.clock.now() - asked > READINGS_LAST:
                return  # It stays Pending: the next pass takes it up with fresh readings.
            effects = len(record.spec.effects)
            if len(record.status.effects) != effects:
                empty = records.first_status(Phase.PENDING, record.spec.reason, now, effects)
                record = await self._world.ledger.update(record, empty)
            current = await self._world.policies.read(policy.key)
            decided_for = (record.spec.policy.uid, record.spec.policy.generation)
            versions = {memories.version(each) for each in (current, policy) if each is not None}
            if current is None or versions != {decided_for}:
                reason = reasons.Refused.PLAN_CHANGED
                message = "the policy has changed since the decision"
                await self._executor.close(record, Phase.NOT_SENT, reason, message)
                return
            await self._carry_out(record, snapshot, current, memory, now)

    async def _verify(
        self,
        record: objects.Record,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        readings: Mapping[str, detect.Reading],
        outcome: step.Outcome,
        now: datetime.datetime,
    ) -> None:
        if memory.compiled is None:
            return
        scrape_seconds = observe.scrape_seconds(readings.values())
        signals = {evidence.signal for evidence in record.spec.evidence}
        found = [
            finding
            for finding in outcome.findings
            if finding.target == record.target
            and finding.signal != causes.SIGNAL
            and (record.spec.incident or finding.signal in signals)
        ]
        verdict = step.worst(finding.verdict for finding in found)
        last = memory.sampled.get(record.name)
        if verdict is not model.Verdict.HEALTHY:
            memory.sampled.pop(record.name, None)
        elif last is not None and (now - last).total_seconds() < scrape_seconds / 2:
            return  # The same scrape seen again is no other sample.
        else:
            memory.sampled[record.name] = now
        known = self._world.cluster.workloads(record.target.namespace)
        scene = verification.Scene(
            now=now,
            verify=step.valid_spec(policy).verify,
            rules=self._options.rules,
            workload=next((w for w in known if w.ref == record.target), None),
            verdict=verdict,
            message="; ".join(f"{f.signal}: {f.message}" for f in found) or "no findings",
            longest_range=memory.compiled.longest_range,
            scrape_seconds=scrape_seconds,
            others=verification.others(record, known),
            synced=await deployments.synced(self._world, record),
            expanded=await volumes.expanded(self._world, record),
            taking=self._peers.sick_taking(record, policy, outcome.verdicts),
            edited=await suspects.edited(self._world, record),
        )
        healthy = memory.healthy.pop(record.name, 0)
        after = await self._executor.advance(record, scene, healthy)
        if after.phase.final:
            memory.sampled.pop(record.name, None)
        else:
            memory.healthy[record.name] = verification.healthy_in_a_row(record, scene, healthy)
