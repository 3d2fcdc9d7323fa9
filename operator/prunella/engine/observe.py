"""Reading telemetry for one policy: each query once, its freshness with one request more."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import functools
from collections.abc import Iterable, Mapping, Sequence

from prunella.core import model, objects
from prunella.core.decisions import step
from prunella.core.signals import (
    alerts,
    compiled,
    detect,
    freshness,
    history,
    joined,
    learning,
    lineage,
    mapping,
    node_conditions,
    onsets,
)
from prunella.engine import clusters, spacings
from prunella.engine import world as worlds

Learners = dict[tuple[str, float], learning.Learner]
"""The memories of a policy's signals that look back, by name and step of their grid in seconds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """What a policy's signals are read for: its targets, and what is known of their rollouts."""

    namespace: str
    targets: tuple[model.Ref, ...]
    workloads: tuple[model.Ref, ...]
    """All of the namespace: the names of pods of the past tell whose they were."""
    rollouts: Mapping[model.Ref, learning.Rollout | None]


def scene_of(
    policy: objects.Policy, memory: step.Memory, workloads: Sequence[model.Workload]
) -> Scene:
    """What the policy's signals are read for."""
    chosen = step.select(policy.key.namespace, step.valid_spec(policy).target, workloads)
    return Scene(
        namespace=policy.key.namespace,
        targets=tuple(workload.ref for workload in chosen),
        workloads=tuple(workload.ref for workload in workloads),
        rollouts={each.ref: onsets.rollout(memory, each) for each in chosen},
    )


