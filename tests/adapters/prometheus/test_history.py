"""Long histories come in pieces, whole or not at all, and never in the way of the rounds."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
import pathlib
import threading
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from prunella import ports, settings
from prunella.adapters.prometheus import budget, chunked_range, metrics
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import telemetry as telemetries
from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import history
from tests.adapters.prometheus import faultserver, ranges

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
Doubt = reasons.Doubt
PODS = ranges.PODS


class Asked:
    """A source over one server, and what was counted."""

    def __init__(self, server: faultserver.Server, **fields: Any) -> None:
        options = {name: fields.pop(name) for name in list(fields) if name.endswith("_values")}
        source = settings.Source(url=server.url, **{"read_timeout_seconds": 30, **fields})
        self.clock = clocks.VirtualClock(START)
        self.telemetry = telemetries.RecordingTelemetry()
        self.server = server
        self.metrics = metrics.PrometheusMetrics(
            {"default": source}, self.clock, telemetry=self.telemetry, **options
        )

    async def history(
        self, span: ports.Span, query: str = "up", namespace: str = "shop", source: str = "default"
    ) -> history.Answer:
        """Ask."""
        return await self.metrics.history(source, namespace, query, span)

    @property
    def sizes(self) -> list[int]:
        """Points of each request."""
        return [len(ranges.points(request.form)) for request in self.server.requests]


@contextlib.asynccontextmanager
async def asking(behaviour: faultserver.Behaviour, **fields: Any) -> AsyncIterator[Asked]:
    """A source over a server that behaves so."""
    with faultserver.serve(behaviour) as server:
        asked = Asked(server, **fields)
        try:
            yield asked
        finally:
            asked.metrics.close()


def span(count: int, step: float = 300.0, start: float = 1_772_323_200.0) -> ports.Span:
    """So many points."""
    return ports.Span(start, start + step * (count - 1), step)


def whole(answer: history.Answer) -> history.Matrix:
    """An answer that must be there."""
    assert isinstance(answer, history.Matrix), answer
    return answer


def failed(answer: history.Answer) -> model.Failure:
    """An answer that must not be there."""
    assert isinstance(answer, model.Failure)
    return answer


@pytest.mark.parametrize("count", [1, 32, 33, 256, 257, 4032, 20_000])
async def test_whole(count: int) -> None:
    """Whatever the pieces are, the samples are those of one question."""
    async with asking(ranges.serve()) as asked:
        found = whole(await asked.history(span(count)))

    times = 1_772_323_200.0 + 300.0 * np.arange(count)
    np.testing.assert_array_equal(times, found.times)
    assert PODS == found.labels
    np.testing.assert_array_equal([times, times + 1 / 8], found.values)


async def test_pieces() -> None:
    """The first is small; then as many points as Prometheus and the memory allow."""
    async with asking(ranges.serve()) as asked:
        await asked.history(span(25_000))
    few = asked.sizes
    many = [{"pod": str(number)} for number in range(500)]
    async with asking(ranges.serve(many)) as asked:
        await asked.history(span(1_256))

    assert [256, 10_000, 10_000, 4_744] == few
    assert [256, 500, 500] == asked.sizes


async def test_small_bodies() -> None:
    """Where the settings allow less than usual, pieces are smaller from the beginning."""
    many = [{"pod": str(number)} for number in range(50)]
    async with asking(ranges.serve(many), max_body_bytes=800_000) as asked:
        whole(await asked.history(span(1_056)))

    assert [256, 400, 400] == asked.sizes


async def test_fractions_of_a_second() -> None:
    """The grid is exact to the millisecond, in each piece."""
    async with asking(ranges.serve()) as asked:
        found = whole(await asked.history(span(400, 0.125, 1000.375)))

    assert {"start": "1000.375", "end": "1032.250", "step": "0.125"}.items() <= (
        asked.server.requests[0].form.items()
    )
    assert asked.server.requests[1].form["start"] == "1032.375"
    np.testing.assert_array_equal(1000.375 + 0.125 * np.arange(400), found.values[0])


async def test_series_come_and_go() -> None:
    """A series that is new in a later piece is unknown before, not zero."""
    born = {number: 1_772_323_200.0 + 300.0 * 100 * number for number in range(9)}
    series = [{"pod": str(number)} for number in range(9)]
    async with asking(ranges.serve(series, born=born)) as asked:
        found = whole(await asked.history(span(1_000)))

    assert [{"pod": str(number)} for number in range(9)] == [dict(each) for each in found.labels]
    assert [100 * number for number in range(9)] == np.isnan(found.values).sum(axis=1).tolist()
    assert found.values[8, 800] == ranges.value(8, found.times[800])


async def test_nothing_there() -> None:
    """No series is an answer, and so are no points."""
    async with asking(ranges.serve(())) as asked:
        none = whole(await asked.history(span(40)))
        empty = whole(await asked.history(span(0)))

    assert (0, 40) == none.values.shape
    assert (0, 0) == empty.values.shape
    assert [40] == asked.sizes


def above(limit: int, behaviour: faultserver.Behaviour) -> ranges.Wrong:
    """Answer so what has more points than ``limit``."""
    return lambda _, asked: behaviour if asked > limit else None


SHRINK = {
    "body": above(20, faultserver.send(b" " * 70_000)),
    "samples": above(
        20,
        faultserver.error("execution", "query processing would load too many samples", 422),
    ),
    "resolution": above(
        20, faultserver.error("bad_data", "exceeded maximum resolution of 11,000 points", 400)
    ),
    "timeout": above(64, faultserver.error("timeout", "query timed out in expression", 503)),
}


@pytest.mark.parametrize("wrong", SHRINK.values(), ids=SHRINK)
async def test_too_large_a_piece(wrong: ranges.Wrong) -> None:
    """What is too much at once is asked for in quarters, and stays small."""
    async with asking(ranges.serve(wrong=wrong), max_body_bytes=65_536) as asked:
        found = whole(await asked.history(span(300)))

    assert [256, 64] == asked.sizes[:2]
    assert max(asked.sizes[3:]) <= 64
    assert not np.isnan(found.values).any()


FAILURES = {
    "down": (faultserver.hang_up, Doubt.UNREACHABLE, 1),
    "HTTP": (faultserver.send(b"", 500), Doubt.HTTP_ERROR, 1),
    "html": (faultserver.send(b"<html>"), Doubt.NOT_JSON, 1),
    "refused": (faultserver.error("bad_data", "parse error", 400), Doubt.QUERY_REJECTED, 1),
    "warnings": (
        faultserver.answer(faultserver.success("matrix", [], warnings=["x"])),
        Doubt.WARNINGS,
        1,
    ),
    "partial, in VictoriaMetrics' words": (
        faultserver.answer({**faultserver.success("matrix", []), "isPartial": True}),
        Doubt.WARNINGS,
        1,
    ),
    "vector": (faultserver.vector(), Doubt.QUERY_REJECTED, 1),
    "other times": (
        faultserver.answer(
            faultserver.success("matrix", [{"metric": {}, "values": [[1, "1"]]}]),
        ),
        Doubt.NOT_JSON,
        1,
    ),
    "always too large": (faultserver.send(b" " * 70_000), Doubt.BODY_TOO_LARGE, 5),
    "always too slow": (faultserver.error("timeout", "timed out", 503), Doubt.TIMEOUT, 3),
}


@pytest.mark.parametrize(("behaviour", "reason", "requests"), FAILURES.values(), ids=FAILURES)
async def test_failures(
    behaviour: faultserver.Behaviour, reason: reasons.Doubt, requests: int
) -> None:
    """No answer has its reason, and a bounded number of questions."""
    async with asking(behaviour, max_body_bytes=65_536) as asked:
        answer = failed(await asked.history(span(300)))

    assert reason == answer.reason
    assert answer.message.startswith("source 'default': ")
    assert requests == len(asked.server.requests)
    labels = {"source": "default", "outcome": str(reason)}
    assert requests == asked.telemetry.value("prunella_queries_total", **labels)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [(each[0], each[1]) for each in list(FAILURES.values())[:8]],
    ids=list(FAILURES)[:8],
)
async def test_a_late_failure(behaviour: faultserver.Behaviour, reason: reasons.Doubt) -> None:
    """When the last piece can't be had, there is no history: a part of it is none."""
    turn = itertools.count()
    async with asking(
        ranges.serve(wrong=lambda *_: behaviour if next(turn) == 1 else None)
    ) as asked:
        answer = failed(await asked.history(span(300)))

    assert reason == answer.reason
    assert [256, 44] == asked.sizes


