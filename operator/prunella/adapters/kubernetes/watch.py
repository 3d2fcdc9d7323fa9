"""Kopf in a thread of its own: it lists and watches, and that is all it does for us.

When Kopf's operator ends it cancels every task of its loop, so it must not share ours. And when
it ends by itself, nothing is watched any more: whoever started it must notice and exit.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Sequence

import kopf


class Watch:
    """One run of Kopf. ``ended`` is done when it is over, with its error if it had one."""

    def __init__(
        self,
        registry: kopf.OperatorRegistry,
        settings: kopf.OperatorSettings,
        namespaces: Sequence[str] = (),
    ) -> None:
        """``namespaces`` are those to watch; empty means the whole cluster."""
        self._registry = registry
        self._settings = settings
        self._namespaces = tuple(namespaces)
        self._running = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)
        self.ready = threading.Event()
        """Set when Kopf has started up; what it lists comes in after that."""
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        self._running.wait()

    async def wait(self) -> None:
        """Wait until Kopf ends, by `stop` or by itself. Raises what it died of."""
        await asyncio.shield(asyncio.wrap_future(self.ended))

    def stop(self) -> None:
        """Ask Kopf to end; returns at once. Harmless when it has ended or never started."""
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)

    def join(self, seconds: float) -> bool:
        """Wait for the thread to end; False when it did not in time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._operate())
        finally:
            self._running.set()
            if not self.ended.done():
                self.ended.set_exception(RuntimeError("Kopf's event loop could not be run"))

    async def _operate(self) -> None:
        """Run Kopf as a task, so that its error is handed over whole, whatever it is.

        The stop flag belongs to this loop: waiting for one of another thread would block a worker
        thread for ever, and with it the end of the loop, if Kopf ended by itself.
        """
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._running.set()
        task = asyncio.create_task(
            kopf.operator(
                registry=self._registry,
                settings=self._settings,
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=self._stop,
                ready_flag=self.ready,
            )
        )
        await asyncio.wait({task})
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
