"""What pods use: one vector for each quantity, joined by pod."""

from __future__ import annotations

import math

from prunella.adapters.prometheus import usage
from prunella.api import reasons
from prunella.core import model
from prunella.core.incidents.diagnosis.values import Usage

POD = model.Ref("Pod", "shop", "cart-1")
LABELS = {"namespace": "shop", "pod": "cart-1"}


async def asked(answers: dict[str, model.Answer]) -> tuple[dict[model.Ref, Usage], list[str]]:
    """The usage when each query that holds a word is answered so, and the queries."""
    queries = []

    async def ask(query: str) -> model.Answer:
        queries.append(query)
        found = (answer for word, answer in answers.items() if word in query)
        return next(found, model.Vector(()))

    return await usage.PodUsage(ask).usage(["web", "shop"]), queries


def vector(value: float) -> model.Vector:
    """One sample of the pod."""
    return model.Vector((model.Sample(LABELS, value),))


async def test_quantities_are_joined_by_pod() -> None:
    """Cores, share of throttled periods, bytes and bytes a second."""
    found, queries = await asked(
        {
            "throttled": vector(0.2),
            "cpu_usage": vector(1.5),
            "deriv": vector(10.0),
            "working_set": vector(100.0),
        }
    )
    assert {POD: Usage(1.5, 0.2, 100.0, 10.0)} == found
    assert all('namespace=~"shop|web"' in each for each in queries)


async def test_what_is_not_answered_is_not_known() -> None:
    """A failure leaves one quantity out; NaN is passed on, and compares with nothing."""
    down = model.Failure(reasons.Doubt.UNKNOWN_SOURCE, "down")
    found, _ = await asked({"cpu_usage": down, "throttled": vector(math.nan)})
    assert [(None, None)] == [(each.cpu, each.memory) for each in found.values()]


async def test_series_without_a_pod_are_left_out() -> None:
    """Sums of a namespace are nobody's usage."""
    one = model.Vector((model.Sample({"namespace": "shop"}, 1.0),))
    assert {} == (await asked({"cpu_usage": one}))[0]
