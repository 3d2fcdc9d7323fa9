"""What follows a push: the tool that deploys applies it, or people are asked to merge it.

A certificate that was asked for is waited for in the same way.
"""

from __future__ import annotations

import datetime

from prunella.api import policy as policy_api
from prunella.api import reasons, remediation
from prunella.core import objects
from prunella.core.decisions import certificates, gitops, ledger

Phase = reasons.Phase


def requested(
    status: remediation.RemediationStatus, now: datetime.datetime
) -> remediation.RemediationStatus:
    """The end of a record whose request waits for people: they are called, with its address."""
    url = next(each.url for each in status.effects if each.url)
    message = f"a person must look at the revert and merge it: {url}"
    return _ended(status, ledger.REQUESTED, message, now)


def awaited(
    record: objects.Record,
    synced: gitops.Synced,
    verify: policy_api.Verify,
    now: datetime.datetime,
) -> remediation.RemediationStatus:
    """The status of a record whose commit was pushed, until it is seen to be applied."""
    status = record.status
    if synced.applied:
        verification = remediation.Verification(synced_at=now, message=synced.message)
        return status.model_copy(update={"verification": verification, "reason": "Synced"})
    waited = (now - record.last_sent_or_decided_at).total_seconds()
    within = verify.within.total_seconds()
    if waited < within:
        return status
    renewed = record.spec.action == certificates.RENEW_CERTIFICATE
    what = "asked for, and not issued" if renewed else "pushed, and not applied"
    message = f"{what} within {within:.0f} s: {synced.message}"
    return _ended(status, "NotIssued" if renewed else "NotSynced", message, now)


def _ended(
    status: remediation.RemediationStatus, reason: str, message: str, now: datetime.datetime
) -> remediation.RemediationStatus:
    told = {"phase": Phase.UNPROVEN, "reason": reason, "message": message[:2048]}
    return status.model_copy(update={**told, "finished_at": now})
