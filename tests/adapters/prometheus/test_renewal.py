"""Credentials that end are renewed in time, once for all threads, and not in a storm."""

from __future__ import annotations

import contextlib
import threading

import pytest

from prunella.adapters.prometheus import renewal, session
from prunella.api import reasons


class Issuer:
    """Gives "1", "2", ... good for ``lasts`` seconds, or fails while ``broken``."""

    def __init__(self, lasts: float = 3600.0) -> None:
        self.now = 1_000_000.0
        self.lasts = lasts
        self.broken = False
        self.asked = 0
        self.values = renewal.Renewed(self.fetch, lambda: self.now)

    def fetch(self) -> renewal.Lease[str]:
        """What is renewed."""
        self.asked += 1
        if self.broken:
            raise session.AskError(reasons.Doubt.UNREACHABLE, f"refused {self.asked}")
        return renewal.Lease(str(self.asked), self.now + self.lasts)


AFTER = {
    "at once": (0.0, "1"),
    "long before its end": (3000.0, "1"),
    "just before it is due": (3600.0 - renewal.EARLY_SECONDS - 1, "1"),
    "when it is due": (3600.0 - renewal.EARLY_SECONDS, "2"),
    "after its end": (3601.0, "2"),
}


@pytest.mark.parametrize(("seconds", "expected"), AFTER.values(), ids=AFTER)
def test_a_value_is_renewed_a_while_before_its_end(seconds: float, expected: str) -> None:
    """No request is sent with a token that may end on its way."""
    issuer = Issuer()
    issuer.values.get()
    issuer.now += seconds

    assert expected == issuer.values.get()


def test_the_old_value_serves_to_its_end_when_renewal_fails() -> None:
    """An issuer that is down for a minute is no reason to be blind."""
    issuer = Issuer()
    issuer.values.get()
    issuer.now += 3600 - renewal.EARLY_SECONDS
    issuer.broken = True

    assert issuer.values.get() == "1"
    issuer.now += renewal.EARLY_SECONDS
    with pytest.raises(session.AskError, match="refused"):
        issuer.values.get()


def test_a_broken_issuer_is_not_stormed() -> None:
    """For some seconds all who ask get the same answer; then it is tried again, and heals."""
    issuer = Issuer()
    issuer.broken = True
    for _ in range(5):
        with pytest.raises(session.AskError, match="refused 1") as caught:
            issuer.values.get()
        assert reasons.Doubt.UNREACHABLE == caught.value.reason
    assert issuer.asked == 1
    issuer.broken = False
    issuer.now += renewal.HOLD_SECONDS

    assert issuer.values.get() == "2"


def test_an_issuer_that_gives_the_same_short_token_is_asked_now_and_then() -> None:
    """A token that is due as soon as it comes is not asked for at each request."""
    issuer = Issuer(lasts=renewal.EARLY_SECONDS - 1)
    assert [issuer.values.get() for _ in range(5)] == ["1"] * 5
    issuer.now += renewal.HOLD_SECONDS

    assert issuer.values.get() == "2"


def test_a_token_that_ends_sooner_than_the_pause_is_renewed() -> None:
    """The pause between askings never makes an ended token serve."""
    issuer = Issuer(lasts=1)
    issuer.values.get()
    issuer.now += 2

    assert issuer.values.get() == "2"


def test_many_threads_ask_once() -> None:
    """Whoever has nothing to send waits for the one that asks."""
    asked = 0
    gate, second_asker = threading.Barrier(8), threading.Barrier(2)

    def fetch() -> renewal.Lease[str]:
        nonlocal asked
        asked += 1
        with contextlib.suppress(threading.BrokenBarrierError):
            second_asker.wait(0.1)
        return renewal.Lease("value", 1e12)

    values = renewal.Renewed(fetch)
    found: list[str] = []

    def work() -> None:
        gate.wait(5)
        found.append(values.get())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(5)

    assert (1, ["value"] * 8) == (asked, found)


def test_nobody_waits_for_a_renewal_while_the_old_value_is_good() -> None:
    """An issuer that is slow holds up one thread, not the round."""
    issuer = Issuer()
    issuer.values.get()
    issuer.now += 3600 - renewal.EARLY_SECONDS
    asking, go_on = threading.Event(), threading.Event()

    def slow() -> renewal.Lease[str]:
        asking.set()
        go_on.wait(5)
        return renewal.Lease("new", issuer.now + 3600)

    issuer.values._fetch = slow
    thread = threading.Thread(target=issuer.values.get)
    thread.start()
    assert asking.wait(5)

    assert issuer.values.get() == "1"
    go_on.set()
    thread.join(5)
    assert issuer.values.get() == "new"


def test_a_failure_is_told_briefly() -> None:
    """Libraries write pages; a condition holds a line."""
    error = renewal.failed("Somebody", ValueError("tried\n\tone\n\ttwo" + " more" * 200))

    assert str(error).startswith("no credentials from Somebody, so nothing was asked: tried one")
    assert len(str(error)) < 600
