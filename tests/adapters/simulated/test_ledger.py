"""The ledger in memory: names as locks, versions as preconditions, watches that lag."""

from __future__ import annotations

import pytest

from prunella import ports
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import faults
from prunella.adapters.simulated import ledger as ledgers
from prunella.api import reasons, remediation
from tests.adapters.simulated.planning import SPEC, START

PENDING = remediation.RemediationStatus()
ACTING = remediation.RemediationStatus(phase=reasons.Phase.ACTING)


@pytest.fixture
def server() -> ledgers.LedgerServer:
    """An API server without records."""
    return ledgers.LedgerServer(clocks.VirtualClock(START))


@pytest.fixture
def ledger(server: ledgers.LedgerServer) -> ledgers.SimulatedLedger:
    """A client of it."""
    return ledgers.SimulatedLedger(server)


async def test_a_record_is_created_pending(ledger: ledgers.SimulatedLedger) -> None:
    """A new record has its spec, its time, an identity, and is among the records at once."""
    record = await ledger.create("shop", "rem-1", SPEC)
    assert (SPEC, PENDING, START) == (record.spec, record.status, record.created)
    assert record.uid
    assert [record] == list(ledger.records())


async def test_a_name_is_a_lock(server: ledgers.LedgerServer) -> None:
    """Of two operators only one gets the name; another namespace is another name."""
    first, second = ledgers.SimulatedLedger(server), ledgers.SimulatedLedger(server)
    await first.create("shop", "rem-1", SPEC)
    with pytest.raises(ports.Conflict) as caught:
        await second.create("shop", "rem-1", SPEC)
    assert 409 == caught.value.status
    await second.create("other", "rem-1", SPEC)


async def test_a_status_is_written_under_its_version(ledger: ledgers.SimulatedLedger) -> None:
    """Whoever read before the last write is refused and changes nothing."""
    record = await ledger.create("shop", "rem-1", SPEC)
    updated = await ledger.update(record, ACTING)
    with pytest.raises(ports.Conflict):
        await ledger.update(record, PENDING)
    assert [updated] == list(ledger.records())
    assert (ACTING, record.uid) == (updated.status, updated.uid)
    assert PENDING == (await ledger.update(updated, PENDING)).status


async def test_deletion_is_of_one_record(ledger: ledgers.SimulatedLedger) -> None:
    """A record with the name of a deleted one is not deleted in its place."""
    old = await ledger.create("shop", "rem-1", SPEC)
    await ledger.delete(old)
    assert [] == list(ledger.records())
    new = await ledger.create("shop", "rem-1", SPEC)
    with pytest.raises(ports.Conflict):
        await ledger.delete(old)
    assert [new] == list(ledger.records())
    await ledger.delete(new)
    for request in (ledger.delete(new), ledger.update(new, ACTING)):
        with pytest.raises(ports.ClusterError) as caught:
            await request
        assert 404 == caught.value.status


async def test_a_broken_watch_shows_own_writes_only(server: ledgers.LedgerServer) -> None:
    """What others wrote is seen after a refresh of its namespace, or when the watch is back."""
    own, other = ledgers.SimulatedLedger(server), ledgers.SimulatedLedger(server)
    own.break_watch()
    await other.create("shop", "theirs", SPEC)
    await other.create("store", "theirs", SPEC)
    record = await own.create("shop", "mine", SPEC)
    await own.update(record, ACTING)
    assert [("mine", ACTING)] == [(r.name, r.status) for r in own.records()]
    await own.refresh("shop")
    names = {(each.namespace, each.name) for each in own.records()}
    assert {("shop", "mine"), ("shop", "theirs")} == names
    own.mend_watch()
    assert 3 == len(own.records())


async def test_a_lost_answer_leaves_the_record_behind(server: ledgers.LedgerServer) -> None:
    """The record is there, but its maker does not know until it looks."""
    ledger = ledgers.SimulatedLedger(server)
    ledger.break_watch()
    ledger.faults.once(faults.Point.AFTER_CREATE, ports.OutcomeUnknown("lost"))
    with pytest.raises(ports.OutcomeUnknown):
        await ledger.create("shop", "rem-1", SPEC)
    assert [] == list(ledger.records())
    await ledger.refresh("shop")
    assert ["rem-1"] == [record.name for record in ledger.records()]


async def test_injected_refusals(ledger: ledgers.SimulatedLedger) -> None:
    """Creation is denied until healed; a status write loses one race only."""
    record = await ledger.create("shop", "rem-1", SPEC)
    ledger.conflict_once()
    with pytest.raises(ports.Conflict):
        await ledger.update(record, ACTING)
    assert ACTING == (await ledger.update(record, ACTING)).status
    ledger.deny_create()
    for name in ("rem-2", "rem-3"):
        with pytest.raises(ports.ClusterError) as caught:
            await ledger.create("shop", name, SPEC)
        assert 403 == caught.value.status
    ledger.faults.heal()
    await ledger.create("shop", "rem-2", SPEC)
