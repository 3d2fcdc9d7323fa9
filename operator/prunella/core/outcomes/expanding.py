"""What follows a claim's larger request: its driver makes the volume larger, or can't.

The proof by signals begins when every claim has what it asks for (``status.capacity``).
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

from prunella.api import policy as policy_api
from prunella.api import quantities, reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import claims, ledger, restoring

EXPAND_VOLUME = "expandVolume"


@dataclasses.dataclass(frozen=True, slots=True)
class Expanded:
    """How far the claims of a record have come."""

    done: bool
    message: str


def awaits(record: objects.Record) -> tuple[model.Ref, ...]:
    """The claims whose volumes are waited for; none once they were seen to be there."""
    known = record.status.verification
    if record.spec.action != EXPAND_VOLUME or (known is not None and known.synced_at):
        return ()
    return tuple(each.target for each in _sent(record))


def _sent(record: objects.Record) -> list[model.Effect]:
    pairs = zip(ledger.effects_of(record), record.status.effects, strict=False)
    return [effect for effect, status in pairs if status.outcome == "Effective"]


def judged(record: objects.Record, seen: Mapping[model.Ref, restoring.Manifest | None]) -> Expanded:
    """Whether all claims have at least what was asked for."""
    waiting = []
    for effect in _sent(record):
        manifest = seen.get(effect.target)
        if manifest is None:
            waiting.append(f"{effect.target} is gone")
            continue
        (wanted,) = [str(each["value"]) for each in effect.patch if each["op"] == "replace"]
        has = claims.capacity_of(manifest) or "0"
        if quantities.read(has) < quantities.read(wanted):
            waiting.append(f"{effect.target}: {claims.pending(manifest)}")
    names = ", ".join(str(each.target) for each in _sent(record))
    return Expanded(not waiting, "; ".join(waiting) or f"{names}: all that was asked for is there")


def awaited(
    record: objects.Record,
    expanded: Expanded,
    verify: policy_api.Verify,
    now: datetime.datetime,
) -> remediation.RemediationStatus:
    """The status of a record whose claims were raised, until the volumes are that large."""
    status = record.status
    if expanded.done:
        verification = remediation.Verification(synced_at=now, message=expanded.message)
        return status.model_copy(update={"verification": verification, "reason": "Expanded"})
    waited = (now - record.last_sent_or_decided_at).total_seconds()
    within = verify.within.total_seconds()
    if waited < within:
        message = f"the volume is waited for: {expanded.message}"
        return status.model_copy(update={"reason": "Expanding", "message": message[:2048]})
    message = f"not larger within {within:.0f} s: {expanded.message}"
    told = {"phase": reasons.Phase.UNHELPFUL, "reason": "NotExpanded", "message": message[:2048]}
    return status.model_copy(update={**told, "finished_at": now})
