"""Repeated attempts: the cooldown of a target doubles with each that did not help."""

from __future__ import annotations

import pytest

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import guards
from prunella.core.decisions.guards import backoff
from tests.unit.core import builders
from tests.unit.core.builders import minutes, record

Phase, Refused = reasons.Phase, reasons.Refused
OTHER = objects.Key("shop", "other")
CART = builders.workload("cart")
NONE = "no attempt on Deployment/checkout failed since the last that helped"


def _failed(*ago: float, phase: reasons.Phase = Phase.UNHELPFUL) -> list[objects.Record]:
    return [record(f"f{n}", phase, ago=minutes(each)) for n, each in enumerate(ago)]


def _told(count: int, last: str, ago: int, needed: int) -> str:
    return (
        f"{count} attempts on Deployment/checkout in a row did not help; the last, {last}, was "
        f"{ago} s ago, the cooldown of 600 s has grown to {needed} s"
    )


def _refused(count: int, last: str, ago: int, needed: int) -> model.Refusal:
    return model.Refusal(Refused.BACKOFF, _told(count, last, ago, needed))


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([], NONE, id="nothing was done"),
        pytest.param([record()], NONE, id="it helped"),
        pytest.param(_failed(19), _refused(1, "f0", 1140, 1200), id="one: twice as long"),
        pytest.param(_failed(20), _told(1, "f0", 1200, 1200), id="just in time"),
        pytest.param(_failed(90, 39), _refused(2, "f1", 2340, 2400), id="two: four times"),
        pytest.param(_failed(300, 200, 79), _refused(3, "f2", 4740, 4800), id="three: eight times"),
        pytest.param(
            _failed(600, 500, 400, 300, 119), _refused(5, "f4", 7140, 7200), id="no more than 2 h"
        ),
        pytest.param(
            [*_failed(120, 100), record("r", ago=minutes(50))], NONE, id="then one helped"
        ),
        pytest.param(
            [record("r", ago=minutes(50)), *_failed(19)],
            _refused(1, "f0", 1140, 1200),
            id="only since the last that helped",
        ),
        pytest.param(
            [record("o", Phase.FAILED, key=OTHER, ago=minutes(15))],
            _refused(1, "o", 900, 1200),
            id="another policy's attempt",
        ),
        pytest.param(
            [record("c", Phase.FAILED, target=CART, ago=minutes(15))], NONE, id="another target"
        ),
        pytest.param(
            [record("r", Phase.FAILED, action="revert", ago=minutes(15))], NONE, id="a revert"
        ),
        pytest.param(_failed(15, phase=Phase.NOT_SENT), NONE, id="nothing was sent"),
        pytest.param(_failed(15, phase=Phase.ADVISED), NONE, id="it was only advised"),
        *(
            pytest.param(
                _failed(15, phase=phase), _refused(1, "f0", 900, 1200), id=f"it ended {phase}"
            )
            for phase in sorted(reasons.UNHELPFUL)
        ),
    ],
)
def test_backed_off(records: list[objects.Record], expected: guards.Answer) -> None:
    """What did not help is tried again after 20, 40, 80 and at most 120 minutes."""
    assert expected == backoff.backed_off(builders.case(records=records))


@pytest.mark.parametrize(
    ("limits", "needed"),
    [
        pytest.param({"cooldown": "1m", "maxCooldown": "3m"}, 180, id="bounded by maxCooldown"),
        pytest.param({"cooldown": "30m", "maxCooldown": "10m"}, 1800, id="never below cooldown"),
        pytest.param({"cooldown": "20h", "maxCooldown": "96h"}, 86_400, id="at most a day"),
        pytest.param({"cooldown": "0s"}, 0, id="no cooldown, no back-off"),
    ],
)
def test_bounds(limits: dict[str, str], needed: int) -> None:
    """The policy says how long the cooldown is, and what it grows to."""
    case = builders.case(of=builders.policy(guards=limits), records=_failed(3, 2, 1))
    answer = backoff.backed_off(case)
    message = answer if isinstance(answer, str) else answer.message
    assert message.endswith(f"has grown to {needed} s")


def test_a_follow_up_is_not_held_up() -> None:
    """The next step of the same episode comes when the one before was found unhelpful."""
    before = record("r1", Phase.UNHELPFUL, ago=minutes(1))
    assert backoff.backed_off(builders.case(records=[before], follows=before)) == "follows r1"


def test_a_person_clears_it() -> None:
    """What ended before the policy was resumed does not count."""
    policy = builders.policy(annotations=builders.resumed(builders.NOW - minutes(1)))
    assert backoff.backed_off(builders.case(of=policy, records=_failed(2))) == NONE
