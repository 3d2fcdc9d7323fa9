"""One connection to the API server: raw JSON, bounded threads, no hidden repetition.

The official client is synchronous, so each request runs in a thread of a pool of its own.
A thread that hangs can't be stopped; that is why an unanswered write is `OutcomeUnknown` and
never "failed", and why no write is ever repeated here: only whoever can look at the object
knows whether a repeat is safe.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import datetime
import email.utils
import math
import socket
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import urllib3
from kubernetes import client, config

import prunella
from prunella import leadership as leaderships
from prunella import ports
from prunella.adapters.kubernetes import credentials as credentials_module

TIMEOUT = (3, 10)
"""Seconds to connect, and to wait for each piece of the answer."""
DEADLINE = 30.0
"""Seconds for a request in all, its wait for a free thread included."""
PROMPT_SECONDS = 2.0
"""Seconds that an effect may wait for a free thread."""
UNHEARD_MS = 3_000
"""Milliseconds without an acknowledgement after which a connection is given up: what was sent into
a network that is cut off must not arrive when that is mended (TCP_USER_TIMEOUT, RFC 5482)."""
PAGE = 500
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
TEXT = "text/plain, */*"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Query = Mapping[str, str | int]


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the API server, whatever it says: HTTP status and parsed JSON."""

    status: int
    body: Any
    date: datetime.datetime | None = None
    """The server's time (RFC 9110, section 6.6.1); None where it is not readable."""

    def denies(self, name: str) -> bool:
        """Whether the API server says that there is no object of that name.

        A 404 of a gateway on the way, which knows no such path, names nothing.
        """
        details = self.body.get("details") if isinstance(self.body, dict) else None
        named = isinstance(details, dict) and details.get("name") == name
        return self.status == 404 and named

    @property
    def ok(self) -> bool:
        """True when the request was carried out."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """The server's own words for a refusal."""
        told = self.body.get("message") if isinstance(self.body, dict) else None
        return str(told or f"HTTP status {self.status}")


