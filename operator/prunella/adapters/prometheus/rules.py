"""Alerting rules and their alerts, as ``/api/v1/rules`` tells of them.

Servers that know the filter answer with the rules of one name; others answer with all of them, and
the rest is left out here.  One request answers all namespaces: each is then shown its own alerts.
Source: Prometheus documentation, "HTTP API", Rules.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import math
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

from prunella.adapters.prometheus import session
from prunella.api import reasons
from prunella.core.signals import alerts

_SHARED_SECONDS: Final = 1.0
_ERROR: Final = 300
_SERIES: Final = re.compile(r"\{(?:[^\"{}]|\"(?:\\.|[^\"\\])*\")*\}")
"""Labels of a series in an error's words."""
_NEVER: Final = datetime.datetime(1971, 1, 1, tzinfo=datetime.UTC)
"""Before the first evaluation a server tells of a time in the year 1."""
Asking = Callable[[], Awaitable["Told"]]


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What a source told of the rules of one name, of all namespaces; or why it did not."""

    rules: tuple[alerts.Rule, ...] = ()
    error: session.AskError | None = None


class SharedRules:
    """Identical questions are asked once, for all namespaces: by source and name of the alert."""

    def __init__(self, now: Callable[[], float]) -> None:
        """``now`` gives the time in seconds."""
        self._now = now
        self._asked: dict[tuple[str, str], tuple[float, asyncio.Future[Told]]] = {}

    async def get(self, source: str, name: str, ask: Asking) -> Told:
        """The answer of this second, or the one that is under way."""
        now = self._now()
        for key, (at, asked) in list(self._asked.items()):
            if asked.done() and now - at >= _SHARED_SECONDS:
                del self._asked[key]
        known = self._asked.get((source, name))
        if known is None:
            known = now, asyncio.ensure_future(ask())
            self._asked[source, name] = known
        return await asyncio.shield(known[1])


def own(told: Told, label: str, namespace: str) -> alerts.Rules:
    """The rules with the alerts of one namespace only: no other's labels are shown."""
    return alerts.Rules(
        tuple(
            dataclasses.replace(rule, firing=alerts.own_alerts(rule.firing, label, namespace))
            for rule in told.rules
        )
    )


def read(document: Mapping[str, Any], name: str, now: datetime.datetime) -> tuple[alerts.Rule, ...]:
    """The alerting rules of a name. Raises session.AskError for another form, or a part of it."""
    warnings = document.get("warnings")
    if warnings:
        text = f"the answer may be partial: {str(warnings)[:_ERROR]}"
        raise session.AskError(reasons.Doubt.WARNINGS, text)
    try:
        data = document["data"]
        if data.get("groupNextToken"):
            raise session.AskError(reasons.Doubt.WARNINGS, "the answer has only some of the groups")
        return tuple(_rules(data["groups"], name, now))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise session.AskError(
            reasons.Doubt.NOT_JSON, "the answer has rules that are not of Prometheus' form"
        ) from error


def _rules(
    groups: list[Mapping[str, Any]], name: str, now: datetime.datetime
) -> Iterator[alerts.Rule]:
    for group in groups:
        for rule in group["rules"] or ():
            if rule.get("type") == "alerting" and rule["name"] == name:
                yield _rule(group, rule, now)


def _rule(group: Mapping[str, Any], rule: Mapping[str, Any], now: datetime.datetime) -> alerts.Rule:
    evaluated = datetime.datetime.fromisoformat(str(rule["lastEvaluation"]))
    interval = float(group.get("interval") or 0.0)
    never = evaluated < _NEVER
    kept = float(rule.get("keepFiringFor") or 0.0)
    return alerts.Rule(
        group=str(group.get("name", "")),
        firing=tuple(
            {str(key): str(value) for key, value in each["labels"].items()}
            for each in rule.get("alerts") or ()
            if each["state"] == "firing"
        ),
        labels={str(key): str(value) for key, value in (rule.get("labels") or {}).items()},
        health=str(rule["health"]),
        # It is about all namespaces: the series that it names may be another's.
        error=_SERIES.sub("{...}", str(rule.get("lastError") or ""))[:_ERROR],
        age=math.inf if never else max(0.0, (now - evaluated).total_seconds()),
        interval=interval,
        looks_back=alerts.looks_back(str(rule["query"]), kept, interval),
    )
