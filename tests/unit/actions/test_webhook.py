"""webhook: one call of a listed endpoint; the policy has no say in the address."""

from __future__ import annotations

import pytest

from prunella.actions import webhook
from prunella.api import endpoints, reasons
from prunella.core import model
from prunella.core.decisions import action
from tests.unit.actions import manifests
from tests.unit.api import test_endpoints
from tests.unit.core import builders

Refused = reasons.Refused


def plan(
    parameters: dict[str, str] | None = None,
    name: str = "restart-db",
    listed: endpoints.Endpoint | None = None,
) -> object:
    """The plan for a Deployment."""
    given = {"HOST": "db-1"} if parameters is None else parameters
    step = {"webhook": {"endpoint": name, "parameters": given}}
    request = manifests.request(model.LiveState(builders.workload()), step)
    return webhook.Webhook({"restart-db": listed or test_endpoints.endpoint()}).plan(request)


def test_a_call_says_what_and_for_whom() -> None:
    """The ledger keeps the parameters, the target and the deadline, and no address or secret."""
    planned = plan()
    assert isinstance(planned, action.Plan)
    (effect,) = map(manifests.kept, planned.effects)
    assert (model.Verb.CALL, (), model.Ref("Webhook", "shop", "restart-db")) == (
        effect.verb,
        effect.inverse,
        effect.target,
    )
    target = {"kind": "Deployment", "namespace": "shop", "name": "checkout"}
    expected = {"parameters": {"HOST": "db-1"}, "target": target, "deadlineSeconds": 900}
    assert expected == effect.manifest
    told = "call endpoint restart-db (rundeck 5f3c-uuid) for Deployment/checkout (HOST=db-1)"
    assert told == effect.summary


REFUSALS: dict[str, tuple[object, Refused, str]] = {
    "not listed": (
        plan(name="drop-db"),
        Refused.NOT_OFFERED,
        "there is no endpoint drop-db; the operator has: restart-db",
    ),
    "not for this namespace": (
        plan(listed=test_endpoints.endpoint(namespaces=["blog"])),
        Refused.NOT_OFFERED,
        "endpoint restart-db is for blog, not for shop",
    ),
    "a value that does not match": (
        plan({"HOST": "db-1; reboot"}),
        Refused.BAD_PARAMETERS,
        "endpoint restart-db: parameters.HOST: 'db-1; reboot' does not match 'db-[0-9]'",
    ),
}


@pytest.mark.parametrize(("found", "reason", "message"), REFUSALS.values(), ids=REFUSALS)
def test_it_is_refused(found: object, reason: Refused, message: str) -> None:
    """Nothing is called that the administrator has not meant for this namespace and value."""
    assert model.Refusal(reason, message) == found
