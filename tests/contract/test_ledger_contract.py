"""The Ledger port does the same in the simulation as on a real API server."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from prunella import ports
from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.api import remediation as remediation_api
from prunella.core import objects
from tests.contract.worlds import World

DECIDED = datetime.datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=datetime.UTC)


def spec(world: World, attempt: int = 1, **changes: object) -> remediation_api.RemediationSpec:
    """A decision to restart Deployment web."""
    made = remediation_api.RemediationSpec(
        policy=remediation_api.PolicyReference(
            name="checkout", namespace=world.namespace, uid="policy-uid", generation=3
        ),
        target=remediation_api.TargetReference(
            kind="Deployment", namespace=world.namespace, name="web", uid="target-uid"
        ),
        attempt=attempt,
        mode=policy_api.Mode.LIVE,
        step=0,
        action="restart",
        decided_at=DECIDED,
        reason="errors 0.31 above 0.05 for 61 s",
        evidence=[
            remediation_api.Evidence(
                signal="errors", verdict="Unhealthy", message="0.31 > 0.05", value=0.31
            )
        ],
        guards=[remediation_api.GuardResult(guard="cooldown", passed=True)],
        effects=[
            remediation_api.EffectSpec(
                verb="Patch",
                kind="Deployment",
                namespace=world.namespace,
                name="web",
                precondition=remediation_api.Precondition(uid="target-uid", generation=7),
                patch='[{"op":"add"}]',
                summary="restart it",
            )
        ],
        plan_hash="abc",
    )
    return made.model_copy(update=changes)


def acting(sent_at: datetime.datetime = DECIDED) -> remediation_api.RemediationStatus:
    """The status just before the effect is sent."""
    return remediation_api.RemediationStatus(
        phase=reasons.Phase.ACTING,
        message="sending",
        effects=[remediation_api.EffectStatus(sent_at=sent_at)],
    )


def names(ledger: ports.Ledger) -> list[str]:
    """Names of the records that a ledger knows."""
    return sorted(record.name for record in ledger.records())


async def test_new_record_is_pending_and_seen_at_once(world: World) -> None:
    """What was created comes back as it was meant, and is in the own records without a request."""
    ledger = world.new_ledger()

    record = await ledger.create(world.namespace, "web-1", spec(world))

    assert spec(world) == record.spec
    assert remediation_api.RemediationStatus() == record.status
    assert reasons.Phase.PENDING is record.phase
    assert record.uid
    assert record.created is not None
    assert [record] == list(ledger.records())


async def test_name_is_a_lock(world: World) -> None:
    """Of two deciders who choose the same name one gets it, whatever they want to do."""
    first, second = world.new_ledger(), world.new_ledger()
    await first.create(world.namespace, "web-1", spec(world))

    with pytest.raises(ports.Conflict) as refused:
        await second.create(world.namespace, "web-1", spec(world, action="scale"))

    await second.refresh(world.namespace)
    assert 409 == refused.value.status
    assert ["restart"] == [record.spec.action for record in second.records()]


async def test_update_returns_what_is_stored(world: World) -> None:
    """A written status is seen at once, with its times as they were given, and by others."""
    ledger, other = world.new_ledger(), world.new_ledger()
    record = await ledger.create(world.namespace, "web-1", spec(world))

    updated = await ledger.update(record, acting())
    await other.refresh(world.namespace)

    assert acting() == updated.status
    assert record.spec == updated.spec
    assert record.resource_version != updated.resource_version
    assert [updated] == list(ledger.records()) == list(other.records())


async def test_status_is_replaced_not_merged(world: World) -> None:
    """A field that is not in the new status is gone."""
    ledger = world.new_ledger()
    record = await ledger.create(world.namespace, "web-1", spec(world))
    record = await ledger.update(record, acting())

    record = await ledger.update(record, remediation_api.RemediationStatus())

    assert remediation_api.RemediationStatus() == record.status


def labels(phase: str, **more: str) -> dict[str, str]:
    """The labels of a record of this test."""
    own = {"policy": "checkout", "target": "web", "action": "restart", "phase": phase}
    return {f"prunella.dev/{key}": value for key, value in {**own, **more}.items()}


@pytest.mark.parametrize(
    ("mode", "first"),
    [
        (policy_api.Mode.APPROVE, "AwaitingApproval"),
        (policy_api.Mode.LIVE, "Pending"),
        (policy_api.Mode.ADVISE, "Advised"),
        (policy_api.Mode.DRY_RUN, "DryRun"),
    ],
)
async def test_new_record_is_labelled(world: World, mode: policy_api.Mode, first: str) -> None:
    """From its creation on a record is found by what it is about."""
    record = await world.new_ledger().create(world.namespace, "web-1", spec(world, mode=mode))

    assert labels(first) == record.labels


async def test_labels_follow_the_phase_in_a_write_of_their_own(world: World) -> None:
    """A status write leaves the labels as they are; the label write changes nothing else."""
    ledger, other = world.new_ledger(), world.new_ledger()
    record = await ledger.create(world.namespace, "web-1", spec(world))
    record = await ledger.update(record, acting())
    before = record.labels

    labelled = await ledger.label(record)
    await other.refresh(world.namespace)

    assert (labels("Pending"), labels("Acting")) == (before, labelled.labels)
    assert (acting(), record.spec) == (labelled.status, labelled.spec)
    assert record.resource_version != labelled.resource_version
    assert [labelled] == list(ledger.records()) == list(other.records())
    again = await ledger.update(labelled, remediation_api.RemediationStatus())
    assert labels("Acting") == again.labels


async def test_labels_of_an_old_version_conflict(world: World) -> None:
    """Who has not seen the newest status does not write its labels."""
    ledger = world.new_ledger()
    record = await ledger.create(world.namespace, "web-1", spec(world))
    await ledger.update(record, acting())

    with pytest.raises(ports.Conflict):
        await ledger.label(record)


async def test_update_of_an_old_version_conflicts(world: World) -> None:
    """Of two writers who have read the same version one wins; the other changes nothing."""
    ledger, other = world.new_ledger(), world.new_ledger()
    record = await ledger.create(world.namespace, "web-1", spec(world))
    await ledger.update(record, acting())

    with pytest.raises(ports.Conflict):
        await other.update(record, remediation_api.RemediationStatus(message="late"))

    await other.refresh(world.namespace)
    assert [acting()] == [each.status for each in other.records()]


async def test_delete_under_the_uid(world: World) -> None:
    """A record is deleted, but not another that has its name by now."""
    ledger = world.new_ledger()
    record = await ledger.create(world.namespace, "web-1", spec(world))

    with pytest.raises(ports.Conflict):
        await ledger.delete(dataclasses.replace(record, uid="another"))
    assert ["web-1"] == names(ledger)

    await ledger.delete(record)
    other = world.new_ledger()
    await other.refresh(world.namespace)
    assert ([], []) == (names(ledger), names(other))


async def test_update_of_a_deleted_record_fails(world: World) -> None:
    """A status is never written to a record that is gone, nor does it bring it back."""
    ledger = world.new_ledger()
    record = await ledger.create(world.namespace, "web-1", spec(world))
    await ledger.delete(record)

    with pytest.raises(ports.ClusterError):
        await ledger.update(record, acting())

    await ledger.refresh(world.namespace)
    assert [] == names(ledger)


async def test_refresh_finds_and_forgets(world: World) -> None:
    """A refresh brings what others created and takes what they deleted."""
    ledger, other = world.new_ledger(), world.new_ledger()
    gone = await other.create(world.namespace, "web-1", spec(world))
    await ledger.refresh(world.namespace)
    before = names(ledger)
    await other.create(world.namespace, "web-2", spec(world, attempt=2))
    await other.delete(gone)

    await ledger.refresh(world.namespace)

    assert ["web-1"] == before
    assert ["web-2"] == names(ledger)


async def test_record_knows_policy_and_target(world: World) -> None:
    """Limits are counted by the names in the record, not by references that a deletion clears."""
    record = await world.new_ledger().create(world.namespace, "web-1", spec(world))

    assert objects.Key(world.namespace, "checkout") == record.policy
    assert "Deployment/web" == str(record.target)
