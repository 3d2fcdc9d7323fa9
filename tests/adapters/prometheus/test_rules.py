"""Alerting rules over HTTP: what is read, what is refused, and that one request serves all."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import alerts
from tests.adapters.prometheus import faultserver
from tests.adapters.prometheus.test_metrics import asking

Doubt = reasons.Doubt
ALERT = {
    "labels": {"alertname": "Hot", "namespace": "shop", "pod": "cart-1"},
    "state": "firing",
    "activeAt": "2026-02-28T23:00:00Z",
    "value": "1e+00",
}
RULE: dict[str, Any] = {
    "name": "Hot",
    "type": "alerting",
    "query": "max_over_time(heat[5m]) > 3",
    "duration": 60,
    "keepFiringFor": 120,
    "labels": {"severity": "warning"},
    "health": "ok",
    "evaluationTime": 0.001,
    "lastEvaluation": "2026-02-28T23:59:50.123456789Z",
    "alerts": [ALERT],
}
EXPECTED = alerts.Rule(
    group="pods",
    firing=(ALERT["labels"],),  # type: ignore[arg-type]
    labels={"severity": "warning"},
    age=pytest.approx(9.877, abs=0.001),  # type: ignore[arg-type]
    interval=30.0,
    looks_back=450.0,
)


def told(*rules: dict[str, Any], **more: Any) -> faultserver.Behaviour:
    """An answer with one group."""
    groups = [{"name": "pods", "interval": 30, "rules": list(rules)}]
    data = {"groups": groups, **more.pop("data", {})}
    return faultserver.answer({"status": "success", "data": data, **more})


READ: dict[str, tuple[tuple[dict[str, Any], ...], list[alerts.Rule]]] = {
    "one rule": ((RULE,), [EXPECTED]),
    "no rules": ((), []),
    "a server without the filter": ((RULE, {**RULE, "name": "Cold"}), [EXPECTED]),
    "a recording rule of the name": (({**RULE, "type": "recording"},), []),
    "pending and of others": (
        (
            {
                **RULE,
                "alerts": [
                    {**ALERT, "state": "pending"},
                    {**ALERT, "labels": {"namespace": "bank"}},
                    {**ALERT, "labels": {"pod": "cart-1"}},
                ],
            },
        ),
        [alerts.Rule("pods", (), EXPECTED.labels, "ok", "", EXPECTED.age, 30.0, 450.0)],
    ),
}


@pytest.mark.parametrize(("rules", "expected"), READ.values(), ids=READ)
async def test_what_is_read(rules: tuple[dict[str, Any], ...], expected: list[alerts.Rule]) -> None:
    """The alerting rules of the name, with the firing alerts of the namespace."""
    async with asking(told(*rules)) as (asked, server, _):
        answer = await asked.alerts("default", "shop", "Hot", "ALERTS")

    assert alerts.Rules(tuple(expected)) == answer
    assert ["/api/v1/rules?type=alert&rule_name%5B%5D=Hot"] == [r.path for r in server.requests]


async def test_an_error_names_no_series() -> None:
    """A rule is evaluated over all namespaces: its error must not tell one of another."""
    error = 'found duplicate series for {namespace="bank", a="}\\""} on the right: [{b="c"}, {}]'
    async with asking(told({**RULE, "health": "err", "lastError": error})) as (asked, _, _):
        answer = await asked.alerts("default", "shop", "Hot", "ALERTS")

    assert isinstance(answer, alerts.Rules)
    expected = "found duplicate series for {...} on the right: [{...}, {...}]"
    assert expected == answer.rules[0].error


async def test_a_rule_before_its_first_evaluation_has_no_age() -> None:
    """Its time is in the year 1."""
    young = {**RULE, "health": "unknown", "lastEvaluation": "0001-01-01T00:00:00Z", "alerts": []}
    async with asking(told(young)) as (asked, _, _):
        answer = await asked.alerts("default", "shop", "Hot", "ALERTS")

    assert isinstance(answer, alerts.Rules)
    assert (math.inf, "unknown") == (answer.rules[0].age, answer.rules[0].health)


REFUSED: dict[str, tuple[faultserver.Behaviour, reasons.Doubt]] = {
    "a part of the groups": (told(RULE, data={"groupNextToken": "more"}), Doubt.WARNINGS),
    "warnings": (told(RULE, warnings=["a ruler did not answer"]), Doubt.WARNINGS),
    "another form": (told({"name": "Hot", "type": "alerting"}), Doubt.NOT_JSON),
    "no groups": (faultserver.answer({"status": "success", "data": {}}), Doubt.NOT_JSON),
    "no data": (faultserver.answer({"status": "success"}), Doubt.NOT_JSON),
    "not JSON": (faultserver.send(b"<html>"), Doubt.NOT_JSON),
    "too large": (told(*(RULE for _ in range(500))), Doubt.BODY_TOO_LARGE),
}


@pytest.mark.parametrize(("behaviour", "reason"), REFUSED.values(), ids=REFUSED)
async def test_what_is_not_believed(
    behaviour: faultserver.Behaviour, reason: reasons.Doubt
) -> None:
    """Anything but a whole answer is a Failure, never an empty list of rules."""
    async with asking(behaviour, max_body_bytes=50_000) as (asked, _, _):
        answer = await asked.alerts("default", "shop", "Hot", "ALERTS")

    assert isinstance(answer, model.Failure)
    assert reason is answer.reason


async def test_one_request_serves_all_namespaces_of_a_round() -> None:
    """Forty policies of two namespaces ask at once; the next second asks anew."""
    async with asking(told(RULE)) as (asked, server, clock):
        names = ("shop", "bank")
        round_ = [asked.alerts("default", names[n % 2], "Hot", "ALERTS") for n in range(40)]
        found = await asyncio.gather(*round_)
        assert 1 == len(server.requests)
        await clock.advance(2.0)
        await asked.alerts("default", "shop", "Hot", "ALERTS")
        assert 2 == len(server.requests)

    shown = {n: len(each.rules[0].firing) for n, each in enumerate(found) if n < 2}  # type: ignore[union-attr]
    assert {0: 1, 1: 0} == shown
