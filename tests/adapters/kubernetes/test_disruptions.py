"""Who disrupts a real cluster, and the Lease of the units: by answers of an API server."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella import disruption_settings, ports
from prunella import settings as settings_module
from prunella.adapters.kubernetes import client, disruptions, store
from prunella.adapters.simulated import clock as clocks
from prunella.core import model
from prunella.core.disruptions import Unit
from tests.adapters.kubernetes import builders
from tests.adapters.kubernetes.fake_server import Answer, FakeServer

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
TARGET = model.Ref("Deployment", "shop", "web")
NAMESPACE = "/api/v1/namespaces/shop"
BUDGETS = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"
NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/medik8s-leases/leases"
HOME = "/apis/coordination.k8s.io/v1/namespaces/home/leases"
OURS = f"{HOME}/prunella-disruptions"
UNIT = Unit("shop", "r", ("Deployment", "shop", "cart"), START)


def _list(*items: dict[str, Any]) -> Answer:
    return Answer(200, {"metadata": {}, "items": list(items)})


def _lease(**metadata: Any) -> Answer:
    named = {"name": "prunella-disruptions", "namespace": "home", "resourceVersion": "7"}
    return Answer(200, {"metadata": {**named, **metadata}, "spec": {}})


@pytest.fixture(autouse=True)
def quiet(server: FakeServer) -> None:
    """A cluster in which nobody is at work."""
    server.rules |= {
        f"GET {NAMESPACE}": Answer(200, {"metadata": {"name": "shop"}}),
        f"GET {BUDGETS}": _list(),
        f"GET {NODES}": _list(),
        f"GET {LEASES}": _list(),
        f"GET {OURS}": _lease(),
    }


def _port(api: client.KubeApi, **settings: Any) -> disruptions.KubernetesDisruptions:
    chosen = disruption_settings.Disruption(**settings)
    stores, clock = store.Stores(lambda *_: None), clocks.VirtualClock(START)
    return disruptions.KubernetesDisruptions(api, stores, clock, "home", chosen)


async def test_others_at_work_are_seen(server: FakeServer, api: client.KubeApi) -> None:
    """A cordoned node, a Lease that is held, a budget at zero; and the namespace's own budget."""
    notes = {"prunella.dev/max-disruptions": "2"}
    node = {"metadata": {"name": "node-a"}, "spec": {"unschedulable": True}}
    lease = {
        "metadata": {"name": "node-b", "namespace": "medik8s-leases"},
        "spec": {
            "holderIdentity": "snr",
            "leaseDurationSeconds": 60,
            "renewTime": "2026-02-28T23:59:30.000000Z",
        },
    }
    budget = {
        "metadata": {"name": "pdb", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": "cart"}}},
        "status": {"observedGeneration": 1, "currentHealthy": 1, "expectedPods": 2},
    }
    server.rules |= {
        f"GET {NAMESPACE}": Answer(200, {"metadata": {"name": "shop", "annotations": notes}}),
        f"GET {NODES}": _list(node),
        f"GET {LEASES}": _list(lease),
        f"GET {BUDGETS}": _list(budget),
    }
    seen = await _port(api).look(TARGET)
    places = {each.place: each.why for each in seen.others}
    assert ("", "2", "7") == (seen.problem, seen.override, seen.version)
    assert places == {
        ("Node", "", "node-a"): "is cordoned",
        ("Lease", "", "medik8s-leases/node-b"): "is held by snr",
        ("PodDisruptionBudget", "shop", "pdb"): ("allows no disruption, 1 of 2 pods are healthy"),
    }
    (asked,) = [each for each in server.requests if each.path == NODES]
    assert "spec.unschedulable=true" == asked.query["fieldSelector"]


async def test_what_others_do_is_asked_once_for_a_decision(
    server: FakeServer, api: client.KubeApi
) -> None:
    """Two looks in a row ask for the others once, and for the units each time."""
    port = _port(api)
    await port.look(TARGET)
    await port.look(TARGET)
    paths = [each.path for each in server.requests]
    assert (1, 1, 2) == (paths.count(NODES), paths.count(BUDGETS), paths.count(OURS))


async def test_what_lasts_is_stale(server: FakeServer, api: client.KubeApi) -> None:
    """By the patience of the settings, and by the time that a taint tells."""
    taint = {"key": "node.kubernetes.io/unschedulable", "timeAdded": "2026-02-28T23:58:59Z"}
    nodes = {"old": [taint], "new": None}
    server.rules[f"GET {NODES}"] = _list(
        *(
            {"metadata": {"name": name}, "spec": {"unschedulable": True, "taints": taints}}
            for name, taints in nodes.items()
        )
    )
    clock, stores = clocks.VirtualClock(START), store.Stores(lambda *_: None)
    limits = settings_module.Limits(rollout_seconds=60.0)
    port = disruptions.wire(
        settings_module.Settings(operator_namespace="home", limits=limits), api, stores, clock
    )

    async def stale() -> list[str]:
        return [each.place[2] for each in (await port.look(TARGET)).others if each.stale]

    assert ["old"] == await stale()
    await clock.advance(61)
    assert ["old", "new"] == await stale()


async def test_a_rollout_without_progress_is_not_seen(
    server: FakeServer, api: client.KubeApi
) -> None:
    """A StatefulSet whose new image does not start is rolled out for ever."""
    del server
    clock, stores = clocks.VirtualClock(START), store.Stores(lambda *_: None)
    chosen = disruption_settings.Disruption()
    port = disruptions.KubernetesDisruptions(api, stores, clock, "home", chosen)
    counts = {"replicas": 3, "updatedReplicas": 1, "availableReplicas": 2}
    raw = builders.workload({**counts, "updateRevision": "b", "currentRevision": "a"}, name="db")
    stores.apply("StatefulSet", {"type": "ADDED", "object": raw})
    found = [each.place[2] for each in (await port.look(TARGET)).others]
    await clock.advance(601)
    assert (["db"], ()) == (found, (await port.look(TARGET)).others)


async def test_what_is_not_counted_is_not_asked(server: FakeServer, api: client.KubeApi) -> None:
    """Without the right to nodes and Leases nobody asks for them."""
    seen = await _port(api, nodes=False, lease_namespaces=()).look(TARGET)
    paths = {each.path for each in server.requests}
    assert ("", False, False) == (seen.problem, NODES in paths, LEASES in paths)


@pytest.mark.parametrize("path", [NAMESPACE, BUDGETS, NODES, LEASES, OURS])
async def test_what_can_not_be_read_is_told(
    server: FakeServer, api: client.KubeApi, path: str
) -> None:
    """Nobody guesses: a refusal to read is the answer, in the API server's words."""
    server.rules[f"GET {path}"] = Answer(403, {"message": f"{path} is forbidden"})
    seen = await _port(api).look(TARGET)
    assert f"{path} is forbidden" in seen.problem


async def test_units_that_can_not_be_read_are_told(server: FakeServer, api: client.KubeApi) -> None:
    """An annotation that somebody has spoiled does not count as empty."""
    server.rules[f"GET {OURS}"] = _lease(annotations={"prunella.dev/disruptions": "none"})
    seen = await _port(api).look(TARGET)
    told = "the annotation prunella.dev/disruptions of Lease home/prunella-disruptions can't be"
    assert seen.problem.startswith(told)


async def test_the_lease_is_made_where_no_chart_has(
    server: FakeServer, api: client.KubeApi
) -> None:
    """Where the account may, it makes the Lease; else it says who makes it."""
    server.rules[f"GET {OURS}"] = Answer(404, {"message": "not found"})
    server.rules[f"POST {HOME}"] = _lease(resourceVersion="1")
    assert "1" == (await _port(api).look(TARGET)).version
    server.rules[f"POST {HOME}"] = Answer(403, {"message": "leases is forbidden"})
    problem = (await _port(api).look(TARGET)).problem
    assert problem == (
        "Lease home/prunella-disruptions is not there, and can't be made: leases is forbidden; the "
        "chart makes it, or `kubectl create namespace home` where there is no chart"
    )


async def test_units_are_written_under_the_version(server: FakeServer, api: client.KubeApi) -> None:
    """One merge patch with the resourceVersion; a 409 is a race that was lost."""
    server.rules[f"PATCH {OURS}"] = [_lease(), Answer(409, {"message": "modified"})]
    port = _port(api)
    await port.take("7", [UNIT])
    sent = server.requests[-1].body["metadata"]
    assert ("7", ["prunella.dev/disruptions"]) == (
        sent["resourceVersion"],
        list(sent["annotations"]),
    )
    with pytest.raises(ports.Conflict):
        await port.take("7", [UNIT])
