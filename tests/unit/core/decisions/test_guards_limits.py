"""Limits in time and over sets: from one target to a hundred, with the numbers compared."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import policy_status, reasons
from prunella.core import model, objects
from prunella.core.decisions import guards
from prunella.core.decisions.guards import blast_radius, limits, timing
from prunella.core.decisions.rules import Rules
from tests.unit.core import builders
from tests.unit.core.builders import minutes, record, seconds

Phase, Refused = reasons.Phase, reasons.Refused
OTHER, FOREIGN = objects.Key("shop", "other"), objects.Key("bank", "ledger")
CART = builders.workload("cart")
VAULT = builders.workload("vault", "bank")
SIZES = (1, 2, 3, 4, 5, 100)


# Cooldown

REST = "no action in the last 600 s"


def _cooling(name: str, ago: int) -> model.Refusal:
    return model.Refusal(Refused.COOLDOWN, f"{name} was {ago} s ago, the cooldown is 600 s")


COOLDOWNS: dict[str, tuple[list[objects.Record], guards.Answer]] = {
    "no records": ([], REST),
    "a moment too early": ([record("r1", ago=seconds(599))], _cooling("r1", 599)),
    "just in time": ([record("r1", ago=seconds(600))], REST),
    "the newest counts": (
        [record("r2", ago=seconds(60)), record("r1", ago=seconds(300))],
        _cooling("r2", 60),
    ),
    "the policy's other target": ([record("r1", target=CART, ago=seconds(60))], _cooling("r1", 60)),
    "another policy on the target": (
        [record("r1", key=OTHER, ago=seconds(60))],
        _cooling("r1", 60),
    ),
    "another policy on another target": (
        [record("r1", key=OTHER, target=CART, ago=seconds(60))],
        REST,
    ),
    **{
        f"what came back: {action}": ([record("r1", action=action, ago=seconds(60))], REST)
        for action in ("returnNode", "returnTraffic")
    },
    "a revert needs time to show": (
        [record("r1", action="revert", ago=seconds(60))],
        _cooling("r1", 60),
    ),
    **{
        f"nothing was sent: {phase}": ([record("r1", phase, ago=seconds(60))], REST)
        for phase in (Phase.PENDING, Phase.ADVISED, Phase.DRY_RUN, Phase.NOT_SENT)
    },
    **{
        f"it may have been sent: {phase}": (
            [record("r1", phase, ago=seconds(60))],
            _cooling("r1", 60),
        )
        for phase in sorted(reasons.ACTED)
    },
}


@pytest.mark.parametrize(("records", "expected"), COOLDOWNS.values(), ids=COOLDOWNS)
def test_cooled_down(records: list[objects.Record], expected: guards.Answer) -> None:
    """Between two actions of a policy, and between two on a target, lies the cooldown."""
    assert expected == timing.cooled_down(builders.case(records=records))


def test_the_cooldown_is_the_policy_s() -> None:
    """A written cooldown replaces the default."""
    policy = builders.policy(guards={"cooldown": "1m"})
    records = [record("r1", ago=seconds(61))]
    answer = timing.cooled_down(builders.case(of=policy, records=records))
    assert answer == "no action in the last 60 s"


def test_a_follow_up_needs_no_cooldown() -> None:
    """The next step comes when the one before was found unhelpful, not later."""
    before = record("r1", Phase.UNHELPFUL, ago=seconds(60))
    case = builders.case(records=[before], follows=before)
    assert timing.cooled_down(case) == "follows r1"


# Per hour


def _acted(
    count: int,
    key: objects.Key = builders.KEY,
    target: model.Workload = CART,
    ago: float = 59.0,
    action: str = "restart",
    phase: reasons.Phase = Phase.SUCCEEDED,
) -> list[objects.Record]:
    return [
        record(f"{key.name}-{n}", phase, key=key, target=target, ago=minutes(ago), action=action)
        for n in range(count)
    ]


HOURLY: dict[str, tuple[list[objects.Record], str, str]] = {
    "none": ([], "", "0 of 3 of the policy, 0 of 5 in namespace shop, 0 of 10 in the cluster"),
    "one less than the policy may": (
        _acted(2),
        "",
        "2 of 3 of the policy, 2 of 5 in namespace shop, 2 of 10 in the cluster",
    ),
    "as many as the policy may": (
        _acted(3),
        Refused.POLICY_HOURLY_LIMIT,
        "3 actions of the policy in the last hour, the limit is 3",
    ),
    "one less than the namespace may": (
        [*_acted(2), *_acted(2, OTHER)],
        "",
        "2 of 3 of the policy, 4 of 5 in namespace shop, 4 of 10 in the cluster",
    ),
    "as many as the namespace may": (
        [*_acted(2), *_acted(3, OTHER)],
        Refused.NAMESPACE_HOURLY_LIMIT,
        "5 actions in namespace shop in the last hour, the limit is 5",
    ),
    "one less than the cluster may": (
        [*_acted(2), *_acted(7, FOREIGN, VAULT)],
        "",
        "2 of 3 of the policy, 2 of 5 in namespace shop, 9 of 10 in the cluster",
    ),
    "as many as the cluster may": (
        [*_acted(2), *_acted(8, FOREIGN, VAULT)],
        Refused.CLUSTER_HOURLY_LIMIT,
        "10 actions in the cluster in the last hour, the limit is 10",
    ),
    "an hour ago": (
        _acted(9, ago=60.0),
        "",
        "0 of 3 of the policy, 0 of 5 in namespace shop, 0 of 10 in the cluster",
    ),
    **{
        f"what takes back: {action}": (
            _acted(9, action=action),
            "",
            "0 of 3 of the policy, 0 of 5 in namespace shop, 0 of 10 in the cluster",
        )
        for action in ("revert", "returnNode", "returnTraffic")
    },
    "advice": (
        _acted(9, phase=Phase.ADVISED),
        "",
        "0 of 3 of the policy, 0 of 5 in namespace shop, 0 of 10 in the cluster",
    ),
}


@pytest.mark.parametrize(("records", "reason", "message"), HOURLY.values(), ids=HOURLY)
def test_within_hourly_limits(records: list[objects.Record], reason: str, message: str) -> None:
    """The policy, its namespace and the cluster each have a limit in any hour."""
    expected = model.Refusal(Refused(reason), message) if reason else message
    assert expected == limits.within_hourly_limits(builders.case(records=records))


def test_hourly_limits_are_settings() -> None:
    """``maxPerHour`` is the policy's, the others are the operator's; follow-ups count as well."""
    before = _acted(1)
    policy = builders.policy(guards={"maxPerHour": 1})
    case = builders.case(of=policy, records=before, follows=before[0])
    message = "1 actions of the policy in the last hour, the limit is 1"
    refusal = model.Refusal(Refused.POLICY_HOURLY_LIMIT, message)
    assert refusal == limits.within_hourly_limits(case)
    rules = Rules(actions_per_namespace_per_hour=7, actions_per_cluster_per_hour=8)
    answer = limits.within_hourly_limits(builders.case(records=before, rules=rules))
    assert answer == "1 of 3 of the policy, 1 of 7 in namespace shop, 1 of 8 in the cluster"


# The same remedy in a day


def _same(count: int, ago: float = 23.9 * 60, **changes: Any) -> list[objects.Record]:
    return [record(f"r{n}", ago=minutes(ago), **changes) for n in range(count)]


def _numbers(count: int, action: str = "restart", limit: int = 4) -> str:
    times = f"{action} was done {count} times to Deployment/checkout in 24 h"
    return f"{times}, the limit is {limit}"


MASKED = f"{_numbers(4)}: it masks a cause; `prunella resume checkout -n shop` clears this"
STOPPED = policy_status.Unattended(
    name="checkout", since=builders.NOW - minutes(3000), refused="SameRemedyLimit", refusal=MASKED
)


def _stopped(generation: int = 1, **changes: Any) -> policy_status.RemediationPolicyStatus:
    entry = STOPPED.model_copy(update=changes)
    return policy_status.RemediationPolicyStatus(observed_generation=generation, unattended=[entry])


SAME: dict[str, tuple[list[objects.Record], dict[str, Any], str]] = {
    "none": ([], {}, _numbers(0)),
    "one less than the limit": (_same(3), {}, _numbers(3)),
    "as many as the limit": (_same(4), {}, MASKED),
    "more than the limit": (_same(27, ago=60), {}, MASKED.replace("4 times", "27 times")),
    "each of them helped or not": (_same(4, phase=Phase.UNHELPFUL), {}, MASKED),
    "a day ago": (_same(9, ago=24 * 60), {}, _numbers(0)),
    "never sent": (_same(9, phase=Phase.NOT_SENT), {}, _numbers(0)),
    "advice": (_same(9, phase=Phase.ADVISED), {}, _numbers(0)),
    "another remedy": (_same(9, action="scale"), {}, _numbers(0)),
    "another target": (_same(9, target=CART), {}, _numbers(0)),
    "another policy": (_same(9, key=OTHER), {}, _numbers(0)),
    "a target made anew": (
        _same(4, target=builders.workload(uid="old")),
        {},
        MASKED,
    ),
    "as the policy writes it": (
        _same(1),
        {"guards": {"maxSameRemedyPerDay": 1}},
        MASKED.replace("4 times", "1 times").replace("is 4", "is 1"),
    ),
    "resumed since": (
        _same(4),
        {"annotations": builders.resumed(builders.NOW - minutes(23 * 60))},
        _numbers(0),
    ),
    "resumed before": (
        _same(4),
        {"annotations": builders.resumed(builders.NOW - minutes(23.95 * 60))},
        MASKED,
    ),
    "stopped two days ago and still sick": ([], {"status": _stopped()}, MASKED),
    "stopped, then resumed": (
        [],
        {"status": _stopped(), "annotations": builders.resumed(builders.NOW - minutes(1))},
        _numbers(0),
    ),
    "stopped, then edited": ([], {"status": _stopped(generation=0)}, _numbers(0)),
    "another target was stopped": ([], {"status": _stopped(name="cart")}, _numbers(0)),
    "refused for another reason": ([], {"status": _stopped(refused="Cooldown")}, _numbers(0)),
}


@pytest.mark.parametrize(("records", "fields", "message"), SAME.values(), ids=SAME)
def test_not_masking_a_cause(
    records: list[objects.Record], fields: dict[str, Any], message: str
) -> None:
    """The same to the same target four times in a day, and no more until a person looks."""
    stops = "masks a cause" in message
    expected = model.Refusal(Refused.SAME_REMEDY_LIMIT, message) if stops else message
    case = builders.case(of=builders.policy(**fields), records=records)
    assert expected == limits.not_masking_a_cause(case)


# Shares: at most so many at work, at most so many sick


def _at_work(count: int, key: objects.Key = builders.KEY) -> list[objects.Record]:
    """Unfinished records on the first targets of a set."""
    return [
        record(f"r{n}", Phase.VERIFYING, key=key, target=builders.workload(f"app-{n}"))
        for n in range(count)
    ]


UNAVAILABLE = dict(zip(SIZES, (1, 1, 1, 1, 1, 10), strict=True))


def _share(size: int) -> str:
    return f"25% of {size} is less than one, one always is" if size < 4 else "25%"


@pytest.mark.parametrize(("size", "allowed"), UNAVAILABLE.items())
def test_max_unavailable_by_default(size: int, allowed: int) -> None:
    """25 %, rounded down, at least one and at most ten may be at work before another begins."""
    verdicts = builders.verdicts(healthy=size)
    last = builders.case(verdicts=verdicts, records=_at_work(allowed - 1))
    numbers = f"{allowed - 1} of {size} targets in flight, {allowed} allowed ({_share(size)})"
    assert numbers == blast_radius.not_too_many_unavailable(last)
    full = builders.case(verdicts=verdicts, records=_at_work(allowed))
    numbers = f"{allowed} of {size} targets in flight, {allowed} allowed ({_share(size)})"
    refusal = model.Refusal(Refused.MAX_UNAVAILABLE, numbers)
    assert refusal == blast_radius.not_too_many_unavailable(full)


@pytest.mark.parametrize(
    ("limit", "sick", "words"),
    [
        ("20%", 2, "1 allowed (20%)"),
        ("19%", 2, "1 allowed (19% of 5 is less than one, one always is)"),
        (1, 2, "1 allowed (1)"),
        (0, 1, "0 allowed (0)"),
    ],
)
def test_a_share_that_is_less_than_one_is_said_as_it_is(
    limit: int | str, sick: int, words: str
) -> None:
    """One is always allowed, also where a fifth of the set is less."""
    policy = builders.policy(guards={"stopWhenUnhealthy": limit})
    verdicts = builders.verdicts(unhealthy=sick, healthy=5 - sick)
    refusal = blast_radius.not_too_many_unhealthy(builders.case(of=policy, verdicts=verdicts))
    message = f"{sick} of 5 targets of this policy sick, {words}"
    assert model.Refusal(Refused.TOO_MANY_UNHEALTHY, message) == refusal


@pytest.mark.parametrize(
    ("limit", "at_work", "refused"), [(0, 0, True), (2, 1, False), (2, 2, True), ("50%", 1, False)]
)
def test_max_unavailable_as_written(limit: int | str, at_work: int, *, refused: bool) -> None:
    """A number is taken as it is; zero means that nothing is ever done."""
    policy = builders.policy(guards={"maxUnavailable": limit})
    verdicts = builders.verdicts(healthy=4)
    case = builders.case(of=policy, verdicts=verdicts, records=_at_work(at_work))
    assert refused == isinstance(blast_radius.not_too_many_unavailable(case), model.Refusal)


def test_only_the_policy_s_own_work_counts() -> None:
    """Others' actions, ended ones and the case's own leave room; targets are counted, once."""
    verdicts = builders.verdicts(healthy=5)
    records = [
        *_at_work(3, OTHER),
        record("done", Phase.SUCCEEDED, target=builders.workload("app-4")),
        record("own", Phase.PENDING, target=builders.workload("app-0")),
    ]
    case = builders.case(verdicts=verdicts, records=records, own_record="own")
    assert (
        blast_radius.not_too_many_unavailable(case) == "0 of 5 targets in flight, 1 allowed (25%)"
    )
    twice = [*_at_work(1), record("again", Phase.ACTING, target=builders.workload("app-0"))]
    policy = builders.policy(guards={"maxUnavailable": 2})
    case = builders.case(of=policy, verdicts=verdicts, records=twice)
    assert blast_radius.not_too_many_unavailable(case) == "1 of 5 targets in flight, 2 allowed (2)"


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_small_set_says_nothing_about_how_much_is_sick(size: int) -> None:
    """Below five targets in policy and namespace the share is not judged, and that is said."""
    case = builders.case(verdicts=builders.verdicts(unhealthy=size))
    expected = f"20% not judged: {size} targets of namespace shop, fewer than 5, may all be sick"
    assert expected == blast_radius.not_too_many_unhealthy(case)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_small_set_is_judged_with_its_namespace(size: int) -> None:
    """With the targets of the namespace's other policies there are five, of which one may be."""
    own = builders.verdicts(unhealthy=1, healthy=size - 1)
    peers = builders.verdicts(healthy=5 - size, prefix="peer")
    message = "1 of 5 targets of namespace shop sick, 1 allowed (20%)"
    case = builders.case(verdicts=own, peers=peers)
    assert message == blast_radius.not_too_many_unhealthy(case)
    peers = builders.verdicts(unhealthy=1, healthy=4 - size, prefix="peer")
    message = "2 of 5 targets of namespace shop sick, 1 allowed (20%)"
    refusal = model.Refusal(Refused.TOO_MANY_UNHEALTHY, message)
    case = builders.case(verdicts=own, peers=peers)
    assert refusal == blast_radius.not_too_many_unhealthy(case)


