"""Racks and zones: by the nodes in them, and by topology alone."""

from __future__ import annotations

import dataclasses

import pytest

from prunella.api.incident import Confidence
from prunella.core import model
from prunella.core.incidents import values
from prunella.core.incidents.diagnosis import diagnose
from prunella.core.incidents.diagnosis.values import View
from tests.unit.core.incidents.diagnosis import world
from tests.unit.core.incidents.diagnosis.world import ONSET, World

RACK = model.Ref("Rack", "", "r1")
NAMES = ("front", "cart", "store", "mail")


def view(shop: World, *in_rack: str) -> View:
    """The shop with some of its nodes in a rack, all workloads standing on both."""
    nodes = sorted(ref for ref in shop.objects if ref.kind == "Node")
    places: dict[model.Ref, list[model.Ref]] = {
        model.Ref("Deployment", "shop", name): nodes for name in NAMES
    }
    places |= {node: [RACK] for node in nodes if node.name in in_rack}
    return dataclasses.replace(shop.view(), places=places)


def dead(shop: World, *names: str) -> None:
    """Nodes that have just stopped answering."""
    for name in names:
        shop.get("Node", name)["status"]["conditions"] = [
            {"type": "Ready", "status": "Unknown", "lastTransitionTime": world.iso(ONSET)}
        ]


NODES = ("node-1", "node-2", "node-3")


@pytest.mark.parametrize(
    ("gone", "first"),
    [
        pytest.param(NODES, "Rack/r1", id="three dead nodes are one cause"),
        pytest.param(NODES[:2], "Node/node-1", id="two may fall out by chance"),
    ],
)
def test_a_rack_of_dead_nodes_is_named_before_them(gone: tuple[str, ...], first: str) -> None:
    """From three on, the place that they share is the likelier cause."""
    shop = World()
    shop.add(world.node("node-3"))
    dead(shop, *gone)
    found = diagnose.diagnose(view(shop, *NODES), world.incident(*NAMES)).suspects
    assert first == str(found[0].target)


def test_one_dead_node_is_not_its_rack() -> None:
    """The rack's other node works."""
    shop = World()
    dead(shop, "node-1")
    found = diagnose.diagnose(view(shop, "node-1", "node-2"), world.incident(*NAMES)).suspects
    assert "Node/node-1" == str(found[0].target)


@pytest.mark.parametrize(
    ("score", "sick", "named"),
    [
        pytest.param(0.9, NAMES, [RACK], id="a rack that explains four sick workloads"),
        pytest.param(0.3, NAMES, [], id="an unlikely rack"),
        pytest.param(0.9, NAMES[:2], [], id="two sick workloads may share a rack by chance"),
    ],
)
def test_topology_alone_names_a_rack(
    score: float, sick: tuple[str, ...], named: list[model.Ref]
) -> None:
    """A switch that drops packets leaves all nodes ready: only what is sick tells."""
    evidence = (values.Evidence("topology", "a fault of Rack/r1 explains all"),)
    incident = dataclasses.replace(
        world.incident(*sick), suspects=(values.Suspect(RACK, score, evidence),)
    )
    found = diagnose.diagnose(view(World(), "node-1", "node-2"), incident).suspects
    assert named == [each.target for each in found]


def test_a_broken_service_wins_against_topology() -> None:
    """What can only be wrong explains its callers; the rack is a guess."""
    shop = World()
    shop.get("Service", "store")["spec"]["selector"] = {"app": "x"}
    evidence = (values.Evidence("topology", "a fault of Rack/r1 explains all"),)
    incident = dataclasses.replace(
        world.incident("front", "cart", "store"), suspects=(values.Suspect(RACK, 0.9, evidence),)
    )
    found = diagnose.diagnose(view(shop, "node-1", "node-2"), incident).suspects
    assert "Service/store" == str(found[0].target)
    assert {Confidence.LOW} >= {each.confidence for each in found[1:]}