class Observer:
    """Asks a policy's queries and remembers how often their metrics are scraped."""

    def __init__(self, world: worlds.World, detectors: detect.Detectors) -> None:
        self._world = world
        self._detectors = detectors
        self._spacings = spacings.Spacings()
        self.clusters = clusters.Clusters(world.metrics)

    async def read(
        self,
        policy: compiled.Policy,
        learners: Learners,
        scene: Scene,
        now: datetime.datetime,
    ) -> tuple[dict[str, detect.Reading], Mapping[str, model.Ref]]:
        """Readings by signal, and the workload of each pod that they speak of.

        ``learners`` holds the memories of the signals that look back; missing ones are made.
        """
        readings = await asyncio.gather(
            *(self._reading(scene, each, learners, now, None) for each in policy.signals)
        )
        pods: set[str] = set()
        for signal, reading in zip(policy.signals, readings, strict=True):
            pods |= mapping.pod_names(reading.samples(), signal.confinement.pod_labels)
        # In no namespace there are no pods: what a series about a node says of one is its source's.
        asked = pods if scene.namespace else ()
        known = await self._world.cluster.owners(scene.namespace, asked) if asked else {}
        owners = {pod: owner for pod, owner in known.items() if owner is not None}
        names = [signal.name for signal in policy.signals]
        return dict(zip(names, readings, strict=True)), owners

    async def verdict_at(
        self,
        policy: compiled.Policy,
        live_state: model.LiveState,
        signals: frozenset[str],
        at: datetime.datetime,
    ) -> model.Verdict:
        """What the named signals said of a target at an earlier time, asked of history."""
        target = live_state.workload.ref
        scene = Scene(target.namespace, (target,), (target,), {})
        verdicts: list[model.Verdict] = []
        for signal in policy.signals:
            if signal.name not in signals:
                continue
            reading = await self._reading(scene, signal, {}, at, at)
            pods = mapping.pod_names(reading.samples(), signal.confinement.pod_labels)
            owners = _earlier_owners(live_state, pods)
            found = detect.detect(signal, reading, [target], owners, self._detectors)
            verdicts.extend(finding.verdict for finding in found)
        return step.worst(verdicts)

    async def _reading(
        self,
        scene: Scene,
        signal: compiled.Signal,
        learners: Learners,
        now: datetime.datetime,
        at: datetime.datetime | None,
    ) -> detect.Reading:
        if signal.spec.node_condition is not None:
            return self._nodes(now)
        if signal.spec.alert is not None:
            return await self._alerts(scene.namespace, signal, at)
        mixed = None
        if at is None:
            mixed = await self.clusters.mixed(signal, scene.namespace, now)
        if mixed is not None:
            return detect.Reading(dict.fromkeys(signal.queries, mixed), mixed, None)
        asked = _asked_for_age(signal)
        fresh = [self._freshness(scene.namespace, signal, text, now, at) for text in asked]
        judged: Mapping[model.Ref, learning.Judged] | None = None
        answers: dict[str, model.Answer] = {}
        if signal.lookback is not None:
            ages = await asyncio.gather(*fresh)
            fitted = compiled.coarsened(signal, self._spacing([signal]).seconds)
            recalled = await self._recall(scene, fitted, learners, now)
            if isinstance(recalled, model.Failure):
                answers[compiled.VALUE] = recalled
            else:
                judged = recalled
        else:
            query = self._world.metrics.query
            source, texts = signal.spec.source, signal.queries.values()
            instant = [query(source, scene.namespace, text, at) for text in texts]
            replies = await asyncio.gather(*instant, *fresh)
            answers = dict(zip(signal.queries, replies[: len(instant)], strict=True))
            ages = replies[len(instant) :]
        spacing = self._spacing([signal])
        return detect.Reading(answers, _merge(ages), spacing.seconds, judged, slower=spacing.slower)

    def _nodes(self, now: datetime.datetime) -> detect.Reading:
        """What the API server shows of the nodes; costs no request."""
        seen = self._world.cluster.workloads("")
        states = {each.ref: each.node for each in seen if each.node is not None}
        nodes = node_conditions.Nodes(states, now)
        return detect.Reading({}, model.Vector(()), None, nodes=nodes)

    async def _alerts(
        self, namespace: str, signal: compiled.Signal, at: datetime.datetime | None
    ) -> detect.Reading:
        """What an alert's rules say now, or what fired at an earlier time."""
        source, firing = signal.spec.source, signal.queries[compiled.VALUE]
        name = signal.spec.alert.name if signal.spec.alert is not None else ""
        found: alerts.Answer
        if at is None:
            found = await self._world.metrics.alerts(source, namespace, name, firing)
        else:
            past = await self._world.metrics.query(source, namespace, firing, at)
            found = past if isinstance(past, model.Failure) else _fired(past)
        return detect.Reading({}, model.Vector(()), alerts.evaluated_every(found), alerts=found)

    async def _recall(
        self,
        scene: Scene,
        signal: compiled.Signal,
        learners: Learners,
        now: datetime.datetime,
    ) -> dict[model.Ref, learning.Judged] | model.Failure:
        """Bring a signal's memory up to now, and ask it for all targets."""
        learner = self._learner(signal, learners)
        span = learner.wanted(scene.targets, now.timestamp()) if scene.targets else None
        for piece in span.pieces(compiled.PIECE_POINTS) if span is not None else ():
            lesson = await self._lesson(scene, signal, learner.bad, piece)
            if isinstance(lesson, model.Failure):
                return lesson
            for _ in learner.learn(scene.targets, lesson):
                await asyncio.sleep(0)
        judged = {each: learner.judge(each, scene.rollouts.get(each)) for each in scene.targets}
        return {target: found for target, found in judged.items() if found is not None}

    def _learner(self, signal: compiled.Signal, learners: Learners) -> learning.Learner:
        """The memory of a signal; a new one when its grid has become another."""
        key = (signal.name, 0.0 if signal.lookback is None else signal.lookback.step)
        known = learners.get(key)
        if known is not None:
            return known
        made = self._detectors.learner(signal)
        if made is None:
            raise ValueError(f"signal {signal.name} has no detector that looks back")
        for other in [each for each in learners if each[0] == signal.name]:
            del learners[other]
        learners[key] = made
        return made

    async def _lesson(
        self, scene: Scene, signal: compiled.Signal, bad: learning.Bad, span: history.Span
    ) -> learning.Lesson | model.Failure:
        history_of = self._world.metrics.history
        source = signal.spec.source
        texts = signal.queries.values()
        replies = await asyncio.gather(
            *(history_of(source, scene.namespace, text, span) for text in texts)
        )
        answers: dict[str, history.Matrix] = {}
        for role, reply in zip(signal.queries, replies, strict=True):
            if isinstance(reply, model.Failure):
                return reply
            answers[role] = reply
        pods = joined.pod_names(list(answers.values()), signal.confinement.pod_labels)
        asked = pods if scene.namespace else ()
        known = await self._world.cluster.owners(scene.namespace, asked) if asked else {}
        owners = lineage.owners(pods, scene.workloads, known)
        return joined.lesson(signal, answers, scene.targets, owners, bad)

    async def _freshness(
        self,
        namespace: str,
        signal: compiled.Signal,
        query: str,
        now: datetime.datetime,
        at: datetime.datetime | None,
    ) -> model.Answer:
        key = (signal.spec.source, query)
        windows = self._spacings.windows(key, now) if at is None else ()
        reach = freshness.reach(self._spacings.of([key]))
        text = _freshness_query(query, signal.labels, windows, reach)
        answer = await self._world.metrics.query(signal.spec.source, namespace, text, at)
        if isinstance(answer, model.Failure):
            return answer
        found = freshness.read_freshness(answer.samples)
        if windows:
            self._spacings.learn(key, found, now)
        return model.Vector(found.ages)

    def _spacing(self, signals: Sequence[compiled.Signal]) -> freshness.Spacing:
        return self._spacings.of(
            (signal.spec.source, query) for signal in signals for query in signal.queries.values()
        )


