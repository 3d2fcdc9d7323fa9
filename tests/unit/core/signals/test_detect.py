"""From answers to verdicts: what is Unhealthy, what is Healthy, and all that is Unknown."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import query_analysis
from tests.unit.core import builders, fixtures

Doubt = reasons.Doubt
HEALTHY, UNHEALTHY, UNKNOWN = builders.HEALTHY, builders.UNHEALTHY, builders.UNKNOWN
PODS = {"checkout-1": "checkout", "checkout-2": "checkout", "checkout-3": "checkout"}
GOOD = fixtures.by_deployment(checkout=0.01)
SICK = fixtures.by_deployment(checkout=0.5)


def test_a_finding_tells_value_and_mapping() -> None:
    """A finding says which value was compared with which limit, and how it was mapped."""
    expected = model.Finding(
        signal="errors",
        target=builders.ref(),
        verdict=UNHEALTHY,
        reason="OverLimit",
        message="0.5 is above 0.05",
        value=0.5,
        mapped_by="deployment",
    )
    assert expected == fixtures.finding(fixtures.signal(), fixtures.reading(SICK))


def test_each_target_has_its_own_verdict() -> None:
    """Findings come in the order of the targets; a target without a series is Unknown."""
    answer = fixtures.by_deployment(cart=0.01, checkout=0.5, other=0.5)
    found = fixtures.findings(
        fixtures.signal(),
        fixtures.reading(answer),
        targets=("checkout", "cart", "basket"),
    )
    expected = [("checkout", UNHEALTHY), ("cart", HEALTHY), ("basket", UNKNOWN)]
    assert expected == [(each.target.name, each.verdict) for each in found]
    assert (
        found[-1].message
    ) == "no series is mapped to Deployment/basket (1 series are about other objects)"


@pytest.mark.parametrize("reason", list(Doubt))
@pytest.mark.parametrize("role", ["value", "presence", "ages"])
def test_no_answer_is_unknown(role: str, reason: Doubt) -> None:
    """Every kind of failure of any of the queries makes all targets Unknown, with its words."""
    answers: dict[str, Any] = {
        "value": SICK,
        "presence": SICK,
        "ages": fixtures.vector(fixtures.sample(5.0)),
    }
    reading = fixtures.reading(**{**answers, role: model.Failure(reason, "what happened")})
    found = fixtures.findings(fixtures.signal(), reading, targets=("checkout", "cart"))
    assert [(UNKNOWN, reason, "what happened")] * 2 == [
        (each.verdict, each.reason, each.message) for each in found
    ]


@pytest.mark.parametrize("role", ["bad", "total"])
def test_half_a_ratio_is_unknown(role: str) -> None:
    """A ratio needs both of its answers."""
    answers: dict[str, Any] = {"bad": SICK, "total": SICK}
    failure = model.Failure(Doubt.TIMEOUT, "no answer within 10 s")
    found = fixtures.finding(fixtures.ratio(), fixtures.reading(**{**answers, role: failure}))
    assert (found.verdict, found.reason) == (UNKNOWN, Doubt.TIMEOUT)


DOUBTS = {
    "an empty answer": (
        fixtures.vector(),
        Doubt.NO_DATA,
        "no series is mapped to Deployment/checkout",
    ),
    "series of others only": (
        fixtures.by_deployment(batch=9.0),
        Doubt.NO_DATA,
        "no series is mapped to Deployment/checkout (1 series are about other objects)",
    ),
    "not a number": (
        fixtures.by_deployment(checkout=math.nan),
        Doubt.NOT_A_NUMBER,
        "the value is nan, which is no measurement",
    ),
    "infinity": (
        fixtures.by_deployment(checkout=math.inf),
        Doubt.NOT_A_NUMBER,
        "the value is inf, which is no measurement",
    ),
    "negative infinity": (
        fixtures.by_deployment(checkout=-math.inf),
        Doubt.NOT_A_NUMBER,
        "the value is -inf, which is no measurement",
    ),
    "the same key twice": (
        fixtures.vector(
            fixtures.sample(0.5, deployment="checkout", job="a"),
            fixtures.sample(0.5, deployment="checkout", job="b"),
        ),
        Doubt.DUPLICATE_SERIES,
        "more than one series for Deployment/checkout: aggregate by its labels",
    ),
    "no labels": (
        fixtures.vector(fixtures.sample(0.5)),
        Doubt.NO_MAPPING_LABELS,
        (
            "a series with labels {} names no target; "
            "keep one of: namespace, exported_namespace, deployment, pod, exported_pod"
        ),
    ),
}


@pytest.mark.parametrize(("answer", "reason", "message"), DOUBTS.values(), ids=DOUBTS)
def test_an_answer_that_proves_nothing_is_unknown(
    answer: model.Answer, reason: Doubt, message: str
) -> None:
    """What is empty, not a number, ambiguous or unmappable is Unknown with its own reason."""
    found = fixtures.finding(fixtures.signal(), fixtures.reading(answer))
    assert (UNKNOWN, reason, message) == (found.verdict, found.reason, found.message)


def test_infos_change_nothing() -> None:
    """Hints of the source are only shown."""
    hinted = fixtures.vector(*SICK.samples, infos=("metric might not be a counter",))
    with_hint = fixtures.finding(fixtures.signal(), fixtures.reading(hinted))
    assert fixtures.finding(fixtures.signal(), fixtures.reading(SICK)) == with_hint


SINGLE = fixtures.signal(mapping={"single": True}, labels=())


@pytest.mark.parametrize(
    ("answer", "expected"),
    {
        "one series without labels": (
            fixtures.vector(fixtures.sample(0.5)),
            (UNHEALTHY, "single"),
        ),
        "a series with labels": (SICK, (UNKNOWN, "")),
        "no series": (fixtures.vector(), (UNKNOWN, "")),
        "two series": (
            fixtures.vector(fixtures.sample(1), fixtures.sample(1)),
            (UNKNOWN, ""),
        ),
    }.values(),
)
def test_mapping_single(answer: model.Answer, expected: tuple[model.Verdict, str]) -> None:
    """With ``mapping: single`` just one series without labels is believed."""
    found = fixtures.finding(SINGLE, fixtures.reading(answer))
    assert expected == (found.verdict, found.mapped_by)


# Freshness

AGES = {
    "fresh": (10.0, 5.0, {}, None),
    "at the limit": (30.0, 5.0, {}, None),
    "older than the least limit": (31.0, 5.0, {}, "31 s old, the limit is 30 s"),
    "within three long scrapes": (90.0, 30.0, {}, None),
    "older than three long scrapes": (91.0, 30.0, {}, "91 s old, the limit is 90 s"),
    "the policy's own limit is shorter": (
        11.0,
        30.0,
        {"staleAfter": "10s"},
        "11 s old, the limit is 10 s",
    ),
    "the policy's own limit is longer": (299.0, 5.0, {"staleAfter": "5m"}, None),
    "endlessly old": (math.inf, 5.0, {}, "inf s old, the limit is 30 s"),
    "of an age that is no number": (math.nan, 5.0, {}, "inf s old, the limit is 30 s"),
}


@pytest.mark.parametrize(("age", "scrape", "fields", "stale"), AGES.values(), ids=AGES)
@pytest.mark.parametrize("answer", [GOOD, SICK], ids=["good", "sick"])
def test_old_data_is_unknown(
    answer: model.Answer, age: float, scrape: float, fields: dict[str, Any], stale: str | None
) -> None:
    """Data older than three scrapes and 30 s, or than ``staleAfter``, is not believed."""
    reading = fixtures.reading(answer, ages=age, scrape_seconds=scrape)
    found = fixtures.finding(fixtures.signal(**fields), reading)
    if stale is None:
        assert HEALTHY is found.verdict if answer is GOOD else UNHEALTHY is found.verdict
    else:
        expected = (UNKNOWN, Doubt.STALE, f"the newest sample is {stale}")
        assert expected == (found.verdict, found.reason, found.message)


def _leaf(age: float, leaf: int = 0, **labels: str) -> model.Sample:
    return fixtures.sample(age, **{query_analysis.LEAF_LABEL: str(leaf), **labels})


FRESHNESS = {
    "its own age": ([_leaf(5, deployment="checkout"), _leaf(99, deployment="cart")], None),
    "its own old age": ([_leaf(99, deployment="checkout"), _leaf(5, deployment="cart")], 99),
    "the oldest of two leaves": (
        [_leaf(5, 0, deployment="checkout"), _leaf(99, 1, deployment="checkout")],
        99,
    ),
    "the oldest of its pods": ([_leaf(5, pod="checkout-1"), _leaf(99, pod="checkout-2")], 99),
    "another's pod": ([_leaf(5, pod="checkout-1"), _leaf(99, pod="cart-1")], None),
    "an age for all": ([_leaf(5)], None),
    "an old age for all": ([_leaf(99)], 99),
    "its own and an older for all": ([_leaf(5, deployment="checkout"), _leaf(99, 1)], 99),
    "its own and a fresher for all": ([_leaf(99, deployment="checkout"), _leaf(5, 1)], 99),
    "an age of its namespace": ([_leaf(99, namespace="shop")], 99),
    "one age is no number": ([_leaf(5, 0), _leaf(math.nan, 1)], math.inf),
}


@pytest.mark.parametrize(("ages", "stale"), FRESHNESS.values(), ids=FRESHNESS)
def test_freshness_is_judged_target_by_target(
    ages: list[model.Sample], stale: float | None
) -> None:
    """The oldest leaf counts: those with the target's labels, and those that name no target."""
    reading = fixtures.reading(SICK, ages=fixtures.vector(*ages))
    found = fixtures.finding(fixtures.signal(), reading, pods={**PODS, "cart-1": "cart"})
    expected = UNHEALTHY if stale is None else UNKNOWN
    assert (expected, stale is not None) == (found.verdict, found.reason == Doubt.STALE)
    if stale is not None:
        assert f"the newest sample is {stale:.0f} s old, the limit is 30 s" == found.message


