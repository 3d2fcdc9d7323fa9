"""Nodes are cordoned and uncordoned in the simulation as on a real API server."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import pytest
import yaml

from prunella import ports
from prunella.adapters.kubernetes import policies as kubernetes_policies
from prunella.adapters.kubernetes import store
from prunella.api import policy_status
from prunella.core import model, objects
from prunella.core.changes import swaps
from prunella.core.decisions import nodes
from tests.contract import worlds
from tests.contract.worlds import LabWorld, SimulatedWorld, World

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
