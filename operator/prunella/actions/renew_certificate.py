"""renewCertificate: have cert-manager issue a Certificate again, before the one there ends.

The condition ``Issuing`` is written into its status, as ``cmctl renew`` does.  It is one-way: what
was issued before is valid until it ends, and is not put back.
"""

from __future__ import annotations

import datetime

from prunella.actions import object_fields
from prunella.api import certificates as api
from prunella.api import reasons, trust
from prunella.core import model
from prunella.core.decisions import action, certificates, fields

Refused = reasons.Refused


class RenewCertificate:
    """Asks for the next revision of a Certificate."""

    name = certificates.RENEW_CERTIFICATE
    owned_field = None
    risk = trust.Risk.LOW

    def plan(self, request: action.Request) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
        """One patch of the status, or a refusal."""
        params = request.params
        if not isinstance(params, api.RenewCertificate):
            raise TypeError("renewCertificate is planned from the parameters of its step")
        written = fields.written(params, request.live_state)
        if written is None:
            raise TypeError("renewCertificate writes a Certificate")
        looked = object_fields.found(request, written.ref)
        if isinstance(looked, model.Refusal):
            return looked
        manifest = object_fields.manifest(looked)
        found = certificates.issued(manifest)
        if found is None:
            message = f"{looked.ref} was never issued: look at its CertificateRequests"
            return model.Refusal(Refused.NOT_WRITABLE, message, skip_step=True)
        refusal = _busy(looked.ref, found, request.now)
        refusal = refusal or _not_due(looked.ref, found, params, request.now)
        if refusal is not None:
            return refusal
        metadata = manifest["metadata"]
        generation = int(metadata.get("generation") or 0)
        patch = certificates.asking(found, generation, request.record, request.decided_at)
        effect = model.Effect(
            verb=model.Verb.PATCH,
            target=looked.ref,
            uid=metadata["uid"],
            generation=generation or None,
            patch=tuple(patch),
            summary=(
                f"have {looked.ref} issued again: revision {found.revision} is valid until "
                f"{found.not_after:%Y-%m-%dT%H:%M:%SZ}"
            ),
        )
        return action.Plan((effect,))


def _busy(
    ref: model.Ref, found: certificates.Issued, now: datetime.datetime
) -> model.Refusal | None:
    """Why cert-manager should be left to itself for now."""
    issuing = found.issuing
    if issuing is not None and issuing.get("status") == "True":
        told = f"{issuing.get('reason', '')}: {issuing.get('message', '')}"
        return model.Refusal(Refused.ISSUING, f"{ref} is being issued ({told})")
    again = found.tries_again_at
    if again is not None and now < again:
        message = (
            f"the last issuance of {ref} failed, {max(1, found.failures)} times: cert-manager "
            f"tries again at {again:%Y-%m-%dT%H:%M:%SZ}, by itself"
        )
        return model.Refusal(Refused.ISSUANCE_FAILED, message, skip_step=True)
    return None


def _not_due(
    ref: model.Ref,
    found: certificates.Issued,
    params: api.RenewCertificate,
    now: datetime.datetime,
) -> model.Refusal | None:
    """Why the one that is issued does for now, or another would be one too many."""
    left, validity = found.not_after - now, (found.not_after - found.not_before).total_seconds()
    within = params.expires_within.total_seconds()
    limit = min(within, validity / 3)
    if left.total_seconds() > limit:
        third = f", a third of its validity {validity / 3:.0f} s" if limit < within else ""
        message = (
            f"{ref} is valid for {left.total_seconds():.0f} s, expiresWithin is {within:.0f} s"
            f"{third}: what is served may be an older one, which a restart would replace"
        )
        return model.Refusal(Refused.NOT_THE_LIMIT, message, skip_step=True)
    age, least = (now - found.not_before).total_seconds(), params.least_age.total_seconds()
    if age < least:
        message = f"{ref} was issued {age:.0f} s ago, leastAge is {least:.0f} s: issuers limit this"
        return model.Refusal(Refused.COOLDOWN, message, skip_step=True)
    return None
