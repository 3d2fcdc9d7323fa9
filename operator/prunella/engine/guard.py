"""The engine's one guard: a fault in one policy or incident must not end the others."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping

from prunella import ports


@contextlib.contextmanager
def guarded(
    what: str,
    log: logging.Logger,
    telemetry: ports.Telemetry,
    counter: str,
    labels: Mapping[str, str] | None = None,
    *,
    extra: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Go on after any error, which is logged as ``what`` with its traceback, and counted."""
    try:
        yield
    except Exception:
        log.exception("%s", what, extra=extra)
        telemetry.count(counter, labels or {})
