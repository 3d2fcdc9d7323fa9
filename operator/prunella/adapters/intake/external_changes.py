"""Changes outside the cluster, told by who makes them: ``POST /changes/NAME``.

NAME is a system of the journal's settings, whose mapping says where its JSON holds what;
CloudEvents come in both modes.  A change is answered with 200 only after it is written; the same
one again is refused by its name, which the API server does not take twice.
"""

from __future__ import annotations

import http
from collections.abc import Callable, Mapping

import orjson
from aiohttp import web

from prunella import ports
from prunella.adapters.intake import webhook
from prunella.core.changes import external

PATH = "/changes/{name}"
COUNTED = "changes"
_STRUCTURED = "application/cloudevents+json"
_AGAIN_SECONDS = 5.0

Mapped = Callable[[str], external.Mapped | None]
"""How the bodies of a system are read; None for one that is not known."""


class ExternalChanges:
    """Writes what is told into the journal."""

    def __init__(
        self,
        door: webhook.Doorkeeper,
        mapped: Mapped,
        journal: ports.Journal,
        home: str,
        clock: ports.Clock,
        telemetry: ports.Telemetry,
    ) -> None:
        """``home``: the namespace of changes that name none."""
        self._door = door
        self._mapped = mapped
        self._journal = journal
        self._home = home
        self._clock = clock
        self._telemetry = telemetry

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        try:
            body = await self._door.body(request)
            answer = await self.take(request.match_info["name"], body, request.headers)
        except webhook.Refused as refused:
            answer = refused.answer
        return webhook.respond(answer, COUNTED, self._telemetry)

    async def take(self, name: str, body: bytes, headers: Mapping[str, str]) -> webhook.Answer:
        """Write the change that a body tells of."""
        mapped = self._mapped(name)
        if mapped is None:
            text = f"there is no system {name[:64]!r} in journal.external of the settings"
            return webhook.Answer(http.HTTPStatus.NOT_FOUND, "unknown", text)
        try:
            document = orjson.loads(body)
            if _is_binary_event(mapped, headers):
                document = external.from_headers(headers, document)
            change = external.parse(mapped, document, self._clock.now(), self._home)
        except orjson.JSONDecodeError as error:
            text = f"not JSON: {error}"
            return webhook.Answer(http.HTTPStatus.BAD_REQUEST, "malformed", text)
        except external.Unusable as error:
            return webhook.Answer(http.HTTPStatus.BAD_REQUEST, "malformed", str(error))
        try:
            written = await self._journal.record(change)
        except ports.ClusterError as error:
            return _not_written(change.namespace, error)
        if not written:
            text = f"replayed: {change.name} is known"
            return webhook.Answer(http.HTTPStatus.CONFLICT, "replayed", text)
        return webhook.Answer(http.HTTPStatus.OK, "accepted", change.name)


def _is_binary_event(mapped: external.Mapped, headers: Mapping[str, str]) -> bool:
    """Whether the event's attributes are in headers, as CloudEvents' binary mode has them."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return (
        mapped.format is external.Format.CLOUD_EVENTS
        and kind != _STRUCTURED
        and any(each.lower() == "ce-specversion" for each in headers)
    )


def _not_written(namespace: str, error: ports.ClusterError) -> webhook.Answer:
    if error.status in {http.HTTPStatus.NOT_FOUND, http.HTTPStatus.FORBIDDEN}:
        text = f"nothing can be written in namespace {namespace}: does it exist?"
        return webhook.Answer(http.HTTPStatus.UNPROCESSABLE_ENTITY, "unusable", text)
    if error.status is not None and 400 <= error.status < 500:
        text = f"the API server refused it: {error}"[:500]
        return webhook.Answer(http.HTTPStatus.UNPROCESSABLE_ENTITY, "unusable", text)
    text = "the API server did not answer: send it again"
    return webhook.Answer(http.HTTPStatus.SERVICE_UNAVAILABLE, "unwritten", text, _AGAIN_SECONDS)
