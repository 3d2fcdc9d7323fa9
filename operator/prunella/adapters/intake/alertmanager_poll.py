"""The alerts that an Alertmanager holds as active, by ``GET /api/v2/alerts``.

Silenced alerts are left out: a person has looked at them.  Inhibited ones are told: they are not
worth a page, and still symptoms.  Source: Alertmanager's OpenAPI specification.
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
from prunella.adapters.prometheus import alertmanager as connection
from prunella.adapters.prometheus import session

NAME = "Alertmanager"
_QUERY = {"active": "true", "silenced": "false", "inhibited": "true", "unprocessed": "true"}
_MOST_BYTES = 64 * 1024 * 1024


class _Alert(pydantic.BaseModel):
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: pydantic.AwareDatetime  # noqa: N815 - as Alertmanager writes it


class _Config(pydantic.BaseModel):
    original: str


class _Status(pydantic.BaseModel):
    config: _Config


_ALERTS = pydantic.TypeAdapter(list[_Alert])


class AlertmanagerAlerts:
    """Asks one Alertmanager, in threads of the executor."""

    def __init__(
        self,
        alertmanager: settings.Alertmanager,
        clock: ports.Clock,
        executor: concurrent.futures.Executor,
    ) -> None:
        self._clock = clock
        self._executor = executor
        self._connection = connection.Connection(alertmanager)

    async def ask(self) -> Sequence[told.Told]:
        """The active alerts. Raises polling.PollError."""
        loop = asyncio.get_running_loop()
        try:
            work = functools.partial(self._get, "alerts", _QUERY)
            body = await loop.run_in_executor(self._executor, work)
        except session.AskError as error:
            raise polling.PollError(str(error)) from error
        return read(body, self._clock.now().timestamp())

    async def configuration(self) -> str:
        """The configuration that it runs with, as YAML. Raises session.AskError, PollError."""
        loop = asyncio.get_running_loop()
        work = functools.partial(self._get, "status", {})
        body = await loop.run_in_executor(self._executor, work)
        try:
            return _Status.model_validate_json(body).config.original
        except pydantic.ValidationError as error:
            raise polling.PollError(f"not an answer of Alertmanager: {_first(error)}") from None

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def _get(self, endpoint: str, params: Mapping[str, str]) -> bytes:
        return self._connection.ask("GET", endpoint, _MOST_BYTES, params=params)


def read(body: bytes, received: float) -> list[told.Told]:
    """The alerts of an answer. Raises polling.PollError."""
    try:
        alerts = _ALERTS.validate_json(body)
    except pydantic.ValidationError as error:
        raise polling.PollError(f"not an answer of Alertmanager: {_first(error)}") from None
    return [
        told.Told(
            source=NAME,
            name=each.labels.get(told.NAME, ""),
            labels=told.labels_of(each.labels),
            starts_at=each.startsAt.timestamp(),
            firing=True,
            received=received,
            message=told.message_of(each.annotations),
        )
        for each in alerts
        if each.labels.get(told.NAME)
    ]


def _first(error: pydantic.ValidationError) -> str:
    found: Mapping[str, Any] = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg'][:200]}"
