"""The same alert, told by several systems at several times, is one."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.adapters.intake import series, told
from prunella.core import model

CART = model.Ref("Deployment", "shop", "cart")
REFRESH = 600.0


def tell(
    at: float,
    source: str = "prometheus",
    *,
    begins: float = 0.0,
    ended: float | None = None,
    name: str = "Down",
    labels: dict[str, str] | None = None,
    deduced: bool = False,
) -> told.Told:
    """A notification that arrives at a time, in seconds."""
    return told.Told(
        source=source,
        name=name,
        labels=told.labels_of({"namespace": "shop", **(labels or {})}),
        starts_at=begins,
        firing=ended is None,
        received=at,
        ended_at=ended,
        deduced=deduced,
    )


WIDER = {"prometheus": "k8s", "severity": "page"}
STORIES: list[Any] = [
    pytest.param([tell(1), tell(2), tell(3)], [(1, True, 0)], id="told again and again"),
    pytest.param(
        [tell(1), tell(601)], [(1, True, 0), (601, True, 0)], id="a sign of life after ten minutes"
    ),
    pytest.param(
        [tell(1), tell(9, ended=8.0), tell(10, ended=8.0)],
        [(1, True, 0), (9, False, 0)],
        id="begins and ends",
    ),
    pytest.param(
        [tell(1), tell(20, "webhook", begins=15, labels=WIDER)],
        [(1, True, 0)],
        id="another source, other times, more labels",
    ),
    pytest.param(
        [tell(1, labels={"pod": "a"}), tell(2, "webhook", labels={"pod": "b"})],
        [(1, True, 0), (2, True, 0)],
        id="two pods are two",
    ),
    pytest.param(
        [tell(1), tell(2, labels={"pod": "a"})],
        [(1, True, 0), (2, True, 0)],
        id="of one source, more labels are another alert",
    ),
    pytest.param(
        [
            tell(1),
            tell(20, "webhook", begins=15),
            tell(50, ended=50.0),
            tell(51, "webhook", begins=15),
        ],
        [(1, True, 0), (50, False, 0)],
        id="a slower source still tells of it",
    ),
    pytest.param(
        [
            tell(1),
            tell(20, "webhook", begins=15),
            tell(50, ended=50.0),
            tell(651, "webhook", begins=15),
        ],
        [(1, True, 0), (50, False, 0), (651, True, 651)],
        id="a source that insists is believed",
    ),
    pytest.param(
        [tell(1), tell(50, ended=40.0, deduced=True), tell(60)],
        [(1, True, 0), (50, False, 0), (60, True, 60)],
        id="missing for a while, and back",
    ),
    pytest.param(
        [tell(1), tell(50, ended=40.0), tell(60, begins=55.0)],
        [(1, True, 0), (50, False, 0), (60, True, 55)],
        id="fires again",
    ),
    pytest.param(
        [tell(1), tell(60, begins=55.0)],
        [(1, True, 0), (60, True, 55)],
        id="fires again, its end was never told",
    ),
    pytest.param(
        [tell(60, begins=55.0), tell(61, ended=50.0)],
        [(60, True, 55)],
        id="the end of an earlier firing",
    ),
    pytest.param([tell(9, ended=8.0)], [(9, False, 0)], id="only its end is told"),
    pytest.param(
        [tell(1), tell(2, name="Slow")], [(1, True, 0), (2, True, 0)], id="two names are two"
    ),
]


@pytest.mark.parametrize(("notifications", "expected"), STORIES)
def test_story(notifications: list[told.Told], expected: list[tuple[float, bool, float]]) -> None:
    """What is passed on: when it was received, whether it fires, and since when."""
    table = series.Table(REFRESH)
    alerts = [table.take(each, CART) for each in notifications]
    passed = [each for each in alerts if each is not None]
    assert expected == [(each.received, each.firing, each.starts_at) for each in passed]


def test_beginning_and_end_bear_one_fingerprint() -> None:
    """Whoever tells the end: it is that of the firing which was passed on."""
    table = series.Table(REFRESH)
    begin = table.take(tell(1), CART)
    table.take(tell(20, "webhook", begins=15, labels=WIDER), CART)
    end = table.take(tell(50, "webhook", begins=15, ended=45.0, labels=WIDER), CART)
    assert begin is not None
    assert end is not None
    assert begin.fingerprint == end.fingerprint
    assert ("prometheus", "webhook") == (begin.source, end.source)


def test_owners_are_told_apart() -> None:
    """The same name on two owners is two alerts."""
    table = series.Table(REFRESH)
    other = model.Ref("Deployment", "shop", "web")
    assert table.take(tell(1), CART) is not None
    assert table.take(tell(1), other) is not None


def test_is_bounded() -> None:
    """What was told longest ago is forgotten first."""
    table = series.Table(REFRESH, limit=10)
    for number in range(100):
        table.take(tell(number, name=f"A{number}"), CART)
    assert 10 == len(table)
    assert table.take(tell(101, name="A99"), CART) is None
    assert table.take(tell(101, name="A0"), CART) is not None


def test_what_has_ended_is_forgotten_first() -> None:
    """A flood of alerts that come and go leaves no memory, and takes none of what fires."""
    table = series.Table(REFRESH, ended=5)
    table.take(tell(0, name="Fires"), CART)
    for number in range(100):
        table.take(tell(number, labels={"pod": f"p{number}"}), CART)
        table.take(tell(number + 1, ended=number + 1.0, labels={"pod": f"p{number}"}), CART)
    assert 6 == len(table)
    assert 6 == len(table._places)
    assert table.take(tell(102, name="Fires"), CART) is None


def test_what_fires_again_is_not_forgotten() -> None:
    """Its place among the ended is given up."""
    table = series.Table(REFRESH, ended=1)
    table.take(tell(1), CART)
    table.take(tell(2, ended=2.0), CART)
    table.take(tell(4, begins=3.0), CART)
    for number in range(10):
        table.take(tell(9, ended=8.0, name=f"A{number}"), CART)
    assert table.take(tell(10, begins=3.0), CART) is None
    assert 2 == len(table)
