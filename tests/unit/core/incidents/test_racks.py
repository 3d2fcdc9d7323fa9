"""A switch of a rack drops packets: 400 alerts, one cause; and the same number of them without."""

from __future__ import annotations

import pytest

from prunella.api.incident import Confidence
from prunella.core import model
from prunella.core.incidents import correlate, topology, values
from prunella.core.incidents.diagnosis import diagnose
from prunella.core.incidents.diagnosis.values import Diagnosis
from tests.unit.core.incidents import racks
from tests.unit.core.incidents.racks import Fleet

SEEDS = range(4)


def diagnosed(
    fleet: Fleet, incidents: tuple[values.Incident, ...], at: float
) -> dict[str, Diagnosis]:
    """What is said of each incident, while the others are open."""
    view = fleet.view(at, incidents)
    return {each.id: diagnose.diagnose(view, each) for each in incidents}


def named(found: dict[str, Diagnosis]) -> set[model.Ref | None]:
    """The first suspects; None of an incident without any."""
    return {each.suspects[0].target if each.suspects else None for each in found.values()}


def correlated(fleet: Fleet, alerts: list[values.Alert]) -> correlate.Correlator:
    """A correlator that has just heard of all of them."""
    correlator = correlate.Correlator(topology.Topology(fleet.calls, fleet.places))
    correlator.observe(alerts, racks.BEGIN + 30)
    return correlator


@pytest.mark.parametrize("seed", SEEDS)
def test_400_alerts_of_a_rack_have_one_cause(seed: int) -> None:
    """Pods of most workloads are elsewhere too, and topology alone tells several incidents."""
    fleet = Fleet(seed)
    alerts = fleet.storm({1})
    correlator = correlated(fleet, alerts)
    assert 400 == len(alerts)
    first = diagnosed(fleet, correlator.incidents(), racks.BEGIN + 30)
    assert {racks.rack(1)} == named(first)
    assert {Confidence.MEDIUM} == {each.suspects[0].confidence for each in first.values()}

    correlator.join(first)

    (incident,) = correlator.incidents()
    assert 400 == incident.alerts
    (found,) = diagnosed(fleet, (incident,), racks.BEGIN + 35).values()
    assert racks.rack(1) == found.suspects[0].target
    standing = sum(any("node-1" in place.name for place in some) for some in fleet.on.values())
    told = f"3 of 3 nodes and {standing} of {standing} workloads on Rack/r1 are sick, 0 of 6 nodes"
    assert told in found.suspects[0].summary


@pytest.mark.parametrize("seed", SEEDS)
def test_400_alerts_of_all_racks_name_none(seed: int) -> None:
    """Every rack has as much that is sick as the others."""
    fleet = Fleet(seed)
    alerts = fleet.storm({0, 1, 2})
    correlator = correlated(fleet, alerts)
    assert 400 == len(alerts)
    found = diagnosed(fleet, correlator.incidents(), racks.BEGIN + 30)
    assert not {each for each in named(found) if each is not None and each.kind == "Rack"}
