"""The Incidents port does the same in the simulation as on a real API server."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from prunella import ports
from prunella.api import incident as incident_api
from tests.contract.worlds import World

AT = datetime.datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=datetime.UTC)
NAME = "inc-0123456789"


def spec(*, mirror: bool = False) -> incident_api.IncidentSpec:
    """What does not change about an incident."""
    return incident_api.IncidentSpec(opened_at=AT, mirror=mirror)


def status(alerts: int = 3) -> incident_api.IncidentStatus:
    """What is known of it: one symptom and one suspect."""
    checkout = incident_api.ObjectName(kind="Deployment", namespace="shop", name="checkout")
    return incident_api.IncidentStatus(
        title="Deployment/checkout is sick",
        started_at=AT,
        alerts=alerts,
        members=[incident_api.MemberItem(object=checkout, name="HighErrorRate", first=AT)],
        suspects=[
            incident_api.SuspectItem(
                object=checkout,
                cause_kind=incident_api.CauseKind.RELEASE,
                summary="image v1 -> v2",
                score=0.9,
                evidence=[incident_api.EvidenceItem(kind="change", message="40 s before", at=AT)],
            )
        ],
    )


async def test_what_was_created_is_seen_at_once(world: World) -> None:
    """It comes back as it was meant, and is among all incidents without a request."""
    incidents = world.new_incidents()
    record = await incidents.create(world.namespace, NAME, spec(mirror=True))
    assert (spec(mirror=True), NAME) == (record.spec, record.name)
    assert record.uid
    assert [record] == list(incidents.all())


async def test_a_name_is_taken_once(world: World) -> None:
    """Of two that open the same incident one gets a Conflict: none is doubled."""
    first, second = world.new_incidents(), world.new_incidents()
    await first.create(world.namespace, NAME, spec())
    with pytest.raises(ports.Conflict):
        await second.create(world.namespace, NAME, spec())


async def test_the_status_is_replaced_under_its_version(world: World) -> None:
    """A written status is seen at once; who has read an older version changes nothing."""
    incidents = world.new_incidents()
    record = await incidents.create(world.namespace, NAME, spec())
    updated = await incidents.update(record, status())
    assert (status(), record.uid) == (updated.status, updated.uid)
    assert [updated] == list(incidents.all())
    with pytest.raises(ports.Conflict):
        await incidents.update(record, status(alerts=4))
    again = await incidents.update(updated, incident_api.IncidentStatus())
    assert incident_api.IncidentStatus() == again.status


async def test_delete_under_the_uid(world: World) -> None:
    """One is deleted, but not another that has its name by now; what is gone is no error."""
    incidents = world.new_incidents()
    record = await incidents.create(world.namespace, NAME, spec())
    with pytest.raises(ports.Conflict):
        await incidents.delete(dataclasses.replace(record, uid="another"))
    await incidents.delete(record)
    await incidents.delete(record)
    assert [] == list(incidents.all())


async def test_update_of_a_deleted_incident_fails(world: World) -> None:
    """A status does not bring back what is gone."""
    incidents = world.new_incidents()
    record = await incidents.create(world.namespace, NAME, spec())
    await incidents.delete(record)
    with pytest.raises(ports.ClusterError):
        await incidents.update(record, status())
