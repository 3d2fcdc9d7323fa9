"""What is listed where replicas are missing, and what becomes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest

from prunella.adapters.intake import kubernetes_state, objects, polling
from prunella.adapters.kubernetes import client
from prunella.adapters.simulated import clock as clocks
from prunella.core import model
from prunella.core.incidents import picture as pictures
from tests.adapters.intake import bodies
from tests.adapters.kubernetes import fake_server
from tests.unit.core.incidents import cluster

WEB = cluster.ref("Deployment/shop/web")
PODS, EVENTS = "GET /api/v1/namespaces/shop/pods", "GET /api/v1/namespaces/shop/events"
BACK_OFF = {
    "containerStatuses": [
        {"name": "app", "state": {"waiting": {"reason": "ImagePullBackOff"}}, "restartCount": 0}
    ]
}


def workload(available: int) -> model.Workload:
    """The web, of which two replicas are wanted."""
    return model.Workload(
        WEB, "uid", 1, 1, 2, 2, available, 2, selector={"app": "web"}, template={}
    )


def page(*items: tuple[model.Ref, Any]) -> fake_server.Answer:
    """A list of objects."""
    return fake_server.Answer(200, {"metadata": {}, "items": [raw for _, raw in items]})


class Nodes:
    """Nodes as the journal would know them."""

    def __init__(self) -> None:
        self.conditions = [{"type": "Ready", "status": "True"}]

    async def manifests(self, namespaces: Collection[str]) -> pictures.Manifests:
        """One node, and the web."""
        del namespaces
        return dict(
            [
                cluster.node("n1", conditions=self.conditions),
                cluster.workload("Deployment/shop/web"),
            ]
        )


@dataclasses.dataclass
class Stage:
    """A fake API server, a watched Deployment, one node."""

    server: fake_server.FakeServer
    state: kubernetes_state.KubernetesState
    clock: clocks.VirtualClock
    nodes: Nodes
    watched: list[model.Workload]

    async def told(self) -> list[tuple[str, str, float]]:
        """Name, owner and beginning (seconds after the start) of what is wrong."""
        found = await self.state.ask()
        start = bodies.START.timestamp()
        return [(each.name, str(each.target), each.starts_at - start) for each in found]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """All is well."""
    async with fake_server.running() as server:
        api = fake_server.api_of(server.url)
        clock, nodes = clocks.VirtualClock(bodies.START), Nodes()
        watched = [workload(2)]
        state = kubernetes_state.KubernetesState(api, lambda: watched, nodes, clock)
        yield Stage(server, state, clock, nodes, watched)
        api.close()


def _pod(**status: Any) -> tuple[model.Ref, Any]:
    ref, raw = cluster.pod("shop/web-6f5d-a", "ReplicaSet/web-6f5d", **status)
    raw["metadata"]["creationTimestamp"] = bodies.time(-100)[:19] + "Z"
    return ref, raw


async def test_while_all_is_well_nothing_is_listed(stage: Stage) -> None:
    """Replicas are known from the watch."""
    assert [] == await stage.told()
    assert [] == stage.server.requests


async def test_pods_of_a_workload_that_lacks_some(stage: Stage) -> None:
    """They are listed by its selector; pods of others with the same labels are not its own."""
    stage.watched[:] = [workload(1)]
    stray = cluster.pod("shop/stray", "ReplicaSet/other-1", **BACK_OFF)
    stage.server.rules = {PODS: page(_pod(**BACK_OFF), stray), EVENTS: page()}
    assert [("ImagePullBackOff", "Deployment/web", -100.0)] == await stage.told()
    (asked,) = (each for each in stage.server.requests if each.path.endswith("pods"))
    assert "app=web" == asked.query["labelSelector"]


async def test_the_beginning_stays(stage: Stage) -> None:
    """A container that crashes again does not begin a new alert each time."""
    stage.watched[:] = [workload(1)]
    for ends in (-9, 30):
        ended = {"reason": "Error", "exitCode": 1, "finishedAt": bodies.time(ends)[:19] + "Z"}
        crashed = {
            "name": "app",
            "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": ended},
        }
        stage.server.rules = {PODS: page(_pod(containerStatuses=[crashed])), EVENTS: page()}
        assert [("CrashLoopBackOff", "Deployment/web", -9.0)] == await stage.told()


async def test_one_that_is_whole_again_is_looked_at_for_a_while(stage: Stage) -> None:
    """A pod that crashes and comes back is available most of the time."""
    stage.watched[:] = [workload(1)]
    stage.server.rules = {PODS: page(), EVENTS: page()}
    await stage.told()
    stage.watched[:] = [workload(2)]
    for seconds, expected in ((30, 4), (30, 6), (1, 6)):
        await stage.clock.advance(seconds)
        await stage.told()
        assert expected == len(stage.server.requests)


async def test_one_that_is_gone_is_forgotten(stage: Stage) -> None:
    """A Deployment that was deleted is not asked for."""
    stage.watched[:] = [workload(1)]
    stage.server.rules = {PODS: page(), EVENTS: page()}
    await stage.told()
    stage.watched.clear()
    assert [] == await stage.told()
    assert 2 == len(stage.server.requests)


async def test_events(stage: Stage) -> None:
    """A quota that is too small is told by the ReplicaSet's Event alone."""
    stage.watched[:] = [workload(0)]
    event = {
        "type": "Warning",
        "reason": "FailedCreate",
        "message": "exceeded quota: small",
        "involvedObject": {"kind": "ReplicaSet", "namespace": "shop", "name": "web-6f5d"},
        "firstTimestamp": bodies.time(-20)[:19] + "Z",
        "lastTimestamp": bodies.time(-5)[:19] + "Z",
    }
    stage.server.rules = {PODS: page(), EVENTS: page((WEB, event))}
    assert [("FailedCreate", "Deployment/web", -20.0)] == await stage.told()
    (asked,) = (each for each in stage.server.requests if each.path.endswith("events"))
    assert "type=Warning" == asked.query["fieldSelector"]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param("", [("FailedScheduling", "Deployment/web", -20.0)], id="none"),
        pytest.param("node-1", [], id="one by now"),
    ],
)
async def test_a_pod_without_a_node(stage: Stage, node: str, expected: list[Any]) -> None:
    """A pod whose claim was bound a moment late waits no more, but its Event stays for an hour."""
    stage.watched[:] = [workload(1)]
    pod, raw = _pod()
    raw["spec"] = {"nodeName": node}
    event = {
        "type": "Warning",
        "reason": "FailedScheduling",
        "message": "pod has unbound immediate PersistentVolumeClaims",
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-6f5d-a"},
        "firstTimestamp": bodies.time(-20)[:19] + "Z",
    }
    stage.server.rules = {PODS: page((pod, raw)), EVENTS: page((WEB, event))}
    assert expected == await stage.told()


