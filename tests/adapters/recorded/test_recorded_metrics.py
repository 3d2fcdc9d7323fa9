"""History that was fetched ahead answers as the source would, and asks it for all else."""

from __future__ import annotations

import datetime
import math

import pytest

from prunella.adapters.recorded import metrics as recorded
from prunella.adapters.simulated import clock as clocks
from prunella.core import model
from prunella.core.signals import history, query_analysis
from tests.engine import recorded as stories
from tests.engine.recorded import START, Story

NAMESPACE = "shop"
SPAN = history.Span(START.timestamp(), START.timestamp() + 1200, 30.0)


class Counting:
    """A source that counts what it is asked."""

    def __init__(self, story: Story) -> None:
        self._metrics = story.metrics(stories.spec(stories.threshold()))
        self.instant: list[str] = []
        self.ranges: list[str] = []

    async def query(
        self, source: str, namespace: str, query: str, at: datetime.datetime | None = None
    ) -> model.Answer:
        """Ask one instant query."""
        self.instant.append(query)
        return await self._metrics.query(source, namespace, query, at)

    async def history(
        self, source: str, namespace: str, query: str, span: history.Span
    ) -> history.Answer:
        """Ask a range query."""
        self.ranges.append(query)
        if query == "broken":
            return model.Failure(model.reasons.Doubt.TIMEOUT, "no answer in time")
        return await self._metrics.history(source, namespace, query, span)


def _asked(query: str = 'app_load{namespace="shop"}', step: float | None = None) -> recorded.Asked:
    labels = ("namespace", "deployment")
    return recorded.Asked(
        "default",
        query,
        query_analysis.freshness_query(query, labels),
        query_analysis.freshness_query(query, labels, learn_interval=True),
        step,
    )


@pytest.fixture
def story() -> Story:
    """Three series with gaps, NaN and ends."""
    told = Story(5)
    for name in ("cart", "checkout", "stock"):
        told.wave("app_load", 0.4, 1.7, deployment=name)
    return told


def _made(
    story: Story, asked: recorded.Asked
) -> tuple[recorded.RecordedMetrics, Counting, clocks.VirtualClock]:
    source, clock = Counting(story), clocks.VirtualClock(START)
    return recorded.RecordedMetrics(source, clock, NAMESPACE, [asked]), source, clock


def _seen(answer: model.Answer) -> dict[str, str]:
    assert isinstance(answer, model.Vector)
    return {str(sorted(each.labels.items())): repr(each.value) for each in answer.samples}


async def test_a_column_is_the_instant_answer(story: Story) -> None:
    """Given a fetched stretch, then each point answers as the source does, NaN and gaps too."""
    asked = _asked()
    made, source, clock = _made(story, asked)
    made.use(await made.fetch(SPAN))
    source.instant.clear()
    values: list[float] = []
    for _ in range(40):
        for query in (asked.query, asked.fresh):
            answer = await made.query("default", NAMESPACE, query)
            assert source.instant == [], "the source was asked again"
            truth = await source.query("default", NAMESPACE, query, clock.now())
            source.instant.clear()
            assert _seen(truth) == _seen(answer)
            assert isinstance(answer, model.Vector)
            values += [each.value for each in answer.samples]
        await clock.advance(30)

    assert any(math.isnan(value) for value in values), "the story has NaN"


async def test_beside_the_grid_the_source_is_asked(story: Story) -> None:
    """Given a moment between two points or another query, then the source answers."""
    made, source, clock = _made(story, _asked())
    made.use(await made.fetch(SPAN))
    await clock.advance(7)
    await made.query("default", NAMESPACE, _asked().query)
    await made.query("default", NAMESPACE, 'other{namespace="shop"}')

    assert [_asked().query, 'other{namespace="shop"}'] == source.instant


async def test_the_scrape_interval_is_the_same_all_along(story: Story) -> None:
    """Given an interval learned once, then it is told at each moment, with the ages."""
    asked = _asked()
    made, _, _ = _made(story, asked)
    await made.learn_intervals(START.timestamp(), START.timestamp() + 3600)
    made.use(await made.fetch(SPAN))
    answer = await made.query("default", NAMESPACE, asked.learn)
    plain = await made.query("default", NAMESPACE, asked.fresh)
    assert isinstance(answer, model.Vector)
    assert isinstance(plain, model.Vector)
    freshness = query_analysis.read_freshness(answer.samples)

    assert freshness.scrape_seconds == pytest.approx(15.0)
    assert plain.samples == freshness.ages


async def test_a_detectors_own_grid_is_cut_from_what_was_fetched(story: Story) -> None:
    """Given a signal that looks back, then pieces of its grid cost no request."""
    asked = _asked(step=60.0)
    made, source, _ = _made(story, asked)
    made.use(await made.fetch(SPAN))
    source.ranges.clear()
    first = history.last_point(SPAN.start, 60.0)
    piece = history.Span(first + 300, first + 540, 60.0)
    cut = await made.history("default", NAMESPACE, asked.query, piece)
    assert source.ranges == []
    truth = await source.history("default", NAMESPACE, asked.query, piece)
    assert isinstance(cut, history.Matrix)
    assert isinstance(truth, history.Matrix)
    await made.history("default", NAMESPACE, asked.query, history.Span(first - 600, first, 60.0))

    assert len(source.ranges) == 2, "an earlier piece is asked of the source"
    assert cut.times.tolist() == truth.times.tolist()
    assert _rows(truth) == _rows(cut)


def _rows(matrix: history.Matrix) -> dict[str, str]:
    """The series with any sample, in a form that can be compared."""
    pairs = zip(matrix.labels, matrix.values.tolist(), strict=True)
    return {
        str(sorted(labels.items())): repr(values)
        for labels, values in pairs
        if not all(math.isnan(each) for each in values)
    }


async def test_a_failure_of_the_source_ends_the_run(story: Story) -> None:
    """Given history that can't be had, then it is an error and never taken for Unknown."""
    made, _, _ = _made(story, _asked())

    with pytest.raises(recorded.HistoryError, match="broken: no answer in time"):
        await made.ask("default", "broken", SPAN)
