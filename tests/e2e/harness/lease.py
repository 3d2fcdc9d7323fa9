"""One lab for all workers of a test run: the first one in starts it, the last one out ends it.

Every worker holds a shared lock on one file while it uses the lab. Who can have that lock alone is
the first in, or the last out; so a worker that was killed leaves no count behind that is wrong.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import IO

from lab import layout, lifecycle
from lab.cluster import Lab

Prepare = Callable[[Lab], None]


@contextlib.contextmanager
def leased(name: str, prepare: Prepare = lambda _: None, *, shop: bool = False) -> Iterator[Lab]:
    """The lab of that name, started if it was not up; ``prepare`` is run by the first one in.

    With ``shop`` it is made fit for shops.

    A lab that ran before is left running, as is every lab with ``PRUNELLA_LAB_KEEP=1``.
    """
    stem = _stem(name)
    started_here = stem.with_suffix(".started")
    with stem.with_suffix(".users").open("w") as users:
        with _turn(stem):
            if _alone(users):
                started_here.unlink(missing_ok=True)
                if not lifecycle.status(name).is_up:
                    started_here.touch()
                prepare(lifecycle.up(name, shop=shop))
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield Lab.load(name)
        finally:
            with _turn(stem):
                fcntl.flock(users, fcntl.LOCK_UN)
                keep = os.environ.get("PRUNELLA_LAB_KEEP") == "1"
                if _alone(users) and started_here.exists() and not keep:
                    started_here.unlink()
                    lifecycle.down(name)


def _stem(name: str) -> pathlib.Path:
    """Where the locks of a lab lie: outside its folder, which comes and goes."""
    digest = hashlib.sha256(str(layout.locate(name).folder).encode()).hexdigest()[:12]
    return pathlib.Path(tempfile.gettempdir()) / f"prunella-lab-{os.getuid()}-{digest}"


@contextlib.contextmanager
def _turn(stem: pathlib.Path) -> Iterator[None]:
    """Coming and going is done by one worker at a time."""
    with stem.with_suffix(".turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def _alone(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