@pytest.mark.parametrize(
    "ages",
    [fixtures.vector(), fixtures.vector(_leaf(5, deployment="cart"))],
    ids=["no age", "another's age"],
)
def test_data_without_an_age_is_unknown(ages: model.Answer) -> None:
    """A value that rests on nothing with a time can't be believed."""
    found = fixtures.finding(fixtures.signal(), fixtures.reading(SICK, ages=ages))
    message = "the age of the data can't be told: the query names no metric of this target"
    assert (UNKNOWN, Doubt.STALE, message) == (found.verdict, found.reason, found.message)


@pytest.mark.parametrize(
    "fields",
    [
        {"mapping": {"namespace": "ns", "name": "service"}, "labels": ("ns", "service")},
        {"labels": ("ns", *fixtures.DEPLOYMENT_LABELS)},
    ],
    ids=["mapping", "source"],
)
def test_an_own_namespace_label_names_no_target(fields: dict[str, Any]) -> None:
    """An age that is only by the namespace counts for all, whatever that label is called."""
    answer = fixtures.vector(
        fixtures.sample(0.5, ns="shop", service="checkout", deployment="checkout")
    )
    ages = fixtures.vector(_leaf(99, ns="shop"))
    found = fixtures.finding(fixtures.signal(**fields), fixtures.reading(answer, ages=ages))
    assert found.message == "the newest sample is 99 s old, the limit is 30 s"


