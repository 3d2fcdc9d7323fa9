"""Which workloads the signals of a playbook have data for, asked through the Metrics port."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prunella import ports
from prunella.adapters.recorded import metrics as recorded
from prunella.adapters.recorded import workloads as past
from prunella.api import policy as policy_api
from prunella.core import model
from prunella.core.signals import alerts, compiled, query_analysis

Workloads = frozenset[tuple[str, str]]
"""Kinds and names."""
_NAME: Final = re.compile(r"[a-zA-Z_:][\w:]*")
_SIDE: Final = ("bad", "given", "presence")
"""Queries that may be empty while all is well, or that say nothing of the target."""
_SHOWN: Final = 6
_LOOKS: Final = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Fit:
    """The workloads that all signals of a playbook have data for, or why there is none."""

    workloads: Workloads
    why_not: str = ""


def moments(start: datetime.datetime, end: datetime.datetime) -> tuple[datetime.datetime, ...]:
    """When to look: the end, and evenly back over the history; what idles now ran then."""
    step = (end - start) / _LOOKS
    return tuple(end - number * step for number in range(_LOOKS))


class Eyes:
    """What a source has in a namespace, at some moments of its history."""

    def __init__(
        self, metrics: ports.Metrics, namespace: str, looks: Sequence[datetime.datetime]
    ) -> None:
        self._metrics = metrics
        self._namespace = namespace
        self._looks = looks
        self._present: dict[str, bool] = {}
        self._known: dict[str, list[Mapping[str, str]] | str] = {}

    async def workloads(self, confinement: compiled.Confinement) -> Workloads:
        """The workloads that kube-state-metrics tells of. Raises HistoryError."""
        found: set[tuple[str, str]] = set()
        for kind, label in compiled.WORKLOAD_LABELS.items():
            query = confinement.apply(past.METRICS[kind.value][0], self._namespace)
            for labels in await self._sure("default", query):
                if labels.get(label):
                    found.add((kind.value, labels[label]))
        return frozenset(found)

    async def fit(
        self, policies: Mapping[str, compiled.Policy], known: Workloads, kind: str
    ) -> Fit:
        """The workloads of a playbook; ``policies`` by kind, ``kind`` is the playbook's own.

        Where no workload is known they are the names, of that kind, that series map to.
        Raises HistoryError when the source does not answer.
        """
        signals = policies[kind].signals
        why = await self._missing(signals)
        if why:
            return Fit(frozenset(), why)
        found: Workloads | None = None
        for number, signal in enumerate(signals):
            if signal.spec.mapping is not None and signal.spec.mapping.single:
                continue  # Its series is about whatever the policy's target is.
            of_kinds = {each: policies[each].signals[number] for each in policies}
            one = await self._of_signal(signal, of_kinds, known, kind)
            if not one.workloads:
                return one
            found = one.workloads if found is None else found & one.workloads
        if not found:
            return Fit(frozenset(), "no workload has data for all of its signals")
        return Fit(found)

    async def _missing(self, signals: Iterable[compiled.Signal]) -> str:
        """Which metrics have no series in the namespace."""
        lost: list[str] = []
        for signal in signals:
            if signal.spec.alert is not None:
                continue
            for query in signal.queries.values():
                for leaf in query_analysis.leaves(query):
                    name = _NAME.match(leaf)
                    if name is not None and not await self._there(signal, name[0]):
                        lost.append(name[0])
        return f"no series of {', '.join(dict.fromkeys(lost))}" if lost else ""

    async def _there(self, signal: compiled.Signal, metric: str) -> bool:
        if metric not in self._present:
            query = f"count({signal.confinement.apply(metric, self._namespace)})"
            self._present[metric] = bool(await self._sure(signal.spec.source, query))
        return self._present[metric]

    async def _of_signal(
        self,
        signal: compiled.Signal,
        of_kinds: Mapping[str, compiled.Signal],
        known: Workloads,
        kind: str,
    ) -> Fit:
        if signal.spec.alert is not None:
            ruled = await self._ruled(signal, known)
            if ruled is not None:
                return ruled
        series: list[Mapping[str, str]] = []
        for role, query in signal.queries.items():
            if not role.startswith(_SIDE):
                told = await self._labels(signal.spec.source, query)
                if isinstance(told, str):
                    return Fit(frozenset(), f"{signal.name}: {told}")
                series += told
        found = _mapped(series, of_kinds, known, kind)
        return Fit(found) if found else Fit(frozenset(), _unmapped(signal, series))

    async def _ruled(self, signal: compiled.Signal, known: Workloads) -> Fit | None:
        """Where a source tells of rules: all workloads, or that there is none; else None."""
        assert signal.spec.alert is not None  # noqa: S101 - the caller has seen to it
        name, firing = signal.spec.alert.name, next(iter(signal.queries.values()))
        told = await self._metrics.alerts(signal.spec.source, self._namespace, name, firing)
        if isinstance(told, alerts.Rules) and told.rules:
            unknown = "its rule is there, but no workload is known: name a cluster by --context"
            return Fit(known, "" if known else f"{signal.name}: {unknown}")
        if isinstance(told, model.Failure):
            return Fit(frozenset(), f"{signal.name}: {told.message}")
        return None

    async def _sure(self, source: str, query: str) -> list[Mapping[str, str]]:
        """The labels of a plain query; silence is no absence. Raises HistoryError."""
        told = await self._labels(source, query)
        if isinstance(told, str):
            raise recorded.HistoryError(told)
        return told

    async def _labels(self, source: str, query: str) -> list[Mapping[str, str]] | str:
        """The labels of a query's series at all moments, or why the source does not answer."""
        if query not in self._known:
            found: dict[frozenset[tuple[str, str]], Mapping[str, str]] = {}
            for moment in self._looks:
                answer = await self._metrics.query(source, self._namespace, query, moment)
                if isinstance(answer, model.Failure):
                    self._known[query] = answer.message
                    break
                found.update({frozenset(s.labels.items()): s.labels for s in answer.samples})
            else:
                self._known[query] = list(found.values())
        return self._known[query]


def _mapped(
    series: Iterable[Mapping[str, str]],
    of_kinds: Mapping[str, compiled.Signal],
    known: Workloads,
    kind: str,
) -> Workloads:
    kinds = of_kinds if known else {kind: of_kinds[kind]}
    named = {
        (each, name)
        for labels in series
        for each, signal in kinds.items()
        if (name := past.name_of(signal, each, labels)) is not None
    }
    return frozenset(named & known if known else named)


def _unmapped(signal: compiled.Signal, series: Sequence[Mapping[str, str]]) -> str:
    if signal.spec.alert is not None and not series:
        return f"{signal.name}: no alert {signal.spec.alert.name} has fired, and no rule is seen"
    if not series:
        return f"{signal.name}: its metrics are there, but its query has no result"
    shown = ", ".join(f"{name}={value}" for name, value in list(series[0].items())[:_SHOWN])
    return (
        f"{signal.name}: no series names a workload that is there by "
        f"{', '.join(signal.name_labels)}; the first has {shown or 'no labels'}"
    )


def kinds() -> tuple[str, ...]:
    """The kinds of workloads."""
    return tuple(kind.value for kind in policy_api.WORKLOAD_KINDS)
