"""The running program: watches, one step each second, and the page for Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pathlib
import signal
import time

from aiohttp import web

from lab.shop.api import ApiServer
from lab.shop.exporter import Exporter
from lab.shop.load import DAY
from lab.shop.objects import KINDS, Picture
from lab.shop.plane import DataPlane
from lab.shop.writer import Writer

GONE = 60.0
"""Seconds without the API server after which the program ends itself."""
_log = logging.getLogger("lab.shop")


class Program:
    """All shops of a lab."""

    def __init__(self, server: ApiServer, seed: int, day: float) -> None:
        self._server = server
        self._picture = Picture()
        self._plane = DataPlane(self._picture, seed, day)
        self._exporter = Exporter(seed)
        self._writer = Writer(server)
        self._ready = False

    async def run(self) -> None:
        """Step each second until cancelled, or until the API server is gone."""
        first = {kind: asyncio.Event() for kind in KINDS}
        watches = [
            asyncio.create_task(self._server.follow(kind, self._picture, event))
            for kind, event in first.items()
        ]
        try:
            await self._wait_for_lists(list(first.values()))
            await self._steps()
        finally:
            for each in watches:
                each.cancel()

    async def _wait_for_lists(self, first: list[asyncio.Event]) -> None:
        waiting = asyncio.gather(*(each.wait() for each in first))
        while not waiting.done():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(waiting), 1)
            if time.monotonic() - self._server.seen_at > GONE:
                waiting.cancel()
                return

    async def _steps(self) -> None:
        due = time.monotonic()
        while await self._is_there():
            now = time.time()
            second = self._plane.step(now)
            self._exporter.record(second)
            self._writer.send(second, self._picture.all("Node"), now)
            self._ready = True
            due = max(due + 1, time.monotonic() - 5)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        _log.warning("the API server has not answered for %.0f s: ending", GONE)

    async def _is_there(self) -> bool:
        if time.monotonic() - self._server.seen_at < GONE / 2:
            return True
        await self._server.answers()
        return time.monotonic() - self._server.seen_at < GONE

    async def metrics(self, _request: web.Request) -> web.Response:
        """The page that Prometheus scrapes."""
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=self._exporter.page().encode(), headers=headers)

    async def ready(self, _request: web.Request) -> web.Response:
        """200 as soon as the first picture is there."""
        return web.Response(status=200 if self._ready else 503)


async def serve(
    kubeconfig: pathlib.Path, host: str, port: int, *, seed: int = 0, day: float = DAY
) -> None:
    """Serve all shops of a lab until SIGTERM, or until its API server is gone."""
    async with ApiServer(kubeconfig) as server:
        program = Program(server, seed, day)
        application = web.Application()
        application.router.add_get("/metrics", program.metrics)
        application.router.add_get("/-/ready", program.ready)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        work = asyncio.create_task(program.run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, work.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await work
        await runner.cleanup()
