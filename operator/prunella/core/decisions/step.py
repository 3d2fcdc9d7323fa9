"""The one entry of the core.

A snapshot, what is remembered, a policy and the time go in; findings, decisions, at most one
command and the next time to look come out.
Nothing here waits, reads a clock or talks to anybody.  When a decision must know more, the outcome
says what (``needs``); the caller observes it and asks again with the same time.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import (
    action,
    causes,
    decide,
    episode,
    gitops,
    guards,
    restoring,
    returning,
    sickness,
)
from prunella.core.decisions.next_check import next_check
from prunella.core.decisions.rules import Rules
from prunella.core.decisions.trust import ceilings
from prunella.core.signals import compiled, detect, gone_pods, onsets, when

NOT_PAUSED = model.PauseState(paused=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """What a policy is judged by: its signals made ready, rules, actions and detectors."""

    compiled: compiled.Policy
    rules: Rules
    actions: Mapping[str, action.Action]
    detectors: detect.Detectors
    guards: Sequence[guards.Guard] = guards.GUARDS


@dataclasses.dataclass(frozen=True, slots=True)
class LivingOnly:
    """What a target's signals say without the pods that are gone, by signal."""

    readings: Mapping[str, detect.Reading]
    gone: tuple[str, ...]
    """Names of the pods that were left out."""


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """The world as one pass sees it."""

    workloads: Sequence[model.Workload]
    readings: Mapping[str, detect.Reading]
    owners: Mapping[str, model.Ref]
    records: Sequence[objects.Record]
    peers: Mapping[model.Ref, model.Verdict] = dataclasses.field(default_factory=dict)
    doubted: frozenset[model.Ref] = frozenset()
    """Peers whose verdict is an old one."""
    pause: model.PauseState = NOT_PAUSED
    ceilings: ceilings.Ceilings = ceilings.NO_CEILINGS
    live_states: Mapping[model.Ref, model.LiveState | None] = dataclasses.field(
        default_factory=dict
    )
    incidents: Sequence[causes.OpenIncident] = ()
    living_only: Mapping[model.Ref, LivingOnly] = dataclasses.field(default_factory=dict)
    """Of targets that were looked at, where pods that are gone were among the evidence."""
    looked: Mapping[model.Ref, restoring.Looked] = dataclasses.field(default_factory=dict)
    """Suspected objects that were looked at."""
    recent: Mapping[model.Ref, restoring.Recent] = dataclasses.field(default_factory=dict)
    """What was changed around the targets that were looked at."""
    deployed: Mapping[model.Ref, gitops.Looked] = dataclasses.field(default_factory=dict)
    verdicts_at: Mapping[tuple[model.Ref, datetime.datetime], model.Verdict] = dataclasses.field(
        default_factory=dict
    )
    numbers: Mapping[tuple[str, str], model.Number] = dataclasses.field(default_factory=dict)
    """What metrics sources said, by source and query as they were asked for."""


Memory = onsets.Memory


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What one pass found and decided."""

    memory: Memory
    findings: tuple[model.Finding, ...]
    verdicts: Mapping[model.Ref, model.Verdict]
    decisions: Mapping[model.Ref, decide.Decision]
    needs: tuple[model.Need, ...]
    command: decide.Command | None
    to_clear: tuple[objects.Record, ...]
    next_check: datetime.datetime
    workloads: Mapping[model.Ref, model.Workload] = dataclasses.field(default_factory=dict)
    """The targets as they were judged: marked as stuck where their rollout is."""
    measured: Mapping[model.Ref, model.Verdict] = dataclasses.field(default_factory=dict)
    """What the signals alone say, whatever an incident names."""


def step(
    snapshot: Snapshot,
    memory: Memory,
    policy: objects.Policy,
    config: Config,
    now: datetime.datetime,
) -> Outcome:
    """One pass over one policy. The policy's spec must be valid."""
    spec = valid_spec(policy)
    workloads = select(policy.key.namespace, spec.target, snapshot.workloads)
    findings = find(workloads, snapshot, config, now)
    measured = judge_targets(workloads, findings, config.compiled.when)
    scrapes = {name: reading.spacing.slowest for name, reading in snapshot.readings.items()}
    patience = config.rules.rollout_seconds
    remembered = onsets.remember(
        memory, config.compiled, workloads, findings, scrapes, now, patience
    )
    workloads = [onsets.with_stuck(each, remembered, now, patience) for each in workloads]
    named = causes.named(spec, measured, snapshot.incidents, snapshot.records, measured)
    findings += [causes.finding(ref, incident) for ref, incident in named.items()]
    verdicts = measured | dict.fromkeys(named, model.Verdict.UNHEALTHY)
    scene = make_scene(snapshot, policy, config, verdicts, now, measured)
    sick = [
        sickness.judge(config.compiled, each, findings, remembered, now, named.get(each.ref))
        for each in workloads
        if verdicts[each.ref] is model.Verdict.UNHEALTHY
    ]
    sick.sort(key=lambda each: turn(each, now))
    decisions, command = _decide_all(scene, sick)
    if command is None and not any(decision.needs for decision in decisions.values()):
        back, command = returning.decide_all(scene, workloads, findings, remembered.well)
        decisions |= back
    return Outcome(
        memory=remembered,
        findings=tuple(findings),
        verdicts=verdicts,
        decisions=decisions,
        needs=tuple(need for decision in decisions.values() for need in decision.needs),
        command=command,
        to_clear=_to_clear(policy, verdicts, snapshot.records),
        next_check=next_check(config.compiled, remembered, spec, config.rules, now),
        workloads={workload.ref: workload for workload in workloads},
        measured=measured,
    )


