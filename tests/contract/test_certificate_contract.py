"""A certificate is asked for in the simulation as on a real API server."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any

import pytest

from lab import stand_ins
from prunella import ports
from prunella.actions import renew_certificate
from prunella.core import model
from prunella.core.decisions import action, certificates, restoring
from tests.contract.test_restore_contract import send, shown
from tests.contract.worlds import LabWorld, SimulatedWorld, World
from tests.unit.actions import manifests
from tests.unit.core import builders

Manifest = dict[str, Any]
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Ready",
    "message": "Certificate is up to date and has not expired",
    "lastTransitionTime": "2025-11-01T09:00:00Z",
}
STATUS = {
    "notBefore": "2025-11-01T09:00:00Z",
    "notAfter": "2026-01-07T09:00:00Z",
    "revision": 2,
    "conditions": [READY],
}
MANIFEST: Manifest = {
    "apiVersion": "cert-manager.io/v1",
    "kind": "Certificate",
    "metadata": {"name": "web"},
    "spec": {"secretName": "web", "issuerRef": {"name": "ca"}},
}


async def write_status(world: World, ref: model.Ref, **status: Any) -> None:
    """As cert-manager does."""
    if isinstance(world, LabWorld):
        patch = json.dumps({"status": status})
        how = ("--subresource=status", "--type=merge", "--patch", patch)
        await world.kubectl("patch", "certificate", ref.name, *how)
        return
    assert isinstance(world, SimulatedWorld)
    world.cluster.edit_object(ref, lambda there: there.setdefault("status", {}).update(status))


async def planned(world: World) -> model.Effect:
    """The effect on a Certificate that ends in two days."""
    if isinstance(world, LabWorld):
        await asyncio.to_thread(stand_ins.install, world.lab, stand_ins.CERTIFICATES)
    await world.add_object(MANIFEST)
    ref = model.Ref("Certificate", world.namespace, "web")
    await write_status(world, ref, **STATUS)
    target = model.Ref("Deployment", world.namespace, "web")
    live_state = model.LiveState(builders.workload(ref=target), pods_known=False)
    request = manifests.request(
        live_state,
        {"renewCertificate": {}},
        looked={ref: restoring.Looked(ref, await shown(world, ref))},
        record="deployment-web-1",
    )
    plan = renew_certificate.RenewCertificate().plan(request)
    assert isinstance(plan, action.Plan), plan
    return manifests.kept(plan.effects[0])


async def test_it_is_asked_for_once(world: World) -> None:
    """In the status alone; a dry run changes nothing, and a repeat is refused."""
    effect = await planned(world)
    before = await shown(world, effect.target)
    dry = await send(world, effect, dry_run=True)
    assert ports.Outcome.WOULD_SUCCEED is dry.outcome, dry.message
    assert before == await shown(world, effect.target)

    assert ports.Outcome.EFFECTIVE is (await send(world, effect)).outcome

    after = await shown(world, effect.target)
    found = certificates.issued(after)
    assert found is not None
    assert found.issuing is not None
    asked = {key: found.issuing[key] for key in ("status", "reason", "message")}
    assert {
        "status": "True",
        "reason": "ManuallyTriggered",
        "message": "asked for by Remediation deployment-web-1",
    } == asked
    assert (before["spec"], READY) == (after["spec"], after["status"]["conditions"][0])
    assert restoring.as_written(effect, after) is True
    repeat = await send(world, effect)
    assert (ports.Outcome.REFUSED, 422) == (repeat.outcome, repeat.status)


@pytest.mark.parametrize("what", ["the next revision", "another request"])
async def test_what_cert_manager_does_in_between_is_a_refusal(world: World, what: str) -> None:
    """Its status is tested: nothing is asked for that is under way, or done."""
    effect = await planned(world)
    if what == "the next revision":
        await write_status(world, effect.target, revision=3)
    else:
        now = datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC)
        busy = {**READY, "type": "Issuing", "reason": "Renewing", "message": f"{now:%H:%M}"}
        await write_status(world, effect.target, conditions=[READY, busy])
    receipt = await send(world, effect)
    assert (ports.Outcome.REFUSED, 422) == (receipt.outcome, receipt.status)
