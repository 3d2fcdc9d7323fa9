"""Who is suspected of a harm, in which order, and with which evidence."""

from __future__ import annotations

import numpy as np
import pytest

from prunella.core import model
from prunella.core.incidents import anomalies, suspects
from prunella.core.incidents.anomalies import Quantity

CALLS = {"front": ["cart", "search"], "cart": ["db"], "search": ["db"], "db": [], "mail": []}
SECONDS = {"front": 0.2, "cart": 0.08, "search": 0.05, "db": 0.01, "mail": 0.02}
REQUESTS = {"front": 100.0, "cart": 100.0, "search": 100.0, "db": 400.0, "mail": 10.0}
TIMES = 1000.0 + 60.0 * np.arange(6)


def ref(name: str) -> model.Ref:
    """A service."""
    return model.Ref("Service", "shop", name)


LINKS = {ref(name): [ref(each) for each in callees] for name, callees in CALLS.items()}


def noise(name: str, rows: int, seed: int = 0) -> np.ndarray:
    """Usual latency: a tenth of noise."""
    rng = np.random.default_rng([seed, *name.encode()])
    return SECONDS[name] * (1 + 0.1 * rng.standard_normal(rows))


def latency(name: str, slower: float = 0.0, since: int = 2) -> anomalies.Measurement:
    """A service's latency, slower by seconds from a sample of the recent window on."""
    recent = noise(name, len(TIMES), 1)
    recent[since:] += slower
    return anomalies.Measurement(
        ref(name), Quantity.LATENCY, noise(name, 300), recent, TIMES, REQUESTS[name]
    )


def errors(name: str, share: float = 0.0) -> anomalies.Measurement:
    """A service's error share, which is usually nothing."""
    recent = np.full(len(TIMES), share)
    return anomalies.Measurement(
        ref(name), Quantity.ERRORS, np.zeros(300), recent, TIMES, REQUESTS[name]
    )


def names(slower: dict[str, float], since: dict[str, int] | None = None) -> list[str]:
    """The suspects of a slow front end."""
    begun = since or {}
    some = [latency(name, slower.get(name, 0.0), begun.get(name, 2)) for name in SECONDS]
    return [each.target.name for each in suspects.rank(some, LINKS, ref("front"), Quantity.LATENCY)]


RANKINGS = [
    pytest.param({}, [], id="nothing is abnormal: nobody is suspected"),
    pytest.param({"mail": 1.0}, [], id="what the symptom does not depend on is no suspect"),
    pytest.param({"front": 0.3}, ["front"], id="a service may be slow by itself"),
    pytest.param(
        {"front": 0.3, "cart": 0.3}, ["cart", "front"], id="a caller is explained by its callee"
    ),
    pytest.param(
        {"front": 0.5, "cart": 0.25, "search": 0.25, "db": 0.125},
        ["db", "front", "cart", "search"],
        id="a database behind two services, called twice by each",
    ),
    pytest.param(
        {"front": 0.3, "cart": 0.3, "db": 0.004},
        ["cart", "front", "db"],
        id="4 ms do not explain 300, however rare they are",
    ),
    pytest.param(
        {"front": 0.6, "cart": 0.2, "search": 0.4},
        ["search", "cart", "front"],
        id="two independent causes are both named, the greater first",
    ),
]


@pytest.mark.parametrize(("slower", "expected"), RANKINGS)
def test_who_has_most_harm_of_its_own_comes_first(
    slower: dict[str, float], expected: list[str]
) -> None:
    """Seconds lost at a callee are taken from those of its callers."""
    found = names(slower)
    assert (expected[:1], sorted(expected)) == (found[:1], sorted(found))


def test_of_two_with_the_same_harm_the_earlier_comes_first() -> None:
    """Both lose the same; one began a minute before."""
    slower = {"front": 0.4, "cart": 0.2, "search": 0.201}
    assert "search" == names(slower, {"cart": 3, "search": 2})[0]
    assert "cart" == names(slower, {"cart": 2, "search": 3})[0]


@pytest.mark.parametrize("since", range(5))
def test_a_late_detection_changes_nothing(since: int) -> None:
    """The fault may fill the window or only its end."""
    both = {"front": since, "cart": since}
    assert "cart" == names({"front": 0.3, "cart": 0.3}, both)[0]


def test_a_single_spike_is_no_fault() -> None:
    """One sample out of six, with a usual history that has such spikes."""
    usual = noise("cart", 300)
    usual[::20] += 0.5
    recent = noise("cart", len(TIMES), 1)
    recent[3] += 0.5
    one = anomalies.Measurement(ref("cart"), Quantity.LATENCY, usual, recent, TIMES, 100.0)
    assert () == suspects.rank([one], LINKS, ref("front"), Quantity.LATENCY)


def test_failed_requests_count_not_shares() -> None:
    """A half of 10 requests is less than a tenth of 400."""
    some = [errors("front", 0.4), errors("db", 0.1), errors("search", 0.0), errors("mail", 0.5)]
    links = {**LINKS, ref("front"): [ref("db"), ref("mail")]}
    found = suspects.rank(some, links, ref("front"), Quantity.ERRORS)
    assert ["db", "mail", "front"] == [each.target.name for each in found]
    assert 1.0 == pytest.approx(sum(each.score for each in found))


def test_every_suspect_has_evidence_with_numbers() -> None:
    """How it deviates, since when, and what its callees explain."""
    some = [latency("front", 0.3), latency("cart", 0.3), latency("db")]
    first, second = suspects.rank(some, LINKS, ref("front"), Quantity.LATENCY)
    anomaly, topology = (each.sentence for each in first.evidence)
    assert anomaly.startswith("latency of Service/cart 0.38")
    assert "usually 0.07972s since 00:18:40 UTC: " in anomaly
    assert "nothing that it calls is abnormal, 30.8 s lost per sample are its own" == topology
    assert second.evidence[1].sentence.startswith("1 of what it calls are abnormal and explain 30")


TOO_LITTLE = [
    pytest.param(np.full(300, np.nan), TIMES * 0 + 1, id="no usual sample"),
    pytest.param(np.ones(7), TIMES[:5] * 0 + 9, id="seven usual samples"),
    pytest.param(np.ones(300), TIMES * np.nan, id="no recent sample"),
    pytest.param(np.ones(300), np.array([]), id="an empty window"),
    pytest.param(np.full(300, 0.0), TIMES * 0 + 0.001, id="a change of 1 ms matters to nobody"),
]


@pytest.mark.parametrize(("usual", "recent"), TOO_LITTLE)
def test_too_little_is_no_anomaly(usual: np.ndarray, recent: np.ndarray) -> None:
    """What is not known is not held against anybody."""
    one = anomalies.Measurement(ref("cart"), Quantity.LATENCY, usual, recent, TIMES)
    assert () == suspects.rank([one], LINKS, ref("cart"), Quantity.LATENCY)


def test_calls_in_a_circle_end() -> None:
    """Two services that call each other, and one of them itself."""
    links = {ref("cart"): [ref("search"), ref("cart")], ref("search"): [ref("cart")]}
    some = [latency("cart", 0.3), latency("search", 0.1)]
    found = suspects.rank(some, links, ref("search"), Quantity.LATENCY)
    assert "cart" == found[0].target.name
