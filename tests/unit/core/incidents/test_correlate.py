"""Which alerts become one incident, what ends it, and what is told about it."""

from __future__ import annotations

import pytest

from prunella.core.incidents import correlate, naming, values
from tests.unit.core.incidents import storms
from tests.unit.core.incidents.storms import alert

GROUPS = [
    pytest.param(
        [alert("db", 0), alert("cart", 20), alert("front", 50)],
        [[0, 1, 2]],
        id="a fault that travels up the callers is one incident",
    ),
    pytest.param(
        [alert("front", 0), alert("cart", 5), alert("db", 10)],
        [[0, 1, 2]],
        id="the caller's alert may come first",
    ),
    pytest.param(
        [alert("cart", 0), alert("mail", 5)],
        [[0], [1]],
        id="services that have nothing to do with each other are two",
    ),
    pytest.param(
        [alert("db", 0), alert("cart", 1500)],
        [[0], [1]],
        id="a caller that falls sick 25 minutes later is another incident",
    ),
    pytest.param(
        [alert("db", 0), alert("cart", 30), alert("other-4", 20), alert("other-5", 30)],
        [[0, 1], [2, 3]],
        id="two faults at once in two parts of the graph are two",
    ),
    pytest.param(
        [alert("db", 0), alert("cart", 10), alert(storms.place("Node", "n1"), 5, "NodeNotReady")],
        [[0, 1, 2]],
        id="a node and what runs on it are one",
    ),
    pytest.param(
        [alert("cart", 0, pod="a"), alert("cart", 10, pod="b"), alert("cart", 20, pod="c")],
        [[0, 1, 2]],
        id="three pods of one Deployment are one",
    ),
    pytest.param(
        [alert("unheard-of", 0), alert("unheard-of", 20, "TargetDown")],
        [[0, 1]],
        id="an object that no topology names is related to itself",
    ),
    pytest.param(
        [alert("db", 0), alert("cart", 15, received=400.0), alert("front", 30)],
        [[0, 1, 2]],
        id="a late notification is placed by when its alert began",
    ),
]


@pytest.mark.parametrize(("alerts", "expected"), GROUPS)
def test_alerts_are_put_together_by_time_and_topology(
    alerts: list[values.Alert], expected: list[list[int]]
) -> None:
    """Alerts share an incident when one cause explains them better than several."""
    assert expected == storms.together(storms.run(*alerts), *alerts)


def test_400_alerts_of_a_rack_are_one_incident_that_names_the_rack() -> None:
    """A switch drops packets: no single node explains what runs on both; their rack does."""
    nodes = [
        alert(storms.place("Node", each), i, "NetworkErrors") for i, each in enumerate(("n2", "n3"))
    ]
    services = [alert(each, 10 + i, pod=str(i)) for i in range(200) for each in ("search", "index")]
    correlator = storms.run(*nodes, *services)
    (incident,) = correlator.incidents()
    assert storms.place("Rack", "r2") == incident.suspects[0].target


def test_an_incident_is_resolved_after_a_quiet_time() -> None:
    """All alerts have ended: it stays open for `quiet` seconds, then it is resolved."""
    alerts = (alert("db", 0), alert("db", 0, firing=False, received=100.0))
    quiet = correlate.Settings().quiet
    assert 1 == len(storms.run(*alerts, until=100 + quiet - 1).incidents())
    assert () == storms.run(*alerts, until=100 + quiet + 31).incidents()


def test_an_incident_whose_alerts_still_fire_stays_open_until_it_is_stale() -> None:
    """Alertmanager repeats after hours: silence is no end."""
    stale = correlate.Settings().stale
    assert 1 == len(storms.run(alert("db", 0), until=stale - 60).incidents())
    assert () == storms.run(alert("db", 0), until=stale + 60).incidents()


def ended(at: float) -> tuple[values.Alert, values.Alert]:
    """An alert of the database that has ended."""
    return alert("db", 0), alert("db", 0, firing=False, received=at)


def named(*alerts: values.Alert) -> list[str]:
    """The names of the incidents that each of some alerts opens."""
    return [naming.incident_name(each.fingerprint) for each in alerts]


FIRST = named(alert("db", 0))[0]
AGAIN = [
    pytest.param(alert("db", 1200), True, 1, id="the same series opens it again"),
    pytest.param(alert("db", 1200, "TargetDown"), False, 0, id="another series starts anew"),
    pytest.param(alert("cart", 1200), False, 0, id="a caller starts anew"),
    pytest.param(alert("db", 2000), False, 0, id="too late to open it again"),
]


