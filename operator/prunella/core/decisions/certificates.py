"""cert-manager's Certificates: what their status tells, and how one is asked to be issued again.

``cmctl renew`` sets the condition ``Issuing`` in the status.  cert-manager issues, writes
``notAfter`` and the next ``revision``, and takes the condition away; where it fails, it is False.
https://cert-manager.io/docs/reference/cmctl/#renew
https://cert-manager.io/docs/usage/certificate/#issuance-behavior-rotation-of-the-private-key
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from prunella.core import model

CERTIFICATE: Final = "Certificate"
RENEW_CERTIFICATE: Final = "renewCertificate"
"""The action's name."""
ISSUING: Final = "Issuing"
TRIGGERED: Final = "ManuallyTriggered"
"""The reason that `cmctl renew` gives, too."""
_FIRST_BACKOFF: Final = datetime.timedelta(hours=1)
_LONGEST_BACKOFF: Final = datetime.timedelta(hours=32)
"""cert-manager tries again by itself after 1 h, and twice as long each time, up to 32 h."""
Manifest = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Issued:
    """What was issued last, and how it stands with the next."""

    revision: int
    not_before: datetime.datetime
    not_after: datetime.datetime
    conditions: Sequence[Manifest]
    failed_at: datetime.datetime | None
    failures: int

    @property
    def issuing(self) -> Manifest | None:
        """The condition that tells whether one is being issued, if there is one."""
        return next((each for each in self.conditions if each.get("type") == ISSUING), None)

    @property
    def tries_again_at(self) -> datetime.datetime | None:
        """When cert-manager tries again by itself what has failed; None: nothing has."""
        if self.failed_at is None:
            return None
        longer: int = 1 << min(max(0, self.failures - 1), 5)
        return self.failed_at + min(_FIRST_BACKOFF * longer, _LONGEST_BACKOFF)


def issued(manifest: Manifest) -> Issued | None:
    """What a Certificate's status tells; None where it was never issued."""
    status = manifest.get("status") or {}
    not_before, not_after = _time(status.get("notBefore")), _time(status.get("notAfter"))
    revision = status.get("revision")
    if not isinstance(revision, int) or not_before is None or not_after is None:
        return None
    return Issued(
        revision,
        not_before,
        not_after,
        tuple(status.get("conditions") or ()),
        _time(status.get("lastFailureTime")),
        int(status.get("failedIssuanceAttempts") or 0),
    )


def _time(told: object) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(told) if isinstance(told, str) and told else None


def asking(found: Issued, generation: int, record: str, now: datetime.datetime) -> Sequence[Any]:
    """The patch of the status that asks for the next one, under a test of what is told there."""
    wanted = {
        "type": ISSUING,
        "status": "True",
        "reason": TRIGGERED,
        "message": f"asked for by Remediation {record}",
        "lastTransitionTime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "observedGeneration": generation,
    }
    place, there = "/status/conditions", list(found.conditions)
    tests = [
        {"op": "test", "path": "/status/revision", "value": found.revision},
        {"op": "test", "path": place, "value": [dict(each) for each in there]},
    ]
    if found.issuing is None:
        return [*tests, {"op": "add", "path": f"{place}/{len(there)}", "value": wanted}]
    at = there.index(found.issuing)
    return [*tests, {"op": "replace", "path": f"{place}/{at}", "value": wanted}]


def as_asked(effect: model.Effect, manifest: Manifest | None) -> bool | None:
    """Whether a Certificate was asked for (True), is as before (False), or nobody knows (None)."""
    found = issued(manifest) if manifest is not None else None
    if manifest is None or found is None or manifest["metadata"].get("uid") != effect.uid:
        return None
    revision, conditions, wanted = _values(effect)
    issuing = found.issuing
    asked = issuing is not None and issuing.get("message") == wanted["message"]
    if asked or found.revision > revision:
        return True
    same = [dict(each) for each in found.conditions] == conditions
    return False if same and found.revision == revision else None


def _values(effect: model.Effect) -> tuple[int, Any, Any]:
    """The revision and the conditions that a request tests, and the condition that it writes."""
    revision, conditions, wanted = (cast(Any, each["value"]) for each in effect.patch)
    return revision, conditions, wanted


def reissued(effect: model.Effect, manifest: Manifest | None) -> tuple[bool, str]:
    """Whether the next one was issued, with what its status says."""
    found = issued(manifest) if manifest is not None else None
    if found is None:
        return False, f"{effect.target} is gone, or tells of nothing that was issued"
    before, *_ = _values(effect)
    if found.revision > before:
        ends = f"{found.not_after:%Y-%m-%dT%H:%M:%SZ}"
        return True, f"{effect.target} was issued: revision {found.revision}, until {ends}"
    issuing = found.issuing or {}
    told = f"{issuing.get('reason', 'no condition Issuing')}: {issuing.get('message', '')}"
    return False, f"{effect.target} is at revision {found.revision} ({told})"
