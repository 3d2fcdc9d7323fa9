"""What only a real API server can show: Kopf's watch, re-lists, statuses and Events."""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import kopf
import pytest

from lab.cluster import Lab
from prunella import handlers, ports
from prunella.adapters.kubernetes import (
    client,
    credentials,
    notifier,
    policies,
    relist,
    store,
    watch,
)
from prunella.api import policy_status
from prunella.core import model, objects
from tests.contract import test_ledger_contract as records
from tests.contract import worlds

POLICY: dict[str, Any] = {
    "apiVersion": "prunella.dev/v1alpha1",
    "kind": "RemediationPolicy",
    "metadata": {"name": "checkout"},
    "spec": {
        "target": {"name": "web"},
        "signals": [
            {"name": "errors", "prometheus": {"query": "up"}, "threshold": {"above": 0.05}}
        ],
        "steps": [{"restart": {}}],
    },
}


class Watched:
    """Stores that are fed by Kopf, and the changes that they told."""

    def __init__(self, lab: Lab, namespaces: tuple[str, ...]) -> None:
        self.changes: list[tuple[str, str, str]] = []
        self.stores = store.Stores(lambda *change: self.changes.append(change), {"kube-system"})
        self.login = credentials.Credentials(kubeconfig=lab.kubeconfig)
        registry = handlers.registry(self.stores.apply, self.login.connection)
        self.watch = watch.Watch(registry, handlers.settings(), namespaces)


@pytest.fixture
async def watched(lab: Lab, lab_world: worlds.LabWorld) -> AsyncIterator[Watched]:
    """A watch of one namespace."""
    found = Watched(lab, (lab_world.namespace,))
    found.watch.start()
    yield found
    found.watch.stop()
    await asyncio.wait_for(found.watch.wait(), 20)


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for what comes to pass by itself, on the real clock."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.05)


def policy_in(stores: store.Stores, namespace: str) -> objects.Policy | None:
    """The policy as a store knows it."""
    return stores.policies.get(namespace, "checkout")


async def test_watch_feeds_the_stores(watched: Watched, lab_world: worlds.LabWorld) -> None:
    """Objects come, change and go in the stores as they do in the cluster, unwritten by Kopf."""
    namespace, stores = lab_world.namespace, watched.stores
    ref = model.Ref("Deployment", namespace, "web")
    await lab_world.apply(POLICY)
    await lab_world.add(ref)
    await until(lambda: policy_in(stores, namespace) and stores.workloads["Deployment"].all())
    read = await policies.KubernetesPolicies(lab_world.api, stores).read(
        objects.Key(namespace, "checkout")
    )
    assert read is not None
    assert 1 == read.generation
    assert not read.annotations

    await lab_world.scale(ref, 3)
    await until(lambda: stores.workloads["Deployment"].of(namespace)[0].replicas == 3)
    await lab_world.kubectl("delete", "remediationpolicies.prunella.dev/checkout")
    await until(lambda: policy_in(stores, namespace) is None)
    assert ("RemediationPolicy", namespace, "checkout") in watched.changes


async def test_whole_cluster_is_watched_except_closed_namespaces(
    lab: Lab, lab_world: worlds.LabWorld
) -> None:
    """Without namespaces all are watched; workloads of system namespaces are not kept."""
    watched = Watched(lab, ())
    watched.watch.start()
    ref = model.Ref("Deployment", lab_world.namespace, "web")
    await lab_world.add(ref)
    await until(lambda: watched.stores.workloads["Deployment"].of(lab_world.namespace))
    await relist.relist(lab_world.api, watched.stores)
    watched.watch.stop()
    await asyncio.wait_for(watched.watch.wait(), 20)

    assert watched.watch.join(1)
    assert watched.stores.workloads["Deployment"].of(lab_world.namespace)
    assert not watched.stores.workloads["Deployment"].of("kube-system")


async def test_death_of_kopf_is_noticed(lab_world: worlds.LabWorld) -> None:
    """When Kopf ends by itself, whoever waits for the watch gets its error."""

    def no_login() -> kopf.ConnectionInfo:
        raise credentials.NoCluster("there is no cluster")

    registry = handlers.registry(lambda *_: None, no_login)
    ended = watch.Watch(registry, handlers.settings(), (lab_world.namespace,))
    ended.start()

    with pytest.raises(Exception, match=r"[Ll]ogin"):
        await asyncio.wait_for(ended.wait(), 30)

    assert ended.join(10)


