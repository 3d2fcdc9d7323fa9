"""PrometheusConnect, made fit to decide by.

The library retries for six seconds and drops the ``warnings`` that say that an answer is
partial.  Here a request is made once, with all of its timeouts, and the answer comes whole.
Source: Prometheus documentation, "HTTP API".
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import prometheus_api_client
import requests
import urllib3

from prunella import settings
from prunella.adapters.prometheus import cloud_auth, session
from prunella.api import reasons

_REFUSALS = frozenset({400, 422})
"""The status codes with which Prometheus refuses a query, not a request."""
_TEXT = 300
_SHOWN_WARNINGS = 3

Loads = Callable[[bytes], Any]
"""Decodes JSON; raises ValueError."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer as it came: ``result`` is decoded JSON of the type named."""

    result_type: str
    result: Any
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


def access(source: settings.Source) -> session.Access:
    """How to reach a source."""
    return session.Access(
        url=source.url,
        tls=source.tls,
        bearer_token_file=source.bearer_token_file,
        basic_auth=source.basic_auth,
        headers=source.headers,
        open_auth=cloud_auth.opener(source),
    )


class PrometheusClient(prometheus_api_client.PrometheusConnect):  # type: ignore[misc]
    """A session with one source, for one thread.

    Raises session.AskError when a file of credentials can't be read.
    """

    def __init__(self, source: settings.Source) -> None:
        super().__init__(
            url=source.url.rstrip("/"),
            retry=session.NO_RETRIES,
            session=session.open_session(access(source)),
            timeout=(source.connect_timeout_seconds, source.read_timeout_seconds),
            method="POST",
        )
        self._source = source

    def custom_query(
        self, query: str, params: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> Reply:
        """Ask an instant query; ``timeout`` in seconds. Raises session.AskError."""
        return self._ask("query", {"query": query, **(params or {})}, timeout, orjson.loads)

    def custom_query_range(
        self,
        query: str,
        start_time: float,
        end_time: float,
        step: str,
        params: Mapping[str, str] | None = None,
        timeout: float | None = None,
        loads: Loads = orjson.loads,
    ) -> Reply:
        """Ask a range query; times in seconds since the epoch. Raises session.AskError.

        ``loads`` decodes the body: `matrix.loads` leaves the samples to `matrix.read_reply`.
        """
        span = {"start": f"{start_time:.3f}", "end": f"{end_time:.3f}", "step": step}
        return self._ask("query_range", {"query": query, **span, **(params or {})}, timeout, loads)

    def alerting_rules(self, name: str) -> Mapping[str, Any]:
        """The alerting rules, of one name where the server can choose, with their alerts.

        Raises session.AskError.
        """
        return self._get("rules", {"type": "alert", "rule_name[]": name})

    def active_alerts(self) -> Mapping[str, Any]:
        """All alerts that are pending or firing. Raises session.AskError."""
        return self._get("alerts", {})

    def _get(self, endpoint: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        limit = self._source.read_timeout_seconds
        deadline = time.monotonic() + self._source.connect_timeout_seconds + limit
        try:
            with self._session.get(
                f"{self.url}/api/v1/{endpoint}",
                params=params,
                timeout=(self._source.connect_timeout_seconds, limit),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = session.read_body(response, self._source.max_body_bytes, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise session.translate(error, self.url) from error
        return _document(response, body, orjson.loads)

    def _ask(
        self, endpoint: str, form: dict[str, str], timeout: float | None, loads: Loads
    ) -> Reply:
        limit = self._source.read_timeout_seconds if timeout is None else timeout
        form.setdefault("timeout", f"{limit:g}s")
        # One more than allowed, so that too many can be told from exactly enough.
        form.setdefault("limit", str(self._source.max_series + 1))
        deadline = time.monotonic() + self._source.connect_timeout_seconds + limit
        try:
            with self._session.post(
                f"{self.url}/api/v1/{endpoint}",
                data=form,
                timeout=(self._source.connect_timeout_seconds, limit),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = session.read_body(response, self._source.max_body_bytes, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise session.translate(error, self.url) from error
        return _reply(response, body, loads)


def check(reply: Reply, max_series: int) -> None:
    """Make sure that an answer is whole; raises session.AskError for one that is not."""
    listed = isinstance(reply.result, list) and reply.result_type in {"vector", "matrix"}
    if listed and len(reply.result) > max_series:
        raise session.AskError(
            reasons.Doubt.TOO_MANY_SERIES,
            f"more than {max_series} series: aggregate in the query",
        )
    if reply.warnings:
        shown = "; ".join(reply.warnings[:_SHOWN_WARNINGS])
        raise session.AskError(reasons.Doubt.WARNINGS, f"the answer may be partial: {shown}")


def _reply(response: requests.Response, body: bytes, loads: Loads) -> Reply:
    document = _document(response, body, loads)
    data = document["data"]
    if "result" not in data:
        raise _no_answer(response, body)
    return Reply(
        result_type=str(data.get("resultType", "")),
        result=data["result"],
        warnings=_texts(document.get("warnings")) + _partial(document),
        infos=_texts(document.get("infos")),
    )


def _document(response: requests.Response, body: bytes, loads: Loads) -> Mapping[str, Any]:
    """A successful answer with its ``data``; raises session.AskError for any other."""
    if response.is_redirect:
        raise session.AskError(
            reasons.Doubt.HTTP_ERROR,
            f"HTTP {response.status_code}: redirects are not followed, correct the source's url",
        )
    try:
        document = loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict) and document.get("status") == "error":
        raise _refusal(response.status_code, document)
    if response.status_code != 200:
        raise session.AskError(reasons.Doubt.HTTP_ERROR, f"HTTP {response.status_code}")
    if not isinstance(document, dict) or not isinstance(document.get("data"), dict):
        raise _no_answer(response, body)
    return document


def _no_answer(response: requests.Response, body: bytes) -> session.AskError:
    kind = response.headers.get("Content-Type", "unknown type")[:80]
    return session.AskError(
        reasons.Doubt.NOT_JSON,
        f"HTTP 200, but not an answer of Prometheus ({kind}, {len(body)} bytes)",
    )


def _refusal(status: int, document: Mapping[str, Any]) -> session.AskError:
    """The error that Prometheus itself reports; its words help the author of the query."""
    kind, text = str(document.get("errorType", "")), str(document.get("error", ""))[:_TEXT]
    if kind == "timeout":
        return session.AskError(reasons.Doubt.TIMEOUT, text)
    if status in _REFUSALS or status == 200:
        return session.AskError(reasons.Doubt.QUERY_REJECTED, f"{kind}: {text}")
    return session.AskError(reasons.Doubt.HTTP_ERROR, f"HTTP {status}: {kind}: {text}")


def _partial(document: Mapping[str, Any]) -> tuple[str, ...]:
    """VictoriaMetrics' way to say that a storage node did not answer."""
    return ("isPartial",) if document.get("isPartial") else ()


def _texts(value: object) -> tuple[str, ...]:
    """A list of texts; a field of another form is one text, so that no warning is lost."""
    if not value:
        return ()
    return tuple(str(each) for each in value) if isinstance(value, list) else (str(value),)
