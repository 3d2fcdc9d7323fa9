"""What a restore writes is the same in the simulation as on a real API server."""

from __future__ import annotations

import asyncio
import copy
import datetime
from typing import Any

import pytest

from prunella import ports
from prunella.actions import restart_readers, restore
from prunella.core import model, objects
from prunella.core.changes import entry, kinds, swaps, undo
from prunella.core.changes.values import Change
from prunella.core.decisions import restoring
from tests.contract.worlds import World

Manifest = dict[str, Any]
NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
RULES = entry.Journalling()
PORT = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}
ADMIN = {"name": "admin", "port": 81, "protocol": "TCP", "targetPort": 8081}
SELECTOR = {"matchLabels": {"app": "web"}}
ROUTE = {
    "path": "/",
    "pathType": "Prefix",
    "backend": {"service": {"name": "web", "port": {"number": 80}}},
}
OBJECTS: dict[str, Manifest] = {
    "Service": {"apiVersion": "v1", "spec": {"selector": {"app": "web"}, "ports": [PORT, ADMIN]}},
    "ConfigMap": {"apiVersion": "v1", "data": {"mode": "fast", "a.b-c": "1"}},
    "ResourceQuota": {"apiVersion": "v1", "spec": {"hard": {"pods": "40"}}},
    "NetworkPolicy": {
        "apiVersion": "networking.k8s.io/v1",
        "spec": {"podSelector": SELECTOR, "ingress": [{}], "policyTypes": ["Ingress"]},
    },
    "Ingress": {
        "apiVersion": "networking.k8s.io/v1",
        "spec": {"rules": [{"host": "web.example", "http": {"paths": [ROUTE]}}]},
    },
    "LimitRange": {
        "apiVersion": "v1",
        "spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}}]},
    },
    "PodDisruptionBudget": {
        "apiVersion": "policy/v1",
        "spec": {"minAvailable": 1, "selector": SELECTOR},
    },
    "HorizontalPodAutoscaler": {
        "apiVersion": "autoscaling/v2",
        "spec": {
            "minReplicas": 2,
            "maxReplicas": 5,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        },
    },
}
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
Edit = tuple[str, list[Manifest]]


def op(name: str, path: str, value: Any = None) -> Manifest:
    """An operation of a JSON patch."""
    return {"op": name, "path": path, **({} if name == "remove" else {"value": value})}


EDITS: dict[str, Edit] = {
    "a port's target": ("Service", [op("replace", "/spec/ports/0/targetPort", 9999)]),
    "a port that is gone": ("Service", [op("remove", "/spec/ports/1")]),
    "a port that came": (
        "Service",
        [op("add", "/spec/ports/2", {"name": "x", "port": 99, "protocol": "TCP", "targetPort": 1})],
    ),
    "a selector": ("Service", [op("replace", "/spec/selector/app", "wbe")]),
    "a first label": ("Service", [op("add", "/metadata/labels", {"example.com/team": "x"})]),
    "keys": (
        "ConfigMap",
        [
            op("replace", "/data/mode", "slow"),
            op("remove", "/data/a.b-c"),
            op("add", "/data/n", "1"),
        ],
    ),
    "all keys": ("ConfigMap", [op("remove", "/data")]),
    "a quota": ("ResourceQuota", [op("replace", "/spec/hard/pods", "4")]),
    "a rule that is gone": ("NetworkPolicy", [op("remove", "/spec/ingress")]),
    "a bound": ("HorizontalPodAutoscaler", [op("replace", "/spec/maxReplicas", 2)]),
    "a backend": (
        "Ingress",
        [op("replace", "/spec/rules/0/http/paths/0/backend/service/name", "wbe")],
    ),
    "a host": ("Ingress", [op("replace", "/spec/rules/0/host", "wbe.example")]),
    "a limit": ("LimitRange", [op("replace", "/spec/limits/0/max/cpu", "4")]),
    "a budget": ("PodDisruptionBudget", [op("replace", "/spec/minAvailable", 3)]),
    "a schedule": ("CronJob", [op("replace", "/spec/schedule", "* * * * *")]),
    **{
        f"an environment of a {kind}": (
            kind,
            [op("add", "/spec/template/spec/containers/0/env", [{"name": "A", "value": "1"}])],
        )
        for kind in WORKLOADS
    },
}


async def shown(world: World, ref: model.Ref) -> Manifest:
    """An object that must be there."""
    found = await world.cluster.read_object(ref)
    assert found is not None
    return copy.deepcopy(dict(found))


async def settled(world: World, ref: model.Ref) -> Manifest:
    """An object when its controller has written its first status."""
    for _ in range(20):
        found = await shown(world, ref)
        await asyncio.sleep(0.5)
        if found == await shown(world, ref):
            return found
    raise AssertionError(f"{ref} does not come to rest")