@dataclasses.dataclass(frozen=True, slots=True)
class _Request:
    """A request, ready to be sent from a thread."""

    method: str
    path: str
    query: Query
    body: Any
    headers: Mapping[str, str]
    mutating: bool
    start_by: float | None = None
    """When it must be on its way, by the monotonic clock."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def over_within(self, seconds: float, most: float) -> _Request:
        """The same, to be given up by the API server after so many seconds."""
        if math.isinf(seconds):
            return self
        bounded = {**self.query, "timeout": f"{min(seconds, most):.1f}s"}
        return dataclasses.replace(self, query=bounded)


class KubeApi:
    """Requests to one API server. Safe to use from one event loop."""

    def __init__(
        self,
        credentials: credentials_module.Credentials,
        threads: int = 16,
        *,
        timeout: tuple[float, float] = TIMEOUT,
        deadline: float = DEADLINE,
        leadership: leaderships.Leadership = leaderships.ALONE,
        replica: str = "",
    ) -> None:
        """``replica`` is told in the user agent, so that an audit log shows who wrote."""
        credentials.load()
        configuration = credentials.configuration
        configuration.retries = False
        configuration.connection_pool_maxsize = threads
        configuration.socket_options = _socket_options()
        self._credentials = credentials
        self._client = client.ApiClient(configuration)
        told = f" ({replica})" if replica else ""
        self._client.user_agent = f"prunella/{prunella.__version__}{told}"
        self._timeout = timeout
        self._deadline = deadline
        self._leadership = leadership
        self._threads = concurrent.futures.ThreadPoolExecutor(threads, "kube-api")

    def close(self) -> None:
        """Drop what waits, close the connections; requests on their way are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()  # type: ignore[no-untyped-call]

    async def exchange(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: object = None,
        content_type: str = JSON,
        *,
        mutating: bool,
        accept: str = JSON,
    ) -> Reply:
        """Send one request and return its answer, whatever it says.

        Raises ClusterError when nothing was changed, OutcomeUnknown when a mutating request was
        sent and its answer never came.
        """
        headers = {"Accept": accept, "Content-Type": content_type}
        return await self._answer(_Request(method, path, query or {}, body, headers, mutating))

    async def _answer(self, request: _Request) -> Reply:
        try:
            future = self._threads.submit(self._send, request)
        except RuntimeError as error:
            raise ports.ClusterError(f"{request}: the client is closed") from error
        wrapped = asyncio.wrap_future(future)
        wrapped.add_done_callback(_look_at)
        done, _ = await asyncio.wait({wrapped}, timeout=self._deadline)
        if done:
            return wrapped.result()
        if future.cancel():
            raise ports.ClusterError(f"{request}: no free thread for {self._deadline:g} s")
        raise _lost(request, f"no answer for {self._deadline:g} s")

    async def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: object = None,
        content_type: str = JSON,
        *,
        mutating: bool,
    ) -> tuple[int, Any]:
        """Send one request that is meant to succeed; returns status and parsed JSON.

        Raises Conflict for 409 and ClusterError for any other refusal, OutcomeUnknown when a
        mutating request was sent and nobody knows what became of it.
        """
        reply = await self.exchange(method, path, query, body, content_type, mutating=mutating)
        if not reply.ok:
            raise refusal(reply, mutating=mutating)
        return reply.status, reply.body

    async def effect(
        self, method: str, path: str, query: Query, body: object, content_type: str = JSON
    ) -> tuple[int, Any]:
        """Send a write soon or not at all; the API server gives it up with its answer.

        Who looks what became of it, once that is over, finds nothing that is still to come.
        See apiserver, endpoints/filters/request_deadline.go.  Raises as `request` does.
        """
        headers = {"Accept": JSON, "Content-Type": content_type}
        bounded = {**query, "timeout": f"{self._timeout[1]:g}s"}
        start_by = time.monotonic() + PROMPT_SECONDS
        reply = await self._answer(
            _Request(method, path, bounded, body, headers, mutating=True, start_by=start_by)
        )
        if not reply.ok:
            raise refusal(reply, mutating=True)
        return reply.status, reply.body

    async def pages(
        self, path: str, query: Query | None = None, accept: str = JSON, page: int = PAGE
    ) -> AsyncIterator[Any]:
        """The pages of a list, of at most ``page`` objects each; all are of one moment.

        Raises ClusterError, with status 410 when the list took longer than etcd remembers.
        """
        follow: dict[str, str | int] = {**(query or {}), "limit": page}
        while True:
            reply = await self.exchange("GET", path, follow, mutating=False, accept=accept)
            if not reply.ok:
                raise refusal(reply, mutating=False)
            yield reply.body
            token = reply.body["metadata"].get("continue")
            if not token:
                return
            follow["continue"] = token

    async def items(self, path: str, query: Query | None = None) -> list[Any]:
        """All objects of a list that is known to be short."""
        return [item async for page in self.pages(path, query) for item in page["items"]]

    async def text(self, path: str, query: Query | None = None) -> str:
        """Read something that is plain text, such as a log. Raises ClusterError."""
        reply = await self.exchange("GET", path, query, mutating=False, accept=TEXT)
        if not reply.ok:
            raise refusal(reply, mutating=False)
        return str(reply.body or "")

    def _send(self, request: _Request) -> Reply:
        if request.start_by is not None and time.monotonic() > request.start_by:
            raise ports.ClusterError(f"{request}: no free thread for {PROMPT_SECONDS:g} s")
        if request.mutating:
            # Here, and not where it was asked for: it may have waited for this thread.
            with self._leadership.sending() as seconds:
                reply = self._once_or_twice(request.over_within(seconds, self._timeout[1]))
        else:
            reply = self._once_or_twice(request)
        if reply.status == 401:
            self._credentials.load()
        return reply

    def _once_or_twice(self, request: _Request) -> Reply:
        try:
            return self._once(request)
        except urllib3.exceptions.ProtocolError as error:
            if request.mutating:
                raise _lost(request, str(error)) from error
        return self._last(request)

    def _last(self, request: _Request) -> Reply:
        """Read once more: an idle connection that the server has closed is everyday."""
        try:
            return self._once(request)
        except urllib3.exceptions.ProtocolError as error:
            raise _lost(request, str(error)) from error

    def _once(self, request: _Request) -> Reply:
        method, url, headers, body, _ = self._prepare(request)
        try:
            answer = self._client.call_api(
                method, url, headers, body, _request_timeout=self._timeout
            )
            content = answer.read()  # type: ignore[no-untyped-call]
        except (
            urllib3.exceptions.NewConnectionError,
            urllib3.exceptions.ConnectTimeoutError,
            urllib3.exceptions.ProxyError,
        ) as error:
            raise ports.ClusterError(f"{request}: no connection: {error}") from error
        except client.ApiException as error:
            raise _tls(request, error) from error
        except urllib3.exceptions.ProtocolError:
            raise
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _lost(request, str(error)) from error
        reply = _decode(request, answer.status, content)
        return dataclasses.replace(reply, date=_date(answer.headers.get("Date", "")))

    def _prepare(self, request: _Request) -> tuple[Any, ...]:
        """The official client's form of a request, with the token of this moment."""
        try:
            return self._client.param_serialize(
                request.method,
                request.path,
                query_params=list(request.query.items()),
                header_params=dict(request.headers),
                body=request.body,
                auth_settings=["BearerToken"],
            )
        except (config.ConfigException, OSError) as error:
            raise ports.ClusterError(f"{request}: no credentials: {error}") from error


