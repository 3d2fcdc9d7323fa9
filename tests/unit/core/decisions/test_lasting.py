"""What others disrupt counts while it moves; what stands still for long is a state."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.core.decisions import lasting
from prunella.core.disruptions import Disruption
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes

PATIENCE = minutes(10)
NODE = Disruption(("Node", "", "node-a"), "is cordoned")
LEASE = Disruption(("Lease", "", "medik8s-leases/node-b"), "is held by snr")


def _budget(healthy: int, namespace: str = "shop") -> Disruption:
    place = ("PodDisruptionBudget", namespace, "pdb")
    return Disruption(place, "allows no disruption", mark=(healthy, 3))


def _looks(*looks: tuple[float, lasting.Around]) -> list[str]:
    """The names of all that counts at the last of some looks, each so many minutes from now."""
    memory = lasting.Memory()
    counted: list[str] = []
    for at, around in looks:
        given = (around, NOW + minutes(at), PATIENCE)
        memory = lasting.remember(memory, *given)
        counted = [each.place[2] for each in lasting.told(memory, *given) if not each.stale]
    return counted


def _others(*others: Disruption, namespace: str = "shop") -> lasting.Around:
    return lasting.Around(namespace, (), others)


def _rollout(kind: str = "StatefulSet", **changes: Any) -> lasting.Around:
    moving = {"updated": 1, "available": 2, **changes}
    return lasting.Around("shop", (builders.workload("db", kind=kind, **moving),), ())


NEW = {"spec": {"containers": [{"name": "app", "image": "shop/db:v9"}]}}


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([(0, _rollout())], ["db"], id="seen first"),
        pytest.param([(0, _rollout()), (10, _rollout())], ["db"], id="within the patience"),
        pytest.param([(0, _rollout()), (10.1, _rollout())], [], id="a bad image"),
        pytest.param(
            [(0, _rollout("DaemonSet", updated=2)), (10.1, _rollout("DaemonSet", updated=2))],
            [],
            id="a node is lost",
        ),
        pytest.param(
            [(0, _rollout()), (9, _rollout(updated=2)), (18, _rollout(updated=2))],
            ["db"],
            id="one more pod is updated",
        ),
        pytest.param(
            [(n, _rollout(available=2 + n % 2)) for n in range(13)], [], id="a crash loop flaps"
        ),
        pytest.param(
            [(0, _rollout()), (60, _rollout(generation=5, template=NEW))],
            ["db"],
            id="another rollout begins",
        ),
        pytest.param(
            [(0, _rollout()), (30, _rollout(updated=3)), (60, _rollout())],
            ["db"],
            id="it was complete in between",
        ),
        pytest.param(
            [(0, _rollout()), (60, _rollout(uid="made anew"))], ["db"], id="it was made anew"
        ),
    ],
)
def test_rollouts(looks: list[tuple[float, lasting.Around]], expected: list[str]) -> None:
    """Of every kind, by the patience that holds for a policy's own targets."""
    assert expected == _looks(*looks)


def _told(other: Disruption, ago: float) -> Disruption:
    return dataclasses.replace(other, at=NOW - minutes(ago))


ENDS = dataclasses.replace(_told(LEASE, 30), ends=True)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([(0, _others(NODE))], ["node-a"], id="a cordon is seen first"),
        pytest.param([(0, _others(NODE)), (10.1, _others(NODE))], [], id="a cordon lasts"),
        pytest.param(
            [(0, _others(NODE)), (5, _others()), (10.1, _others(NODE))],
            ["node-a"],
            id="it was uncordoned in between",
        ),
        pytest.param([(0, _others(_told(NODE, 10)))], ["node-a"], id="its taint is young"),
        pytest.param([(0, _others(_told(NODE, 10.1)))], [], id="its taint is old"),
        pytest.param(
            [(0, _others(NODE)), (60, _others(_told(NODE, -55)))],
            ["node-a"],
            id="it was cordoned anew since the last look",
        ),
        pytest.param(
            [(0, _others(_told(NODE, -99))), (10.1, _others(_told(NODE, -99)))],
            [],
            id="its taint is of the future",
        ),
        pytest.param([(0, _others(ENDS))], ["medik8s-leases/node-b"], id="a Lease with an end"),
        pytest.param([(0, _others(LEASE)), (10.1, _others(LEASE))], [], id="a Lease without one"),
        pytest.param([(0, _others(_told(LEASE, 30)))], [], id="renewed long ago, without an end"),
        pytest.param([(0, _others(_budget(1))), (9, _others(_budget(1)))], ["pdb"], id="a budget"),
        pytest.param([(0, _others(_budget(1))), (11, _others(_budget(1)))], [], id="for good"),
        pytest.param(
            [(0, _others(_budget(1))), (9, _others(_budget(2))), (18, _others(_budget(2)))],
            ["pdb"],
            id="one more pod is healthy",
        ),
        pytest.param([(n, _others(_budget(1 + n % 2))) for n in range(13)], [], id="its pods flap"),
        pytest.param(
            [
                (0, _others(_budget(1))),
                (5, _others(_budget(1, "bank"), namespace="bank")),
                (11, _others(_budget(1))),
            ],
            [],
            id="a look into another namespace forgets nothing",
        ),
    ],
)
def test_others(looks: list[tuple[float, lasting.Around]], expected: list[str]) -> None:
    """By their own word since when, else by what was seen."""
    assert expected == _looks(*looks)