@pytest.mark.parametrize(("size", "allowed"), [(5, 1), (9, 1), (10, 2), (100, 20)])
@pytest.mark.parametrize("sick_peers", [0, 50])
def test_a_large_set_is_judged_by_itself(size: int, allowed: int, sick_peers: int) -> None:
    """From five targets up 20 % of the policy's own may be sick, whatever the others are."""
    peers = builders.verdicts(unhealthy=sick_peers, prefix="peer")
    fine = builders.verdicts(unhealthy=allowed, healthy=size - allowed)
    message = f"{allowed} of {size} targets of this policy sick, {allowed} allowed (20%)"
    case = builders.case(verdicts=fine, peers=peers)
    assert message == blast_radius.not_too_many_unhealthy(case)
    bad = builders.verdicts(unhealthy=allowed + 1, healthy=size - allowed - 1)
    message = f"{allowed + 1} of {size} targets of this policy sick, {allowed} allowed (20%)"
    case = builders.case(verdicts=bad, peers=peers)
    refusal = model.Refusal(Refused.TOO_MANY_UNHEALTHY, message)
    assert refusal == blast_radius.not_too_many_unhealthy(case)


def test_targets_in_flight_count_as_sick() -> None:
    """Whoever acts on a target of the set, it is counted once, and its own record not at all."""
    verdicts = builders.verdicts(unhealthy=1, healthy=9)
    records = _at_work(2, OTHER)
    case = builders.case(verdicts=verdicts, records=records)
    message = "2 of 10 targets of this policy sick, 2 allowed (20%)"
    assert message == blast_radius.not_too_many_unhealthy(case)
    case = builders.case(verdicts=verdicts, records=_at_work(3, OTHER))
    message = "3 of 10 targets of this policy sick, 2 allowed (20%)"
    refusal = model.Refusal(Refused.TOO_MANY_UNHEALTHY, message)
    assert refusal == blast_radius.not_too_many_unhealthy(case)
    case = builders.case(verdicts=verdicts, records=_at_work(3, OTHER), own_record="r2")
    assert not isinstance(blast_radius.not_too_many_unhealthy(case), model.Refusal)


