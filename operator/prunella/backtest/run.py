"""The run: a policy's passes over recorded history, with what they found, decided and left alone.

History is fetched in stretches of a day, one ahead of the one that is judged, and dropped behind:
memory does not grow with the length of the history.  Actions are noted and not carried out, and
count for cooldowns and limits; history goes on as if they had changed nothing.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prunella import ports, trust_settings, wiring
from prunella.adapters.recorded import cluster
from prunella.adapters.recorded import ledger as recorded_ledger
from prunella.adapters.recorded import metrics as recorded
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import ledger as ledgers
from prunella.adapters.simulated import notifier, policies, telemetry
from prunella.api import policy as policy_api
from prunella.backtest import (
    kept_samples,
    reader,
    recorded_guards,
    recorder,
    skipped_passes,
    spacings,
    stretch_verdicts,
)
from prunella.backtest import request as requests
from prunella.core import model, objects
from prunella.core.decisions import decide, ledger, step
from prunella.core.outcomes import escalation
from prunella.core.recording import reading as recording
from prunella.core.signals import compiled
from prunella.engine import world as worlds

Request = requests.Request
RESUMED_BY: Final = "backtest"
MANY_RECORDS: Final = 4
"""From so many on, those that no decision rests on are put by: each pass looks through them all."""


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    done: int
    points: int
    moment: datetime.datetime


@dataclasses.dataclass(slots=True)
class Run:
    """What a run has brought so far; complete only when ``until`` is the end."""

    request: Request
    until: datetime.datetime
    tracker: kept_samples.Tracker
    refusals: Sequence[recorder.Refused]
    signals: Sequence[compiled.Signal] = ()
    records: list[objects.Record] = dataclasses.field(default_factory=list)
    escalations: Sequence[ports.Escalation] = ()
    resumed: list[datetime.datetime] = dataclasses.field(default_factory=list)
    """When a policy that had latched was taken to have been resumed by a person."""
    targets: set[model.Ref] = dataclasses.field(default_factory=set)
    facts: recorded_guards.Facts = dataclasses.field(default_factory=recorded_guards.Facts)
    dropped: frozenset[str] = frozenset()
    """Names that were seen and that no object can have."""
    samples: int = 0
    passes: int = 0
    points: int = 0
    evaluated: int = 0


class Runner:
    """One policy on one history."""

    def __init__(self, request: Request, origin: ports.Metrics) -> None:
        """Raises compiled.PolicyError for a policy that can't be evaluated."""
        self.request = request
        spec = request.spec
        self._facts = recorded_guards.Facts()
        settings = request.settings.model_copy(update={"trust": trust_settings.AS_POLICIES_SAY})
        options = wiring.options_of(settings)
        policy = recording.compile_policy(request.key, spec, options.confinements)
        self._compiled = spacings.fitted(policy, request.spacings)
        questions = {signal.name: recorded.questions(signal) for signal in self._compiled.signals}
        self._clock = clocks.VirtualClock(request.first)
        asked = [each for roles in questions.values() for each in roles.values()]
        self.metrics = recorded.RecordedMetrics(
            origin, self._clock, request.key.namespace, asked, request.spacings
        )
        tracker = kept_samples.Tracker(request.first.timestamp(), request.interval, request.points)
        self._reader = reader.Reader(request, self.metrics, self._compiled, questions)
        self._verdicts = stretch_verdicts.StretchVerdicts(
            request, self.metrics, self._compiled, questions, tracker
        )
        self._cluster = cluster.RecordedCluster(self._clock)
        self._server = ledgers.LedgerServer(self._clock)
        self._ledger = recorded_ledger.RecordedLedger(self._server)
        self._policies = policies.SimulatedPolicies()
        self._notifier = notifier.RecordingNotifier()
        self._rules = options.rules
        self.passes = self._passes(options)
        self.result = Run(
            request,
            request.first,
            tracker,
            self.passes.recorder.refusals,
            self._compiled.signals,
            escalations=self._notifier.escalations,
            points=request.points,
        )

    def _passes(self, options: worlds.Options) -> recorder.Passes:
        """The engine's passes on the recorded world, as if the policy's mode were Live."""
        key = self.request.key
        live = self.request.spec.model_copy(update={"mode": policy_api.Mode.LIVE})
        self._policies.apply(key.namespace, key.name, live)
        return recorder.Passes(
            worlds.World(
                clock=self._clock,
                metrics=self.metrics,
                cluster=self._cluster,
                policies=self._policies,
                ledger=self._ledger,
                notifier=self._notifier,
                telemetry=telemetry.RecordingTelemetry(),
                outward=self._cluster,
            ),
            dataclasses.replace(
                options,
                guards=recorded_guards.chain(lambda: self._facts),
                actions=recorded_guards.actions(options.actions, lambda: self._facts),
                detectors=self._verdicts.detectors(options.detectors),
            ),
        )

    async def run(self, progress: Callable[[Progress], None]) -> Run:
        """Go through all of the history. Raises recorded.HistoryError.

        When it is cancelled, ``result`` holds what was done until then.
        """
        try:
            async for part in self._reader.parts():
                self._take_up(part)
                ahead = await self._verdicts.judge_stretch(part.recording, part.states)
                await self._pass_through(ahead, progress)
        finally:
            self._finish()
        return self.result

    def _take_up(self, part: reader.Part) -> None:
        self.metrics.use(part.recording)
        self._cluster.use(part.states)
        self._facts = self.result.facts = part.facts
        self.result.targets.update(part.states.refs)

    async def _pass_through(
        self, ahead: skipped_passes.Stretch, progress: Callable[[Progress], None]
    ) -> None:
        point, points = 0, len(ahead.times)
        first = self.result.evaluated
        while point < points:
            again = await self._pass(self.request.at(first + point))
            self._note(self.passes.recorder.outcome, self._clock.now())
            following = self._following(ahead, point, again=again)
            ripe = self._ripe(self._clock.now())
            while ripe is not None and ripe < self.request.at(first + following):
                # Beside the grid; what it found may be no more at the next point.
                await self._pass(ripe)
                following = ahead.next_time(point, ripe)
                ripe = self._ripe(ripe)
            following = min(following, points)
            self.result.evaluated = first + following
            self.result.until = self.request.at(first + following - 1)
            progress(Progress(self.result.evaluated, self.request.points, self.result.until))
            point = following

    def _following(self, ahead: skipped_passes.Stretch, point: int, *, again: bool) -> int:
        """The point of the next pass after one at ``point``."""
        if again or self.request.thorough:
            return point + 1
        return min(self._next(ahead, point), len(ahead.times))

    def _next(self, ahead: skipped_passes.Stretch, point: int) -> int:
        """The next point at which something may happen."""
        memory = self.passes.memories[self.request.key]
        found = [ahead.next_stirred(point)]
        ripe = self._ripe(self._clock.now())
        if ripe is not None:
            found.append(ahead.next_time(point, ripe))
        records = list(self._server.records.values())
        waiting = self._waiting(records)
        if waiting is not None:
            found += [ahead.next_time(point, waiting), ahead.next_flicker(point)]
        uncleared = {each.target for each in records if each.status.cleared_at is None}
        alone = {each.name: each for each in memory.unattended or ()}
        uncleared |= {ref for ref in ahead.refs if ref.name in alone}
        found.extend(ahead.next_time(point, each) for each in self._calls(alone.values()))
        found.extend(ahead.next_healthy(point, ref) for ref in uncleared)
        if uncleared:
            # Within an episode a flicker is refused at once, without being held.
            found.append(ahead.next_flicker(point))
        if model.Verdict.UNHEALTHY in memory.verdicts.values():
            found += [ahead.next_flicker(point), ahead.next_blink(point)]
        now = self._clock.now()
        found.extend(ahead.next_time(point, each) for each in self._looks(now))
        if self._time_matters():
            patience = self._rules.rollout_seconds
            moments = skipped_passes.moments(self.request.spec, records, memory.memory, patience)
            found.extend(ahead.next_time(point, each) for each in moments if each > now)
        return min(found)

    def _calls(self, entries: Iterable[escalation.Unattended]) -> Iterable[datetime.datetime]:
        """The moments at which a person will be called for targets that nothing is done about."""
        wait, now = self.request.spec.escalate_after, self._clock.now()
        moments = (each.since + wait for each in entries if each.called_at is None)
        return (each for each in moments if each > now)

    def _looks(self, now: datetime.datetime) -> Iterable[datetime.datetime]:
        """The moments at which what was refused may pass, or be refused for another reason."""
        decisions = self._decisions()
        if not decisions:
            return ()
        over = skipped_passes.look_again((each.refusal for each in decisions), now)
        change = skipped_passes.next_change(self.request.spec, self._rules, now)
        return (each for each in (over, change) if each is not None)

    def _time_matters(self) -> bool:
        """Whether a decision about a sick target may become another one by time alone."""
        return any(
            each.refusal is None or each.refusal.reason not in skipped_passes.TIMELESS
            for each in self._decisions()
        )

    def _decisions(self) -> Sequence[decide.Decision]:
        """What the newest pass decided."""
        outcome = self.passes.recorder.outcome
        return tuple(outcome.decisions.values()) if outcome is not None else ()

    async def _pass(self, moment: datetime.datetime) -> bool:
        """One pass of the engine; whether the next point must be looked at too."""
        before = self._in_flight()
        await self._clock.run_until(moment)
        policy = await self._policies.read(self.request.key)
        if policy is None:
            raise ValueError(f"policy {self.request.key} is gone")
        if len(self._server.records) > MANY_RECORDS:
            cooldown = self.request.spec.guards.cooldown.total_seconds()
            self._ledger.tidy(policy, moment, datetime.timedelta(seconds=cooldown))
        await self.passes.run(policy, moment)
        outcome = self.passes.recorder.outcome
        commanded = outcome is not None and (outcome.command is not None or bool(outcome.needs))
        resumed = self._resume(policy, moment)
        after = self._in_flight()
        waits = after == before and self._waiting(self._server.records.values()) is not None
        return (bool(before | after) and not waits) or commanded or resumed

    def _waiting(self, records: Iterable[objects.Record]) -> datetime.datetime | None:
        """The moment until which no unfinished record can change; None: there is no such time."""
        outcome = self.passes.recorder.outcome
        now = self._clock.now()
        found = []
        for record in records:
            if not record.in_flight:
                continue
            signals = {each.signal for each in record.spec.evidence}
            sick = outcome is not None and any(
                each.verdict is model.Verdict.UNHEALTHY
                for each in outcome.findings
                if each.target == record.target and each.signal in signals
            )
            when = skipped_passes.next_sample(record, now, signals_sick=sick)
            if when is None:
                return None
            found.append(when)
        return min(found, default=None)

    def _note(self, outcome: step.Outcome | None, moment: datetime.datetime) -> None:
        """Keep what could not be judged ahead, as of a grid point, and why some are Unknown."""
        for found in outcome.findings if outcome is not None else ():
            blind = found.signal in self._verdicts.blind
            if found.verdict is model.Verdict.UNKNOWN:
                points = 1 if blind else 0
                self.result.tracker.doubt(found.signal, found.reason, found.message, points)
            if blind:
                self.result.tracker.note(
                    found.signal, found.target, moment.timestamp(), found.verdict, found.value
                )

    def _in_flight(self) -> frozenset[str]:
        """The names of unfinished records."""
        records = self._server.records.values()
        return frozenset(record.name for record in records if record.in_flight)

    def _resume(self, policy: objects.Policy, moment: datetime.datetime) -> bool:
        """Resume a policy that has latched, once nothing is Unhealthy: a person would have."""
        records = list(self._server.records.values())
        limit = self._rules.unhelpful_before_latch
        since = ledger.resumed_at(policy)
        latched = ledger.latching(records, policy.key, since, limit)
        verdicts_now = self.passes.memories[policy.key].verdicts.values()
        if not latched or model.Verdict.UNHEALTHY in verdicts_now:
            return False
        written = f"{moment.isoformat()} by {RESUMED_BY}"
        self._policies.annotate(policy.key, objects.RESUMED, written)
        self.result.resumed.append(moment)
        return True

    def _ripe(self, now: datetime.datetime) -> datetime.datetime | None:
        return skipped_passes.ripe_after(
            self._compiled, self.passes.memories[self.request.key].memory, now
        )

    def _finish(self) -> None:
        result = self.result
        result.records = [*self._ledger.put_by, *self._server.records.values()]
        result.records.sort(key=lambda each: (each.spec.decided_at, each.name))
        result.dropped = self._reader.dropped
        result.samples = self.metrics.samples
        result.passes = self.passes.recorder.passes
