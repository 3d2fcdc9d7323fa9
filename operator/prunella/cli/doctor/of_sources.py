"""Checks of the metrics sources and of Alertmanager: reachable, on time, fresh, well told."""

from __future__ import annotations

import concurrent.futures
import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from prunella import settings as settings_module
from prunella.adapters import clock as clocks
from prunella.adapters.intake import alertmanager_poll, polling, prometheus_poll, webhook
from prunella.adapters.prometheus import metrics, session
from prunella.cli.doctor.found import Found, problem, warning
from prunella.cli.doctor.in_cluster import SKEW_SECONDS, skewed
from prunella.core import model
from prunella.core.incidents import alert_owner
from prunella.core.incidents import picture as pictures

STALE_SECONDS = 120.0
_SHOWN = 5
_HIDDEN = "<secret>"
_REACH = "if it is only reachable from the cluster: kubectl port-forward, and --prometheus URL"

Now = Callable[[], datetime.datetime]


async def sources(
    settings: settings_module.Settings, asking: metrics.PrometheusMetrics, now: Now
) -> list[Found]:
    """Each source answers, its clock is right, and what it scrapes is of now."""
    found: list[Found] = []
    for name in sorted(settings.sources):
        where = f"source {name}"
        began = now()
        answer = await asking.query_whole(name, "time()")
        if isinstance(answer, model.Failure):
            found.append(problem("sources", where, _told(name, answer), _REACH))
            continue
        middle = began + (now() - began) / 2
        seconds = answer.samples[0].value - middle.timestamp() if answer.samples else 0.0
        if abs(seconds) > SKEW_SECONDS:
            found.append(skewed(where, seconds))
        found += await _fresh(name, where, asking, now)
    return found


async def _fresh(name: str, where: str, asking: metrics.PrometheusMetrics, now: Now) -> list[Found]:
    newest = await asking.query_whole(name, "max(timestamp(up))")
    if isinstance(newest, model.Failure):
        return [problem("sources", where, _told(name, newest), _REACH)]
    if not newest.samples:
        what = "it has no series `up` of the last 5 minutes: nothing is scraped"
        return [problem("sources", where, what, "look at its targets page")]
    age = now().timestamp() - newest.samples[0].value
    if age > STALE_SECONDS:
        what = f"its newest scrape is {age:.0f} s old, the limit is {STALE_SECONDS:g} s"
        return [
            problem("sources", where, what, "look at its targets page; is remote write behind?")
        ]
    down = await asking.query_whole(name, "count by (job) (up == 0)")
    jobs = [] if isinstance(down, model.Failure) else list(down.samples)
    if not jobs:
        return []
    named = sorted(f"{e.value:.0f} of {e.labels.get('job', '?')}" for e in jobs)
    what = f"targets are down: {', '.join(named[:_SHOWN])}"
    return [warning("sources", where, what, "look at its targets page: their signals are Unknown")]


def _told(name: str, failure: model.Failure) -> str:
    """Why there was no answer; which source it was is said beside it."""
    return failure.message.removeprefix(f"source {name!r}: ")


async def alerts(settings: settings_module.Settings, picture: pictures.Picture) -> list[Found]:
    """Alerts that fire now bear the labels that lead to what is sick."""
    found: list[Found] = []
    clock = clocks.RealClock()
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        for name, source in sorted(settings.sources.items()):
            asking = prometheus_poll.PrometheusAlerts(name, source, clock, executor)
            try:
                told = await asking.ask()
            except polling.PollError:
                continue  # said by the check of the sources
            finally:
                asking.close()
            lost = {
                each.name
                for each in told
                if each.name not in settings.intake.ignore
                and alert_owner.owner(dict(each.labels), picture).target.kind
                in {"Namespace", "Cluster", "Instance"}
            }
            if lost:
                what = f"alerts name no workload: {', '.join(sorted(lost)[:_SHOWN])}"
                todo = "keep namespace with deployment, statefulset, pod, node or service in `by`"
                found.append(warning("alerts", f"source {name}", what, todo))
    return found


async def alertmanager(settings: settings_module.Settings) -> list[Found]:
    """It answers, and its receiver for the operator is as the operator needs it."""
    where = "alertmanager"
    if settings.alertmanager.url is None:
        what = "no alertmanager.url: a call for a person ends in Events and conditions"
        return [warning(where, "settings", what, "set alertmanager.url in the chart's values")]
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        asking = alertmanager_poll.AlertmanagerAlerts(
            settings.alertmanager, clocks.RealClock(), executor
        )
        try:
            config = await asking.configuration()
        except (session.AskError, polling.PollError) as error:
            return [problem(where, settings.alertmanager.url, str(error), _REACH)]
        finally:
            asking.close()
    if not settings.intake.webhook.enabled:
        return []
    return list(_receivers(config, settings.alertmanager.url))


def _receivers(config: str, where: str) -> Iterator[Found]:
    """What is wrong with the receivers that post to the operator."""
    receivers = list(_posting(config))
    if not receivers:
        what = f"no receiver posts to a URL that ends with {webhook.PATH}"
        yield warning("alertmanager", where, what, "add the receiver of docs/intake.md")
    for name, receiver in receivers:
        place = f"{where}, receiver {name}"
        if receiver.get("max_alerts"):
            what = f"max_alerts is {receiver['max_alerts']}: larger groups are refused as truncated"
            tell = warning if receiver.get("url") == _HIDDEN else problem
            yield tell("alertmanager", place, what, "set max_alerts: 0")
        if receiver.get("send_resolved") is False:
            what = "send_resolved is false: ends are only known by asking"
            yield warning("alertmanager", place, what, "set send_resolved: true")


def _posting(config: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        document = yaml.safe_load(config)
    except yaml.YAMLError:
        return
    for receiver in (document or {}).get("receivers") or ():
        for each in receiver.get("webhook_configs") or ():
            url = str(each.get("url", ""))
            # Alertmanager hides whole URLs since 0.26: what is hidden can't be judged by its path.
            if url.rstrip("/").endswith(webhook.PATH) or url == _HIDDEN:
                yield str(receiver.get("name", "")), each
