"""When a fault first shows itself in Prometheus, and how.

The *first symptom* is the earliest of these after the first step that touches a cause:

- an alert of the shop's namespaces or nodes that becomes pending or fires;
- a service's share of errors that is 2 points above the most of the minute before;
- a service's mean latency that is twice the most of the minute before, and above 20 ms.

Prometheus evaluates rules each 5 s, so a symptom is known to 5 s.
"""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lab import processes

Series = Mapping[str, Any]
Ask = Callable[[str, float, float], list[Series]]
"""A range query: expression, start, end; series with ``metric`` and ``values``."""
STEP_SECONDS = 1
BEFORE_SECONDS = 60
FRESH_SECONDS = 10
MORE_ERRORS = 0.02
SLOWER, SLOW_SECONDS = 2.0, 0.02
LESS, ANY_TRAFFIC = 0.3, 0.5
"""Share of the requests before, and requests a second below which nobody counts them."""
ERRORS = "service:http_errors:ratio_rate30s"
LATENCY = "service:http_latency_seconds:mean_30s"
TRAFFIC = "service:http_requests:rate30s"


@dataclasses.dataclass(frozen=True, slots=True)
class Symptoms:
    """What Prometheus shows of a fault."""

    first: float | None
    """When it first showed, in seconds since the epoch."""
    alerts: tuple[str, ...] = ()
    """Names of alerts that fired after the injection."""
    pending: tuple[str, ...] = ()
    """Names of alerts that were pending only."""
    errors: tuple[str, ...] = ()
    """Services with more errors than before."""
    slow: tuple[str, ...] = ()
    """Services slower than before."""


NONE = Symptoms(None)


def prometheus(url: str) -> Ask:
    """Range queries of a Prometheus."""

    def ask(expression: str, start: float, end: float) -> list[Series]:
        form = {"query": expression, "start": start, "end": end, "step": STEP_SECONDS}
        data = urllib.parse.urlencode(form).encode()
        body = processes.fetch(f"{url}/api/v1/query_range", data=data, seconds=20.0)
        found: list[Series] = json.loads(body)["data"]["result"]
        return found

    return ask


def symptoms(ask: Ask, shop: str, began: float, now: float) -> Symptoms:
    """What showed of a fault that was injected into a shop at ``began``."""
    alerts = list(_alerts(ask, shop, began, now))
    errors = list(_above(ask, ERRORS, shop, (began, now), _errors))
    slow = list(_above(ask, LATENCY, shop, (began, now), _slower))
    firing = sorted({name for name, state, _ in alerts if state == "firing"})
    pending = sorted({name for name, _, _ in alerts} - set(firing))
    moments = [at for _, _, at in alerts] + [at for _, at in (*errors, *slow)]
    return Symptoms(
        first=min(moments, default=None),
        alerts=tuple(firing),
        pending=tuple(pending),
        errors=tuple(sorted(name for name, _ in errors)),
        slow=tuple(sorted(name for name, _ in slow)),
    )


def firing(ask: Ask, shop: str, now: float) -> list[str]:
    """Names of the alerts of a shop that fire now."""
    found = ask(_selector(shop, 'alertstate="firing"'), now, now)
    return sorted({each["metric"]["alertname"] for each in found})


def left(
    ask: Ask, shop: str, began: float, now: float, before: Sequence[str] = ()
) -> tuple[str, ...]:
    """What of a fault that was injected at ``began`` is still wrong; empty when it is over.

    Alerts that fired before do not count, nor do those of severity info, which page nobody.
    """
    more = 'alertstate="firing", severity!="info"'
    firing_now = {each["metric"]["alertname"] for each in ask(_selector(shop, more), now, now)}
    found = sorted(firing_now - set(before))
    for name, word, worse in (
        (ERRORS, "errors", _errors),
        (LATENCY, "slow", _slower),
        (TRAFFIC, "traffic", _less),
    ):
        found += [f"{word} {each}" for each in _worse_now(ask, name, shop, (began, now), worse)]
    return tuple(found)


def _less(value: float, before: float) -> bool:
    return before > ANY_TRAFFIC and value < LESS * before


def _worse_now(
    ask: Ask,
    name: str,
    shop: str,
    when: tuple[float, float],
    worse: Callable[[float, float], bool],
) -> list[str]:
    """Services whose last value is worse than all before the fault; none at all is 0."""
    began, now = when
    found = []
    for series in ask(f'{name}{{namespace=~"{shop}-.+"}}', began - BEFORE_SECONDS, now):
        samples = [(float(at), float(value)) for at, value in series["values"]]
        usual = [value for at, value in samples if at <= began]
        last = samples[-1][1] if samples[-1][0] >= now - FRESH_SECONDS else 0.0
        if usual and worse(last, max(usual)):
            found.append(series["metric"]["service_name"])
    return sorted(found)


def _selector(shop: str, more: str) -> str:
    by_namespace = f'ALERTS{{namespace=~"{shop}-.+", {more}}}'
    return f'{by_namespace} or ALERTS{{node=~"{shop}-.+", {more}}}'


def _alerts(ask: Ask, shop: str, began: float, now: float) -> Iterable[tuple[str, str, float]]:
    """Name, state and first moment of alerts that were not there at the injection."""
    for series in ask(_selector(shop, 'alertname!=""'), began, now):
        first = float(series["values"][0][0])
        if first > began:
            yield series["metric"]["alertname"], series["metric"]["alertstate"], first


def _errors(value: float, before: float) -> bool:
    return value > before + MORE_ERRORS


def _slower(value: float, before: float) -> bool:
    return value > max(SLOWER * before, SLOW_SECONDS)


def _above(
    ask: Ask,
    name: str,
    shop: str,
    when: tuple[float, float],
    higher: Callable[[float, float], bool],
) -> Iterable[tuple[str, float]]:
    """Services and the first moment at which they are above what they were before."""
    began, now = when
    expression = f'{name}{{namespace=~"{shop}-.+"}}'
    for series in ask(expression, began - BEFORE_SECONDS, now):
        samples = [(float(at), float(value)) for at, value in series["values"]]
        usual = [value for at, value in samples if at <= began]
        later = ((at, value) for at, value in samples if at > began)
        if not usual:
            continue
        found = next((at for at, value in later if higher(value, max(usual))), None)
        if found is not None:
            yield series["metric"]["service_name"], found
