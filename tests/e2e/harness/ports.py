"""Free TCP ports that stay free until their program listens."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket

LOCALHOST = "127.0.0.1"
FIRST, EACH, WORKERS = 10_000, 600, 16


def _own_ports() -> range:
    """The ports of this worker of pytest alone: a program may listen seconds after the choice."""
    digits = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    worker = int(digits) if digits.isdigit() else WORKERS - 1
    first = FIRST + worker % WORKERS * EACH
    return range(first, first + EACH)


_NEXT = itertools.cycle(random.sample(_own_ports(), EACH))


def free_port() -> int:
    """A port below those of the lab and of outgoing connections, on which nobody listens.

    No other worker is given it, and this one not again before all of its ports were used.
    """
    for port in itertools.islice(_NEXT, EACH):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((LOCALHOST, port))
            return port
    raise OSError(f"no free port found on {LOCALHOST}")
