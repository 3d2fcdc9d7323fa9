"""Checks of policies' signals: they have data, of now, that can be mapped to their targets."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping, Sequence

from prunella.adapters.kubernetes import kinds, owners, parse
from prunella.adapters.prometheus import metrics
from prunella.cli import kube
from prunella.cli.doctor.found import Found, problem, warning
from prunella.core import model, objects
from prunella.core.decisions import step
from prunella.core.recording import reading
from prunella.core.signals import alerts, compiled, freshness, mapping, ranges

CHECK = "signals"
_MAY_BE_EMPTY = frozenset({compiled.BAD, compiled.PRESENCE, compiled.GIVEN})


class Namespace:
    """The policies of a namespace with the workloads and pods that they may be about."""

    def __init__(self, cluster: kube.Cluster, name: str) -> None:
        """Raises KubeError."""
        self.name = name
        self.workloads = [
            parse.workload(kind.name, raw)
            for kind in kinds.WORKLOADS.values()
            for raw in cluster.items(kind.path(name))
        ]
        pods = cluster.items(kinds.POD.path(name))
        found = {raw["metadata"]["name"]: owners.owner(name, raw) for raw in pods}
        self.owners = {pod: ref for pod, ref in found.items() if ref is not None}


def policies(cluster: kube.Cluster, namespace: str | None) -> list[objects.Policy]:
    """The policies of a namespace, or of all. Raises KubeError."""
    found = (parse.policy(raw) for raw in cluster.items(kinds.POLICY.path(namespace)))
    return sorted(found, key=lambda policy: policy.key)


async def check(
    policy: objects.Policy,
    namespace: Namespace,
    confinements: Mapping[str, compiled.Confinement],
    asking: metrics.PrometheusMetrics,
) -> list[Found]:
    """What is wrong with a policy's signals."""
    where = f"policy {policy.key}"
    if policy.spec is None:
        return [problem(CHECK, where, f"it can't be used: {policy.problem}", "prunella lint FILE")]
    try:
        made = reading.compile_policy(policy.key, policy.spec, confinements)
    except compiled.PolicyError as error:
        return [problem(CHECK, where, str(error), "prunella lint FILE")]
    selected = step.select(policy.key.namespace, policy.spec.target, namespace.workloads)
    if not selected:
        what = f"its target selects none of {len(namespace.workloads)} workloads"
        return [problem(CHECK, where, what, "compare its selector with the workloads' labels")]
    targets = [each.ref for each in selected]
    found: list[Found] = []
    for signal in made.signals:
        place = f"{where}, signal {signal.name}"
        if signal.spec.alert is not None:
            found += await _alert(signal, namespace.name, place, asking)
        else:
            found += await _queries(signal, namespace, targets, place, asking)
    return found


async def _alert(
    signal: compiled.Signal, namespace: str, where: str, asking: metrics.PrometheusMetrics
) -> list[Found]:
    wanted = signal.spec.alert
    if wanted is None:
        return []
    query = signal.queries[compiled.VALUE]
    answer = await asking.alerts(signal.spec.source, namespace, wanted.name, query)
    if isinstance(answer, model.Failure):
        return [problem(CHECK, where, answer.message, "see `prunella explain` of this policy")]
    if isinstance(answer, alerts.Rules) and not answer.rules:
        what = f"the source has no rule of the name {wanted.name}"
        return [problem(CHECK, where, what, "correct the name, or load the rule")]
    return []


async def _queries(
    signal: compiled.Signal,
    namespace: Namespace,
    targets: Sequence[model.Ref],
    where: str,
    asking: metrics.PrometheusMetrics,
) -> list[Found]:
    found: list[Found] = []
    for role, query in signal.queries.items():
        answer = await asking.query(signal.spec.source, namespace.name, query)
        if isinstance(answer, model.Failure):
            found.append(problem(CHECK, where, f"{role}: {answer.message}", "mend the query"))
            continue
        spacing = await _spacing(signal, query, namespace.name, asking)
        short = [*ranges.short_ranges(query, spacing), *ranges.short_lookbacks(query, spacing)]
        found += [problem("ranges", where, str(e), "write a longer range") for e in short]
        if not answer.samples and role not in _MAY_BE_EMPTY and not short:
            what = f"{role} has no data: {query}"
            todo = "is the metric's name right, and does it have a namespace label?"
            found.append(problem(CHECK, where, what, todo))
        if role not in {compiled.GIVEN, compiled.LIMIT}:
            found += _mapped(signal, answer.samples, namespace, targets, where)
    return list(dict.fromkeys(found))


async def _spacing(
    signal: compiled.Signal, query: str, namespace: str, asking: metrics.PrometheusMetrics
) -> float | None:
    """Seconds between the samples of a query, as far as the last hour tells."""
    for windows in freshness.WINDOWS[:2]:
        text = freshness.freshness_query(query, signal.labels, windows=windows)
        if not text:
            return None
        answer = await asking.query(signal.spec.source, namespace, text)
        if isinstance(answer, model.Failure):
            return None
        seconds = freshness.read_freshness(answer.samples).scrape_seconds
        if seconds is not None:
            return seconds
    return None


def _mapped(
    signal: compiled.Signal,
    samples: Sequence[model.Sample],
    namespace: Namespace,
    targets: Sequence[model.Ref],
    where: str,
) -> Iterator[Found]:
    """Whether series lead to targets, and which targets have none."""
    if not samples:
        return
    mapped = mapping.map_samples(signal, samples, targets, namespace.owners)
    if mapped.failure is not None:
        todo = "keep namespace and deployment (or pod) in `by`, or give the signal a mapping"
        yield problem("labels", where, mapped.failure.message, todo)
    elif not mapped.series:
        what = f"none of its {len(samples)} series is about one of the {len(targets)} targets"
        named = ", ".join(sorted(_names(signal, samples))[:3])
        yield problem("labels", where, f"{what} (found: {named})", "compare labels and selector")
    else:
        missing = [each for each in targets if each not in mapped.series]
        if missing and signal.spec.absent is None:
            named = ", ".join(str(each) for each in missing[:3])
            what = f"{len(missing)} of {len(targets)} targets have no series: {named}"
            yield warning("labels", where, what, "their verdict is Unknown: are they scraped?")


def _names(signal: compiled.Signal, samples: Sequence[model.Sample]) -> collections.Counter[str]:
    """The values of the labels that series are mapped by."""
    return collections.Counter(
        f"{label}={sample.labels[label]}"
        for sample in samples
        for label in signal.labels
        if sample.labels.get(label)
    )
