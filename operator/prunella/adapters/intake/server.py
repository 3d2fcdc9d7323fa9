"""The intake's own HTTP server: its port is closed to all but those who tell."""

from __future__ import annotations

import asyncio
import http
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from prunella import leadership as leaderships
from prunella import ports, settings
from prunella.adapters.intake import access, webhook

RELOAD_SECONDS = 10.0
"""How often the files of TLS are looked at."""
_BACKLOG = 128
_KEEP_ALIVE = 60.0
_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Listens until cancelled; a changed certificate is taken up without a moment of deafness."""

    def __init__(
        self,
        wanted: settings.Webhook,
        routes: Mapping[str, Handler],
        clock: ports.Clock,
        telemetry: ports.Telemetry,
        reads: Mapping[str, Handler] | None = None,
        leadership: leaderships.Leadership = leaderships.ALONE,
    ) -> None:
        """``routes``: the handler of POST for each path, which may have a ``{variable}``.

        ``reads``: those of GET, which any replica answers.
        """
        self._leadership = leadership
        self._settings = wanted
        self._clock = clock
        self._telemetry = telemetry
        tls = wanted.tls
        self._tls: access.Tls | None = None
        if tls is not None:
            self._tls = access.Tls(tls.cert_file, tls.key_file, tls.client_ca_file)
        app = web.Application(client_max_size=wanted.max_body_bytes, middlewares=[self._guard])
        for path, handler in routes.items():
            app.router.add_post(path, handler)
        for path, handler in (reads or {}).items():
            app.router.add_get(path, handler, allow_head=False)
        self._runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=_KEEP_ALIVE, handle_signals=False
        )
        self._socket: socket.socket | None = None
        self._site: web.SockSite | None = None

    @property
    def port(self) -> int:
        """The port that is listened on, once it is."""
        if self._socket is None:
            raise RuntimeError("the server has not been started")
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises OSError: the port is taken, or a file of TLS can't be used."""
        await self._runner.setup()
        context = self._tls.context() if self._tls is not None else None
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        self._socket = socket.create_server(
            (self._settings.host, self._settings.port), family=family, backlog=_BACKLOG
        )
        self._site = await self._listen(context)

    async def stop(self) -> None:
        """Stop listening; requests under way are ended."""
        await self._runner.cleanup()
        if self._socket is not None:
            self._socket.close()

    async def watch_files(self) -> None:
        """Take up changed certificates, until cancelled."""
        while True:
            await self._clock.sleep(RELOAD_SECONDS)
            await self.reload()

    async def reload(self) -> None:
        """Listen with the new certificate, if it has changed and is fit to be used."""
        if self._tls is None or self._site is None or not self._tls.changed:
            return
        try:
            context = self._tls.context()
        except OSError as error:
            _log.warning("intake: the changed certificate can't be used: %s", error)
            return
        before, self._site = self._site, await self._listen(context)
        await before.stop()
        _log.info("intake: the changed certificate is in use")

    async def _listen(self, context: ssl.SSLContext | None) -> web.SockSite:
        if self._socket is None:
            raise RuntimeError("the server has not been started")
        site = web.SockSite(self._runner, self._socket.dup(), ssl_context=context, backlog=_BACKLOG)
        await site.start()
        return site

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer what no route takes in the same form as all else, and what the leader takes."""
        if request.method == "POST" and not self._leadership.leading:
            # Who tells tries again, by a new connection: the Service then chooses another replica.
            told = "this replica follows: another one leads"
            answer = webhook.Answer(http.HTTPStatus.SERVICE_UNAVAILABLE, "following", told)
            response = webhook.respond(answer, "other", self._telemetry)
            response.force_close()
            return response
        try:
            return await handler(request)
        except web.HTTPException as error:
            status = http.HTTPStatus(error.status)
            answer = webhook.Answer(status, "unknown", f"{request.method}: {status.phrase}")
            return webhook.respond(answer, "other", self._telemetry)
        except asyncio.CancelledError:
            raise
