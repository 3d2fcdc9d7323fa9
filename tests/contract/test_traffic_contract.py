"""What divides traffic is written and put back in the simulation as on a real API server."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from lab import stand_ins
from prunella import ports
from prunella.actions import return_traffic, shift_traffic
from prunella.api import remediation
from prunella.core import model, objects
from prunella.core.changes import swaps
from prunella.core.decisions import action, restoring
from tests.contract.test_field_contract import undone
from tests.contract.test_restore_contract import content, send, settled, shown
from tests.contract.worlds import LabWorld, World
from tests.unit.actions import manifests
from tests.unit.core import builders

Manifest = dict[str, Any]
STEPS: dict[str, Manifest] = {
    "HTTPRoute": {"kind": "HTTPRoute", "name": "web", "by": 100},
    "VirtualService": {"kind": "VirtualService", "name": "web", "by": 100},
    "Service": {"kind": "Service", "name": "web", "label": "app"},
}
LATER = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
WEIGHED = ["HTTPRoute", "VirtualService"]


def service(name: str, app: str) -> Manifest:
    """A Service of the pods of one side."""
    spec = {"selector": {"app": app}, "ports": [{"name": "http", "port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def dividing(kind: str) -> Manifest:
    """What sends a fifth of the traffic, or all of it, to the canary."""
    if kind == "Service":
        return service("web", "canary")
    weights = {"canary": 20, "stable": 80}
    if kind == "HTTPRoute":
        backends = [{"name": n, "port": 80, "weight": w} for n, w in weights.items()]
        version, spec = "gateway.networking.k8s.io/v1", {"rules": [{"backendRefs": backends}]}
    else:
        route = [{"destination": {"host": n}, "weight": w} for n, w in weights.items()]
        version, spec = "networking.istio.io/v1", {"hosts": ["web"], "http": [{"route": route}]}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec": spec}


def divided(manifest: Manifest) -> Any:
    """The weights, or what the selector chooses."""
    spec = manifest["spec"]
    if manifest["kind"] == "Service":
        return spec["selector"]["app"]
    rule = spec["rules"][0]["backendRefs"] if "rules" in spec else spec["http"][0]["route"]
    return [each["weight"] for each in rule]


async def planned(world: World, kind: str, **step: Any) -> tuple[action.Request, model.Effect]:
    """The effect of a step on two sides as they are now, with what it was planned on."""
    if isinstance(world, LabWorld):
        stand_ins.install(world.lab)
    canary, stable = (model.Ref("Deployment", world.namespace, n) for n in ("canary", "stable"))
    await world.add(canary, 1)
    await world.add(stable, 2)
    for manifest in (service("canary", "canary"), service("stable", "stable"), dividing(kind)):
        await world.add_object(manifest)
    ref = model.Ref(kind, world.namespace, "web")
    live_state = await world.cluster.live_state(canary)
    assert live_state is not None
    request = manifests.request(
        live_state,
        {"shiftTraffic": {**STEPS[kind], "to": {"workload": "stable"}, **step}},
        verdicts={stable: model.Verdict.HEALTHY},
        sick_since=LATER,
        looked={ref: restoring.Looked(ref, await settled(world, ref))},
    )
    for _ in range(3):
        plan = shift_traffic.ShiftTraffic().plan(request)
        if isinstance(plan, action.Plan):
            return request, manifests.kept(plan.effects[0])
        assert isinstance(plan, tuple), plan
        asked = {
            need.target: restoring.Looked(need.target, await settled(world, need.target))
            for need in plan
        }
        request = dataclasses.replace(request, looked={**request.looked, **asked})
    raise AssertionError("it asks again for what was looked at")


@pytest.mark.parametrize("kind", STEPS)
async def test_traffic_is_moved_and_moved_back(world: World, kind: str) -> None:
    """To the byte; a dry run changes nothing, a repeat is refused, and no mark is left."""
    _, effect = await planned(world, kind)
    before = await shown(world, effect.target)
    dry = await send(world, effect, dry_run=True)
    assert ports.Outcome.WOULD_SUCCEED is dry.outcome, dry.message
    assert before == await shown(world, effect.target)

    assert ports.Outcome.EFFECTIVE is (await send(world, effect)).outcome

    after = await shown(world, effect.target)
    assert ("stable" if kind == "Service" else [0, 100]) == divided(after)
    assert restoring.as_written(effect, after) is True
    repeat = await send(world, effect)
    assert (ports.Outcome.REFUSED, 422) == (repeat.outcome, repeat.status)
    assert ports.Outcome.EFFECTIVE is (await send(world, undone(effect, after))).outcome
    assert content(before) == content(await shown(world, effect.target))


@pytest.mark.parametrize("kind", STEPS)
async def test_an_edit_in_between_is_a_refusal(world: World, kind: str) -> None:
    """Of another weight, or of the selector, though it is edited back: the version is tested."""
    _, effect = await planned(world, kind)
    now = await shown(world, effect.target)
    *_, last = effect.patch
    path = str(last["path"])
    old = next(each["value"] for each in effect.inverse if each["path"] == path and "value" in each)
    for value in (7 if kind != "Service" else "other", old):
        await world.edit_object(effect.target, {"op": "replace", "path": path, "value": value})
    assert divided(now) == divided(await shown(world, effect.target))
    receipt = await send(world, effect)
    assert (ports.Outcome.REFUSED, 422) == (receipt.outcome, receipt.status)


@pytest.mark.parametrize("kind", WEIGHED)
async def test_traffic_comes_back_by_parts(world: World, kind: str) -> None:
    """Each part once; the last one writes just what was there before."""
    back = {"by": 15, "require": [{"query": "min(up)", "atLeast": 1}]}
    request, effect = await planned(world, kind, back=back)
    before = await shown(world, effect.target)
    origin = recorded(effect)
    await send(world, effect)
    found = []
    for _ in range(2):
        looked = {effect.target: restoring.Looked(effect.target, await shown(world, effect.target))}
        numbers = {("default", "min(up)"): model.Number(1.0)}
        part = return_traffic.ReturnTraffic().plan(
            dataclasses.replace(request, looked=looked, moved_by=origin, numbers=numbers)
        )
        assert isinstance(part, action.Plan), part
        assert ports.Outcome.EFFECTIVE is (await send(world, part.effects[0])).outcome
        repeat = await send(world, part.effects[0])
        assert (ports.Outcome.REFUSED, 422) == (repeat.outcome, repeat.status)
        found.append(divided(await shown(world, effect.target)))
    assert [[15, 85], [20, 80]] == found
    assert content(before) == content(await shown(world, effect.target))


def recorded(effect: model.Effect) -> objects.Record:
    """The record of a shift, as far as the way back reads it."""
    record = builders.record(action="shiftTraffic", effects=[effect])
    assert isinstance(record.spec.effects[0], remediation.EffectSpec)
    return record


async def test_who_has_written_the_weights_is_seen(world: World) -> None:
    """By managedFields, where the API server tells times: somebody is at work on it."""
    request, effect = await planned(world, "HTTPRoute")
    found = await shown(world, effect.target)
    timed = any("time" in each for each in found["metadata"]["managedFields"])
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    looked = {**request.looked, effect.target: restoring.Looked(effect.target, found)}
    earlier = dataclasses.replace(request, sick_since=long_ago, looked=looked)
    answer = shift_traffic.ShiftTraffic().plan(earlier)
    assert timed is isinstance(answer, model.Refusal)
    assert swaps.fits(effect.patch, found)
