"""Who else disrupts, read from objects in the API server's own shape."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from prunella.core import model
from prunella.core.decisions import others_at_work
from prunella.core.disruptions import Unit
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, None, id="rolled out"),
        pytest.param(
            {"updated": 1, "total": 4, "available": 2},
            "rollout, 1 of 3 replicas updated, 2 available",
            id="pods are being replaced",
        ),
        pytest.param(
            {"observed_generation": 3},
            "rollout, 3 of 3 replicas updated, 3 available",
            id="its controller has not seen it yet",
        ),
        pytest.param({"updated": 1, "stuck": True}, None, id="it is stuck"),
        pytest.param({"replicas": 0, "updated": 0}, None, id="nothing is wanted of it"),
        pytest.param({"available": 0}, None, id="it is sick, and nobody changes it"),
    ],
)
def test_rollouts(changes: dict[str, Any], expected: str | None) -> None:
    """A rollout that moves counts: pods are down by intent."""
    found = others_at_work.rollouts([builders.workload(**changes)])
    assert ([expected] if expected else []) == [each.why for each in found]


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        pytest.param((1, 2, 1, 3), None, id="it allows one more"),
        pytest.param(
            (0, 2, 2, 3), "allows no disruption, 2 of 3 pods are healthy", id="one is down"
        ),
        pytest.param((0, 3, 3, 3), None, id="it never allows any"),
        pytest.param((0, 0, 1, 0), None, id="it selects no pod"),
    ],
)
def test_budget_at_zero(budget: tuple[int, int, int, int], expected: str | None) -> None:
    """A budget that allows nothing counts only while pods are down."""
    allowed, healthy, desired, pods = budget
    given = model.Budget("pdb", {}, allowed, healthy, desired, pods)
    found = others_at_work.budget_at_zero("shop", given, [builders.ref()])
    assert expected == (found.why if found else None)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [({"unschedulable": True}, "is cordoned"), ({}, None), ({"unschedulable": False}, None)],
)
def test_cordoned(spec: dict[str, Any], expected: str | None) -> None:
    """A node that takes no new pods counts."""
    found = others_at_work.cordoned({"metadata": {"name": "node-a"}, "spec": spec})
    assert expected == (found.why if found else None)


ADDED = "2026-01-05T08:00:00Z"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"


@pytest.mark.parametrize(
    ("taints", "expected"),
    [
        pytest.param(None, None, id="no taint yet"),
        pytest.param([{"key": UNSCHEDULABLE, "timeAdded": ADDED}], ADDED, id="by the taint"),
        pytest.param([{"key": UNSCHEDULABLE}], None, id="without a time"),
        pytest.param(
            [{"key": UNSCHEDULABLE, "timeAdded": "today"}], None, id="a time that is none"
        ),
        pytest.param([{"key": "a", "timeAdded": ADDED}, {}], None, id="another taint"),
    ],
)
def test_cordoned_since(taints: list[dict[str, str]] | None, expected: str | None) -> None:
    """The taint tells since when, where it does."""
    spec = {"unschedulable": True, "taints": taints}
    found = others_at_work.cordoned({"metadata": {"name": "node-a"}, "spec": spec})
    assert found is not None
    assert _time(expected) == found.at


HELD = {"holderIdentity": "self-node-remediation", "leaseDurationSeconds": 600}
RENEWED = (NOW - minutes(5)).isoformat().replace("+00:00", ".000000Z")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({**HELD, "renewTime": RENEWED}, (RENEWED, True), id="held"),
        pytest.param({**HELD, "leaseDurationSeconds": 299, "renewTime": RENEWED}, None, id="over"),
        pytest.param({"renewTime": RENEWED, "leaseDurationSeconds": 600}, None, id="nobody's"),
        pytest.param(HELD, (None, False), id="without a time"),
        pytest.param({**HELD, "renewTime": "yesterday"}, (None, False), id="a time that is none"),
        pytest.param(
            {"holderIdentity": "x", "renewTime": RENEWED}, (RENEWED, False), id="for ever"
        ),
        pytest.param(
            {**HELD, "leaseDurationSeconds": 10**12, "renewTime": RENEWED},
            (RENEWED, False),
            id="longer than time is",
        ),
        pytest.param(None, None, id="empty"),
    ],
)
def test_held(spec: dict[str, Any] | None, expected: tuple[str | None, bool] | None) -> None:
    """A Lease is held until its end; in doubt it is held, and has none."""
    lease = {"metadata": {"namespace": "medik8s-leases", "name": "node-a"}, "spec": spec}
    found = others_at_work.held(lease, NOW)
    wanted = expected and (_time(expected[0]), expected[1])
    assert wanted == (found and (found.at, found.ends))


def _time(written: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(written) if written else None


def test_units_come_back_as_they_were_written() -> None:
    """What one operator writes another one reads."""
    units = (Unit("shop", "a", ("Deployment", "shop", "cart"), NOW),)
    assert units == others_at_work.read_units(others_at_work.write_units(units))
    assert () == others_at_work.read_units("")


def _text(target: list[str], at: str) -> str:
    return json.dumps([{"namespace": "a", "remediation": "b", "target": target, "at": at}])


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "{}x",
        "[1]",
        '[{"namespace": "a"}]',
        _text(["a"], "2026-01-05T09:00:00Z"),
        _text(["a", "b", "c"], "2026-01-05T09:00:00"),
        _text(["a", "b", "c"], "now"),
        "5",
    ],
)
def test_what_is_no_list_of_units_is_refused(text: str) -> None:
    """Nobody guesses how much is taken."""
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
        others_at_work.read_units(text)
