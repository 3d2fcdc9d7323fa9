"""Queues, load and flags: the numbers behind the calls."""

from __future__ import annotations

import itertools
import json
import statistics

import pytest

from lab.shop import flags, load, profiles, queueing


@pytest.mark.parametrize(
    ("rate", "service", "servers", "expected"),
    [
        pytest.param(0.5, 1.0, 1, 1.0, id="M/M/1, half full: rho / (mu - lambda)"),
        pytest.param(1.0, 1.0, 2, 1 / 3, id="M/M/2: Erlang C is 1/3"),
        pytest.param(0.0, 1.0, 1, 0.0, id="nobody there"),
    ],
)
def test_waiting(rate: float, service: float, servers: int, expected: float) -> None:
    """Textbook values of the mean wait; all are served."""
    wait, served = queueing.waiting(rate, service, servers)

    assert wait == pytest.approx(expected, rel=1e-3)
    assert served == 1.0


def test_a_queue_that_is_too_full_sheds() -> None:
    """Twice what it can do: half is served, after the longest wait."""
    wait, served = queueing.waiting(4.0, 1.0, 2)

    assert wait == pytest.approx(queueing.LONGEST_WAIT)
    assert served == pytest.approx(0.49, abs=0.01)


def test_nobody_serves_without_servers() -> None:
    """A pool of size 0."""
    assert queueing.waiting(1.0, 1.0, 0)[1] == 0.0


def test_waiting_grows_with_the_load() -> None:
    """Without a jump at the point where it gets too full."""
    waits = [queueing.waiting(rate, 0.01, 4)[0] for rate in range(10, 800, 5)]

    assert waits == sorted(waits)
    assert waits[-1] == queueing.LONGEST_WAIT
    assert max(b - a for a, b in itertools.pairwise(waits)) < 0.1


@pytest.mark.parametrize(
    ("rate", "least", "most", "served"),
    [
        pytest.param(1, 0.01, 0.011, 1.0, id="idle: the work alone"),
        pytest.param(10, 0.01, 0.04, 1.0, id="half the quota"),
        pytest.param(18, 0.1, 0.5, 1.0, id="nearly all of it"),
        pytest.param(40, 1.0, 3.0, 0.5, id="twice the quota"),
    ],
)
def test_computing_on_a_quota(rate: float, least: float, most: float, served: float) -> None:
    """10 ms of work for each request on 0.2 cores."""
    seconds, share = queueing.computing(rate, 0.01, 0.2)

    assert least <= seconds <= most
    assert share == pytest.approx(served)


def test_computing_without_cores() -> None:
    """Nothing is served."""
    assert queueing.computing(1.0, 0.01, 0.0)[1] == 0.0


@pytest.mark.parametrize(
    ("mean", "limit", "least", "most"),
    [
        pytest.param(0.01, 3.0, 0.0, 0.0, id="far below: none at all"),
        pytest.param(1.0, 1.0, 0.3, 0.5, id="mean at the limit: less than half, it is skewed"),
        pytest.param(10.0, 1.0, 0.99, 1.0, id="far above"),
        pytest.param(1.0, 0.0, 1.0, 1.0, id="no patience"),
    ],
)
def test_late(mean: float, limit: float, least: float, most: float) -> None:
    """The share of calls beyond the limit."""
    assert least <= queueing.late(mean, limit) <= most


PLAN = profiles.Load("frontend", "ns", "host", rate=20.0, day=0.5, noise=0.05, patience=10)


def test_load_is_the_same_for_the_same_seed_and_shop() -> None:
    """And another for another."""
    series = [
        [users.rate(second) for second in range(50)]
        for users in (load.Users("a", PLAN, 1), load.Users("a", PLAN, 1), load.Users("b", PLAN, 1))
    ]

    assert series[0] == series[1]
    assert series[0] != series[2]


def test_load_has_a_day() -> None:
    """Up and down by half around its mean, in the length that was asked for."""
    users = load.Users("a", PLAN, day=1000)
    rates = [users.rate(second) for second in range(1000)]

    assert statistics.mean(rates) == pytest.approx(20, rel=0.1)
    assert max(rates) > 26
    assert min(rates) < 14


def _flag(state: str = "ENABLED", chosen: str = "on", value: object = 1) -> str:
    flag = {"state": state, "variants": {"on": value}, "defaultVariant": chosen}
    return json.dumps({"flags": {"f": flag}})


FLAGS = [
    pytest.param(_flag(), 1.0, id="on"),
    pytest.param(_flag(state="DISABLED"), 0.0, id="disabled"),
    pytest.param(_flag(value=True), 1.0, id="true"),
    pytest.param(_flag(chosen="x"), 0.0, id="no such variant"),
    pytest.param(_flag(value="x"), 0.0, id="text"),
    pytest.param('{"flags": {"f": []}}', None, id="no flag at all"),
    pytest.param("{", None, id="no JSON"),
    pytest.param("[]", None, id="no object"),
]


@pytest.mark.parametrize(("text", "value"), FLAGS)
def test_flags(text: str, value: float | None) -> None:
    """A flag's number, as flagd would serve it; a broken file has none."""
    assert flags.read(text).get("f") == value


def test_effects_add_up() -> None:
    """Shares combine as independent ones, factors multiply, the rest adds."""
    one = profiles.effect({"errors": 0.5, "delay": 100, "leak": 1, "queries": 2})
    both = one.plus(one)

    assert (both.errors, both.delay, both.leak, both.queries) == (0.75, 0.2, 2 * 2.0**20, 4)


def test_every_call_and_flag_of_the_catalogue_makes_sense() -> None:
    """Calls lead to programs, and what callees compare they also hold."""
    known = profiles.catalogue().services
    for profile in known.values():
        for call in profile.calls:
            assert call.to in known
            assert call.address in profile.requires
            assert (call.credentials is None) == (known[call.to].accepts is None)