def refusal(reply: Reply, *, mutating: bool) -> ports.ClusterError:
    """The error for an answer that is not a success.

    A 5xx to a write is no refusal: a gateway, or etcd behind it, may time out after the fact.
    """
    if reply.status == 409:
        return ports.Conflict(reply.message, status=409)
    if mutating and reply.status >= 500:
        return ports.OutcomeUnknown(reply.message, status=reply.status)
    return ports.ClusterError(reply.message, status=reply.status)


def _socket_options() -> list[tuple[int, int, int]]:
    """Those of urllib3, and the end of waiting for an acknowledgement where the system has it."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if (unheard := getattr(socket, "TCP_USER_TIMEOUT", None)) is not None:
        options.append((socket.IPPROTO_TCP, unheard, UNHEARD_MS))
    return options


def _look_at(future: asyncio.Future[Reply]) -> None:
    """Take note of an error that comes too late for anybody to wait for it."""
    if not future.cancelled():
        future.exception()


def _lost(request: _Request, why: str) -> ports.ClusterError:
    if request.mutating:
        return ports.OutcomeUnknown(f"{request}: sent, the answer was lost: {why}")
    return ports.ClusterError(f"{request}: no answer: {why}")


def _tls(request: _Request, error: client.ApiException) -> ports.ClusterError:
    """The official client hides all TLS errors in one; only a bad certificate is surely early."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error.reason):
        return ports.ClusterError(f"{request}: the server's certificate is not trusted")
    return _lost(request, str(error.reason))


def _date(header: str) -> datetime.datetime | None:
    try:
        found = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _decode(request: _Request, status: int, content: bytes) -> Reply:
    if not content:
        return Reply(status, None)
    if 200 <= status < 300 and request.headers["Accept"] == TEXT:
        return Reply(status, content.decode(errors="replace"))
    try:
        return Reply(status, orjson.loads(content))
    except orjson.JSONDecodeError as error:
        if 200 <= status < 300:
            raise _lost(request, f"the answer is not JSON: {error}") from error
        return Reply(status, {"message": content[:200].decode(errors="replace")})
