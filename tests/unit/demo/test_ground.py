"""The demo leaves a cluster as it found it."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from prunella import ports
from prunella.adapters.kubernetes import client
from prunella.api import resources
from prunella.demo import ground, story

NAMESPACE = f"{ground.NAMESPACES}/{story.NAMESPACE}"
CRDS = [f"{ground.DEFINITIONS}/{each.name}" for each in resources.ALL]
ESTABLISHED = {"status": {"conditions": [{"type": "Established", "status": "True"}]}}
YOUNG = {"status": {"conditions": None}}


@dataclasses.dataclass
class Cluster:
    """As much of an API server as the demo's ground needs: objects by path."""

    objects: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    fresh: list[dict[str, Any]] = dataclasses.field(default_factory=lambda: [YOUNG, ESTABLISHED])

    async def exchange(self, method: str, path: str, **options: Any) -> client.Reply:
        """One request; unknown objects are a 404."""
        if method == "PATCH":
            self.objects[path] = options["body"]
        if path not in self.objects:
            return client.Reply(404, {})
        if method == "DELETE":
            return client.Reply(200, self.objects.pop(path))
        found = self.objects[path]
        if path in CRDS and len(self.fresh) > 1:
            found = self.fresh.pop(0)
        elif path in CRDS:
            found = self.fresh[0]
        return client.Reply(200, found)

    async def request(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """The same, for what must succeed."""
        reply = await self.exchange(method, path, **options)
        assert reply.ok, path
        return reply.status, reply.body

    @property
    def api(self) -> client.KubeApi:
        """What the demo takes it for."""
        return cast("client.KubeApi", self)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "POLL_SECONDS", 0.001)


async def test_empty_cluster_is_empty_again() -> None:
    """Definitions and namespace are there during the story, and gone after it."""
    cluster = Cluster()
    async with ground.prepared(cluster.api):
        assert {NAMESPACE, *CRDS} == cluster.objects.keys()
    assert {} == cluster.objects


async def test_what_fails_is_taken_away_too() -> None:
    """A story that breaks off leaves nothing."""
    cluster = Cluster()
    with pytest.raises(ports.ClusterError):
        async with ground.prepared(cluster.api):
            raise ports.ClusterError("broken off")
    assert {} == cluster.objects


async def test_definitions_of_others_stay_as_they_are() -> None:
    """Where the custom resources are installed, they are neither changed nor deleted."""
    installed = {path: {"spec": "an older version"} for path in CRDS}
    cluster = Cluster(dict(installed))
    async with ground.prepared(cluster.api):
        pass
    assert installed == cluster.objects


async def test_namespace_of_a_demo_before_is_made_anew() -> None:
    """What an interrupted demo has left is cleared away."""
    cluster = Cluster({NAMESPACE: {"metadata": {"labels": {ground.OWNER: "prunella-demo"}}}})
    async with ground.prepared(cluster.api):
        assert ground.NAMESPACE == cluster.objects[NAMESPACE]
    assert {} == cluster.objects


@pytest.mark.parametrize("labels", [{}, {"team": "shop"}], ids=["no labels", "other labels"])
async def test_namespace_of_others_is_left_alone(labels: dict[str, str]) -> None:
    """A namespace that happens to have the demo's name is not deleted."""
    cluster = Cluster({NAMESPACE: {"metadata": {"labels": labels}}})
    with pytest.raises(ports.ClusterError, match="exists and is not the demo's"):
        async with ground.prepared(cluster.api):
            pass
    assert [NAMESPACE] == list(cluster.objects)


async def test_pods_that_never_start_end_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that can't be pulled is told, with where to look."""
    monkeypatch.setattr(ground, "ROLLOUT_SECONDS", 0.01)
    path = f"{ground.DEPLOYMENTS}/checkout"
    cluster = Cluster({path: {"spec": {"replicas": 3}, "status": {"availableReplicas": 2}}})
    with pytest.raises(ports.ClusterError, match=r"checkout is not available.*get pods"):
        await ground.rolled_out(cluster.api, "checkout")
    cluster.objects[path]["status"]["availableReplicas"] = 3
    await ground.rolled_out(cluster.api, "checkout")
