"""A follower is warm and does nothing; who leads acts at once, and no longer than it leads."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import AsyncIterator

import pytest

from prunella import leadership as leaderships
from prunella import wiring
from prunella.api import reasons
from prunella.engine import epochs
from tests.engine import harness

Phase = reasons.Phase


@dataclasses.dataclass
class Told:
    """Leads when it is told to (`leadership.Leadership`)."""

    epoch: int = 0
    why: str = "this replica is following: only the leader writes"

    @property
    def leading(self) -> bool:
        """Whether it leads."""
        return not self.why

    def refusal(self) -> str:
        """Why it does not."""
        return self.why

    def sending(self) -> contextlib.AbstractContextManager[float]:
        """Around a write."""
        if self.why:
            raise leaderships.NotLeading(self.why)
        return contextlib.nullcontext(math.inf)

    def lead(self, epoch: int) -> None:
        """Lead from now on."""
        self.epoch, self.why = epoch, ""


class Replica(harness.Story):
    """A story with a replica that may follow."""

    def __init__(self) -> None:
        super().__init__()
        self.told = Told()

    def start(self) -> None:
        """Start it with its leadership."""
        real = wiring.simulated
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(
                wiring,
                "simulated",
                lambda *args, **named: real(*args, **named, leadership=self.told),
            )
            super().start()

    def lead(self, epoch: int = 1) -> None:
        """It is elected."""
        self.told.lead(epoch)
        assert self.engine is not None
        self.engine.lead()


@pytest.fixture
async def story() -> AsyncIterator[Replica]:
    """A checkout that has turned bad, watched by a follower."""
    made = Replica()
    made.world.cluster.add_deployment(harness.NAMESPACE, "checkout", harness.GOOD)
    made.apply(harness.spec())
    made.start()
    await made.run(harness.QUIET)
    made.release(harness.BAD)
    yield made
    await made.close()


async def test_a_follower_evaluates_and_writes_nothing(story: Replica) -> None:
    """No record, no effect, no status, no Event: but it knows what is sick."""
    await story.run(60)
    assert story.engine is not None
    assert (story.records(), story.sent(), story.world.notifier.reasons) == ([], [], [])
    assert story.status().conditions == []
    assert story.engine.unjudged() == 0


async def test_who_begins_to_lead_acts_at_once(story: Replica) -> None:
    """What it saw while it followed counts: the signal's `for` is not waited for again."""
    await story.run(60)
    story.lead(epoch=7)
    await story.run(2)
    [record] = story.records()
    assert (record.spec.epoch, record.status.epoch, len(story.sent())) == (7, 7, 1)


async def test_who_leads_no_more_writes_nothing_more(story: Replica) -> None:
    """What it has begun is left as it is, for its successor."""
    story.lead()
    await story.until(lambda: story.phases() == [("rollback", Phase.VERIFYING)])
    story.told.why = "the Lease was last renewed 7.0 s ago, the limit is 7 s"
    [before] = story.records()
    await story.run(60)
    assert story.records() == [before]


async def test_a_successor_takes_the_record_forward(story: Replica) -> None:
    """A record tells who decided it, and who wrote it last."""
    story.lead(epoch=3)
    await story.until(lambda: story.phases() == [("rollback", Phase.VERIFYING)])
    story.kill()
    story.told = Told()
    story.start()
    await story.run(5)
    story.lead(epoch=4)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    [record] = story.records()
    assert (record.spec.epoch, record.status.epoch, len(story.sent())) == (3, 4, 1)


async def test_an_overtaken_leader_gives_way_to_a_higher_number(story: Replica) -> None:
    """It believes that it leads, as after a long pause; the ledger knows better."""
    story.lead(epoch=3)
    await story.until(lambda: story.phases() == [("rollback", Phase.VERIFYING)])
    [record] = story.records()
    newer = epochs.EpochLedger(story.world.ledger, Told(4, ""))
    written = await newer.update(record, record.status)
    older = epochs.EpochLedger(story.world.ledger, Told(3, ""))
    for refused in (
        older.update(written, written.status),
        older.label(written),
        older.delete(written),
    ):
        with pytest.raises(leaderships.NotLeading) as error:
            await refused
        told = f"{record.name} was written by leadership 4, and this one is 3"
        assert str(error.value) == told
    assert epochs.highest([written]) == 4


def test_without_an_election_nothing_is_numbered() -> None:
    """The ledger of the only replica is as it was."""
    made = Replica()
    assert epochs.of(made.world.ledger, leaderships.ALONE) is made.world.ledger
