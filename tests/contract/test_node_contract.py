"""Nodes are cordoned and uncordoned in the simulation as on a real API server."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import uuid
from typing import Any

import pytest
import yaml

from prunella import ports
from prunella.actions import drain, registry
from prunella.adapters.kubernetes import policies as kubernetes_policies
from prunella.adapters.kubernetes import store
from prunella.api import nodes as nodes_api
from prunella.api import policy_status
from prunella.core import model, node_state, objects
from prunella.core.changes import swaps
from prunella.core.decisions import action, nodes
from tests.contract import worlds
from tests.contract.worlds import LabWorld, SimulatedWorld, World
from tests.unit.actions import manifests

Done = ports.Outcome
TAINT = {"key": "lab.prunella.dev/contract", "effect": "NoSchedule"}
"""So that no pod of another test is placed there."""


async def node_of(world: World) -> model.Ref:
    """A node of the test's own."""
    name = f"node-{uuid.uuid4().hex[:8]}"
    if isinstance(world, LabWorld):
        metadata = {"name": name, "annotations": {"lab.prunella.dev/of": "contract"}}
        manifest = {"apiVersion": "v1", "kind": "Node", "metadata": metadata}
        manifest["spec"] = {"taints": [TAINT]}
        await asyncio.to_thread(world.lab.apply, yaml.safe_dump(manifest))
        return model.Ref("Node", "", name)
    assert isinstance(world, SimulatedWorld)
    return world.cluster.nodes.add(name)


async def kubectl(world: World, verb: str, ref: model.Ref) -> None:
    """Let a person cordon, uncordon or delete a node."""
    if isinstance(world, LabWorld):
        what = ("delete", "node") if verb == "delete" else (verb,)
        await asyncio.to_thread(world.lab.kubectl, *what, ref.name)
        return
    assert isinstance(world, SimulatedWorld)
    if verb == "delete":
        world.cluster.delete_object(ref)
    else:
        getattr(world.cluster.nodes, verb)(ref.name)


async def seen(world: World, ref: model.Ref) -> model.Workload:
    """The node as it is now."""
    live_state = await world.cluster.live_state(ref)
    assert live_state is not None
    return live_state.workload


async def send(world: World, effect: model.Effect, *, dry_run: bool = False) -> ports.Receipt:
    """The operator's effect."""
    return await world.cluster.send(effect, "record-1", dry_run=dry_run)


async def test_a_cordon_happens_once(world: World) -> None:
    """A dry run changes nothing; the first is carried out, its repeat refused (422)."""
    ref = await node_of(world)
    effect = nodes.cordoning(await seen(world, ref), "record-1")
    outcomes = [(await send(world, effect, dry_run=True)).outcome]
    assert "" == nodes.owner(await seen(world, ref))
    for _ in range(2):
        receipt = await send(world, effect)
        outcomes.append(receipt.outcome)
    assert [Done.WOULD_SUCCEED, Done.EFFECTIVE, Done.REFUSED] == outcomes
    assert 422 == receipt.status
    assert "record-1" == nodes.owner(await seen(world, ref))
    await kubectl(world, "delete", ref)


async def test_the_answer_shows_the_node(world: World) -> None:
    """By it a later edit of a person is told."""
    ref = await node_of(world)
    receipt = await send(world, nodes.cordoning(await seen(world, ref), "record-1"))
    assert receipt.workload is not None
    assert receipt.workload.node is not None
    assert (ref, True) == (receipt.workload.ref, receipt.workload.node.unschedulable)
    await kubectl(world, "delete", ref)


async def test_what_is_uncordoned_is_as_before(world: World) -> None:
    """Nothing of the operator is left on the node, and the repeat is refused."""
    ref = await node_of(world)
    before = await seen(world, ref)
    await send(world, nodes.cordoning(before, "record-1"))
    effect = nodes.uncordoning(await seen(world, ref), "record-1")
    outcomes = [(await send(world, effect)).outcome for _ in range(2)]
    after = await seen(world, ref)
    assert [Done.EFFECTIVE, Done.REFUSED] == outcomes
    assert (before.node, before.annotations) == (after.node, after.annotations)
    await kubectl(world, "delete", ref)


