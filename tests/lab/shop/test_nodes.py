"""What nodes give to their containers, and what chaos takes."""

from __future__ import annotations

import pytest

from lab.shop import chaos, nodes, plane
from lab.shop.containers import Container
from lab.shop.nodes import Claim
from lab.shop.objects import Object
from lab.shop.pods import PodRecord, adopt
from tests.lab.shop.cluster import START, container, picture, pod


def _record(name: str = "a", **resources: dict[str, str]) -> PodRecord:
    owner = pod(name, containers=[container(name, resources=resources)])
    return adopt(owner, START)


def _claim(demand: float, request: float, limit: float | None = None) -> Claim:
    record = _record()
    return Claim(record, record.containers["a"], request, limit, requests=demand)


SHARES = [
    pytest.param([(0.2, 0.1, None), (0.3, 0.1, None)], [0.2, 0.3], id="room for both"),
    pytest.param([(5.0, 0.1, None), (5.0, 0.3, None)], [0.5, 1.5], id="by weight"),
    pytest.param([(5.0, 0.1, None), (0.2, 0.1, None)], [1.8, 0.2], id="the modest first"),
    pytest.param([(5.0, 0.1, 0.5), (5.0, 0.1, None)], [0.5, 1.5], id="no more than a limit"),
]


@pytest.mark.parametrize(("asked", "expected"), SHARES)
def test_cpu_is_shared(
    asked: list[tuple[float, float, float | None]], expected: list[float]
) -> None:
    """Two cores among containers with a demand, a request and a limit each."""
    claims = [_claim(*each) for each in asked]
    nodes.share(claims, 2.0)

    assert [pytest.approx(each) for each in expected] == [each.used for each in claims]


def test_greed_takes_only_what_is_left_of_its_own() -> None:
    """A program's requests go before its own background work."""
    claimed = _claim(0.1, 0.1, 0.25)
    claimed.greed = 6.0
    nodes.share([claimed], 2.0)

    assert claimed.used == pytest.approx(0.25)
    assert claimed.available == pytest.approx(0.25)


def test_a_neighbour_without_limits_leaves_others_their_weight() -> None:
    """Who asks little could have more than he asks, even on a full node."""
    modest, greedy = _claim(0.1, 0.3), _claim(9.0, 0.1)
    full = nodes.share([modest, greedy], 2.0)

    assert full == pytest.approx(1.0)
    assert modest.available == pytest.approx(1.5)
    assert greedy.used == pytest.approx(1.9)


@pytest.mark.parametrize(
    ("demand", "throttled"),
    [pytest.param(0.05, 0.0, id="room"), pytest.param(0.4, 1.0, id="beyond its limit")],
)
def test_throttling(demand: float, throttled: float) -> None:
    """Share of the periods in which a limit of 0.2 cores stops a container."""
    claimed = _claim(demand, 0.1, 0.2)
    nodes.share([claimed], 2.0)

    assert claimed.throttled == throttled


def _using(name: str, memory: float, request: str, priority: int = 0) -> PodRecord:
    record = _record(name, requests={"memory": request})
    record.pod["spec"]["priority"] = priority
    record.containers[name].memory = memory * 2**20
    return record


EVICTIONS = [
    pytest.param([("a", 100, "50Mi", 0), ("b", 100, "50Mi", 0)], None, id="room enough"),
    pytest.param(
        [("a", 500, "600Mi", 0), ("b", 480, "50Mi", 9)], "b", id="who exceeds his request"
    ),
    pytest.param([("a", 500, "50Mi", 0), ("b", 490, "50Mi", -1)], "b", id="lower priority"),
    pytest.param([("a", 500, "50Mi", 0), ("b", 490, "10Mi", 0)], "b", id="who exceeds it most"),
]


@pytest.mark.parametrize(("pods", "expected"), EVICTIONS)
def test_eviction(pods: list[tuple[str, float, str, int]], expected: str | None) -> None:
    """Whom a node of 1 GiB evicts, in the kubelet's order."""
    chosen = nodes.short_of_memory([_using(*each) for each in pods], 2.0**30)

    assert expected == (chosen.pod["metadata"]["name"] if chosen else None)


def test_a_tool_takes_what_it_was_told() -> None:
    """And what chaos adds, each second more."""
    record, extra = _record(), chaos.of_annotations({f"{chaos.PREFIX}leak": "1Mi"})
    held: Container = record.containers["a"]
    for _ in range(3):
        nodes.grow(record, held, extra, 0.0)

    assert held.memory == nodes.TOOL_MEMORY + 3 * 2**20


def _node(**notes: str) -> Object:
    annotations = {f"{chaos.PREFIX}{key}": value for key, value in notes.items()}
    return {"metadata": {"name": "n", "annotations": annotations}, "status": {}}


ANNOTATIONS = [
    pytest.param({"delay": "200ms"}, ("delay", 0.2), id="delay in ms"),
    pytest.param({"delay": "1.5s"}, ("delay", 1.5), id="delay in s"),
    pytest.param({"loss": "0.25"}, ("loss", 0.25), id="loss"),
    pytest.param({"errors": "7"}, ("errors", 1.0), id="no share beyond 1"),
    pytest.param({"cpu": "500m"}, ("cpu", 0.5), id="cpu"),
    pytest.param({"memory": "1Gi"}, ("memory", 2.0**30), id="memory"),
    pytest.param({"delay": "soon"}, ("delay", 0.0), id="what nobody can read does nothing"),
]


@pytest.mark.parametrize(("notes", "expected"), ANNOTATIONS)
def test_chaos_annotations(notes: dict[str, str], expected: tuple[str, float]) -> None:
    """What an annotation asks for."""
    found = chaos.of_node(picture(Node=[_node(**notes)]), "n")

    assert getattr(found, expected[0]) == expected[1]


@pytest.mark.parametrize(
    ("state", "ready"),
    [
        pytest.param("", "True", id="well"),
        pytest.param("runtime-down", "False", id="its kubelet says that the runtime is down"),
    ],
)
def test_node_conditions(state: str, ready: str) -> None:
    """What a node's kubelet says of it."""
    assert plane.conditions(_node(node=state), None, START)["Ready"][0] == ready


def test_chaos_takes_from_a_node() -> None:
    """Cores and bytes are less for its pods."""
    cores, memory = nodes.capacity(picture(Node=[_node(cpu="1", memory="1Gi")]), "n")

    assert (cores, memory) == (3.0, 7 * 2.0**30)