async def test_nodes(stage: Stage) -> None:
    """A node that is not ready is told, whatever workloads say."""
    stage.nodes.conditions = [{"type": "Ready", "status": "Unknown"}]
    assert [("NodeNotReady", "Node/n1", 0.0)] == await stage.told()


async def test_a_list_that_fails_is_no_empty_list(stage: Stage) -> None:
    """Otherwise all would be over as soon as the API server is."""
    stage.watched[:] = [workload(1)]
    stage.server.rules = {PODS: fake_server.Answer(403, {"message": "pods is forbidden"})}
    with pytest.raises(polling.PollError, match="pods is forbidden"):
        await stage.told()


async def test_listed_scene(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """What may not be listed is left out, and the log says so; workloads cost no request."""

    class Watched:
        def workloads(self, namespace: str) -> Collection[model.Workload]:
            return [workload(2)] if namespace == "shop" else []

    stage.server.rules = {
        "GET /api/v1/namespaces/shop/services": page(cluster.service("shop/web")),
        "GET /api/v1/nodes": page(cluster.node("n1")),
    }
    api = client_of(stage)
    found = await objects.ListedScene(api, Watched()).manifests({"shop"})  # type: ignore[arg-type]
    api.close()
    names = {f"{each.kind}/{each.name}" for each in found}
    assert {"Deployment/web", "Service/web", "Node/n1"} == names
    assert "endpointslices can't be listed" in caplog.text


def client_of(stage: Stage) -> client.KubeApi:
    """A client of the fake API server."""
    return fake_server.api_of(stage.server.url)


class JournalOfServices:
    """Watches workloads, Services and nodes, and no autoscalers."""

    def __init__(self, *objects: tuple[model.Ref, Any]) -> None:
        self._objects = dict(objects)

    def manifests(self, namespaces: Collection[str]) -> pictures.Manifests:
        """The watched objects."""
        return {
            ref: raw for ref, raw in self._objects.items() if ref.namespace in {"", *namespaces}
        }


async def test_journal_scene(stage: Stage) -> None:
    """What the journal does not watch is listed; slices only where a Service needs them."""
    journalled = {"Deployment", "Service", "Node"}
    listed = objects.ListedScene(client_of(stage), None)  # type: ignore[arg-type]
    selected, outside = cluster.service("shop/web"), cluster.service("bank/outside", {})
    journal = JournalOfServices(selected, outside, cluster.node("n1"))
    scene = objects.JournalScene(journal, journalled, listed)  # type: ignore[arg-type]
    found = await scene.manifests({"shop", "bank"})
    assert {"web", "outside", "n1"} == {each.name for each in found}
    asked = sorted(each.path.partition("namespaces/")[2] for each in stage.server.requests)
    assert [
        "bank/endpointslices",
        "bank/horizontalpodautoscalers",
        "shop/horizontalpodautoscalers",
    ] == asked
