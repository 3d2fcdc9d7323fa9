"""Storms: many actions at once stop what is new until it was calm, by the ledger alone."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

import pytest

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import guards, storms
from prunella.core.decisions.guards import storms as guard
from prunella.core.decisions.rules import Rules
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes, record

Phase, Refused = reasons.Phase, reasons.Refused
CART = builders.workload("cart")
VAULT = builders.workload("vault", "bank")
BANK = objects.Key("bank", "ledger")


def _at(*ago: float) -> list[datetime.datetime]:
    return [NOW - minutes(each) for each in ago]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param([], None, id="nothing was done"),
        pytest.param(_at(12, 11), None, id="too few"),
        pytest.param(_at(30, 19, 10), None, id="too far apart"),
        pytest.param(_at(20, 15, 10), (10, -5), id="just within the window"),
        pytest.param(_at(20.1, 15, 10), None, id="just outside of it"),
        pytest.param(_at(60, 60, 60), (60, 45), id="all at once"),
        pytest.param(_at(60, 60, 60, 50), (50, 35), id="one more within the window"),
        pytest.param(_at(60, 60, 60, 48), (48, 33), id="a later one within the calm prolongs it"),
        pytest.param(_at(60, 60, 60, 48, 36), (36, 21), id="and so does the one after that"),
        pytest.param(_at(60, 60, 60, 45), (60, 45), id="the first after the calm does not"),
        pytest.param(_at(90, 90, 90, 20, 18, 16), (16, 1), id="the newest of two"),
    ],
)
def test_newest(times: Sequence[datetime.datetime], expected: tuple[float, float] | None) -> None:
    """Three actions within ten minutes are a storm, which a quarter of an hour of calm ends."""
    found = storms.newest(times, 3, minutes(10), minutes(15))
    told = None
    if found is not None:
        told = tuple((NOW - at) / minutes(1) for at in (found.last, found.over))
    assert expected == told


@pytest.mark.parametrize(
    ("limit", "percent", "expected"),
    [(5, 80, 4), (10, 80, 8), (6, 80, 5), (1, 80, 2), (3, 1, 2), (10, 100, 10)],
)
def test_share(limit: int, percent: int, expected: int) -> None:
    """The share is rounded up, and a single action is no storm."""
    assert expected == storms.share(limit, percent)


def _acted(
    count: int,
    ago: float,
    target: model.Workload = CART,
    key: objects.Key = builders.KEY,
    phase: reasons.Phase = Phase.SUCCEEDED,
    action: str = "restart",
) -> list[objects.Record]:
    return [
        record(f"{key.name}-{n}", phase, key=key, target=target, ago=minutes(ago), action=action)
        for n in range(count)
    ]


REST = (
    "0 actions in namespace shop in 600 s, 4 are a storm, "
    "0 actions in the cluster in 600 s, 8 are a storm"
)
HERE = (
    "4 actions in namespace shop within 600 s were a storm; the last was 300 s ago, 900 s without "
    "any end it, at 09:10:00Z at the earliest"
)
EVERYWHERE = (
    "8 actions in the cluster within 600 s were a storm; the last was 300 s ago, 900 s without "
    "any end it, at 09:10:00Z at the earliest"
)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([], REST, id="nothing was done"),
        pytest.param(_acted(4, 5), model.Refusal(Refused.STORM, HERE), id="in the namespace"),
        pytest.param(_acted(4, 15), REST, id="it was calm for long enough"),
        pytest.param(_acted(4, 5, phase=Phase.NOT_SENT), REST, id="nothing was sent"),
        pytest.param(_acted(4, 5, phase=Phase.ADVISED), REST, id="it was only advised"),
        *(
            pytest.param(_acted(4, 5, action=action), REST, id=f"{action} takes back")
            for action in ("revert", "returnNode", "returnTraffic")
        ),
        pytest.param(
            _acted(8, 5, VAULT, BANK), model.Refusal(Refused.STORM, EVERYWHERE), id="in others"
        ),
    ],
)
def test_calm_after_a_storm(records: list[objects.Record], expected: guards.Answer) -> None:
    """With the defaults four actions in a namespace, or eight in all, are a storm."""
    assert expected == guard.calm_after_a_storm(builders.case(records=records))


def test_another_namespaces_storm_does_not_stop_this_one() -> None:
    """Four actions elsewhere are a storm there, and not one of the cluster."""
    answer = guard.calm_after_a_storm(builders.case(records=_acted(4, 5, VAULT, BANK)))
    assert answer == REST.replace("0 actions in the cluster", "4 actions in the cluster")


def test_nodes_are_in_no_namespace() -> None:
    """Actions on nodes are told as the hourly limits tell them."""
    node = dataclasses.replace(CART, ref=model.Ref("Node", "", "worker-1"))
    case = builders.case(target=node, records=_acted(4, 5, node))
    answer = guard.calm_after_a_storm(case)
    assert isinstance(answer, model.Refusal)
    assert answer.message == HERE.replace("in namespace shop", "to nodes")


def test_a_storm_follows_the_hourly_limits() -> None:
    """Who allows ten times as many actions an hour has storms of ten times as many."""
    case = builders.case(records=_acted(39, 5), rules=Rules(actions_per_namespace_per_hour=50))
    assert isinstance(guard.calm_after_a_storm(case), model.Refusal)  # of the cluster: 8
    free = Rules(actions_per_namespace_per_hour=50, actions_per_cluster_per_hour=100)
    case = builders.case(records=_acted(39, 5), rules=free)
    assert isinstance(guard.calm_after_a_storm(case), str)
