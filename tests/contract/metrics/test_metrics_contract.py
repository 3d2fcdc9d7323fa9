"""A real Prometheus and the simulated source answer the operator's questions alike."""

from __future__ import annotations

import datetime
import math

import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import query_analysis
from tests.contract import metric_worlds

Doubt = reasons.Doubt


def values(answer: model.Answer, label: str) -> dict[str, float]:
    """The values of a vector by one label."""
    assert isinstance(answer, model.Vector), answer
    found = {sample.labels.get(label, ""): sample.value for sample in answer.samples}
    assert len(found) == len(answer.samples)
    return found


VECTORS = {
    "own series only": ("sum by (deployment) (requests_total)", {"cart": 1440.0, "mail": 1200.0}),
    "foreign matcher": ('requests_total{namespace="bank"}', {}),
    "foreign matcher, by pattern": (
        'sum by (deployment) (requests_total{namespace=~"bank|shop"})',
        {"cart": 1440.0, "mail": 1200.0},
    ),
    "rate": ("sum by (deployment) (rate(requests_total[5m]))", {"cart": 1.2, "mail": 1.0}),
    "subquery": (
        "max_over_time(sum by (deployment) (rate(requests_total[1m]))[5m:15s])",
        {"cart": 1.2, "mail": 1.0},
    ),
    "ratio without errors is empty": (
        'sum by (deployment) (rate(requests_total{code="404"}[1m]))',
        {},
    ),
    "scalar": ("scalar(named) + 1", {"": 3.0}),
    "offset": ("requests_total{code='500'} offset 5m", {"cart": 180.0}),
    "not there": ("nothing", {}),
    "older than the lookback": ("long_gone", {}),
}


@pytest.mark.parametrize(("query", "expected"), VECTORS.values(), ids=VECTORS)
async def test_values(world: metric_worlds.World, query: str, expected: dict[str, float]) -> None:
    """The same values by the same labels."""
    answer = await world.ask(query)

    assert pytest.approx(expected) == values(answer, "deployment")


async def test_odd_numbers(world: metric_worlds.World) -> None:
    """NaN and infinity arrive as they are."""
    found = values(await world.ask("odd"), "kind")

    assert math.isnan(found.pop("nan"))
    assert found == {"inf": math.inf, "minus": -math.inf}


async def test_history(world: metric_worlds.World) -> None:
    """An earlier time shows what was then."""
    then = metric_worlds.NOW - datetime.timedelta(minutes=10)

    assert values(await world.ask("requests_total{code='500'}", at=then), "code") == {"500": 120.0}
    assert values(await world.ask("long_gone", at=then), "pod") == {"cart-1": 1.0}
    assert values(await world.ask("young", at=then), "pod") == {}


async def test_now(world: metric_worlds.World) -> None:
    """Without a time it is asked about now."""
    assert values(await world.ask("named", at=None), "namespace") == {"shop": 2.0}


async def test_a_hostile_namespace_reads_its_own(world: metric_worlds.World) -> None:
    """Quotes and brackets in a value are a value, for the server too."""
    answer = await world.ask("sum by (namespace) (named)", namespace=metric_worlds.HOSTILE)

    assert values(answer, "namespace") == {metric_worlds.HOSTILE: 1.0}


async def test_forged_series_are_dropped(world: metric_worlds.World) -> None:
    """A query can give its series another namespace, but they are not taken for real."""
    forged = 'label_replace(named, "namespace", "bank", "", "")'

    answer = await world.ask(f"sum by (namespace) ({forged} or memory_bytes)")

    assert values(answer, "namespace") == {"shop": 12.0}


FAILURES = {
    "refused": ("named * on (x) group_left (y) requests_total", "default", Doubt.QUERY_REJECTED),
    "many to many": ("requests_total * on (namespace) odd", "default", Doubt.QUERY_REJECTED),
    "too many series": ("odd", "small", Doubt.TOO_MANY_SERIES),
    "closed source": ("odd", "closed", Doubt.FORBIDDEN_SOURCE),
    "unknown source": ("odd", "thanos", Doubt.UNKNOWN_SOURCE),
}


@pytest.mark.parametrize(("query", "source", "reason"), FAILURES.values(), ids=FAILURES)
async def test_failures(
    world: metric_worlds.World, query: str, source: str, reason: reasons.Doubt
) -> None:
    """No answer has the same reason on both."""
    answer = await world.ask(query, source=source)

    assert isinstance(answer, model.Failure), answer
    assert reason == answer.reason
    assert answer.message


async def test_unreachable(world: metric_worlds.World) -> None:
    """A source that is down is a Failure."""
    answer = await world.unreachable.query("default", "shop", "up")

    assert isinstance(answer, model.Failure)
    assert answer.reason == Doubt.UNREACHABLE


async def freshness(
    world: metric_worlds.World, query: str, *labels: str
) -> query_analysis.Freshness:
    """What a freshness query tells, with the scrape interval."""
    confined = query_analysis.confine(query, "namespace", "shop")
    asked = query_analysis.freshness_query(confined, ("namespace", *labels), learn_interval=True)
    answer = await world.metrics.query("default", "shop", asked, metric_worlds.NOW)
    assert isinstance(answer, model.Vector), answer
    return query_analysis.read_freshness(answer.samples)


AGES = {
    "fresh": ("max(memory_bytes)", {("0", "cart-1"): 0.0, ("0", "cart-2"): 0.0}, 5.0),
    "aggregate of rates": (
        "sum by (deployment) (rate(requests_total[5m]))",
        {("0", "cart"): 0.0, ("0", "mail"): 2.0},
        15.0,
    ),
    "each leaf": (
        "sum(requests_total{code='500'}) / sum(slow)",
        {("0", "cart"): 0.0, ("1", "cart-1"): 10.0},
        60.0,
    ),
    "stopped, and not taken for slow": ("stopped", {("0", "cart-1"): 120.0}, None),
    "young": ("young", {("0", "cart-3"): 0.0}, None),
    "offset does not hide the age": ("stopped offset 1m", {("0", "cart-1"): 120.0}, None),
    "gone": ("long_gone", {}, None),
    "not there": ("sum(nothing)", {}, None),
    "foreign": ("requests_total{namespace='bank'}", {}, None),
    "no name": ("{__name__=~'memory.*', pod='cart-2'}", {("0", "cart-2"): 0.0}, 5.0),
}


@pytest.mark.parametrize(("query", "ages", "interval"), AGES.values(), ids=AGES)
async def test_freshness(
    world: metric_worlds.World,
    query: str,
    ages: dict[tuple[str, str], float],
    interval: float | None,
) -> None:
    """The age of the newest sample of each leaf and target, and how often it is scraped."""
    found = await freshness(world, query, "deployment", "pod")

    seen = {}
    for each in found.ages:
        target = each.labels.get("deployment", each.labels.get("pod", ""))
        seen[each.labels[query_analysis.LEAF_LABEL], target] = each.value
    assert pytest.approx(ages, abs=0.01) == seen
    assert interval == found.scrape_seconds


async def test_an_aggregate_has_no_age(world: metric_worlds.World) -> None:
    """Why freshness is asked of the leaves: the sum of old data is always new."""
    answer = await world.ask("time() - timestamp(sum(stopped))")

    assert values(answer, "pod") == {"": 0.0}