def _asked_for_age(signal: compiled.Signal) -> tuple[str, ...]:
    """The queries whose data must be fresh: what is absent has no age.

    A recorded baseline is written seldom, and its queries look back no further than that.
    """
    if signal.recorded and signal.spec.baseline is not None:
        return ()
    if signal.spec.absent is not None:
        return (signal.queries[compiled.CANARY],)
    return tuple(signal.queries.values())


@functools.lru_cache(maxsize=8192)
def _freshness_query(
    query: str, labels: tuple[str, ...], windows: tuple[int, ...], reach: int
) -> str:
    """The same text each round: parsing a query costs more than asking it."""
    return freshness.freshness_query(query, labels, windows=windows, reach=reach)


def _fired(vector: model.Vector) -> alerts.History:
    return alerts.History(tuple(each.labels for each in vector.samples))


def queries(policy: compiled.Policy) -> dict[str, str]:
    """The queries of each signal as text, for the record."""
    return {
        signal.name: "\n".join(f"{role}: {query}" for role, query in signal.queries.items())
        for signal in policy.signals
    }


def scrape_seconds(readings: Iterable[detect.Reading]) -> float:
    """The longest time between two samples among some signals, in seconds."""
    known = (reading.spacing.slowest for reading in readings)
    slowest = max((each for each in known if each is not None), default=0.0)
    return slowest or onsets.DEFAULT_SCRAPE_SECONDS


def with_ranges(policy: compiled.Policy, readings: Mapping[str, detect.Reading]) -> compiled.Policy:
    """The policy with how far its alerts look back, as their rules tell."""
    if all(signal.spec.alert is None for signal in policy.signals):
        return policy
    signals = []
    for signal in policy.signals:
        told = readings[signal.name].alerts
        known = signal.longest_range if told is None else alerts.range_of(signal, told)
        changed = known != signal.longest_range
        signals.append(dataclasses.replace(signal, longest_range=known) if changed else signal)
    return dataclasses.replace(policy, signals=tuple(signals))


def _merge(answers: Sequence[model.Answer]) -> model.Answer:
    samples: list[model.Sample] = []
    for answer in answers:
        if isinstance(answer, model.Failure):
            return answer
        samples.extend(answer.samples)
    return model.Vector(tuple(samples))


def _earlier_owners(live_state: model.LiveState, pods: frozenset[str]) -> dict[str, model.Ref]:
    """Pods of the past are gone from the cluster; their names begin with their ReplicaSet's."""
    prefixes = tuple(f"{revision.name}-" for revision in live_state.revisions)
    present = {pod.name for pod in live_state.pods}
    return {
        pod: live_state.workload.ref for pod in pods if pod in present or pod.startswith(prefixes)
    }
