"""The elector: who may take the Lease when, and who may send until when."""

from __future__ import annotations

import dataclasses

import pytest

from prunella.core.election import elector as electors
from prunella.core.election.lease import Lease, Times

Ask, Role = electors.Ask, electors.Role
HELD = Lease("b", 3, "12:00:00", 10.0, version="7")


def following(found: Lease | None, at: float = 0.0) -> electors.Elector:
    """A follower that has looked once."""
    made = electors.Elector("a")
    made.read(at, found)
    return made


def leading(asked: float = 0.0) -> electors.Elector:
    """A leader of epoch 4, which has renewed with a request that began at a time."""
    made = following(HELD, -20.0)
    made.written(asked, dataclasses.replace(made.next("12:01:00"), version="8"))
    return made


@pytest.mark.parametrize(
    ("found", "seconds"),
    [
        pytest.param(HELD, 10.0, id="held: its duration after the first look"),
        pytest.param(None, 10.0, id="deleted: somebody may still lead"),
        pytest.param(Lease("", version="1"), 0.0, id="never held: at once"),
        pytest.param(
            Lease("", 3, "12:00:00", 1.0, released=3, version="7"), 0.0, id="released: at once"
        ),
        pytest.param(
            Lease("", 3, "12:00:00", 10.0, version="7"), 10.0, id="emptied by hand: not at once"
        ),
        pytest.param(
            Lease("", 4, "12:00:00", 1.0, released=3, version="7"), 10.0, id="released long since"
        ),
        pytest.param(
            dataclasses.replace(HELD, holder="a"), 0.0, id="own name: the process before is dead"
        ),
        pytest.param(
            dataclasses.replace(HELD, duration=30.0), 30.0, id="promised for longer: honoured"
        ),
        pytest.param(
            dataclasses.replace(HELD, duration=1e9), 60.0, id="promised for ever: not honoured"
        ),
        pytest.param(
            dataclasses.replace(HELD, duration=1.0), 10.0, id="promised for less: its own time"
        ),
    ],
)
def test_when_it_may_be_taken(found: Lease | None, seconds: float) -> None:
    """A Lease is taken when nobody can be at work under it, and not a moment sooner."""
    made = following(found)
    times = (seconds - 0.001, seconds) if seconds else (seconds,)
    assert [made.ask(each) for each in times] == [*[Ask.NOTHING] * (len(times) - 1), Ask.WRITE]


@pytest.mark.parametrize(
    ("change", "begins_anew"),
    [
        pytest.param({"renewed": "12:00:01"}, True, id="renewed"),
        pytest.param({"holder": "c", "transitions": 4}, True, id="taken"),
        pytest.param({"version": "9"}, False, id="a label was edited"),
    ],
)
def test_waiting_begins_anew_with_each_sign_of_life(
    change: dict[str, str | int], begins_anew: bool
) -> None:
    """Only a renewal or a taking is a sign of life."""
    made = following(HELD)
    made.read(9.0, dataclasses.replace(HELD, **change))  # type: ignore[arg-type]
    assert made.ask(10.0) is (Ask.NOTHING if begins_anew else Ask.WRITE)


@pytest.mark.parametrize(
    ("found", "floor", "epoch"),
    [
        pytest.param(HELD, 0, 4, id="one more than before"),
        pytest.param(HELD, 9, 10, id="the ledger knows of more: somebody has edited the Lease"),
        pytest.param(None, 0, 1, id="the first"),
        pytest.param(None, 5, 6, id="deleted: above the ledger"),
    ],
)
def test_epochs_only_grow(found: Lease | None, floor: int, epoch: int) -> None:
    """The number of a leadership is above all that are known."""
    assert following(found).next("now", floor).transitions == epoch


def test_an_epoch_is_above_one_that_was_seen_and_edited_away() -> None:
    """What it has seen itself counts, too."""
    made = following(HELD)
    made.read(1.0, dataclasses.replace(HELD, transitions=0))
    assert made.next("now").transitions == 4


def test_a_leader_sends_until_its_deadline_after_it_asked() -> None:
    """The time counts from before the request: its answer may have been slow."""
    made = leading(asked=100.0)
    assert (made.refusal(106.9), made.left(106.0)) == ("", 4.0)
    assert made.refusal(107.0) == "the Lease was last renewed 7.0 s ago, the limit is 7 s"


def test_it_falls_silent_before_another_may_take_over() -> None:
    """Seen at the earliest moment, the Lease can be taken 3 s after the leader's last word."""
    follower = following(dataclasses.replace(HELD, holder="x"), at=100.0)
    leader = leading(asked=100.0)
    silent = next(t / 10 for t in range(1000, 1200) if leader.refusal(t / 10))
    taken = next(t / 10 for t in range(1000, 1200) if follower.ask(t / 10) is Ask.WRITE)
    assert (silent, taken) == (107.0, 110.0)


def test_a_lost_answer_lengthens_nothing() -> None:
    """After a renewal without an answer it looks first; what it sees does not count as renewal."""
    made = leading(asked=100.0)
    made.stale()
    assert made.ask(103.0) is Ask.READ
    made.read(103.0, Lease("a", 4, "12:01:03", 10.0, version="9"))
    assert (made.role, made.ask(103.0), made.left(103.0)) == (Role.LEADING, Ask.WRITE, 7.0)


def test_a_lost_answer_to_a_taking_gives_no_leadership() -> None:
    """It finds its own name, and takes the Lease again with a new number."""
    made = following(HELD)
    made.stale()
    made.read(12.0, Lease("a", 4, "12:01:00", 10.0, version="8"))
    assert (made.role, made.ask(12.0), made.next("now").transitions) == (
        Role.FOLLOWING,
        Ask.WRITE,
        5,
    )


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(Lease("b", 5, "12:02:00", 10.0, version="9"), id="taken by another"),
        pytest.param(Lease("a", 5, "12:02:00", 10.0, version="9"), id="own name, another epoch"),
        pytest.param(None, id="deleted"),
    ],
)
def test_who_has_lost_the_lease_asks_and_sends_nothing_more(found: Lease | None) -> None:
    """It is to end: what it has in memory is of a time that is over."""
    made = leading(asked=100.0)
    made.stale()
    made.read(101.0, found)
    assert (made.role, made.ask(101.0)) == (Role.LOST, Ask.NOTHING)
    assert made.refusal(101.0) == "this replica is lost: only the leader writes"


def test_who_is_not_warm_yet_only_looks() -> None:
    """A replica that has not seen what there is leaves the Lease to others."""
    made = following(Lease("", version="1"))
    assert (made.ask(0.0, willing=False), made.ask(0.0)) == (Ask.NOTHING, Ask.WRITE)


def test_a_follower_looks_when_it_could_take_the_lease() -> None:
    """Not a whole period later: that is what nobody leads for."""
    made = following(HELD)
    waits = [made.wait(now) for now in (0.0, 9.0, 10.0)]
    assert waits == [Times().retry, 1.0, 0.5]


def test_giving_back_tells_the_epoch_and_ends_leading() -> None:
    """Others can tell it from a Lease that was emptied by hand."""
    made = leading(asked=100.0)
    freed = made.release("12:03:00")
    assert freed == Lease("", 4, "12:03:00", 1.0, released=4, version="8")
    assert (freed.free, made.refusal(100.0)) == (
        True,
        "this replica is released: only the leader writes",
    )
    assert following(HELD).release("12:03:00") is None
