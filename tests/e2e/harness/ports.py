"""Free TCP ports that stay free until their program listens."""

from __future__ import annotations

import contextlib
import random
import socket

LOCALHOST = "127.0.0.1"


def free_port() -> int:
    """A port below those of the lab and of outgoing connections, on which nobody listens."""
    for _ in range(200):
        port = random.randint(10_000, 19_999)  # noqa: S311 - no secret hangs on it
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((LOCALHOST, port))
            return port
    raise OSError(f"no free port found on {LOCALHOST}")