def test_a_target_is_sick_if_any_policy_says_so() -> None:
    """A target of two policies is sick by the one although the other sees nothing."""
    own = builders.verdicts(unhealthy=1, healthy=3)
    peers = {builders.ref("app-3"): builders.UNHEALTHY, builders.ref("x"): builders.HEALTHY}
    message = "2 of 5 targets of namespace shop sick, 1 allowed (20%)"
    refusal = model.Refusal(Refused.TOO_MANY_UNHEALTHY, message)
    case = builders.case(verdicts=own, peers=peers)
    assert refusal == blast_radius.not_too_many_unhealthy(case)


def test_stop_when_unhealthy_as_written() -> None:
    """A number is taken as it is."""
    policy = builders.policy(guards={"stopWhenUnhealthy": 3})
    case = builders.case(of=policy, verdicts=builders.verdicts(unhealthy=3, healthy=2))
    message = "3 of 5 targets of this policy sick, 3 allowed (3)"
    assert message == blast_radius.not_too_many_unhealthy(case)


@pytest.mark.parametrize(
    ("size", "unknown", "refused"),
    [
        *((1, 0, False), (1, 1, True), (2, 1, False), (2, 2, True), (3, 1, False), (3, 2, True)),
        *((4, 2, False), (4, 3, True), (5, 2, False), (5, 3, True)),
        *((100, 50, False), (100, 51, True)),
    ],
)
def test_not_too_many_unknown(size: int, unknown: int, *, refused: bool) -> None:
    """When more than half of a set can't be judged, nothing in it is acted on."""
    verdicts = builders.verdicts(unhealthy=size - unknown, unknown=unknown)
    message = f"{unknown} of {size} targets are Unknown, half are allowed"
    expected = model.Refusal(Refused.TOO_MANY_UNKNOWN, message) if refused else message
    assert expected == blast_radius.not_too_many_unknown(builders.case(verdicts=verdicts))
