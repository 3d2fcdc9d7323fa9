"""cert-manager on the simulated cluster: issues what is asked for, in a while."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, Final

from prunella.adapters.simulated import clock as clocks
from prunella.core import model
from prunella.core.decisions import certificates

ISSUES_AFTER: Final = 20.0
"""Seconds from the request to the certificate: an ACME order with its challenge takes as long."""
VALID: Final = datetime.timedelta(days=90)
Edit = Callable[[model.Ref, Callable[[dict[str, Any]], object], str], None]


class CertManager:
    """Turns the condition ``Issuing`` into the next revision."""

    def __init__(self, clock: clocks.VirtualClock, edit: Edit) -> None:
        self._clock = clock
        self._edit = edit
        self.failing = ""
        """While set, nothing is issued, for this reason."""

    def saw(self, ref: model.Ref) -> None:
        """A Certificate's status was written: issue the next one."""
        self._clock.call_later(
            ISSUES_AFTER, lambda: self._edit(ref, self._issue, "cert-manager-certificates")
        )

    def _issue(self, manifest: dict[str, Any]) -> None:
        now, status = self._clock.now(), manifest["status"]
        kept = [e for e in status["conditions"] if e["type"] != certificates.ISSUING]
        if self.failing:
            failed = {"status": "False", "reason": "Failed", "message": self.failing}
            kept.append({"type": certificates.ISSUING, **failed})
            status |= {"lastFailureTime": _text(now), "failedIssuanceAttempts": 1}
        else:
            status |= {"notBefore": _text(now), "notAfter": _text(now + VALID)}
            status["revision"] += 1
        status["conditions"] = kept


def _text(at: datetime.datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
