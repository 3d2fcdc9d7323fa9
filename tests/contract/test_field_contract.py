"""A field of another object is written and put back in the simulation as on a real API server."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella import ports
from prunella.actions import patch_field, resize, restore
from prunella.api import steps
from prunella.core import model
from prunella.core.changes import swaps
from prunella.core.decisions import action, restoring, rules
from tests.contract.test_restore_contract import content, send, settled, shown
from tests.contract.worlds import World
from tests.unit.actions import manifests
from tests.unit.core import builders

Manifest = dict[str, Any]
SELECTOR = {"matchLabels": {"app": "web"}}
OBJECTS: dict[str, Manifest] = {
    "ConfigMap": {"apiVersion": "v1", "data": {"new.search": "on", "size": "20"}},
    "HorizontalPodAutoscaler": {
        "apiVersion": "autoscaling/v2",
        "spec": {
            "maxReplicas": 5,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        },
    },
    "ResourceQuota": {"apiVersion": "v1", "spec": {"hard": {"pods": "40"}}},
}
STEPS: dict[str, tuple[str, Manifest, str, object]] = {
    "a number in a map of texts": (
        "ConfigMap",
        {"path": "data.size", "by": 5, "min": 1, "max": 50},
        "/data/size",
        "25",
    ),
    "a text": (
        "ConfigMap",
        {"path": "data.new\\.search", "value": "off"},
        "/data/new.search",
        "off",
    ),
    "a number": (
        "HorizontalPodAutoscaler",
        {"path": "spec.maxReplicas", "by": 5, "min": 1, "max": 8},
        "/spec/maxReplicas",
        8,
    ),
}


async def planned(world: World, name: str) -> model.Effect:
    """The effect of a step on an object as it is now."""
    kind, params, *_ = STEPS[name]
    ref = model.Ref(kind, world.namespace, "web")
    await world.add_object({"kind": kind, "metadata": {"name": "web"}, **OBJECTS[kind]})
    looked = restoring.Looked(ref, await settled(world, ref))
    version = OBJECTS[kind]["apiVersion"]
    step = {"apiVersion": version, "kind": kind, "name": "web", **params}
    target = model.Ref("Deployment", world.namespace, "checkout")
    live_state = model.LiveState(builders.workload(ref=target), pods_known=False)
    request = manifests.request(live_state, {"patchField": step}, looked={ref: looked})
    field = rules.WritableField(version, kind, params["path"], max=50, values=("on", "off"))
    plan = patch_field.PatchField().plan(
        dataclasses.replace(request, rules=rules.Rules(fields=(field,)))
    )
    assert isinstance(plan, action.Plan), plan
    assert isinstance(request.params, steps.capacity.PatchField)
    return manifests.kept(plan.effects[0])


@pytest.mark.parametrize("name", STEPS)
async def test_a_field_is_written_and_put_back(world: World, name: str) -> None:
    """To the byte; a dry run changes nothing, a repeat is refused, and no mark is left."""
    *_, pointer, wanted = STEPS[name]
    effect = await planned(world, name)
    before = await shown(world, effect.target)
    dry = await send(world, effect, dry_run=True)
    assert (ports.Outcome.WOULD_SUCCEED, before) == (dry.outcome, await shown(world, effect.target))

    assert ports.Outcome.EFFECTIVE is (await send(world, effect)).outcome

    after = await shown(world, effect.target)
    assert swaps.fits([{"op": "test", "path": pointer, "value": wanted}], after)
    assert restoring.as_written(effect, after) is True
    repeat = await send(world, effect)
    assert (ports.Outcome.REFUSED, 422) == (repeat.outcome, repeat.status)
    assert ports.Outcome.EFFECTIVE is (await send(world, undone(effect, after))).outcome
    assert content(before) == content(await shown(world, effect.target))


def undone(effect: model.Effect, manifest: Manifest) -> model.Effect:
    """What puts an object back, planned on it as it is now."""
    return dataclasses.replace(
        effect,
        patch=effect.inverse,
        inverse=effect.patch,
        generation=manifest["metadata"].get("generation"),
        resource_version=""
        if "generation" in manifest["metadata"]
        else manifest["metadata"]["resourceVersion"],
    )


@pytest.mark.parametrize("name", STEPS)
async def test_an_edit_in_between_is_a_refusal(world: World, name: str) -> None:
    """The version that it was planned for is tested."""
    effect = await planned(world, name)
    label = {"op": "add", "path": "/metadata/labels", "value": {"example.com/team": "x"}}
    field = {**effect.patch[-1], "value": STEPS[name][3]}
    await world.edit_object(effect.target, label, field)
    receipt = await send(world, effect)
    assert (ports.Outcome.REFUSED, 422) == (receipt.outcome, receipt.status)


RESOURCES = {
    "op": "add",
    "path": "/spec/template/spec/containers/0/resources",
    "value": {"limits": {"memory": "64Mi"}, "requests": {"memory": "64Mi"}},
}


async def resized(world: World, where: str) -> tuple[model.Ref, action.Plan]:
    """A Deployment with a limit, and the plan of a step that raises it."""
    ref = model.Ref("Deployment", world.namespace, "web")
    await world.add(ref, 1)
    await world.edit_object(ref, RESOURCES)
    await world.settle()
    if where == "InPlace":
        await world.report_resources()
    live_state = await world.cluster.live_state(ref)
    assert live_state is not None
    step = {"resize": {"where": where, "memory": {"by": "50%", "max": "1Gi"}}}
    request = manifests.request(live_state, step, findings=())
    for _ in range(2):
        plan = resize.Resize().plan(request)
        if isinstance(plan, action.Plan):
            return ref, plan
        assert isinstance(plan, tuple), plan
        looked = {
            need.target: restoring.Looked(need.target, await world.cluster.read_object(need.target))
            for need in plan
        }
        request = dataclasses.replace(request, looked=looked)
    raise AssertionError("it asks again for what was looked at")


def memory(manifest: Manifest) -> Manifest:
    """The memory of the only container, of a pod or of a template."""
    spec = manifest["spec"].get("template", manifest)["spec"]
    (container,) = spec["containers"]
    return {kind: each["memory"] for kind, each in container["resources"].items()}


@pytest.mark.parametrize("where", ["InPlace", "Template"])
async def test_a_limit_is_raised_and_put_back(world: World, where: str) -> None:
    """In place by the subresource of the pod, which stays; a dry run changes nothing."""
    _, plan = await resized(world, where)
    (effect,) = [manifests.kept(each) for each in plan.effects]
    assert ("Pod" if where == "InPlace" else "Deployment") == effect.target.kind
    dry = await send(world, effect, dry_run=True)
    assert ports.Outcome.WOULD_SUCCEED is dry.outcome, dry.message
    assert (ports.Outcome.WOULD_SUCCEED, {"limits": "64Mi", "requests": "64Mi"}) == (
        dry.outcome,
        memory(await shown(world, effect.target)),
    )

    assert ports.Outcome.EFFECTIVE is (await send(world, effect)).outcome

    after = await shown(world, effect.target)
    assert {"limits": "96Mi", "requests": "96Mi"} == memory(after)
    assert after["metadata"]["uid"] == effect.uid
    assert restoring.as_written(effect, after) is True
    repeat = await send(world, effect)
    assert (ports.Outcome.REFUSED, 422) == (repeat.outcome, repeat.status)
    made = swaps.Swaps(effect.inverse, effect.patch)
    back = restore.patching(effect.target, after, made, "undo it")
    assert ports.Outcome.EFFECTIVE is (await send(world, back)).outcome
    assert {"limits": "64Mi", "requests": "64Mi"} == memory(await shown(world, effect.target))


@pytest.mark.parametrize("where", ["InPlace", "Template"])
async def test_a_limit_is_not_raised_after_somebody_elses_edit(world: World, where: str) -> None:
    """Of the pod or of its template: the version that it was planned for is tested."""
    _, plan = await resized(world, where)
    (effect,) = [manifests.kept(each) for each in plan.effects]
    others = [each if each["op"] == "test" else {**each, "value": "80Mi"} for each in effect.patch]
    first = await send(world, dataclasses.replace(effect, patch=tuple(others)))
    assert ports.Outcome.EFFECTIVE is first.outcome
    receipt = await send(world, effect)
    assert (ports.Outcome.REFUSED, 422) == (receipt.outcome, receipt.status)
    kept = {"limits": "80Mi", "requests": "80Mi"}
    assert kept == memory(await shown(world, effect.target))
