"""What a case names must be there and lie within its time."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.policytest import judge, references
from tests.unit.policytest import stories

TWICE = {"metric": "x", "values": 1}
WRONG: dict[str, tuple[dict[str, Any], judge.Path, str]] = {
    "an event's target": (
        {"events": [{"at": "1m", "setImage": {"cart": "x"}}]},
        ("events", 0),
        "Deployment/cart is not among the objects",
    ),
    "a check's target": (
        {"expect": {"checks": [{"at": "1m", "target": "cart", "verdict": "Healthy"}]}},
        ("expect", "checks", 0),
        "Deployment/cart",
    ),
    "the end's target": (
        {"expect": {"final": {"workloads": {"StatefulSet/db": {"replicas": 1}}}}},
        ("expect", "final", "workloads", "StatefulSet/db"),
        "StatefulSet/db",
    ),
    "a series' target": (
        {"series": [{"metric": "x", "values": 1, "target": "cart"}]},
        ("series", 0),
        "Deployment/cart",
    ),
    "a policy": (
        {"events": [{"at": "1m", "resume": "cart"}]},
        ("events", 0),
        "no policy cart: checkout",
    ),
    "an incident's suspect": (
        {"incidents": [{"suspect": "cart", "causeKind": "Release"}]},
        ("incidents", 0),
        "Deployment/cart is not among the objects",
    ),
    "an incident after the end": (
        {"incidents": [{"suspect": "Node/n1", "causeKind": "Node", "from": "9m"}]},
        ("incidents", 0),
        "9m is outside of the story, which goes from -2m to 8m",
    ),
    "a series twice": ({"series": [TWICE, TWICE]}, ("series",), "the same labels"),
    "which workload": (
        {
            "objects": [{"deployment": "cart", "image": "x"}],
            "expect": {"refusals": [{"reason": "Paused"}]},
        },
        ("expect", "refusals", 0),
        "which of 2 workloads?",
    ),
    "an event after the end": (
        {"events": [{"at": "1h", "pause": True}]},
        ("events", 0),
        "1h is outside of the story, which goes from -2m to 8m",
    ),
    "an event before the beginning": (
        {"events": [{"at": "-1h", "pause": True}]},
        ("events", 0),
        "-1h is outside",
    ),
    "a check before the start": (
        {"expect": {"checks": [{"at": "-1m", "verdict": "Healthy"}]}},
        ("expect", "checks", 0),
        "-1m is outside of the story, which goes from 0s to 8m",
    ),
}


def test_a_case_without_slips() -> None:
    """Nothing is found where nothing is wrong."""
    assert [] == list(references.problems(stories.one_case({}), stories.policies()))


@pytest.mark.parametrize("name", WRONG)
def test_slips_are_found_with_their_place(name: str) -> None:
    """One problem each, where it is written."""
    case, path, message = WRONG[name]
    found = list(references.problems(stories.one_case(case), stories.policies()))

    assert [("cases", 0, *path)] == [where for where, _ in found]
    assert message in found[0][1]


def test_no_workload_at_all() -> None:
    """A story without anybody in it."""
    test = stories.one_case({}, objects=[])

    assert [(("cases", 0), "no workload is there: give objects")] == list(
        references.problems(test, stories.policies())
    )
