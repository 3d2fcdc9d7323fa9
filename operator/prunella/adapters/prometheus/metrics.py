"""The Metrics port over named Prometheus-compatible sources."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import datetime
import functools
import time
from collections.abc import Mapping
from typing import Any

from prunella import ports, settings
from prunella.adapters import range_grids
from prunella.adapters import sources as sources_
from prunella.adapters.prometheus import (
    budget,
    chunked_range,
    client,
    cloud_auth,
    matrix,
    rules,
    session,
)
from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import alerts, query_analysis
from prunella.core.signals import history as core_history

_QUERIES = "prunella_queries_total"
_FOREIGN = "prunella_foreign_answers_total"
_ANSWERED = "Answered"


@dataclasses.dataclass(frozen=True, slots=True)
class _Lane:
    """Threads and shares: the rounds have one of their own, which no backlog can fill."""

    executor: concurrent.futures.ThreadPoolExecutor
    budget: budget.Budget


class PrometheusMetrics:
    """Asks in bounded pools of threads; every fault is a Failure.

    Requests, and answers with series that bear another namespace than the asker's, are counted
    by ``telemetry``.
    """

    def __init__(
        self,
        sources: Mapping[str, settings.Source],
        clock: ports.Clock,
        *,
        threads: int = 8,
        history_threads: int = 2,
        most_history_values: int = chunked_range.MOST_VALUES,
        telemetry: ports.Telemetry | None = None,
    ) -> None:
        """Raises settings.SettingsError when a source needs an extra that is not installed."""
        cloud_auth.check(sources)
        self._sources = sources
        self._rounds = _lane(clock, threads, "prunella-metrics")
        self._backlog = _lane(clock, history_threads, "prunella-history")
        self._turns = chunked_range.Turns(history_threads)
        self._most_values = most_history_values
        self._telemetry = telemetry
        self._clock = clock
        self._rules = rules.SharedRules(lambda: clock.now().timestamp())
        self._clients = {
            name: session.PerThread(
                client.access(source), functools.partial(client.PrometheusClient, source)
            )
            for name, source in sources.items()
        }

    async def query(
        self, source: str, namespace: str, query: str, at: datetime.datetime | None = None
    ) -> model.Answer:
        """Ask one instant query, already confined; ``at`` None is now. Never raises."""
        admitted = sources_.admit(self._sources, source, namespace)
        if isinstance(admitted, model.Failure):
            return admitted
        refused = self._rounds.budget.take(source, admitted, namespace, query)
        if refused is not None:
            return refused
        loop = asyncio.get_running_loop()
        work = functools.partial(self._ask, source, admitted, query, at)
        answer, seconds = await loop.run_in_executor(self._rounds.executor, work)
        self._rounds.budget.pay(source, namespace, seconds)
        self._count(source, answer)
        if isinstance(answer, session.AskError):
            return chunked_range.failure(source, answer)
        own, foreign = sources_.own_series(answer, admitted, namespace)
        self._count_foreign(source, namespace, foreign)
        return own

    async def query_whole(self, source: str, query: str) -> model.Answer:
        """Ask an instant query of the operator's own, of all namespaces; never raises.

        Only for what is kept inside: who calls whom.  A policy's queries are confined, see `query`.
        """
        asked = self._sources.get(source)
        if asked is None:
            return model.Failure(reasons.Doubt.UNKNOWN_SOURCE, f"there is no source {source}")
        loop = asyncio.get_running_loop()
        own = query_analysis.matched(query, asked.matchers)
        work = functools.partial(self._ask, source, asked, own, None)
        answer, _ = await loop.run_in_executor(self._rounds.executor, work)
        self._count(source, answer)
        if isinstance(answer, session.AskError):
            return chunked_range.failure(source, answer)
        return answer

    async def history(
        self, source: str, namespace: str, query: str, span: ports.Span
    ) -> core_history.Answer:
        """Ask a query, already confined, at each point of a grid; never raises.

        A long one is asked in pieces, in threads of its own, few at a time and one at a time for
        each namespace; the last few points are asked as the round's instant queries are.
        """
        admitted = sources_.admit(self._sources, source, namespace)
        if isinstance(admitted, model.Failure):
            return admitted
        grid = range_grids.Grid.of(span)
        if isinstance(grid, model.Failure):
            return grid
        ask = functools.partial(self._history, source, admitted, namespace, query, grid)
        if grid.points <= chunked_range.LIGHT_POINTS:
            return await ask(self._rounds)
        async with self._turns.namespace(source, namespace), self._turns.slots:
            return await ask(self._backlog)

    async def history_whole(self, source: str, query: str, span: ports.Span) -> core_history.Answer:
        """Ask a range query of the operator's own, of all namespaces; never raises.

        Only for what is kept inside, as with `query_whole`. One request: the grid must be short.
        """
        asked = self._sources.get(source)
        if asked is None:
            return model.Failure(reasons.Doubt.UNKNOWN_SOURCE, f"there is no source {source}")
        grid = range_grids.Grid.of(span)
        if isinstance(grid, model.Failure):
            return grid
        board = chunked_range.Board(grid.points, asked.max_series, self._most_values)
        loop = asyncio.get_running_loop()
        own = query_analysis.matched(query, asked.matchers)

        async def ask(piece: range_grids.Grid) -> tuple[matrix.Block | session.AskError, float]:
            work = functools.partial(self._ask_piece, source, asked, own, piece)
            answer, seconds = await loop.run_in_executor(self._backlog.executor, work)
            self._count(source, answer)
            return answer, seconds

        error = await chunked_range.gather(ask, grid, board, asked.max_body_bytes)
        if error is not None:
            return chunked_range.failure(source, error)
        return board.finish(grid.times())

    async def alerts(self, source: str, namespace: str, name: str, firing: str) -> alerts.Answer:
        """The alerting rules of a name, with the alerts of the namespace that fire; never raises.

        One request is for all namespaces that ask in the same second.
        """
        admitted = sources_.admit(self._sources, source, namespace)
        if isinstance(admitted, model.Failure):
            return admitted
        refused = self._rounds.budget.take(source, admitted, namespace, firing)
        if refused is not None:
            return refused

        async def ask() -> rules.Told:
            loop = asyncio.get_running_loop()
            work = functools.partial(self._ask_rules, source, name)
            told, seconds = await loop.run_in_executor(self._rounds.executor, work)
            self._rounds.budget.pay(source, namespace, seconds)
            self._count(source, told.error)
            return told

        told = await self._rules.get(source, name, ask)
        if told.error is not None:
            return chunked_range.failure(source, told.error)
        return rules.own(told, admitted.namespace_label, namespace)

    def _ask_rules(self, source: str, name: str) -> tuple[rules.Told, float]:
        """Ask in this thread; the answer and the seconds that it took."""
        started = time.monotonic()
        try:
            document = self._clients[source].get().alerting_rules(name)
            told = rules.Told(rules.read(document, name, self._clock.now()))
        except session.AskError as error:
            told = rules.Told(error=error)
        return told, time.monotonic() - started

    def close(self) -> None:
        """Wait for what is under way, then close all connections."""
        for lane in (self._rounds, self._backlog):
            lane.executor.shutdown(wait=True, cancel_futures=True)
        for each in self._clients.values():
            each.close()

    async def _history(
        self,
        name: str,
        source: settings.Source,
        namespace: str,
        query: str,
        grid: range_grids.Grid,
        lane: _Lane,
    ) -> core_history.Answer:
        refused = lane.budget.take(name, source, namespace, query)
        if refused is not None:
            return refused
        board = chunked_range.Board(grid.points, source.max_series, self._most_values)
        loop = asyncio.get_running_loop()
        foreign = 0

        async def ask(piece: range_grids.Grid) -> tuple[matrix.Block | session.AskError, float]:
            nonlocal foreign
            work = functools.partial(self._ask_piece, name, source, query, piece)
            answer, seconds = await loop.run_in_executor(lane.executor, work)
            lane.budget.pay(name, namespace, seconds)
            self._count(name, answer)
            if isinstance(answer, matrix.Block):
                answer, dropped = matrix.own_series(answer, source, namespace)
                foreign += dropped
            return answer, seconds

        error = await chunked_range.gather(ask, grid, board, source.max_body_bytes)
        self._count_foreign(name, namespace, foreign)
        return board.finish(grid.times()) if error is None else chunked_range.failure(name, error)

    def _ask(
        self, name: str, source: settings.Source, query: str, at: datetime.datetime | None
    ) -> tuple[model.Vector | session.AskError, float]:
        """Ask in this thread; the answer and the seconds that it took."""
        params = {} if at is None else {"time": f"{at.timestamp():.3f}"}
        started = time.monotonic()
        answer: model.Vector | session.AskError
        try:
            reply = self._clients[name].get().custom_query(query, params)
            answer = read_reply(reply, source.max_series)
        except session.AskError as error:
            answer = error
        return answer, time.monotonic() - started

    def _ask_piece(
        self, name: str, source: settings.Source, query: str, piece: range_grids.Grid
    ) -> tuple[matrix.Block | session.AskError, float]:
        """Ask for a piece in this thread; the answer and the seconds that it took."""
        times, started = piece.times(), time.monotonic()
        answer: matrix.Block | session.AskError
        try:
            asking = self._clients[name].get()
            reply = asking.custom_query_range(
                query, times[0], times[-1], f"{piece.step / 1000:.3f}", loads=matrix.loads
            )
            answer = matrix.read_reply(reply, times, source.max_series)
        except session.AskError as error:
            answer = error
        return answer, time.monotonic() - started

    def _count(self, source: str, answer: object) -> None:
        if self._telemetry is not None:
            outcome = answer.reason if isinstance(answer, session.AskError) else _ANSWERED
            self._telemetry.count(_QUERIES, {"source": source, "outcome": str(outcome)})

    def _count_foreign(self, source: str, namespace: str, foreign: int) -> None:
        if self._telemetry is not None and foreign:
            self._telemetry.count(_FOREIGN, {"source": source, "namespace": namespace})


def _lane(clock: ports.Clock, threads: int, name: str) -> _Lane:
    executor = concurrent.futures.ThreadPoolExecutor(threads, name)
    return _Lane(executor, budget.Budget(lambda: clock.now().timestamp()))


def read_reply(reply: client.Reply, max_series: int) -> model.Vector:
    """The vector of a reply; a scalar is one sample without labels.

    NaN and infinity are passed on: detection judges them.  Raises session.AskError for a
    reply that is partial, too long or of another type.
    """
    client.check(reply, max_series)
    result = reply.result
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
