"""The alerts that fire in a metrics source's own rules, by ``GET /api/v1/alerts``.

Seconds faster than Alertmanager, and there where nobody has set up a webhook.  An alert begins
with ``activeAt``, when its expression became true: that is nearer to the fault than the time at
which it had held long enough to fire.  What is pending is not told.
Source: Prometheus documentation, "HTTP API", Alerts.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from prunella import ports, settings
from prunella.adapters.intake import polling, told
from prunella.adapters.prometheus import client, session


class _Alert(pydantic.BaseModel):
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    state: str
    activeAt: pydantic.AwareDatetime | None = None  # noqa: N815 - as Prometheus writes it


class _Data(pydantic.BaseModel):
    alerts: list[_Alert]


class _Document(pydantic.BaseModel):
    data: _Data
    warnings: list[str] = []


class PrometheusAlerts:
    """Asks one source, in threads of the executor."""

    def __init__(
        self,
        name: str,
        source: settings.Source,
        clock: ports.Clock,
        executor: concurrent.futures.Executor,
    ) -> None:
        self.name = f"Prometheus {name}"
        self._matchers = source.matchers
        self._clock = clock
        self._executor = executor
        self._clients = session.PerThread(
            client.access(source), functools.partial(client.PrometheusClient, source)
        )

    async def ask(self) -> Sequence[told.Told]:
        """The firing alerts. Raises polling.PollError."""
        loop = asyncio.get_running_loop()
        try:
            document = await loop.run_in_executor(self._executor, self._get)
        except session.AskError as error:
            raise polling.PollError(str(error)) from error
        return read(document, self.name, self._matchers, self._clock.now().timestamp())

    def close(self) -> None:
        """Close all connections."""
        self._clients.close()

    def _get(self) -> Mapping[str, Any]:
        return self._clients.get().active_alerts()


def read(
    document: Mapping[str, Any], source: str, matchers: Mapping[str, str], received: float
) -> list[told.Told]:
    """The firing alerts of an answer. Raises polling.PollError, also for one that is partial.

    With matchers (``cluster: eu-1``) an alert that says that it is of another cluster is left out.
    """
    try:
        answer = _Document.model_validate(document)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise polling.PollError(f"not an answer of Prometheus: {place}: {first['msg']}") from None
    if answer.warnings:
        raise polling.PollError(f"the answer may be partial: {answer.warnings[0][:200]}")
    return [
        told.Told(
            source=source,
            name=each.labels[told.NAME],
            labels=told.labels_of(each.labels),
            starts_at=received if each.activeAt is None else each.activeAt.timestamp(),
            firing=True,
            received=received,
            message=told.message_of(each.annotations),
        )
        for each in answer.data.alerts
        if each.state == "firing" and each.labels.get(told.NAME) and _ours(each.labels, matchers)
    ]


def _ours(labels: Mapping[str, str], matchers: Mapping[str, str]) -> bool:
    return all(labels.get(name, value) == value for name, value in matchers.items())
