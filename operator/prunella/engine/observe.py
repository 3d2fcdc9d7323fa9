"""Reading telemetry for one policy: each query once, its freshness with one request more."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import functools
from collections.abc import Mapping, Sequence

from prunella.core import model
from prunella.core.decisions import step
from prunella.core.signals import (
    compiled,
    detect,
    history,
    joined,
    learning,
    lineage,
    mapping,
    onsets,
    query_analysis,
)
from prunella.engine import world as worlds

LEARN_EVERY = datetime.timedelta(minutes=10)
LEARN_SOON = datetime.timedelta(seconds=15)
"""Until the same interval was seen twice: a young series seems to be scraped more seldom."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Scrape:
    """How often a query's metrics are scraped, as last learned."""

    seconds: float | None
    when: datetime.datetime
    sure: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """What a policy's signals are read for: its targets, and what is known of their rollouts."""

    namespace: str
    targets: tuple[model.Ref, ...]
    workloads: tuple[model.Ref, ...]
    """All of the namespace: the names of pods of the past tell whose they were."""
    rollouts: Mapping[model.Ref, learning.Rollout | None]


class Observer:
    """Asks a policy's queries and remembers how often their metrics are scraped."""

    def __init__(self, world: worlds.World, detectors: detect.Detectors) -> None:
        self._world = world
        self._detectors = detectors
        self._scrapes: dict[tuple[str, str], _Scrape] = {}

    async def read(
        self,
        policy: compiled.Policy,
        learners: dict[str, learning.Learner],
        scene: Scene,
        now: datetime.datetime,
    ) -> tuple[dict[str, detect.Reading], Mapping[str, model.Ref]]:
        """Readings by signal, and the workload of each pod that they speak of.

        ``learners`` holds the memories of the signals that look back; missing ones are made.
        """
        readings = await asyncio.gather(
            *(self._reading(scene, each, learners, now, None) for each in policy.signals)
        )
        pods = mapping.pod_names(sample for each in readings for sample in each.samples())
        owners = await self._world.cluster.owners(scene.namespace, pods) if pods else {}
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
            owners = _earlier_owners(live_state, mapping.pod_names(reading.samples()))
            found = detect.detect(signal, reading, [target], owners, self._detectors)
            verdicts.extend(finding.verdict for finding in found)
        return step.worst(verdicts)

    async def _reading(
        self,
        scene: Scene,
        signal: compiled.Signal,
        learners: dict[str, learning.Learner],
        now: datetime.datetime,
        at: datetime.datetime | None,
    ) -> detect.Reading:
        asked = _asked_for_age(signal)
        fresh = [self._freshness(scene.namespace, signal, text, now, at) for text in asked]
        judged: Mapping[model.Ref, learning.Judged] | None = None
        answers: dict[str, model.Answer] = {}
        if signal.lookback is not None:
            ages = await asyncio.gather(*fresh)
            recalled = await self._recall(scene, signal, learners, now)
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
        return detect.Reading(answers, _merge(ages), self._scrape_seconds([signal]), judged)

    async def _recall(
        self,
        scene: Scene,
        signal: compiled.Signal,
        learners: dict[str, learning.Learner],
        now: datetime.datetime,
    ) -> dict[model.Ref, learning.Judged] | model.Failure:
        """Bring a signal's memory up to now, and ask it for all targets."""
        learner = learners.get(signal.name) or self._detectors.learner(signal)
        if learner is None:
            raise ValueError(f"signal {signal.name} has no detector that looks back")
        learners[signal.name] = learner
        span = learner.wanted(scene.targets, now.timestamp()) if scene.targets else None
        for piece in span.pieces(compiled.PIECE_POINTS) if span is not None else ():
            lesson = await self._lesson(scene, signal, learner.bad, piece)
            if isinstance(lesson, model.Failure):
                return lesson
            for _ in learner.learn(scene.targets, lesson):
                await asyncio.sleep(0)
        judged = {each: learner.judge(each, scene.rollouts.get(each)) for each in scene.targets}
        return {target: found for target, found in judged.items() if found is not None}

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
        pods = joined.pod_names(list(answers.values()))
        known = await self._world.cluster.owners(scene.namespace, pods) if pods else {}
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
        learn = at is None and self._must_learn(key, now)
        text = _freshness_query(query, signal.labels, learn)
        answer = await self._world.metrics.query(signal.spec.source, namespace, text, at)
        if isinstance(answer, model.Failure):
            return answer
        freshness = query_analysis.read_freshness(answer.samples)
        if learn:
            before = self._scrapes.get(key)
            seen = freshness.scrape_seconds
            known = before.seconds if before is not None else None
            sure = seen is not None and known == seen
            # Just after a rollout no series is old enough to tell: what was known stays known.
            self._scrapes[key] = _Scrape(known if seen is None else seen, now, sure)
        return model.Vector(freshness.ages)

    def _must_learn(self, key: tuple[str, str], now: datetime.datetime) -> bool:
        known = self._scrapes.get(key)
        return known is None or now - known.when >= (LEARN_EVERY if known.sure else LEARN_SOON)

    def scrape_seconds(self, policy: compiled.Policy) -> float:
        """The longest scrape interval among a policy's signals, in seconds."""
        return self._scrape_seconds(policy.signals) or onsets.DEFAULT_SCRAPE_SECONDS

    def _scrape_seconds(self, signals: Sequence[compiled.Signal]) -> float | None:
        seen = (
            self._scrapes.get((signal.spec.source, query))
            for signal in signals
            for query in signal.queries.values()
        )
        known = [each.seconds for each in seen if each is not None and each.seconds is not None]
        return max(known, default=None)


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
def _freshness_query(query: str, labels: tuple[str, ...], learn: bool) -> str:  # noqa: FBT001
    """The same text each round: parsing a query costs more than asking it."""
    return query_analysis.freshness_query(query, labels, learn_interval=learn)


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
