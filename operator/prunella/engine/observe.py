"""Reading telemetry for one policy: each query once, its freshness with one request more."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import functools
from collections.abc import Mapping, Sequence

from prunella.core import compiled, detect, mapping, model, onsets, promql, step
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


class Observer:
    """Asks a policy's queries and remembers how often their metrics are scraped."""

    def __init__(self, world: worlds.World) -> None:
        self._world = world
        self._scrapes: dict[tuple[str, str], _Scrape] = {}

    async def read(
        self, namespace: str, policy: compiled.Policy, now: datetime.datetime
    ) -> tuple[dict[str, detect.Reading], Mapping[str, model.Ref]]:
        """Readings by signal, and the workload of each pod that they speak of."""
        readings = await asyncio.gather(
            *(self._reading(namespace, signal, now, None) for signal in policy.signals)
        )
        pods = mapping.pod_names(sample for each in readings for sample in each.samples())
        owners = await self._world.cluster.owners(namespace, pods) if pods else {}
        names = [signal.name for signal in policy.signals]
        return dict(zip(names, readings, strict=True)), owners

    async def verdict_at(
        self,
        policy: compiled.Policy,
        judge_for: detect.JudgeFor,
        look: model.Look,
        signals: frozenset[str],
        at: datetime.datetime,
    ) -> model.Verdict:
        """What the named signals said of a target at an earlier time, asked of history."""
        target = look.workload.ref
        verdicts: list[model.Verdict] = []
        for signal in policy.signals:
            if signal.name not in signals:
                continue
            reading = await self._reading(target.namespace, signal, at, at)
            owners = _earlier_owners(look, mapping.pod_names(reading.samples()))
            judge = judge_for(signal.spec)
            found = detect.detect(signal, reading, [target], owners, judge)
            verdicts.extend(finding.verdict for finding in found)
        return step.worst(verdicts)

    async def _reading(
        self,
        namespace: str,
        signal: compiled.Signal,
        now: datetime.datetime,
        at: datetime.datetime | None,
    ) -> detect.Reading:
        source = signal.spec.source
        query = self._world.metrics.query
        asked = [query(source, namespace, text, at) for text in signal.queries.values()]
        texts = signal.queries.values()
        fresh = [self._freshness(namespace, signal, text, now, at) for text in texts]
        replies = await asyncio.gather(*asked, *fresh)
        answers, ages = replies[: len(asked)], replies[len(asked) :]
        return detect.Reading(
            answers=dict(zip(signal.queries, answers, strict=True)),
            ages=_merge(ages),
            scrape_seconds=self._scrape_seconds([signal]),
        )

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
        freshness = promql.read_freshness(answer.samples)
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


@functools.lru_cache(maxsize=8192)
def _freshness_query(query: str, labels: tuple[str, ...], learn: bool) -> str:  # noqa: FBT001
    """The same text each round: parsing a query costs more than asking it."""
    return promql.freshness_query(query, labels, learn_interval=learn)


def _merge(answers: Sequence[model.Answer]) -> model.Answer:
    samples: list[model.Sample] = []
    for answer in answers:
        if isinstance(answer, model.Failure):
            return answer
        samples.extend(answer.samples)
    return model.Vector(tuple(samples))


def _earlier_owners(look: model.Look, pods: frozenset[str]) -> dict[str, model.Ref]:
    """Pods of the past are gone from the cluster; their names begin with their ReplicaSet's."""
    prefixes = tuple(f"{revision.name}-" for revision in look.revisions)
    present = {pod.name for pod in look.pods}
    return {pod: look.workload.ref for pod in pods if pod in present or pod.startswith(prefixes)}
