"""Findings of policies as alerts."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import pytest

from prunella.adapters.intake import findings
from prunella.adapters.simulated import clock as clocks
from prunella.core import model, objects
from tests.adapters.intake import bodies

POLICY = objects.Key("shop", "checkout")
CART = model.Ref("Deployment", "shop", "cart")
SINCE = bodies.START - datetime.timedelta(seconds=90)
HELD = {("errors", CART): SINCE}
U, H, N = model.Verdict.UNHEALTHY, model.Verdict.HEALTHY, model.Verdict.UNKNOWN


def finding(verdict: model.Verdict, target: model.Ref = CART) -> model.Finding:
    """A finding of the signal errors."""
    return model.Finding("errors", target, verdict, "Above", "0.12, above 0.05")


STORIES = [
    pytest.param([(U, HELD)], [True], id="sick"),
    pytest.param([(U, {})], [], id="sick, and has not held"),
    pytest.param([(U, HELD), (U, HELD)], [True], id="still sick"),
    pytest.param([(U, HELD), (H, {})], [True, False], id="well again"),
    pytest.param([(U, HELD), (N, {}), (U, {})], [True], id="doubt changes nothing"),
    pytest.param([(U, HELD), (N, {}), (H, {})], [True, False], id="well after doubt"),
    pytest.param([(H, {})], [], id="well all the time"),
    pytest.param([(U, HELD), (None, {})], [True, False], id="no longer a target"),
]


@pytest.mark.parametrize(("passes", "expected"), STORIES)
def test_story(
    passes: list[tuple[model.Verdict | None, Mapping[tuple[str, model.Ref], datetime.datetime]]],
    expected: list[bool],
) -> None:
    """Each pass finds one verdict; what is told is whether the alert fires."""
    told = findings.Findings(clocks.VirtualClock(bodies.START))
    for verdict, since in passes:
        told.found(POLICY, [finding(verdict)] if verdict is not None else [], since)
    assert expected == [each.firing for each in told.tell()]


def test_what_is_told() -> None:
    """The signal on its target, since its onset, in the finding's own words."""
    told = findings.Findings(clocks.VirtualClock(bodies.START))
    told.found(POLICY, [finding(U)], HELD)
    (alert,) = told.tell()
    assert ("errors", CART, SINCE.timestamp()) == (alert.name, alert.target, alert.starts_at)
    assert ("policy checkout", "0.12, above 0.05") == (alert.source, alert.message)
    assert {"namespace": "shop", "policy": "checkout"} == dict(alert.labels)


def test_a_policy_that_is_gone_ends_what_it_told() -> None:
    """Nobody else could say that all is well again; other policies' findings stay."""
    told = findings.Findings(clocks.VirtualClock(bodies.START))
    other = objects.Key("shop", "other")
    for key in (POLICY, other):
        told.found(key, [finding(U)], HELD)
    told.tell()
    told.forget(POLICY)
    (ended,) = told.tell()
    assert ("policy checkout", False) == (ended.source, ended.firing)
