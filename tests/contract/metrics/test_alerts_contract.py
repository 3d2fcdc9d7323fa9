"""A real Prometheus and the simulated source tell alike of their alerting rules."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import alerts
from tests.contract import metric_worlds

CART = {"namespace": "shop", "pod": "cart-2", "severity": "warning"}


def rules(answer: alerts.Answer) -> tuple[alerts.Rule, ...]:
    """The rules of an answer."""
    assert isinstance(answer, alerts.Rules), answer
    return answer.rules


def firing(answer: alerts.Answer) -> list[dict[str, Any]]:
    """The labels of the alerts that fire, without their name and that of the metric."""
    found = [dict(labels) for rule in rules(answer) for labels in rule.firing]
    return [
        {key: value for key, value in labels.items() if key not in {"alertname", "__name__"}}
        for labels in sorted(found, key=str)
    ]


FIRING: dict[str, tuple[str, str, int, list[dict[str, str]]]] = {
    "fires": ("ColdCart", "shop", 2, [CART]),
    "for another namespace": ("ColdCart", "bank", 2, []),
    "never": ("Calm", "shop", 1, []),
    "pending": ("Waits", "shop", 1, []),
    "fails": ("Broken", "shop", 1, []),
    "names no namespace": ("Nameless", "shop", 1, []),
    "not there": ("Nothing", "shop", 0, []),
}


@pytest.mark.parametrize(("name", "namespace", "count", "expected"), FIRING.values(), ids=FIRING)
async def test_what_fires(
    world: metric_worlds.World,
    name: str,
    namespace: str,
    count: int,
    expected: list[dict[str, str]],
) -> None:
    """All rules of a name, with the alerts that fire and bear the asker's namespace."""
    answer = await world.ask_alerts(name, namespace)

    assert (count, expected) == (len(rules(answer)), firing(answer))


async def test_each_namespace_sees_its_own(world: metric_worlds.World) -> None:
    """One rule over all namespaces: nobody is shown the labels of another."""
    seen = {
        namespace: {each["deployment"] for each in firing(answer)}
        for namespace in ("shop", "bank")
        if (answer := await world.ask_alerts("Everywhere", namespace))
    }

    assert {"shop": {"cart", "mail"}, "bank": {"vault"}} == seen


async def test_what_is_known_of_a_rule(world: metric_worlds.World) -> None:
    """Group, labels as written, health, how often and when it was evaluated, how far it looks."""
    warning, critical = rules(await world.ask_alerts("ColdCart"))

    assert ({"severity": "warning"}, {"severity": "critical"}) == (warning.labels, critical.labels)
    assert ("pods", "ok", "", metric_worlds.RULE_INTERVAL) == (
        warning.group,
        warning.health,
        warning.error,
        warning.interval,
    )
    assert 0 <= warning.age < 30
    assert metric_worlds.RULE_INTERVAL == warning.looks_back


async def test_a_failing_rule_says_why(world: metric_worlds.World) -> None:
    """Its health is ``err``, in the source's own words."""
    (broken,) = rules(await world.ask_alerts("Broken"))

    assert "err" == broken.health
    assert "found duplicate series" in broken.error


FAILURES = {
    "closed source": ("closed", reasons.Doubt.FORBIDDEN_SOURCE),
    "no such source": ("nowhere", reasons.Doubt.UNKNOWN_SOURCE),
}


@pytest.mark.parametrize(("source", "reason"), FAILURES.values(), ids=FAILURES)
async def test_failures(world: metric_worlds.World, source: str, reason: reasons.Doubt) -> None:
    """Who may not ask a source is told no alerts either."""
    answer = await world.ask_alerts("ColdCart", source=source)

    assert isinstance(answer, model.Failure)
    assert reason is answer.reason


async def test_unreachable(world: metric_worlds.World) -> None:
    """No answer is a Failure, not an empty list of rules."""
    answer = await world.unreachable.alerts("default", "shop", "ColdCart", "ALERTS")

    assert isinstance(answer, model.Failure)
    assert reasons.Doubt.UNREACHABLE is answer.reason
