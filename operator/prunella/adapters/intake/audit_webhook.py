"""The API server's audit webhook: which user made a write, for the change journal.

A body is taken or refused as a whole.  What is refused leaves nothing behind but a metric; of what
is taken, the writes of journalled objects are kept for some minutes, in bounded memory.
"""

from __future__ import annotations

import http
from collections.abc import Callable, Sequence

from aiohttp import web

from prunella import ports
from prunella.adapters.intake import audit_payload, payload, webhook
from prunella.core.changes import audit

PATH = "/audit"
COUNTED = "audit"

Told = Callable[[Sequence[audit.Write]], int]
"""Takes writes; returns how many were new."""


class AuditWebhook:
    """Tells the journal which users made writes."""

    def __init__(
        self,
        door: webhook.Doorkeeper,
        scope: audit_payload.Scope,
        told: Told,
        clock: ports.Clock,
        telemetry: ports.Telemetry,
    ) -> None:
        self._door = door
        self._reader = audit_payload.Reader(scope)
        self._told = told
        self._clock = clock
        self._telemetry = telemetry

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        try:
            answer = self.take(await self._door.body(request))
        except webhook.Refused as refused:
            answer = refused.answer
        return webhook.respond(answer, COUNTED, self._telemetry)

    def take(self, body: bytes) -> webhook.Answer:
        """Take the writes of a body, or refuse it.

        One that was taken before is answered with 200: the API server sends again what it got no
        answer to, and gives up only after some tries.
        """
        try:
            found = self._reader.read(body)
        except payload.PayloadError as error:
            text = f"not an EventList of audit.k8s.io/v1: {error}"
            return webhook.Answer(http.HTTPStatus.BAD_REQUEST, "malformed", text)
        now = self._clock.now().timestamp()
        timely = [each for each in found.writes if audit.is_timely(each, now)]
        if found.writes and not timely:
            text = (
                f"replayed: all {len(found.writes)} writes are older than "
                f"{audit.KEEP_SECONDS:g} s, or in the future"
            )
            return webhook.Answer(http.HTTPStatus.CONFLICT, "replayed", text)
        new = self._told(timely)
        known, old = len(timely) - new, len(found.writes) - len(timely)
        text = f"{new} writes of {found.events} events taken, {known} known, {old} old"
        return webhook.Answer(http.HTTPStatus.OK, "accepted", text)