# An empty answer

ON_EMPTY: dict[str, Any] = {"onEmpty": "Healthy", "presence": "up"}
EMPTY = fixtures.vector()
PRESENT = fixtures.by_deployment(checkout=1.0)
EMPTIES = {
    "empty, with presence": (ON_EMPTY, EMPTY, PRESENT, HEALTHY, "EmptyIsHealthy"),
    "empty, present twice": (
        ON_EMPTY,
        EMPTY,
        fixtures.vector(*PRESENT.samples, *PRESENT.samples),
        HEALTHY,
        "EmptyIsHealthy",
    ),
    "empty, nothing was present": (ON_EMPTY, EMPTY, EMPTY, UNKNOWN, Doubt.NO_DATA),
    "empty, another was present": (
        ON_EMPTY,
        EMPTY,
        fixtures.by_deployment(cart=1.0),
        UNKNOWN,
        Doubt.NO_DATA,
    ),
    "not written out": ({"presence": "up"}, EMPTY, PRESENT, UNKNOWN, Doubt.NO_DATA),
    "not empty": (ON_EMPTY, SICK, PRESENT, UNHEALTHY, "OverLimit"),
    "not empty, nothing was present": (ON_EMPTY, SICK, EMPTY, UNHEALTHY, "OverLimit"),
}


@pytest.mark.parametrize(
    ("fields", "answer", "presence", "verdict", "reason"), EMPTIES.values(), ids=EMPTIES
)
def test_an_empty_answer_is_healthy_only_with_proof(
    fields: dict[str, Any],
    answer: model.Answer,
    presence: model.Answer,
    verdict: model.Verdict,
    reason: str,
) -> None:
    """``onEmpty: Healthy`` holds where the presence query returned data of the same target."""
    found = fixtures.finding(fixtures.signal(**fields), fixtures.reading(answer, presence=presence))
    assert (verdict, reason) == (found.verdict, found.reason)


def test_an_old_presence_proves_nothing() -> None:
    """Presence that is only remembered from before the source stopped is Unknown."""
    reading = fixtures.reading(EMPTY, presence=PRESENT, ages=60.0)
    found = fixtures.finding(fixtures.signal(**ON_EMPTY), reading)
    assert (found.verdict, found.reason) == (UNKNOWN, Doubt.STALE)


@given(
    samples=st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from(["deployment", "pod", "namespace", "job"]),
                st.sampled_from(["checkout", "checkout-1", "checkout-2", "shop", "bank", ""]),
            ),
            st.floats(),
        ),
        max_size=4,
    ),
    age=st.floats(),
)
def test_whatever_comes_only_fresh_numbers_of_the_target_are_judged(
    samples: list[tuple[dict[str, Any], float]], age: float
) -> None:
    """An Unhealthy verdict rests on a finite value beyond the limit and on fresh data."""
    answer = model.Vector(tuple(model.Sample(labels, value) for labels, value in samples))
    found = fixtures.finding(fixtures.signal(), fixtures.reading(answer, ages=age), pods=PODS)
    if found.verdict is not UNKNOWN:
        assert age <= 30
        assert found.value is not None
        assert math.isfinite(found.value)
        assert (found.verdict is UNHEALTHY) == (found.value > 0.05)
        assert any(value == found.value for _, value in samples)
