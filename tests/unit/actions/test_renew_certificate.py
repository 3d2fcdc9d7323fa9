"""renewCertificate: one request in the status, when it is due, and never beside another one."""

from __future__ import annotations

import datetime
from typing import Any

import jsonpatch
import pydantic
import pytest

from prunella.actions import renew_certificate
from prunella.api import reasons, steps
from prunella.core import model
from prunella.core.decisions import action, certificates, restoring
from tests.unit.actions import manifests
from tests.unit.core import builders

Refused = reasons.Refused
CERTIFICATE = model.Ref("Certificate", "shop", "web-tls")
READY = {"type": "Ready", "status": "True", "reason": "Ready", "message": "up to date"}
HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)


def text(delta: datetime.timedelta) -> str:
    """A time so long after now."""
    return f"{builders.NOW + delta:%Y-%m-%dT%H:%M:%SZ}"


def certificate(
    ends: datetime.timedelta = 3 * DAY,
    began: datetime.timedelta = -87 * DAY,
    conditions: Any = (READY,),
    **status: Any,
) -> Any:
    """A Certificate as the API server shows it, issued once."""
    metadata = {"name": "web-tls", "namespace": "shop", "uid": "c", "generation": 2}
    told = {"notBefore": text(began), "notAfter": text(ends), "revision": 4}
    return {
        "kind": "Certificate",
        "metadata": {**metadata, "resourceVersion": "9"},
        "spec": {"secretName": "web-tls"},
        "status": {**told, "conditions": [dict(each) for each in conditions], **status},
    }


def plan(shown: Any, **params: Any) -> Any:
    """What comes of a step."""
    live_state = model.LiveState(builders.workload(), pods_known=False)
    looked = {CERTIFICATE: restoring.Looked(CERTIFICATE, shown)}
    step = {"renewCertificate": {"name": "web-tls", **params}}
    request = manifests.request(live_state, step, looked=looked, record="checkout-1")
    return renew_certificate.RenewCertificate().plan(request)


def asked(shown: Any) -> Any:
    """The condition after a plan was carried out, with the effect."""
    planned = plan(shown)
    assert isinstance(planned, action.Plan), planned
    (effect,) = planned.effects
    effect = manifests.kept(effect)
    after = jsonpatch.apply_patch(shown, [dict(each) for each in effect.patch])
    found = certificates.issued(after)
    assert found is not None
    return found.issuing, effect, after


def test_it_asks_as_cmctl_renew_does() -> None:
    """The condition Issuing is True; it names the record, and nothing puts it back."""
    issuing, effect, after = asked(certificate())
    assert {
        "type": "Issuing",
        "status": "True",
        "reason": "ManuallyTriggered",
        "message": "asked for by Remediation checkout-1",
        "lastTransitionTime": text(datetime.timedelta()),
        "observedGeneration": 2,
    } == issuing
    assert [READY, issuing] == after["status"]["conditions"]
    assert ((), "c", 2) == (effect.inverse, effect.uid, effect.generation)
    assert effect.tested
    assert (
        "have Certificate/web-tls issued again: revision 4 is valid until 2026-01-08T09:00:00Z"
    ) == effect.summary


def test_a_condition_that_is_false_is_written_over() -> None:
    """There is one condition of a type."""
    old = {"type": "Issuing", "status": "False", "reason": "Failed", "message": "x"}
    shown = certificate(conditions=(old, READY), lastFailureTime=text(-5 * HOUR))
    issuing, _, after = asked(shown)
    assert [issuing, READY] == after["status"]["conditions"]


BUSY = {"type": "Issuing", "status": "True", "reason": "Renewing", "message": "at work"}
REFUSED: dict[str, tuple[Any, dict[str, Any], Refused, str, bool]] = {
    "not there": (None, {}, Refused.NOT_WRITABLE, "Certificate/web-tls is not there", True),
    "never issued": (
        certificate(revision=None),
        {},
        Refused.NOT_WRITABLE,
        "Certificate/web-tls was never issued",
        True,
    ),
    "being issued": (
        certificate(conditions=(READY, BUSY)),
        {},
        Refused.ISSUING,
        "Certificate/web-tls is being issued (Renewing: at work)",
        False,
    ),
    "failed lately": (
        certificate(lastFailureTime=text(-0.5 * HOUR), failedIssuanceAttempts=1),
        {},
        Refused.ISSUANCE_FAILED,
        (
            "the last issuance of Certificate/web-tls failed, 1 times: cert-manager tries again at "
            "2026-01-05T09:30:00Z"
        ),
        True,
    ),
    "failed again and again": (
        certificate(lastFailureTime=text(-7 * HOUR), failedIssuanceAttempts=4),
        {},
        Refused.ISSUANCE_FAILED,
        "tries again at 2026-01-05T10:00:00Z",
        True,
    ),
    "valid for long": (
        certificate(ends=8 * DAY),
        {},
        Refused.NOT_THE_LIMIT,
        "Certificate/web-tls is valid for 691200 s, expiresWithin is 604800 s",
        True,
    ),
    "valid for days only, and not near their end": (
        certificate(began=-3 * DAY, ends=3 * DAY),
        {},
        Refused.NOT_THE_LIMIT,
        (
            "Certificate/web-tls is valid for 259200 s, expiresWithin is 604800 s, a third of its "
            "validity 172800 s: what is served may be an older one"
        ),
        True,
    ),
    "issued a moment ago": (
        certificate(began=-HOUR, ends=HOUR / 4),
        {},
        Refused.COOLDOWN,
        "Certificate/web-tls was issued 3600 s ago, leastAge is 86400 s",
        True,
    ),
}


