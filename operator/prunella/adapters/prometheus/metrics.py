"""The Metrics port over named Prometheus-compatible sources."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import datetime
import functools
import time
from collections.abc import Mapping
from typing import Any

from prunella import ports, settings
from prunella.adapters import sources as sources_
from prunella.adapters.prometheus import budget, client, session
from prunella.api import reasons
from prunella.core import model

_SHOWN_WARNINGS = 3


class PrometheusMetrics:
    """Asks instant queries in a bounded pool of threads; every fault is a Failure.

    ``foreign_series`` counts by (source, namespace) the series that were dropped because
    they bear another namespace than the asker's.
    """

    def __init__(
        self, sources: Mapping[str, settings.Source], clock: ports.Clock, *, threads: int = 8
    ) -> None:
        self._sources = sources
        self._budget = budget.Budget(lambda: clock.now().timestamp())
        self._executor = concurrent.futures.ThreadPoolExecutor(threads, "prunella-metrics")
        self._clients = {
            name: session.PerThread(
                client.access(source), functools.partial(client.PrometheusClient, source)
            )
            for name, source in sources.items()
        }
        self.foreign_series: collections.Counter[tuple[str, str]] = collections.Counter()

    async def query(
        self, source: str, namespace: str, query: str, at: datetime.datetime | None = None
    ) -> model.Answer:
        """Ask one instant query, already confined; ``at`` None is now. Never raises."""
        admitted = sources_.admit(self._sources, source, namespace)
        if isinstance(admitted, model.Failure):
            return admitted
        refused = self._budget.take(source, admitted, namespace, query)
        if refused is not None:
            return refused
        loop = asyncio.get_running_loop()
        work = functools.partial(self._ask, source, admitted, query, at)
        answer, seconds = await loop.run_in_executor(self._executor, work)
        self._budget.pay(source, namespace, seconds)
        if isinstance(answer, model.Failure):
            return answer
        own, foreign = sources_.own_series(answer, admitted.namespace_label, namespace)
        self.foreign_series[source, namespace] += foreign
        return own

    def close(self) -> None:
        """Wait for what is under way, then close all connections."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        for each in self._clients.values():
            each.close()

    def _ask(
        self, name: str, source: settings.Source, query: str, at: datetime.datetime | None
    ) -> tuple[model.Answer, float]:
        """Ask in this thread; the answer and the seconds that it took."""
        params = {} if at is None else {"time": f"{at.timestamp():.3f}"}
        started = time.monotonic()
        answer: model.Answer
        try:
            reply = self._clients[name].get().custom_query(query, params)
            answer = read_reply(reply, source.max_series)
        except session.AskError as error:
            answer = model.Failure(error.reason, f"source {name!r}: {error}")
        return answer, time.monotonic() - started


def read_reply(reply: client.Reply, max_series: int) -> model.Vector:
    """The vector of a reply; a scalar is one sample without labels.

    NaN and infinity are passed on: detection judges them.  Raises session.AskError for a
    reply that is partial, too long or of another type.
    """
    result = reply.result
    if isinstance(result, list) and reply.result_type == "vector" and len(result) > max_series:
        raise session.AskError(
            reasons.Doubt.TOO_MANY_SERIES,
            f"more than {max_series} series: aggregate in the query",
        )
    if reply.warnings:
        shown = "; ".join(reply.warnings[:_SHOWN_WARNINGS])
        raise session.AskError(reasons.Doubt.WARNINGS, f"the answer may be partial: {shown}")
    try:
        if reply.result_type == "vector":
            samples = tuple(_sample(element) for element in result)
        elif reply.result_type == "scalar":
            samples = (model.Sample(model.NO_LABELS, float(result[1])),)
        else:
            raise session.AskError(
                reasons.Doubt.QUERY_REJECTED,
                f"the answer is a {reply.result_type or 'nameless type'}, not a vector",
            )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise session.AskError(
            reasons.Doubt.NOT_JSON, "the answer has samples that are not of Prometheus' form"
        ) from error
    return model.Vector(samples, reply.infos)


def _sample(element: Mapping[str, Any]) -> model.Sample:
    if "histogram" in element:
        raise session.AskError(
            reasons.Doubt.NOT_A_NUMBER,
            "the answer is a native histogram: put histogram_quantile() around it",
        )
    return model.Sample(element["metric"], float(element["value"][1]))
