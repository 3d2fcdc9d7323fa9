"""Whose refusal it was: a webhook's, a policy's, or the API server's own."""

from __future__ import annotations

import pytest

from prunella.adapters.kubernetes import admission

OWN = (
    "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'prunella-operator' with "
    "binding 'prunella-operator' denied request: spec.replicas: action scale is not enabled for "
    "the operator"
)
SAID = {
    "a webhook": (
        'admission webhook "images.policy.example" denied the request: images must be signed',
        "admission webhook images.policy.example",
    ),
    "a webhook that answers no dry run": (
        'admission webhook "images.policy.example" does not support dry run',
        "admission webhook images.policy.example",
    ),
    "a webhook that does not answer": (
        'Internal error occurred: failed calling webhook "images.policy.example": no connection',
        "admission webhook images.policy.example",
    ),
    "a policy": (
        OWN.replace("prunella-operator", "signed"),
        "ValidatingAdmissionPolicy signed",
    ),
    "the chart's own policy": (OWN, ""),
    "somebody's policy of a like name": (
        OWN.replace("for the operator", "for anybody"),
        "ValidatingAdmissionPolicy prunella-operator",
    ),
    "RBAC": ('deployments.apps "web" is forbidden: User "x" cannot patch resource', ""),
    "a precondition": ("the server rejected our request due to an error in our request", ""),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("message", "expected"), SAID.values(), ids=SAID)
def test_refuser(message: str, expected: str) -> None:
    """The message names the webhook or policy; status codes are its own choice."""
    assert expected == admission.refuser(message)
