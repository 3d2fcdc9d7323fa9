"""What a target's signals say of the pods that it has now: asked before an action.

A query that adds up its pods tells none of them, and what it says may still rest on one that a
person has already deleted, for as long as it looks back.  So it is asked which pods it rests on,
and, where one of them is gone, what it says without them.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping, Sequence

from prunella.core import model
from prunella.core.decisions import step
from prunella.core.signals import compiled, detect, lineage, mapping, series_filter
from prunella.engine import clusters
from prunella.engine import world as worlds


async def living_only(
    world: worlds.World,
    known: clusters.Clusters,
    signals: Sequence[compiled.Signal],
    looked: model.LiveState,
    snapshot: step.Snapshot,
    findings: Sequence[model.Finding],
    now: datetime.datetime,
) -> step.LivingOnly | None:
    """The readings without pods that are gone; None where no evidence rests on such a pod.

    What adds up several clusters is found out here too, before it can be a reason to act.
    """
    target = looked.workload.ref
    pods = {
        each.signal: each.pod
        for each in findings
        if each.target == target and each.verdict is model.Verdict.UNHEALTHY
    }
    readings: dict[str, detect.Reading] = {}
    found: model.Failure | frozenset[str] | None
    gone: set[str] = set()
    for signal in signals:
        if signal.name not in pods:
            continue
        reading = snapshot.readings[signal.name]
        found = await known.mixed(signal, target.namespace, now, clusters.BEFORE_ACTING)
        if found is None and not pods[signal.name] and _is_of_the_moment(signal):
            living = step.living_pods(looked, signal, reading, now)
            found = await _gone(world, signal, target, living)
        if isinstance(found, model.Failure):
            answers: Mapping[str, model.Answer] = dict.fromkeys(signal.queries, found)
        elif found:
            answers = await _without(world, signal, target.namespace, found)
            gone |= found
        else:
            continue
        readings[signal.name] = detect.Reading(answers, reading.ages, reading.scrape_seconds)
    return step.LivingOnly(readings, tuple(sorted(gone))) if readings else None


def _is_of_the_moment(signal: compiled.Signal) -> bool:
    """Whether a signal is judged by instant queries: what looks back has a memory of its own.

    An alert's rule is not ours to ask otherwise.
    """
    other = signal.spec.absent is not None or signal.spec.alert is not None
    return signal.lookback is None and not signal.recorded and not other


async def _gone(
    world: worlds.World, signal: compiled.Signal, target: model.Ref, living: frozenset[str]
) -> frozenset[str] | model.Failure:
    """The target's pods that the signal rests on and that are not there any more."""
    pattern = lineage.pattern(target)
    names: set[str] = set()
    for query in signal.queries.values():
        text = series_filter.contributors_query(
            query, compiled.POD_LABELS, pattern, signal.longest_range
        )
        answer = await world.metrics.query(signal.spec.source, target.namespace, text)
        if isinstance(answer, model.Failure):
            return answer
        names |= mapping.pod_names(answer.samples)
    return frozenset(name for name in names if mapping.is_gone(name, target, living))


async def _without(
    world: worlds.World, signal: compiled.Signal, namespace: str, gone: frozenset[str]
) -> dict[str, model.Answer]:
    """The answers to the signal's queries, without the series of some pods."""
    left_out = dict.fromkeys(compiled.POD_LABELS, gone)
    texts = [series_filter.without(query, left_out) for query in signal.queries.values()]
    source = signal.spec.source
    replies = await asyncio.gather(
        *(world.metrics.query(source, namespace, text) for text in texts)
    )
    return dict(zip(signal.queries, replies, strict=True))