async def test_unreadable_credentials() -> None:
    """A mistake in the settings is a Failure."""
    async with asking(ranges.serve(), bearer_token_file=pathlib.Path("/absent")) as asked:
        assert failed(await asked.history(span(40))).reason == Doubt.UNREACHABLE


LIMITS = {
    "in one piece": (40, {"max_series": 1}, "more than 1 series"),
    "over the time": (300, {"max_series": 2}, "more than 2 series over the time"),
    "values": (300, {"most_history_values": 899}, "3 series of 300 points are more than 899"),
}


@pytest.mark.parametrize(("count", "limit", "words"), LIMITS.values(), ids=LIMITS)
async def test_too_many_series(count: int, limit: dict[str, int], words: str) -> None:
    """The limits hold for the whole answer, and say what to do."""
    change = 1_772_323_200.0 + 300.0 * 256
    behaviour = ranges.serve([*PODS, {"pod": "c"}], born={2: change}, died={0: change})
    async with asking(behaviour, **limit) as asked:
        answer = failed(await asked.history(span(count)))

    assert answer.reason == Doubt.TOO_MANY_SERIES
    assert words in answer.message
    assert "aggregate in the query" in answer.message


async def test_exactly_as_many_as_allowed() -> None:
    """The limits themselves are allowed."""
    async with asking(ranges.serve(), max_series=2, most_history_values=600) as asked:
        whole(await asked.history(span(300)))