def _to_clear(
    policy: objects.Policy,
    verdicts: Mapping[model.Ref, model.Verdict],
    records: Sequence[objects.Record],
) -> tuple[objects.Record, ...]:
    """The records of targets that are Healthy now."""
    # Records are few and targets are many: only those that have any are gone through.
    open_records = {r.target for r in records if r.status.cleared_at is None}
    return tuple(
        record
        for ref, verdict in verdicts.items()
        if verdict is model.Verdict.HEALTHY and ref in open_records
        for record in episode.to_clear(policy, ref, records)
    )


def turn(
    sick: decide.UnhealthyTarget, now: datetime.datetime
) -> tuple[bool, bool, datetime.datetime, model.Ref]:
    """Who is decided about first: whom an incident names and the signals show, longest ill."""
    shown = any(finding.signal != causes.SIGNAL for finding in sick.findings)
    return (not sick.cause_of, not shown, sick.held_since or now, sick.workload.ref)


def valid_spec(policy: objects.Policy) -> policy_api.RemediationPolicySpec:
    """The policy's spec; raises ValueError when it has none that can be used."""
    if policy.spec is None:
        raise ValueError(f"policy {policy.key} has no valid spec: {policy.problem}")
    return policy.spec


def select(
    namespace: str, target: policy_api.Target, workloads: Iterable[model.Workload]
) -> list[model.Workload]:
    """The workloads that a policy is about. An empty selector selects nothing."""
    chosen = []
    for workload in workloads:
        if workload.ref.namespace != namespace or workload.ref.kind != target.kind:
            continue
        if target.name is not None:
            fits = workload.ref.name == target.name
        else:
            selector = target.selector
            fits = (
                selector is not None and not selector.is_empty and selector.matches(workload.labels)
            )
        if fits:
            chosen.append(workload)
    return sorted(chosen, key=lambda workload: workload.ref)


def find(
    workloads: Sequence[model.Workload],
    snapshot: Snapshot,
    config: Config,
    now: datetime.datetime,
) -> list[model.Finding]:
    """All findings: each signal for each workload."""
    targets = [workload.ref for workload in workloads]
    idle = {workload.ref for workload in workloads if workload.replicas == 0}
    return [
        _of_idle(finding) if finding.target in idle else finding
        for signal in config.compiled.signals
        for finding in _find_signal(signal, targets, snapshot, config, now)
    ]


def _of_idle(finding: model.Finding) -> model.Finding:
    """A finding about a workload of which no replica is wanted: it can't be sick.

    What is measured Healthy stays so, as after a step that scales to 0.
    """
    if finding.verdict is model.Verdict.HEALTHY:
        return finding
    message = f"0 replicas are wanted, nothing is expected of it ({finding.message})"
    return dataclasses.replace(
        finding,
        verdict=model.Verdict.UNKNOWN,
        reason=reasons.Doubt.SCALED_TO_ZERO,
        message=message,
        pod="",
    )


def _find_signal(
    signal: compiled.Signal,
    targets: Sequence[model.Ref],
    snapshot: Snapshot,
    config: Config,
    now: datetime.datetime,
) -> Iterator[model.Finding]:
    """One signal for each workload, by what lives where that was looked at."""
    reading = snapshot.readings[signal.name]
    living = {
        ref: living_pods(looked, signal, reading, now)
        for ref, looked in snapshot.live_states.items()
        if looked is not None and looked.pods_known
    }
    owners, detectors = snapshot.owners, config.detectors
    for finding in detect.detect(signal, reading, targets, owners, detectors, living):
        only = snapshot.living_only.get(finding.target)
        if only is None or signal.name not in only.readings:
            yield finding
            continue
        target = finding.target
        asked = only.readings[signal.name]
        (found,) = detect.detect(signal, asked, [target], owners, detectors, living)
        yield gone_pods.left_out(found, only.gone) if found.reason in _EMPTY else found


