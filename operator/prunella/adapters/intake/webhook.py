"""Alertmanager's webhook: every alert of every body that is accepted ends in the queue.

A body is answered with 200 only after all of its alerts are in a bounded queue.  A full queue is
503 with Retry-After, and so is a sender that is known and too fast, since Alertmanager sends
again only what was answered with 5xx.  A body that is malformed, oversized, unauthorised, truncated
or replayed gets a 4xx that says why, and leaves nothing behind but a metric.
"""

from __future__ import annotations

import asyncio
import dataclasses
import http
import math
import time
from collections.abc import Callable, Sequence

import orjson
from aiohttp import web

from prunella import ports, settings
from prunella.adapters.intake import access, inbox, payload, replay, told

PATH = "/alertmanager"
NAME = "Alertmanager webhook"
COUNTER = "prunella_intake_requests_total"
_WAITING = "prunella_intake_waiting"
_BODY_SECONDS = 10.0
_BODIES_AT_ONCE = 8
"""Bodies that are read at the same time: a bound on memory, with the size of each."""
_FULL_SECONDS = 5
_JSON = ("application/json", "application/octet-stream", "")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a request, and the word that it is counted under."""

    status: http.HTTPStatus
    outcome: str
    message: str
    retry_after: float = 0.0


class Refused(Exception):  # noqa: N818 - an answer, not a defect
    """A request that nothing is taken from."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


class Doorkeeper:
    """Who may post what: shared by all that listen on the intake's port."""

    def __init__(
        self, wanted: settings.Webhook, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = wanted
        path = wanted.bearer_token_file
        self._token = access.Token(path) if path is not None else None
        rate, burst = wanted.requests_per_second, wanted.burst
        self._known = access.Bucket(rate, burst, monotonic)
        self._strangers = access.Bucket(max(1.0, rate / 10), max(1.0, burst / 10), monotonic)
        self._reading = asyncio.Semaphore(_BODIES_AT_ONCE)

    async def body(self, request: web.Request) -> bytes:
        """The body of a request that is let in. Raises Refused."""
        self.let_in(request)
        most = self._settings.max_body_bytes
        if request.content_length is not None and request.content_length > most:
            raise Refused(_too_large(most))
        if request.content_type not in _JSON and not request.content_type.endswith("+json"):
            message = f"the content type is {request.content_type[:80]}, not application/json"
            raise Refused(Answer(http.HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "malformed", message))
        try:
            async with asyncio.timeout(_BODY_SECONDS), self._reading:
                return await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise Refused(_too_large(most)) from None
        except TimeoutError:
            message = f"the body did not come within {_BODY_SECONDS:g} s"
            raise Refused(Answer(http.HTTPStatus.REQUEST_TIMEOUT, "slow", message)) from None

    def let_in(self, request: web.Request) -> None:
        """Make sure that the sender is known, and slow enough. Raises Refused.

        Strangers are slowed down more.
        """
        header = request.headers.get("Authorization", "")
        if self._token is not None and not self._token.matches(header):
            wait = self._strangers.take()
            if wait:
                message = "too many requests without the right bearer token"
                status = http.HTTPStatus.TOO_MANY_REQUESTS
                raise Refused(Answer(status, "rate_limited", message, wait))
            message = "the bearer token is missing or wrong"
            raise Refused(Answer(http.HTTPStatus.UNAUTHORIZED, "unauthorized", message))
        wait = self._known.take()
        if wait:
            message = f"more than {self._settings.requests_per_second:g} requests a second"
            status = http.HTTPStatus.SERVICE_UNAVAILABLE
            raise Refused(Answer(status, "rate_limited", message, wait))


class AlertmanagerWebhook:
    """Takes bodies in, and tells of their alerts (`told.Teller`)."""

    name = NAME
    primed = True

    def __init__(
        self,
        wanted: settings.Webhook,
        door: Doorkeeper,
        clock: ports.Clock,
        telemetry: ports.Telemetry,
    ) -> None:
        self._door = door
        self._clock = clock
        self._telemetry = telemetry
        self._inbox = inbox.Inbox(wanted.queue)
        self._memory = replay.Memory(
            wanted.oldest_end_seconds, wanted.refresh_seconds, wanted.queue * 2
        )

    def tell(self) -> Sequence[told.Told]:
        """What has come since the last call."""
        self._telemetry.gauge(_WAITING, {}, 0)
        return self._inbox.take()

    async def run(self) -> None:
        """Nothing to do: the server calls."""

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        try:
            answer = self.take(await self._door.body(request))
        except Refused as refused:
            answer = refused.answer
        return respond(answer, "alertmanager", self._telemetry)

    def take(self, body: bytes) -> Answer:
        """Take the alerts of a body into the queue, all of them or none."""
        try:
            message = payload.read(body, NAME, self._clock.now().timestamp())
        except payload.Truncated as error:
            return Answer(http.HTTPStatus.UNPROCESSABLE_ENTITY, "truncated", str(error))
        except payload.PayloadError as error:
            text = f"not a webhook body of version 4: {error}"
            return Answer(http.HTTPStatus.BAD_REQUEST, "malformed", text)
        seen = [self._memory.judge(each) for each in message.alerts]
        news = [
            each for each, how in zip(message.alerts, seen, strict=True) if how is replay.Seen.NEW
        ]
        stale = seen.count(replay.Seen.STALE)
        if stale == len(seen):
            text = f"replayed: all {stale} alerts are older than what is known of them"
            return Answer(http.HTTPStatus.CONFLICT, "replayed", text)
        if not self._inbox.put(news):
            text = f"the queue has room for {self._inbox.free} alerts, not for {len(news)}"
            return Answer(http.HTTPStatus.SERVICE_UNAVAILABLE, "full", text, _FULL_SECONDS)
        for each in news:
            self._memory.remember(each)
        self._telemetry.gauge(_WAITING, {}, len(self._inbox))
        text = f"{len(news)} taken, {seen.count(replay.Seen.REPEATED)} repeated, {stale} old"
        return Answer(http.HTTPStatus.OK, "accepted", text)


def respond(answer: Answer, path: str, telemetry: ports.Telemetry) -> web.Response:
    """The HTTP response to an answer, counted."""
    telemetry.count(COUNTER, {"path": path, "outcome": answer.outcome})
    headers = {}
    if answer.retry_after:
        headers["Retry-After"] = str(math.ceil(answer.retry_after))
    if answer.status is http.HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="prunella"'
    ok = answer.status is http.HTTPStatus.OK
    told_back = {"message" if ok else "error": answer.message}
    return web.Response(
        status=answer.status,
        body=orjson.dumps(told_back),
        content_type="application/json",
        headers=headers,
    )


def _too_large(most: int) -> Answer:
    return Answer(
        http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "oversized",
        f"the body is larger than {most} bytes: send less at a time (Alertmanager: group by more "
        "labels; an API server: --audit-webhook-batch-max-size), or raise maxBodyBytes",
    )
