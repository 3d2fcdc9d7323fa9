"""Memory that was needed once is given back to the system.

A list of thousands of objects takes more than is kept of it.  glibc keeps what is freed, thread by
thread, so the operator's size would be that of its largest moment.
Source: malloc_trim(3).
"""

from __future__ import annotations

import asyncio
import ctypes
import gc


async def give_back() -> None:
    """Drop what only points at itself, then return free memory, where the C library can."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        await asyncio.to_thread(trim, 0)
