"""Whether a source holds several clusters: asked seldom, and never believed unasked to act."""

from __future__ import annotations

import datetime
from typing import Any, cast

import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.engine import clusters
from tests.unit.core import fixtures

NOW = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
FAILED = model.Failure(reasons.Doubt.UNREACHABLE, "connection refused")
ONE = model.Vector((model.Sample({"cluster": "eu-1"}, 1.0),))
TWO = model.Vector((*ONE.samples, model.Sample({"cluster": "us-1"}, 1.0)))


class Source:
    """A source that gives one answer after the other."""

    def __init__(self, *answers: model.Answer) -> None:
        self.answers = list(answers)

    async def query(self, *_: Any) -> model.Answer:
        """The next answer."""
        return self.answers.pop(0)


def after(seconds: float) -> datetime.datetime:
    """So many seconds later."""
    return NOW + datetime.timedelta(seconds=seconds)


Ask = tuple[float, bool]
"""Seconds after the first question, and whether an action is to rest on the answer."""
ASKED: dict[str, tuple[list[model.Answer], list[Ask], list[str]]] = {
    "one cluster": ([ONE], [(0, False), (15, False)], ["", ""]),
    "two clusters": ([TWO], [(0, False), (15, False)], ["ManyClusters", "ManyClusters"]),
    "asked again before an action": ([ONE, TWO], [(0, False), (15, True)], ["", "ManyClusters"]),
    "a pass goes on without an answer": ([FAILED, ONE], [(0, False), (15, False)], ["", ""]),
    "an action does not": ([ONE, FAILED], [(0, False), (15, True)], ["", "SourceUnreachable"]),
    "nor a moment later": (
        [ONE, FAILED],
        [(0, False), (15, True), (16, True)],
        ["", "SourceUnreachable", "SourceUnreachable"],
    ),
    "until there is one": (
        [ONE, FAILED, ONE],
        [(0, False), (15, True), (30, True)],
        ["", "SourceUnreachable", ""],
    ),
    "two clusters stay two": (
        [TWO, FAILED],
        [(0, False), (15, True)],
        ["ManyClusters", "ManyClusters"],
    ),
}


@pytest.mark.parametrize(("answers", "asks", "expected"), ASKED.values(), ids=ASKED)
async def test_no_action_rests_on_an_answer_that_did_not_come(
    answers: list[model.Answer], asks: list[Ask], expected: list[str]
) -> None:
    """Without an answer a pass goes by the one before; an action is refused with the failure."""
    source = Source(*answers)
    known = clusters.Clusters(cast(Any, source))
    found = []
    for seconds, acts in asks:
        every = clusters.BEFORE_ACTING if acts else clusters.ASK_EVERY
        failure = await known.mixed(fixtures.signal(), "shop", after(seconds), every)
        found.append("" if failure is None else failure.reason)
    assert expected == found
