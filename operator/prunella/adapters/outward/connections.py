"""Connections of one call, which can be broken off from another thread.

The timeouts of urllib3 are for one piece of an answer: who waits for a header that comes a byte at
a time would wait for good, and no thread can be ended from outside.  A socket that is shut down
ends the wait.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import urllib3
from urllib3 import connection, connectionpool


class Connections(urllib3.PoolManager):
    """A pool of urllib3's that knows its connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._opened: list[connection.HTTPConnection] = []
        self._lock = threading.Lock()
        self.broken = False
        """Whether they were broken off: what was read then may be half an answer."""
        known = self

        class Plain(connection.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                known.add(self)

        class Secure(connection.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                known.add(self)

        class PlainPool(connectionpool.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(connectionpool.HTTPSConnectionPool):
            ConnectionCls = Secure

        self.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def add(self, opened: connection.HTTPConnection) -> None:
        """Remember a connection; one that comes too late is shut down at once."""
        with self._lock:
            self._opened.append(opened)
            if self.broken:
                _shut_down(opened)

    def break_off(self) -> None:
        """Shut all connections down: whoever waits for an answer gets an error."""
        with self._lock:
            self.broken = True
            for opened in self._opened:
                _shut_down(opened)


def _shut_down(opened: connection.HTTPConnection) -> None:
    found = opened.sock
    if found is not None:
        with contextlib.suppress(OSError):
            found.shutdown(socket.SHUT_RDWR)