@pytest.mark.parametrize(("again", "same", "reopened"), AGAIN)
def test_after_the_resolution_it_opens_again_or_anew(
    again: values.Alert, same: bool, reopened: int
) -> None:
    """Resolved at about 1,000 s; within ten minutes the same series reopens, nothing else does."""
    correlator = storms.run(*ended(90.0), until=1010.0)
    assert values.State.RESOLVED is correlator.state(FIRST)
    correlator.observe([], again.received - 1)
    correlator.observe([again], again.received)
    (incident,) = correlator.incidents()
    name = FIRST if same else named(again)[0]
    assert (name, reopened) == (incident.id, incident.reopened)


def test_repeats_of_a_resolved_incident_change_nothing() -> None:
    """A late repeat is answered with the incident's name; nothing opens."""
    correlator = storms.run(*ended(90.0), until=1010.0)
    late = alert("db", 0, received=1100.0)
    correlator.observe([late], 1100.0)
    assert () == correlator.incidents()
    assert FIRST == correlator.incident_of(late.fingerprint)


def test_flapping_is_counted_in_one_incident() -> None:
    """The same series fires and ends five times: one incident, four flaps."""
    alerts = [
        alert("db", start, firing=firing, received=start + 5 + 60 * (not firing))
        for start in (0.0, 150.0, 300.0, 450.0, 600.0)
        for firing in (True, False)
    ]
    (incident,) = storms.run(*alerts).incidents()
    assert (4, 5) == (incident.flaps, incident.members[0].count)


def test_incidents_that_turn_out_to_be_one_are_merged_into_the_older() -> None:
    """Two services with nothing in common but their rack, until the rack's own alerts come."""
    alerts = [
        alert("mail", 0),
        alert("front", 200),
        alert(storms.place("Node", "n4"), 208, "NodeNotReady"),
        alert(storms.place("Rack", "r3"), 209, "RackDown"),
        alert(storms.place("Node", "n5"), 210, "NodeNotReady"),
    ]
    assert [[0], [1]] == storms.together(storms.run(*alerts[:2], until=206.0), *alerts[:2])
    correlator = storms.run(*alerts, until=500.0)
    (incident,) = correlator.incidents()
    first, second = named(*alerts[:2])
    assert first == incident.id
    assert {second: first} == correlator.merged
    assert values.State.MERGED is correlator.state(second)
    assert first == correlator.current(second)


def test_why_is_told_with_numbers() -> None:
    """When it began, how it hangs together with the likely cause, and what that explains."""
    alerts = [alert("db", 0), alert("cart", 20), alert("front", 50)]
    correlator = storms.run(*alerts)
    told = correlator.why(alerts[1].fingerprint)
    assert told.startswith(
        f"HighLatency on Deployment/cart began 20 s after the first of 3 alerts of {FIRST}, "
        "2 others within 120 s of it; it calls Deployment/db, the likely cause; "
        "a fault of Deployment/db explains 3 of 3 sick objects (likelihood 0."
    )
    assert "the only alert" in storms.run(alerts[0]).why(alerts[0].fingerprint)
    assert "not in an open incident" in correlator.why(alert("mail", 0).fingerprint)


@pytest.mark.parametrize(
    ("name", "expected"), [("CertificateExpiresSoon", [[0, 1], [2]]), ("Errors", [[0, 1, 2]])]
)
def test_names_that_come_alone_are_learned(name: str, expected: list[list[int]]) -> None:
    """After half a day of lone certificate warnings, one during a fault is no part of it."""
    lone = [
        alert(f"other-{2 * i % 60}", 700.0 * i, "CertificateExpiresSoon", pod=str(i))
        for i in range(60)
    ]
    faults = [
        alert(each, 700.0 * i + 300 + k, symptom, pod=str(i))
        for i in range(60)
        for k, each in enumerate(("db", "cart", "front"))
        for symptom in ("Errors", "Latency")
    ]
    start = 60 * 700.0
    fault = [alert("db", start, "Errors"), alert("cart", start + 20, "Errors")]
    odd = alert("front", start + 90, name)
    correlator = storms.run(*lone, *faults, *fault, odd)
    assert expected == storms.together(correlator, *fault, odd)


def test_a_newer_topology_keeps_incidents_and_their_names() -> None:
    """Open incidents go on when the graph is read anew."""
    alerts = [alert("db", 0), alert("cart", 20)]
    correlator = storms.run(*alerts)
    before = correlator.incidents()
    correlator.rewire(storms.graph())
    assert before == correlator.incidents()
    assert [[0, 1]] == storms.together(correlator, *alerts)


def test_incidents_that_are_known_to_have_one_cause_become_one() -> None:
    """What topology tells nothing about: the older keeps its name, and nothing moves away again."""
    alerts = [alert("mail", 0), alert("batch", 5), alert("other-4", 10)]
    correlator = storms.run(*alerts, until=20.0)
    first, second, _ = named(*alerts)
    assert first == correlator.join([second, first])
    correlator.observe([], 400.0)
    joined, other = correlator.incidents()
    assert (first, 2, 1) == (joined.id, joined.alerts, other.alerts)
    assert first == correlator.current(second)