async def test_relist_repairs_what_a_watch_lost(lab_world: worlds.LabWorld) -> None:
    """A policy that was deleted, and one that was made, without an event, are known after it."""
    changes: list[tuple[str, str, str]] = []
    stores = store.Stores(lambda *change: changes.append(change))
    namespace = lab_world.namespace
    await lab_world.apply(POLICY)
    await relist.relist(lab_world.api, stores, [namespace])
    assert policy_in(stores, namespace) is not None
    await lab_world.kubectl("delete", "remediationpolicies.prunella.dev/checkout")
    await lab_world.apply({**POLICY, "metadata": {"name": "other"}})
    changes.clear()

    await relist.relist(lab_world.api, stores, [namespace])

    assert ["other"] == [policy.key.name for policy in stores.policies.of(namespace)]
    assert {"checkout", "other"} == {name for _, _, name in changes}


async def test_policy_status(lab_world: worlds.LabWorld) -> None:
    """A status is written once under the version that was read; a lost race is no error."""
    stores = store.Stores(lambda *_: None)
    port: ports.Policies = policies.KubernetesPolicies(lab_world.api, stores)
    key = objects.Key(lab_world.namespace, "checkout")
    await lab_world.apply(POLICY)
    read = await port.read(key)
    assert read is not None
    first = policy_status.RemediationPolicyStatus(observed_generation=1, last_action="one")

    await port.write_status(read, first)
    await port.write_status(read, policy_status.RemediationPolicyStatus(last_action="late"))

    now = await port.read(key)
    assert now is not None
    assert first == now.status
    assert [now] == list(port.all())
    await lab_world.kubectl("delete", "remediationpolicies.prunella.dev/checkout")
    await port.write_status(now, first)
    assert await port.read(key) is None


async def test_spec_of_a_record_is_frozen(lab_world: worlds.LabWorld) -> None:
    """Not even an administrator changes what was decided."""
    ledger = lab_world.new_ledger()
    await ledger.create(lab_world.namespace, "web-1", records.spec(lab_world))
    change = '{"spec":{"reason":"another"}}'

    with pytest.raises(Exception, match="spec is frozen"):
        await lab_world.kubectl(
            "patch", "remediations.prunella.dev/web-1", "--type=merge", f"--patch={change}"
        )


async def test_rights_that_are_missing_are_a_refusal(lab: Lab, lab_world: worlds.LabWorld) -> None:
    """With an account without rights every effect is refused with 403, and it says forbidden."""
    ref = model.Ref("Deployment", lab_world.namespace, "web")
    await lab_world.add(ref)
    await lab_world.kubectl("create", "serviceaccount", "guest")
    kubeconfig = await asyncio.to_thread(lab.token_kubeconfig, "guest", lab_world.namespace)
    live_state = await lab_world.cluster.live_state(ref)
    assert live_state is not None
    guest = client.KubeApi(credentials.Credentials(kubeconfig=kubeconfig), threads=2)
    port = type(lab_world)(lab, lab_world.namespace, guest).cluster
    effect = model.Effect(
        model.Verb.PATCH, ref, live_state.workload.uid, "", patch=({"op": "add", "path": "/x"},)
    )

    receipt = await port.send(effect, "record-1", dry_run=False)
    pause = await port.paused()

    guest.close()
    assert (ports.Outcome.REFUSED, 403) == (receipt.outcome, receipt.status)
    assert "forbidden" in receipt.message
    assert pause.paused


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime.datetime:
        """Noon."""
        return datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)

    async def sleep(self, seconds: float) -> None:
        """Nobody should wait."""
        raise AssertionError(seconds)


async def test_event_is_shown_with_its_object(lab_world: worlds.LabWorld) -> None:
    """An Event that was posted is among the events of the policy, once."""
    stores = store.Stores(lambda *_: None)
    await lab_world.apply(POLICY)
    read = await policies.KubernetesPolicies(lab_world.api, stores).read(
        objects.Key(lab_world.namespace, "checkout")
    )
    assert read is not None
    port = notifier.KubernetesNotifier(lab_world.api, FixedClock(), "prunella-0")

    for seconds in (12, 13):
        await port.event(
            ports.Notice(read, ports.Severity.WARNING, "Cooldown", f"refused for {seconds} s")
        )

    shown = await lab_world.kubectl("get", "events", "--output=json")
    assert ["refused for 12 s"] == [event["message"] for event in json.loads(shown)["items"]]
    assert '"reason": "Cooldown"' in shown
    assert '"reportingComponent": "prunella"' in shown
