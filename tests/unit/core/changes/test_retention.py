"""What may go of the journal."""

from __future__ import annotations

import datetime

import pytest

from prunella.api import change as change_api
from prunella.core.changes import retention
from prunella.core.changes.values import Change
from tests.unit.core.changes import objects


def change(
    name: str,
    minutes: float,
    uid: str = "u-1",
    class_: change_api.Class = change_api.Class.CHANGE,
    incidents: tuple[str, ...] = (),
) -> Change:
    """A Change of so many minutes ago."""
    spec = change_api.ChangeSpec.model_validate(
        {
            "object": {"kind": "Service", "namespace": "shop", "name": uid, "uid": uid},
            "verb": "Modified",
            "class": class_,
            "at": objects.NOW - datetime.timedelta(minutes=minutes),
            "summary": name,
        }
    )
    return Change(name, "shop", spec, incidents)


SCALING = change_api.Class.SCALING
LIMITS = retention.Retention(age=datetime.timedelta(hours=1), per_object=2, total=5)
CASES = [
    pytest.param([change("a", 1), change("b", 59)], [], id="young and few"),
    pytest.param([change("a", 1), change("b", 61)], ["b"], id="old"),
    pytest.param([change("a", 1), change("b", 2), change("c", 3)], ["c"], id="too many of one"),
    pytest.param(
        [change("a", 1, class_=SCALING), change("b", 2, class_=SCALING), change("c", 3)],
        [],
        id="an autoscaler pushes nothing out",
    ),
    pytest.param(
        [change("a", 1, "u-1"), change("b", 2, "u-1"), change("c", 3, "u-2")], [], id="of two"
    ),
    pytest.param([change(f"c{n}", n, f"u-{n}") for n in range(7)], ["c5", "c6"], id="too many"),
    pytest.param(
        [change("a", 90, incidents=("shop/inc-1",)), change("b", 91)], ["b"], id="in an incident"
    ),
]


@pytest.mark.parametrize(("changes", "expected"), CASES)
def test_expired(changes: list[Change], expected: list[str]) -> None:
    """By age, by count of an object and class, by count of all; never what is referred to."""
    found = retention.expired(changes, objects.NOW, LIMITS)
    assert expected == [each.name for each in found]
