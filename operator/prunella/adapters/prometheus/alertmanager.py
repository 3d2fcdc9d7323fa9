"""Post escalations to Alertmanager, so that the routes people already have page them.

Source: Alertmanager's OpenAPI specification, ``POST /api/v2/alerts``.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import logging
import time
from collections.abc import Mapping
from typing import Any

import orjson
import requests
import urllib3

from prunella import ports, settings
from prunella.adapters.prometheus import session

ALERT_NAME = "PrunellaEscalation"
LASTS = datetime.timedelta(hours=4)
"""An alert is posted once: without an end, Alertmanager would call it resolved in 5 minutes."""
_CONNECT_SECONDS = 3.0
_READ_SECONDS = 10.0
_MOST_BYTES = 64 * 1024

_log = logging.getLogger(__name__)


class Connection:
    """Requests to one Alertmanager's API, version 2; a session for each thread."""

    def __init__(self, alertmanager: settings.Alertmanager) -> None:
        self._url = (alertmanager.url or "").rstrip("/")
        access = session.Access(
            url=self._url,
            tls=alertmanager.tls,
            bearer_token_file=alertmanager.bearer_token_file,
        )
        self._sessions = session.PerThread(access, lambda: session.open_session(access))

    def ask(self, method: str, endpoint: str, most_bytes: int, **sent: Any) -> bytes:
        """The body of an answer of 200 and at most ``most_bytes``. Raises session.AskError."""
        deadline = time.monotonic() + _CONNECT_SECONDS + _READ_SECONDS
        try:
            with self._sessions.get().request(
                method,
                f"{self._url}/api/v2/{endpoint}",
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                allow_redirects=False,
                stream=True,
                **sent,
            ) as response:
                body = session.read_body(response, most_bytes, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise session.translate(error, self._url) from error
        if response.status_code != 200:
            raise session.refused(response.status_code, body)
        return body

    def close(self) -> None:
        """Close all connections."""
        self._sessions.close()


class Alertmanager:
    """One Alertmanager; without a URL there is nothing to post to, and all is well."""

    def __init__(
        self,
        alertmanager: settings.Alertmanager,
        clock: ports.Clock,
        executor: concurrent.futures.Executor,
    ) -> None:
        self._settings = alertmanager
        self._clock = clock
        self._executor = executor
        self._connection = Connection(alertmanager)

    async def escalate(self, escalation: ports.Escalation) -> bool:
        """Post an alert in a thread; False when it did not arrive. Never raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self.post_alert, escalation)

    def post_alert(self, escalation: ports.Escalation) -> bool:
        """Post an alert, once; False when it did not arrive, and the log says why.

        Posting it again is safe: alerts with the same labels are one alert.
        """
        if self._settings.url is None:
            return True
        try:
            self._post(self.alert(escalation))
        except session.AskError as error:
            _log.warning("escalation of %s was not posted: %s", escalation.policy, error)
            return False
        return True

    def close(self) -> None:
        """Wait for what is under way, then end the executor and close all connections."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._connection.close()

    def alert(self, escalation: ports.Escalation) -> dict[str, object]:
        """The alert as Alertmanager wants it; labels that name the target can't be overridden."""
        now = self._clock.now()
        return {
            "labels": {
                **self._settings.labels,
                **escalation.labels,
                "alertname": ALERT_NAME,
                "namespace": escalation.policy.namespace,
                "policy": escalation.policy.name,
                "target_kind": escalation.target.kind,
                "target": escalation.target.name,
            },
            "annotations": {
                "summary": escalation.summary,
                "description": escalation.description,
                "remediation": escalation.record,
            },
            "startsAt": now.isoformat(),
            "endsAt": (now + LASTS).isoformat(),
        }

    def _post(self, alert: Mapping[str, object]) -> None:
        self._connection.ask(
            "POST",
            "alerts",
            _MOST_BYTES,
            data=orjson.dumps([alert]),
            headers={"Content-Type": "application/json"},
        )