REFUSED = {
    "unknown source": ("other", "shop", span(40), Doubt.UNKNOWN_SOURCE),
    "forbidden source": ("default", "bank", span(40), Doubt.FORBIDDEN_SOURCE),
    "no step": ("default", "shop", ports.Span(0, 10, 0), Doubt.QUERY_REJECTED),
    "a step below a millisecond": ("default", "shop", ports.Span(0, 1, 1e-5), Doubt.QUERY_REJECTED),
}


@pytest.mark.parametrize(("source", "namespace", "grid", "reason"), REFUSED.values(), ids=REFUSED)
async def test_nothing_is_asked(
    source: str, namespace: str, grid: ports.Span, reason: reasons.Doubt
) -> None:
    """Of a source that is not open, or for a grid that is none."""
    async with asking(ranges.serve(), allowed_namespaces=("shop",)) as asked:
        answer = failed(await asked.history(grid, "up", namespace, source))

    assert reason == answer.reason
    assert [] == asked.server.requests


async def test_foreign_series_are_dropped_and_counted() -> None:
    """Whatever a source sends, nobody sees another namespace's series."""
    series: tuple[ranges.Labels, ...] = ({"team": "shop"}, {"team": "bank"}, {})
    async with asking(ranges.serve(series), namespace_label="team") as asked:
        found = whole(await asked.history(span(300)))

    assert ({"team": "shop"}, {}) == found.labels
    np.testing.assert_array_equal([found.times, found.times + 2 / 8], found.values)
    labels = {"source": "default", "namespace": "shop"}
    assert asked.telemetry.value("prunella_foreign_answers_total", **labels) == 1


async def test_a_backlog_leaves_the_rounds_alone() -> None:
    """While long histories wait for a source, instant queries and new points are answered."""
    opened = threading.Event()

    def wrong(_form: ranges.Form, asked: int) -> faultserver.Behaviour | None:
        if asked > chunked_range.LIGHT_POINTS:
            opened.wait(5)
        return None

    async with asking(ranges.serve(wrong=wrong)) as asked:
        spaces = [f"team-{number}" for number in range(20)]
        backlog = [
            asyncio.ensure_future(asked.history(span(300), f"up + {n}", spaces[n % 20]))
            for n in range(40)
        ]
        await asyncio.sleep(0)
        newest = whole(await asked.history(span(chunked_range.LIGHT_POINTS)))
        waiting = [each.done() for each in backlog]
        opened.set()
        answers = await asyncio.gather(*backlog)

    assert not any(waiting)
    assert (2, chunked_range.LIGHT_POINTS) == newest.values.shape
    assert {(2, 300)} == {whole(each).values.shape for each in answers}
    assert len({request.connection for request in asked.server.requests}) <= 3


async def test_a_namespace_with_many_lets_others_through() -> None:
    """Of each namespace one history is asked at a time."""
    async with asking(ranges.serve()) as asked:
        many = [asked.history(span(300), f"up + {number}", "big") for number in range(10)]
        await asyncio.gather(*many, asked.history(span(300), "down", "small"))

    queries = [request.form["query"] for request in asked.server.requests]
    assert queries.index("down") < 6


async def test_budget() -> None:
    """Slow histories use up their namespace's share, but not that of its rounds."""
    async with asking(ranges.serve(), max_seconds_per_namespace=1e-6) as asked:
        whole(await asked.history(span(300)))
        refused = failed(await asked.history(span(300)))
        whole(await asked.history(span(10)))
        whole(await asked.history(span(300), "up", "bank"))
        await asked.clock.advance(budget.ROUND_SECONDS)
        whole(await asked.history(span(300)))

    assert refused.reason == Doubt.QUERY_REJECTED
    assert "share of source 'default'" in refused.message


async def test_a_source_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces that each come in time are not waited for without end."""
    monkeypatch.setattr(chunked_range, "MOST_SECONDS", 1e-6)
    async with asking(ranges.serve()) as asked:
        answer = failed(await asked.history(span(300)))

    assert answer.reason == Doubt.TIMEOUT
    assert [256] == asked.sizes


async def test_requests_are_counted() -> None:
    """Each piece is a query that was sent."""
    async with asking(ranges.serve()) as asked:
        await asked.history(span(300))

    labels = {"source": "default", "outcome": "Answered"}
    assert asked.telemetry.value("prunella_queries_total", **labels) == 2
