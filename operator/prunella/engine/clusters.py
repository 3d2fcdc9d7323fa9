"""One source for many clusters: noticed, so that another cluster's errors are no reason to act.

A Thanos, Mimir or federating Prometheus adds a label for the cluster to all series.  A query that
does not choose one adds up what is of different clusters and has the same names.  So it is asked,
seldom, which clusters the namespace's scrape targets are in; series of applications are not
asked, since their own ``cluster`` may be that of a database.
"""

from __future__ import annotations

import dataclasses
import datetime

from prunella import ports
from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import compiled, query_analysis, series_filter

ASK_EVERY = datetime.timedelta(minutes=10)
BEFORE_ACTING = datetime.timedelta(seconds=15)
"""How old the answer may be on which an action rests."""
_SHOWN = 5


@dataclasses.dataclass(frozen=True, slots=True)
class _Seen:
    when: datetime.datetime
    by_label: dict[str, tuple[str, ...]]
    """The clusters by each label that has more than one."""
    failure: model.Failure | None = None
    """Why the source did not answer, if it did not: then ``by_label`` is what it said before."""


class Clusters:
    """Which sources hold several clusters' series of a namespace."""

    def __init__(self, metrics: ports.Metrics) -> None:
        self._metrics = metrics
        self._seen: dict[tuple[str, str], _Seen] = {}

    async def mixed(
        self,
        signal: compiled.Signal,
        namespace: str,
        now: datetime.datetime,
        every: datetime.timedelta = ASK_EVERY,
    ) -> model.Failure | None:
        """Why a signal can't be believed: it adds up clusters. None where it does not.

        The source is asked again when its last answer is older than ``every``.  An action rests on
        what is known: with `BEFORE_ACTING`, a source that did not answer is a reason for doubt.
        """
        key = signal.spec.source, namespace
        known = self._seen.get(key)
        if known is None or now - known.when >= every:
            # Noted at once: all signals of a round are read at the same time.
            self._seen[key] = _Seen(now, known.by_label if known is not None else {})
            known = self._seen[key] = await self._ask(signal, namespace, now)
        for label, found in known.by_label.items():
            if not all(series_filter.chooses(each, label) for each in signal.queries.values()):
                message = told(signal.spec.source, namespace, label, found)
                return model.Failure(reasons.Doubt.MANY_CLUSTERS, message)
        return known.failure if every <= BEFORE_ACTING else None

    async def _ask(self, signal: compiled.Signal, namespace: str, now: datetime.datetime) -> _Seen:
        labels = ", ".join(compiled.CLUSTER_LABELS)
        asked = f"group by ({labels}) (up)"
        query = query_analysis.matched(asked, signal.confinement.matchers)
        if namespace:
            query = signal.confinement.apply(asked, namespace)
        answer = await self._metrics.query(signal.spec.source, namespace, query)
        if isinstance(answer, model.Failure):
            before = self._seen[signal.spec.source, namespace]
            return dataclasses.replace(before, failure=answer)
        found = {}
        for label in compiled.CLUSTER_LABELS:
            values = {s.labels[label] for s in answer.samples if s.labels.get(label)}
            if len(values) > 1:
                found[label] = tuple(sorted(values))
        return _Seen(now, found)


def told(source: str, namespace: str, label: str, found: tuple[str, ...]) -> str:
    """Which clusters a source has series of, and what to do about it."""
    more = ", ..." if len(found) > _SHOWN else ""
    return (
        f"source {source} has series of {len(found)} clusters for namespace {namespace} "
        f"({label}: {', '.join(found[:_SHOWN])}{more}), and the query adds them up: give the "
        f"source matchers in the operator's settings, as {{{label}: {found[0]}}}"
    )
