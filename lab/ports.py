"""Free TCP ports on 127.0.0.1 that nobody else is given until this process ends.

A program may listen seconds after its port was chosen.  So a port is claimed by a lock on one byte
of a file that all processes of a user share: those of other test runs and other checkouts, too.
The system drops the locks of a process that has ended, however it did.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import pathlib
import random
import socket
import tempfile
import threading

from lab import binaries, config

LOCALHOST = config.LOCALHOST
FIRST, LAST = 10_000, 31_999
"""Below the range that the system gives to outgoing connections."""
TRIES = 500
_OWN: set[int] = set()
"""Ports that this process has given out: its own locks don't keep it out."""
_CHOOSING = threading.Lock()


def free_port() -> int:
    """A port on which nobody listens, and that nobody is given again. Raises LabError."""
    with _CHOOSING:
        for _ in range(TRIES):
            port = random.randint(FIRST, LAST)  # noqa: S311 - no secret hangs on it
            if port not in _OWN and _claimed(port):
                _OWN.add(port)
                return port
    message = f"no free port between {FIRST} and {LAST} on {LOCALHOST}: stop other labs"
    raise binaries.LabError(message)


def _claimed(port: int) -> bool:
    """Claim a port, unless somebody has it or listens on it."""
    claims = _file()
    try:
        fcntl.lockf(claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.bind((LOCALHOST, port))
        return True
    fcntl.lockf(claims, fcntl.LOCK_UN, 1, port)
    return False


@functools.cache
def _file() -> int:
    """The file of the claims, open for good: with its closing all locks would go.

    Raises LabError when it is somebody else's, or can't be made.
    """
    path = pathlib.Path(tempfile.gettempdir()) / f"prunella-ports-{os.getuid()}"
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        message = f"can't claim ports in {path}: {error.strerror}; remove it, or set TMPDIR"
        raise binaries.LabError(message) from error
