"""Ends the process when the loop of a leader hangs: another one leads by then.

In a thread of its own, since nothing in a loop can tell that the loop does not turn.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

LOOK_SECONDS = 0.5


def problem(late: float, limit: float) -> str:
    """Why the process must end; empty when it need not. Both in seconds."""
    if late <= limit:
        return ""
    return (
        f"a leader that has not looked at its Lease for {late:.1f} s ends, the limit is {limit:g} s"
    )


def watch(late: Callable[[], float], limit: float) -> None:
    """Start to watch. ``late``: the seconds since a leader has turned, 0 for who does not lead."""

    def look() -> None:
        while not (told := problem(late(), limit)):
            time.sleep(LOOK_SECONDS)
        sys.stderr.write(f"prunella: {told}\n")
        sys.stderr.flush()
        # Not sys.exit: what waits in other threads might still be sent.
        os._exit(1)

    threading.Thread(target=look, name="watchdog", daemon=True).start()