@pytest.mark.parametrize(
    ("shown", "params", "reason", "words", "next_"), REFUSED.values(), ids=REFUSED
)
def test_it_is_refused(
    shown: Any, params: dict[str, Any], reason: Refused, words: str, *, next_: bool
) -> None:
    """With the times that were compared; what is at work is waited for."""
    found = plan(shown, **params)
    assert isinstance(found, model.Refusal), found
    assert (reason, next_) == (found.reason, found.skip_step)
    assert words in found.message


ALLOWED = {
    "a failure whose time is over": (
        certificate(lastFailureTime=text(-9 * HOUR), failedIssuanceAttempts=4),
        {},
    ),
    "a failure that is older than the longest wait": (
        certificate(lastFailureTime=text(-33 * HOUR), failedIssuanceAttempts=40),
        {},
    ),
    "a bound of the policy": (certificate(ends=8 * DAY), {"expiresWithin": "9d"}),
    "an age of the policy": (certificate(began=-HOUR, ends=HOUR / 4), {"leastAge": "30m"}),
    "valid for days only, in its last third": (certificate(began=-4 * DAY, ends=2 * DAY), {}),
    "what has ended": (certificate(ends=-DAY), {}),
}


@pytest.mark.parametrize(("shown", "params"), ALLOWED.values(), ids=ALLOWED)
def test_it_is_asked_for(shown: Any, params: dict[str, Any]) -> None:
    """Within its bounds."""
    assert isinstance(plan(shown, **params), action.Plan)


def test_a_record_tells_whether_it_was_asked_for() -> None:
    """By the condition or the next revision; what another hand has written nobody knows."""
    before = certificate()
    _, effect, after = asked(before)
    found = {
        "asked": after,
        "before": before,
        "issued": certificate(revision=5),
        "another request": certificate(conditions=(READY, BUSY)),
        "made anew": {**after, "metadata": {**after["metadata"], "uid": "d"}},
        "gone": None,
    }
    assert {
        "asked": True,
        "before": False,
        "issued": True,
        "another request": None,
        "made anew": None,
        "gone": None,
    } == {name: restoring.as_written(effect, each) for name, each in found.items()}


def test_the_next_revision_is_what_is_waited_for() -> None:
    """Until then the status tells why not."""
    _, effect, after = asked(certificate())
    failed = {"type": "Issuing", "status": "False", "reason": "Failed", "message": "no challenge"}
    told = [
        certificates.reissued(effect, each)
        for each in (after, certificate(conditions=(failed,)), certificate(revision=5), None)
    ]
    assert [False, False, True, False] == [done for done, _ in told]
    assert [
        (
            "Certificate/web-tls is at revision 4 (ManuallyTriggered: asked for by Remediation "
            "checkout-1)"
        ),
        "Certificate/web-tls is at revision 4 (Failed: no challenge)",
        "Certificate/web-tls was issued: revision 5, until 2026-01-08T09:00:00Z",
        "Certificate/web-tls is gone, or tells of nothing that was issued",
    ] == [message for _, message in told]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param({"expiresWithin": "soon"}, "expiresWithin", id="no duration"),
        pytest.param({"name": "A b"}, "an object's name", id="no name"),
        pytest.param({"force": True}, "Extra inputs", id="unknown"),
    ],
)
def test_bad_parameters_are_told(params: dict[str, Any], words: str) -> None:
    """In words that say what to write."""
    with pytest.raises(pydantic.ValidationError) as caught:
        steps.Step.model_validate({"renewCertificate": params})
    assert words in str(caught.value)