def content(manifest: Manifest) -> Manifest:
    """What is as before when a restore is undone: all that the API server does not count."""
    kept = {key: value for key, value in manifest.items() if key != "status"}
    counted = ("resourceVersion", "generation", "managedFields")
    metadata = {k: v for k, v in kept["metadata"].items() if k not in counted}
    annotations = metadata.get("annotations", {})
    annotations.pop("deployment.kubernetes.io/revision", None)
    annotations.pop("deprecated.daemonset.template.generation", None)
    if not annotations:
        metadata.pop("annotations", None)
    return {**kept, "metadata": metadata}


async def added(world: World, kind: str) -> model.Ref:
    """An object of a kind."""
    ref = model.Ref(kind, world.namespace, "web")
    if kind in WORKLOADS:
        await world.add(ref, 1)
    elif kind == "CronJob":
        await world.add_cron_job(ref.name)
    else:
        await world.add_object({"kind": kind, "metadata": {"name": "web"}, **OBJECTS[kind]})
    return ref


async def edited(world: World, ref: model.Ref, *patch: Manifest) -> tuple[Manifest, Change]:
    """The object before somebody patches it, and the Change that is journalled."""
    before = await shown(world, ref)
    await world.edit_object(ref, *patch)
    kind, now = kinds.BY_NAME[ref.kind], await shown(world, ref)
    sights = [entry.sight(kind, each, RULES) for each in (before, now)]
    change = entry.modified(kind, *sights, entry.Occasion(now, NOW, late=False), RULES)
    assert change is not None
    return before, change


async def effect_of(world: World, change: Change) -> model.Effect:
    """The effect that takes a Change back, planned on the object as it is."""
    manifest = await shown(world, change.object)
    found = undo.of(kinds.BY_NAME[change.object.kind], change, manifest)
    assert isinstance(found, undo.Undo), found
    assert found.swaps is not None
    return restore.patching(change.object, manifest, found.swaps, "restore it")


async def send(world: World, effect: model.Effect, *, dry_run: bool = False) -> ports.Receipt:
    """Carry an effect out."""
    return await world.cluster.send(effect, "record-1", dry_run=dry_run)


@pytest.mark.parametrize("name", EDITS)
async def test_a_change_is_taken_back_and_brought_again(world: World, name: str) -> None:
    """To the byte, both ways; a dry run changes nothing, a repeat is refused, no mark is left."""
    kind, patch = EDITS[name]
    ref = await added(world, kind)
    before, change = await edited(world, ref, *patch)
    wrong = content(await shown(world, ref))
    effect = await effect_of(world, change)

    rehearsed = await send(world, effect, dry_run=True)
    assert (ports.Outcome.WOULD_SUCCEED, wrong) == (
        rehearsed.outcome,
        content(await shown(world, ref)),
    )
    assert ports.Outcome.EFFECTIVE is (await send(world, effect)).outcome
    assert content(before) == content(await shown(world, ref))
    assert (ports.Outcome.REFUSED, 422) == _told(await send(world, effect))
    now = await shown(world, ref)
    assert restoring.as_written(effect, now) is True
    assert objects.MARK not in now["metadata"].get("annotations", {})

    back = restore.patching(ref, now, swaps.Swaps(effect.inverse, effect.patch), "undo it")
    assert ports.Outcome.EFFECTIVE is (await send(world, back)).outcome
    assert wrong == content(await shown(world, ref))
    assert restoring.as_written(effect, await shown(world, ref)) is False


def _told(receipt: ports.Receipt) -> tuple[ports.Outcome, int | None]:
    return receipt.outcome, receipt.status


async def test_a_concurrent_edit_is_not_overwritten(world: World) -> None:
    """Whatever somebody has written since the plan refuses it."""
    ref = await added(world, "Service")
    _, change = await edited(world, ref, *EDITS["a port's target"][1])
    effect = await effect_of(world, change)
    await world.edit_object(ref, op("replace", "/spec/ports/0/targetPort", 7777))
    assert (ports.Outcome.REFUSED, 422) == _told(await send(world, effect))
    assert 7777 == (await shown(world, ref))["spec"]["ports"][0]["targetPort"]


@pytest.mark.parametrize("kind", OBJECTS)
async def test_an_object_is_deleted_and_created_again(world: World, kind: str) -> None:
    """Under its UID and version; a repeat finds it gone, or its name or address taken."""
    ref = await added(world, kind)
    before = await settled(world, ref)
    made = undo.of(kinds.BY_NAME[kind], _created(before), before)
    assert isinstance(made, undo.Undo)
    away = restore.deleting(ref, before, made.whole, "delete it")

    assert ports.Outcome.WOULD_SUCCEED is (await send(world, away, dry_run=True)).outcome
    assert restoring.as_written(away, await world.cluster.read_object(ref)) is False
    assert ports.Outcome.EFFECTIVE is (await send(world, away)).outcome
    assert await world.cluster.read_object(ref) is None
    assert (ports.Outcome.REFUSED, 404) == _told(await send(world, away))

    again = restore.creating(ref, made.whole, "create it again")
    assert ports.Outcome.WOULD_SUCCEED is (await send(world, again, dry_run=True)).outcome
    assert ports.Outcome.EFFECTIVE is (await send(world, again)).outcome
    after = await shown(world, ref)
    assert restoring.as_written(again, after) is True
    assert _without_identity(before) == _without_identity(after)
    outcome, status = _told(await send(world, again))
    assert (ports.Outcome.REFUSED, True) == (outcome, status in {409, 422})


