"""Pods to workloads: by what the pods say, and with as few requests as can be."""

from __future__ import annotations

import asyncio

import pytest

from prunella import ports
from prunella.adapters.kubernetes import client, owners
from prunella.core import model
from tests.adapters.kubernetes import builders
from tests.adapters.kubernetes.builders import Raw
from tests.adapters.kubernetes.fake_server import Answer, FakeServer

PATH = "/api/v1/namespaces/shop/pods"
SET = builders.owned_by("ReplicaSet", "web-5d9c7b")
WEB = model.Ref("Deployment", "shop", "web")

OWNERS: dict[str, tuple[Raw, model.Ref | None]] = {
    "of a Deployment": (builders.pod("p", SET, "5d9c7b"), WEB),
    "of a Deployment with a dash in its name": (
        builders.pod("p", builders.owned_by("ReplicaSet", "web-5d9c7b-5d9c7b"), "5d9c7b"),
        model.Ref("Deployment", "shop", "web-5d9c7b"),
    ),
    "of a StatefulSet": (
        builders.pod("p", builders.owned_by("StatefulSet", "db")),
        model.Ref("StatefulSet", "shop", "db"),
    ),
    "of a DaemonSet": (
        builders.pod("p", builders.owned_by("DaemonSet", "agent")),
        model.Ref("DaemonSet", "shop", "agent"),
    ),
    "of a ReplicaSet without a Deployment": (builders.pod("p", SET), None),
    "of a ReplicaSet with another hash": (builders.pod("p", SET, "aaaaa"), None),
    "of a Job": (builders.pod("p", builders.owned_by("Job", "j", api="batch/v1")), None),
    "of another group's StatefulSet": (
        builders.pod("p", builders.owned_by("StatefulSet", "s", api="apps.kruise.io/v1")),
        None,
    ),
    "of nobody": (builders.pod("p", []), None),
    "of one that does not control it": (
        builders.pod("p", [{**SET[0], "controller": False}], "5d9c7b"),
        None,
    ),
}


@pytest.mark.parametrize("case", OWNERS)
def test_owner(case: str) -> None:
    """A pod's metadata alone tell its workload, or that it has none."""
    pod, expected = OWNERS[case]

    assert expected == owners.owner("shop", pod)


async def test_a_pod_of_nobody_is_told_from_a_name_that_no_pod_has(
    server: FakeServer, api: client.KubeApi
) -> None:
    """A Job's pod is nobody's by the API's word; a name that is gone may still be guessed at."""
    job = builders.pod("web-mgrt-x7k2p", builders.owned_by("Job", "web-mgrt", api="batch/v1"))
    serve(server, builders.pod("web-1", SET, "5d9c7b"), job)
    cache = owners.Owners(api)

    found = await cache.find("shop", ["web-1", "web-mgrt-x7k2p", "web-gone"])

    assert {"web-1": WEB, "web-mgrt-x7k2p": None} == found


class Clock:
    """Seconds that the test moves."""

    seconds = 0.0

    def __call__(self) -> float:
        """The time that it was moved to."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """A clock at zero."""
    return Clock()


@pytest.fixture
def cache(server: FakeServer, api: client.KubeApi, clock: Clock) -> owners.Owners:
    """A cache before a cluster with one pod of Deployment web."""
    serve(server, builders.pod("web-1", SET, "5d9c7b"))
    return owners.Owners(api, clock)


def serve(server: FakeServer, *pods: Raw) -> None:
    """Let the cluster have these pods."""
    server.rules[f"GET {PATH}"] = Answer(200, builders.listed(*pods))


async def test_known_pods_cost_no_request(server: FakeServer, cache: owners.Owners) -> None:
    """One metadata-only list answers for all pods of a namespace, until a new name comes."""
    assert {"web-1": WEB} == await cache.find("shop", ["web-1"])
    assert {"web-1": WEB} == await cache.find("shop", ["web-1"])
    assert {} == await cache.find("shop", [])

    assert 1 == len(server.requests)
    assert client.METADATA_ONLY == server.requests[0].headers["Accept"]


async def test_new_pod_is_asked_for(server: FakeServer, cache: owners.Owners) -> None:
    """A name that was never seen leads to a new list at once."""
    await cache.find("shop", ["web-1"])
    serve(server, builders.pod("web-2", SET, "5d9c7b"))

    assert {"web-1": WEB, "web-2": WEB} == await cache.find("shop", ["web-1", "web-2"])
    assert 2 == len(server.requests)


async def test_stranger_is_asked_for_now_and_then(
    server: FakeServer, cache: owners.Owners, clock: Clock
) -> None:
    """A name that no pod has is not asked for in each round, but again later."""
    counts = []
    for clock.seconds in (0.0, owners.UNKNOWN_SECONDS - 1, owners.UNKNOWN_SECONDS):
        assert {} == await cache.find("shop", ["stranger"])
        counts.append(len(server.requests))

    assert [1, 1, 2] == counts


async def test_late_pod_is_found(server: FakeServer, cache: owners.Owners, clock: Clock) -> None:
    """A name that was a stranger's is its pod's once the pod is listed."""
    assert {} == await cache.find("shop", ["web-2"])
    serve(server, builders.pod("web-2", SET, "5d9c7b"))
    clock.seconds = owners.UNKNOWN_SECONDS

    assert {"web-2": WEB} == await cache.find("shop", ["web-2"])


async def test_gone_pod_is_remembered_for_an_hour(
    server: FakeServer, cache: owners.Owners, clock: Clock
) -> None:
    """The series of a pod outlive it; after an hour it is a stranger."""
    await cache.find("shop", ["web-1"])
    serve(server)

    clock.seconds = owners.FORGET_SECONDS - 1
    during = await cache.find("shop", ["web-1", "web-2"])
    clock.seconds = owners.FORGET_SECONDS
    after = await cache.find("shop", ["web-1"])

    assert ({"web-1": WEB}, {}) == (during, after)


async def test_one_list_for_all_who_ask_at_once(server: FakeServer, cache: owners.Owners) -> None:
    """Many signals that meet the same new pods share one list."""
    found = await asyncio.gather(*(cache.find("shop", ["web-1"]) for _ in range(5)))

    assert [{"web-1": WEB}] * 5 == found
    assert 1 == len(server.requests)


async def test_failed_list_is_an_error(server: FakeServer, cache: owners.Owners) -> None:
    """Without the list nobody is taken for a stranger."""
    server.rules[f"GET {PATH}"] = Answer(500, {"message": "no"})
    with pytest.raises(ports.ClusterError):
        await cache.find("shop", ["web-1"])
    serve(server, builders.pod("web-1", SET, "5d9c7b"))

    assert {"web-1": WEB} == await cache.find("shop", ["web-1"])