@pytest.mark.parametrize("others", [True, False], ids=["by others", "not at all"])
async def test_only_an_own_cordon_is_taken_back(world: World, *, others: bool) -> None:
    """What somebody else has cordoned, and what is not cordoned, is refused by the API server."""
    ref = await node_of(world)
    if others:
        await kubectl(world, "cordon", ref)
    receipt = await send(world, nodes.uncordoning(await seen(world, ref), "record-1"))
    assert (Done.REFUSED, 422) == (receipt.outcome, receipt.status)
    found = (await seen(world, ref)).node
    assert found is not None
    assert others is found.unschedulable
    await kubectl(world, "delete", ref)


async def test_what_was_cordoned_meanwhile_is_not_taken_over(world: World) -> None:
    """A person is first: the operator's cordon is refused, and notes nothing."""
    ref = await node_of(world)
    effect = nodes.cordoning(await seen(world, ref), "record-1")
    await kubectl(world, "cordon", ref)
    receipt = await send(world, effect)
    assert (Done.REFUSED, 422) == (receipt.outcome, receipt.status)
    assert "" == nodes.owner(await seen(world, ref))
    await kubectl(world, "delete", ref)


async def test_a_lost_answer_is_told_by_the_node(world: World) -> None:
    """The patch fits before, the inverse after, and neither once a person has uncordoned."""
    ref = await node_of(world)
    effect = nodes.cordoning(await seen(world, ref), "record-1")
    told = []
    for act in ("nothing", "send", "uncordon"):
        if act == "send":
            await send(world, effect)
        if act == "uncordon":
            await kubectl(world, act, ref)
        manifest: Any = await world.cluster.read_object(ref)
        told.append(swaps.written(effect.patch, effect.inverse, manifest))
    assert [False, True, None] == told
    await kubectl(world, "delete", ref)


async def test_a_node_that_is_gone_is_not_there(world: World) -> None:
    """A look tells, and what is sent is refused with 404."""
    ref = await node_of(world)
    effect = nodes.cordoning(await seen(world, ref), "record-1")
    await kubectl(world, "delete", ref)
    assert await world.cluster.live_state(ref) is None
    assert 404 == (await send(world, effect)).status


POLICY = {
    "target": {"selector": {"matchLabels": {"lab.prunella.dev/pool": "none"}}},
    "signals": [{"name": "ready", "nodeCondition": {"type": "Ready", "status": "False"}}],
    "steps": [{"cordon": {}}],
}


async def test_a_policy_of_no_namespace_is_read_and_told(lab_world: LabWorld) -> None:
    """The real API server keeps it, with its defaults, and takes its status."""
    name = f"nodes-{uuid.uuid4().hex[:8]}"
    manifest = {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "ClusterRemediationPolicy",
        "metadata": {"name": name},
        "spec": POLICY,
    }
    await asyncio.to_thread(lab_world.lab.apply, yaml.safe_dump(manifest))
    stores = store.Stores(lambda *_: None, nodes=True)
    port = kubernetes_policies.KubernetesPolicies(worlds.connect(lab_world.lab), stores)
    key = objects.Key("", name)
    policy = await port.read(key)
    assert policy is not None
    assert (key, "") == (policy.key, policy.problem)
    status = policy_status.RemediationPolicyStatus(observed_generation=1, last_action="told")
    await port.write_status(policy, status)
    again = await port.read(key)
    assert again is not None
    assert "told" == again.status.last_action
    assert [key] == [each.key for each in port.all()]
    await asyncio.to_thread(lab_world.lab.kubectl, "delete", "crempol", name)


REFUSED = {
    "another kind": {"target": {"kind": "Deployment", "name": "x"}},
    "a step on workloads": {"steps": [{"restart": {}}]},
    "an empty selector": {"target": {"selector": {}}},
    "a trigger": {"trigger": {"incident": {"causeKind": ["Release"]}}},
    "two measurements": {
        "signals": [{**POLICY["signals"][0], "prometheus": {"query": "up"}}]  # type: ignore[dict-item]
    },
}


