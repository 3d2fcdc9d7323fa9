"""A correlator that starts in the middle of a storm goes on with the incidents that are there."""

from __future__ import annotations

import dataclasses

import pytest

from prunella.core.incidents import correlate, naming, values
from tests.unit.core.incidents import storms
from tests.unit.core.incidents.storms import alert

STORM = [alert("db", 0), alert("cart", 20), alert("cart", 22, pod="b"), alert("front", 50)]
LATER = 600.0


def known(correlator: correlate.Correlator, **changes: object) -> values.Known:
    """The one open incident of a correlator, as its object tells it."""
    (incident,) = correlator.incidents()
    made = values.Known(
        incident.id,
        incident.state,
        tuple(dataclasses.replace(each, fingerprint=None) for each in incident.members),
        incident.last,
        incident.alerts,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def restarted(*incidents: values.Known, at: float = LATER) -> correlate.Correlator:
    """A new correlator that has taken incidents up."""
    correlator = correlate.Correlator(storms.graph())
    correlator.take_up(incidents, at)
    return correlator


def told_again(*alerts: values.Alert, at: float = LATER) -> list[values.Alert]:
    """The same alerts as a source tells them after the start."""
    return [dataclasses.replace(each, received=at) for each in alerts]


def test_what_is_told_again_is_not_counted_again() -> None:
    """All that fires is re-read: the same incident, the same numbers."""
    before = storms.run(*STORM)
    correlator = restarted(known(before))
    correlator.observe(told_again(*STORM), LATER)
    (old,), (new,) = before.incidents(), correlator.incidents()
    assert (old.id, old.alerts, old.objects, old.onset) == (
        new.id,
        new.alerts,
        new.objects,
        new.onset,
    )
    assert [(each.target, each.count, each.firing) for each in old.members] == [
        (each.target, each.count, each.firing) for each in new.members
    ]


def test_what_began_while_nobody_listened_joins_and_counts() -> None:
    """A further pod of a known symptom, and a symptom that the topology explains."""
    correlator = restarted(known(storms.run(*STORM)), at=100.0)
    correlator.observe(told_again(*STORM, alert("cart", 60, pod="c"), at=100.0), 100.0)
    correlator.observe([alert("front", 110, "TargetDown")], 115.0)
    (incident,) = correlator.incidents()
    assert (6, 3) == (incident.alerts, incident.objects)


def test_a_symptom_that_the_object_had_no_room_for_is_known_by_its_hash() -> None:
    """An object that no topology names would be an incident of its own."""
    stranger = values.Symptom(storms.ref("stranger"), "HighLatency")
    before = known(
        storms.run(*STORM), alerts=9, unlisted=frozenset({naming.symptom_hash(stranger)})
    )
    correlator = restarted(before)
    correlator.observe(told_again(*STORM, alert("stranger", 30)), LATER)
    (incident,) = correlator.incidents()
    assert (before.name, 9) == (incident.id, incident.alerts)


def test_what_nobody_confirms_has_ended() -> None:
    """Nothing is told again: the incident is resolved after its quiet time and stays so."""
    settings = correlate.Settings()
    correlator = restarted(known(storms.run(*STORM)))
    correlator.observe([], LATER + 1)
    assert 4 == sum(each.count for each in correlator.incidents()[0].members)
    end = LATER + settings.confirm + settings.quiet
    for at in range(int(LATER), int(end) + 200, 60):
        correlator.observe([], float(at))
    assert () == correlator.incidents()


RESOLVED = [
    pytest.param(alert("db", 0), None, id="what fired before the resolution is past"),
    pytest.param(alert("db", 500), True, id="the same symptom within the time opens it again"),
    pytest.param(alert("mail", 500), False, id="another symptom starts anew"),
    pytest.param(alert("db", 2000), False, id="too late to open it again"),
]


@pytest.mark.parametrize(("again", "same"), RESOLVED)
def test_a_resolved_incident_is_remembered(again: values.Alert, same: bool | None) -> None:
    """Resolved 100 s before the start: nothing attaches to it, and what reopens it is the rule."""
    before = known(storms.run(STORM[0]), state=values.State.RESOLVED, resolved_at=400.0)
    correlator = restarted(before, at=500.0)
    for at in range(510, int(again.received), 60):
        correlator.observe([], float(at))
    correlator.observe(told_again(again, at=max(again.received, 510.0)), 2100.0)
    names = [each.id for each in correlator.incidents()]
    expected = {None: [], True: [before.name], False: [naming.incident_name(again.fingerprint)]}
    assert expected[same] == names