def _created(manifest: Manifest) -> Change:
    kind = kinds.BY_NAME[manifest["kind"]]
    seen = entry.sight(kind, manifest, RULES)
    return entry.created(kind, seen, entry.Occasion(manifest, NOW, late=False), RULES)


def _without_identity(manifest: Manifest) -> Manifest:
    kept = content(manifest)
    for field in ("uid", "creationTimestamp", "selfLink"):
        kept["metadata"].pop(field, None)
    return kept


async def test_another_version_is_not_deleted(world: World) -> None:
    """Edited since the plan, it is somebody's."""
    ref = await added(world, "ConfigMap")
    effect = restore.deleting(ref, await shown(world, ref), {}, "delete it")
    await world.edit_object(ref, op("replace", "/data/mode", "slow"))
    assert (ports.Outcome.REFUSED, 409) == _told(await send(world, effect))
    assert "slow" == (await shown(world, ref))["data"]["mode"]


async def test_what_was_restored_is_given_back(world: World) -> None:
    """Nobody's server-side apply meets the operator as an owner."""
    ref = await added(world, "Service")
    before, change = await edited(world, ref, *EDITS["a port's target"][1])
    assert ports.Outcome.EFFECTIVE is (await send(world, await effect_of(world, change))).outcome
    await world.cluster.give_back(ref, "")
    found = await shown(world, ref)
    managers = [each["manager"] for each in found["metadata"]["managedFields"]]
    assert objects.FIELD_MANAGER not in managers
    assert content(before) == content(found)


@pytest.mark.parametrize("kind", WORKLOADS)
async def test_a_reader_is_restarted_and_brought_back(world: World, kind: str) -> None:
    """The restart leaves no mark, is refused the second time, and is undone to the byte."""
    ref = await added(world, kind)
    before = await settled(world, ref)
    when, read = "2026-03-01T00:00:00Z", model.Ref("ConfigMap", world.namespace, "flags")
    effect = restart_readers.restarting(ref, before, when, read)
    assert ports.Outcome.WOULD_SUCCEED is (await send(world, effect, dry_run=True)).outcome
    assert ports.Outcome.EFFECTIVE is (await send(world, effect)).outcome
    assert (ports.Outcome.REFUSED, 422) == _told(await send(world, effect))
    now = await shown(world, ref)
    assert (True, False) == (
        restoring.as_written(effect, now),
        objects.MARK in now["metadata"].get("annotations", {}),
    )
    back = restore.patching(ref, now, swaps.Swaps(effect.inverse, effect.patch), "undo it")
    assert ports.Outcome.EFFECTIVE is (await send(world, back)).outcome
    assert content(before) == content(await shown(world, ref))


async def test_no_other_kind_is_read(world: World) -> None:
    """What can't be restored is not even looked at."""
    with pytest.raises(ports.ClusterError, match="Secret"):
        await world.cluster.read_object(model.Ref("Secret", world.namespace, "keys"))


ADDITIONS = [
    pytest.param("ConfigMap", op("add", "/data/mine", "1"), False, id="a key"),
    pytest.param("ConfigMap", op("add", "/data/mine", "1"), True, id="a key, later"),
    pytest.param("Service", op("add", "/spec/selector/tier", "web"), True, id="a selector, later"),
    pytest.param("Service", op("add", "/spec/sessionAffinity", "ClientIP"), False, id="a default"),
    pytest.param(
        "NetworkPolicy", op("add", "/spec/policyTypes/1", "Egress"), True, id="an element, later"
    ),
]


@pytest.mark.parametrize(("kind", "addition", "later"), ADDITIONS)
async def test_what_was_made_tells_whether_somebody_has_added_to_it(
    world: World, kind: str, addition: Manifest, later: bool
) -> None:
    """Defaults of the API server are none; with his fields it is no longer ours to delete.

    ``later``: once the operator has given its fields back.
    """
    ref = model.Ref(kind, world.namespace, "web")
    whole = {"kind": kind, "metadata": {"name": "web", "namespace": world.namespace}}
    effect = restore.creating(ref, {**whole, **OBJECTS[kind]}, "create it again")
    receipt = await send(world, effect)
    assert ports.Outcome.EFFECTIVE is receipt.outcome
    made = await settled(world, ref)
    assert restoring.as_written(effect, made) is True
    if later:
        await world.cluster.give_back(ref, made["metadata"]["uid"])
        assert restoring.as_written(effect, await shown(world, ref)) is True
    await world.edit_object(ref, addition)
    assert restoring.as_written(effect, await shown(world, ref)) is None