async def test_what_does_not_fit_is_refused_by_the_api_server(lab_world: LabWorld) -> None:
    """As the operator itself refuses it; so are nodes in a policy of a namespace."""
    documents = {name: ("ClusterRemediationPolicy", {**POLICY, **c}) for name, c in REFUSED.items()}
    documents["nodes in a namespace"] = ("RemediationPolicy", POLICY)
    documents["good"] = ("ClusterRemediationPolicy", POLICY)
    taken = []
    for name, (kind, spec) in documents.items():
        metadata = {
            "name": "slip",
            **({"namespace": lab_world.namespace} if kind[0] == "R" else {}),
        }
        manifest = {"apiVersion": "prunella.dev/v1alpha1", "kind": kind, "metadata": metadata}
        done = await asyncio.to_thread(
            lab_world.lab.kubectl,
            *("create", "--dry-run=server", "--filename", "-"),
            input=json.dumps({**manifest, "spec": spec}),
            check=False,
        )
        taken += [name] if done.returncode == 0 else []
    assert ["good"] == taken


async def pods_on(world: World, ref: model.Ref) -> list[node_state.NodePod]:
    """The pods on a node as a drain sees them."""
    found = (await seen(world, ref)).node
    assert found is not None
    return sorted(found.pods, key=lambda pod: pod.name)


async def test_a_drain_sees_the_pods_of_a_node_and_evicts_them(lab_world: LabWorld) -> None:
    """On the real API server: of all namespaces, by name, with what controls them."""
    ref = await node_of(lab_world)
    containers = [{"name": "app", "image": "shop/app:v1"}]
    bound = {"containers": containers, "nodeName": ref.name}
    volume = {"volumes": [{"name": "tmp", "emptyDir": {}}]}
    for name, more in (("bare", {}), ("local", volume)):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}
        await lab_world.apply({**pod, "spec": {**bound, **more}})
    found = await pods_on(lab_world, ref)
    own = [pod for pod in found if pod.namespace == lab_world.namespace]
    told = [(pod.name, pod.controller, pod.local_storage) for pod in own]
    assert [("bare", "", False), ("local", "", True)] == told
    params = nodes_api.Drain(unmanaged=True)
    request = manifests.request(
        await lab_world.cluster.live_state(ref), {"drain": {}}, record="record-1"
    )
    plan = drain.Drain().plan(dataclasses.replace(request, params=params))
    assert isinstance(plan, action.Plan)
    evictions = [each for each in plan.effects[1:] if each.target.name == "bare"]
    assert [("Evict", True)] == [(each.verb.value, each.paced) for each in evictions]
    assert Done.EFFECTIVE is (await send(lab_world, evictions[0])).outcome
    left = [pod.name for pod in await pods_on(lab_world, ref) if not pod.deleting]
    assert "bare" not in left
    for name in ("bare", "local"):
        where = ("--namespace", lab_world.namespace, "--grace-period=0", "--force")
        await asyncio.to_thread(
            lab_world.lab.kubectl, "delete", "pod", name, *where, "--ignore-not-found"
        )
    await kubectl(lab_world, "delete", ref)


@pytest.mark.parametrize("name", ["uncordon", "returnNode"])
async def test_a_node_is_given_back_by_its_action(world: World, name: str) -> None:
    """The step uncordon and the way back (returnNode) send the same."""
    ref = await node_of(world)
    await send(world, nodes.cordoning(await seen(world, ref), "record-1"))
    live_state = await world.cluster.live_state(ref)
    request = manifests.request(live_state, {"uncordon": {}}, record="record-2")
    plan = registry.all_actions()[name].plan(request)
    assert isinstance(plan, action.Plan)
    assert Done.EFFECTIVE is (await send(world, plan.effects[0])).outcome
    found = (await seen(world, ref)).node
    assert found is not None
    assert not found.unschedulable
    await kubectl(world, "delete", ref)


async def test_a_cordon_is_taken_over_by_a_drain(world: World) -> None:
    """By one patch, refused when it is sent again."""
    ref = await node_of(world)
    await send(world, nodes.cordoning(await seen(world, ref), "record-1"))
    effect = nodes.taking_over(await seen(world, ref), "record-2")
    outcomes = [(await send(world, effect)).outcome for _ in range(2)]
    assert [Done.EFFECTIVE, Done.REFUSED] == outcomes
    assert "record-2" == nodes.owner(await seen(world, ref))
    await kubectl(world, "delete", ref)