_EMPTY = {reasons.Doubt.NO_DATA, reasons.Doubt.TOO_FEW_EVENTS}


def living_pods(
    looked: model.LiveState,
    signal: compiled.Signal,
    reading: detect.Reading,
    now: datetime.datetime,
) -> frozenset[str]:
    """The pods of a target that can be evidence: not one that is being deleted.

    A StatefulSet's pod bears the name of the one before it, so its series say nothing of it until
    they no longer reach back before it was there.
    """
    inherits = looked.workload.ref.kind == "StatefulSet"
    scrape = reading.scrape_seconds or onsets.DEFAULT_SCRAPE_SECONDS
    wait = datetime.timedelta(seconds=compiled.wait_after_rollout(signal.longest_range, scrape))
    return frozenset(
        pod.name
        for pod in looked.pods
        if not pod.deleting and (not inherits or pod.created is None or now - pod.created >= wait)
    )


def judge_targets(
    workloads: Sequence[model.Workload],
    findings: Iterable[model.Finding],
    expression: when.When | None = None,
) -> dict[model.Ref, model.Verdict]:
    """One verdict for each target: as the policy's expression says it.

    Without one a target is sick if any signal is, else unknown if any is.
    """
    seen: dict[model.Ref, dict[str, model.Verdict]] = {each.ref: {} for each in workloads}
    for finding in findings:
        before = seen[finding.target].get(finding.signal, finding.verdict)
        seen[finding.target][finding.signal] = worst((before, finding.verdict))
    if expression is None:
        return {ref: worst(verdicts.values()) for ref, verdicts in seen.items()}
    return {ref: expression.judge(verdicts)[0] for ref, verdicts in seen.items()}


def worst(verdicts: Iterable[model.Verdict]) -> model.Verdict:
    """Unhealthy before Unknown before Healthy; nothing at all is Unknown."""
    found = set(verdicts)
    for verdict in (model.Verdict.UNHEALTHY, model.Verdict.UNKNOWN, model.Verdict.HEALTHY):
        if verdict in found:
            return verdict
    return model.Verdict.UNKNOWN


def make_scene(
    snapshot: Snapshot,
    policy: objects.Policy,
    config: Config,
    verdicts: Mapping[model.Ref, model.Verdict],
    now: datetime.datetime,
    measured: Mapping[model.Ref, model.Verdict] = causes.NOTHING_MEASURED,
) -> decide.Scene:
    """What all decisions share; targets of which no replica is wanted are no reason to doubt."""
    idle = {workload.ref for workload in snapshot.workloads if workload.replicas == 0}
    verdicts = {ref: verdict for ref, verdict in verdicts.items() if ref not in idle}
    return decide.Scene(
        policy=policy,
        spec=valid_spec(policy),
        rules=config.rules,
        actions=config.actions,
        now=now,
        verdicts=verdicts,
        peers=snapshot.peers,
        doubted=snapshot.doubted,
        records=snapshot.records,
        pause=snapshot.pause,
        ceilings=snapshot.ceilings,
        live_states=snapshot.live_states,
        verdicts_at=snapshot.verdicts_at,
        guards=config.guards,
        incidents=snapshot.incidents,
        looked=snapshot.looked,
        measured=measured,
        recent=snapshot.recent,
        numbers=snapshot.numbers,
        deployed=snapshot.deployed,
        nodes={each.ref: each.node for each in snapshot.workloads if each.node is not None},
    )


def held(
    signals: compiled.Policy, outcome: Outcome, now: datetime.datetime
) -> dict[onsets.SignalOf, datetime.datetime]:
    """The onsets of signals that have been Unhealthy for their ``for``, of targets that are."""
    holds = {signal.name: signal.spec.for_ for signal in signals.signals}
    return {
        (signal, target): since
        for (signal, target), since in outcome.memory.onsets.items()
        if outcome.verdicts.get(target) is model.Verdict.UNHEALTHY and since + holds[signal] <= now
    }


def _being_healed(scene: decide.Scene, ref: model.Ref) -> bool:
    """Whether the policy's own action on a target is under way, or waits for a person's word."""
    return any(
        not record.phase.final and record.target == ref and record.policy == scene.policy.key
        for record in scene.records
    )


def _decide_all(
    scene: decide.Scene, sick: Sequence[decide.UnhealthyTarget]
) -> tuple[dict[model.Ref, decide.Decision], decide.Command | None]:
    """Decide target by target, longest ill first. One command a pass; the others wait."""
    decisions: dict[model.Ref, decide.Decision] = {}
    command: decide.Command | None = None
    for each in sick:
        if command is not None:
            break
        if _being_healed(scene, each.workload.ref):
            continue
        decision = decide.decide(scene, each)
        decisions[each.workload.ref] = decision
        command = decision.command
        if decision.needs:
            break
    return decisions, command
