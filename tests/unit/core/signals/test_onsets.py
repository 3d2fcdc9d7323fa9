"""Tests of the memory between passes: what an onset counts for after a new release."""

from __future__ import annotations

import dataclasses
import datetime

from prunella.core import model
from prunella.core.signals import compiled, onsets
from tests.unit.core import builders, fixtures
from tests.unit.core.builders import HEALTHY, NOW, UNHEALTHY, UNKNOWN

SIGNALS = compiled.Policy((fixtures.signal(longest_range=300.0),))
KEY = ("errors", builders.ref())
OLD = builders.workload()
NEW = dataclasses.replace(
    OLD, generation=9, observed_generation=9, template={"spec": {"containers": ["new"]}}
)
ROLLING = dataclasses.replace(NEW, updated=1)
WAIT = datetime.timedelta(seconds=300 + 2 * 5)


def at(seconds: float) -> datetime.datetime:
    """Seconds after the beginning."""
    return NOW + datetime.timedelta(seconds=seconds)


def run(*passes: tuple[float, model.Workload, model.Verdict]) -> onsets.Memory:
    """The memory after passes at the given seconds, each with a workload and a verdict."""
    memory = onsets.Memory()
    for seconds, workload, verdict in passes:
        finding = builders.finding(verdict=verdict)
        memory = onsets.remember(
            memory, SIGNALS, [workload], [finding], {"errors": 5.0}, at(seconds)
        )
    return memory


def test_an_onset_is_the_first_of_a_row() -> None:
    """While Unhealthy, since when does not change; doubt and health end it."""
    assert at(0) == run((0, OLD, UNHEALTHY), (5, OLD, UNHEALTHY)).onsets[KEY]
    for other in (HEALTHY, UNKNOWN):
        passes = ((0, OLD, UNHEALTHY), (5, OLD, other), (10, OLD, UNHEALTHY))
        assert at(10) == run(*passes).onsets[KEY]


def test_a_release_that_fell_sick_by_itself_is_not_spared() -> None:
    """Healthy before the change, Unhealthy after it: the onset counts at once."""
    passes = ((0, OLD, HEALTHY), (5, ROLLING, HEALTHY), (10, NEW, UNHEALTHY))
    assert at(10) == run(*passes).onsets[KEY]


def test_errors_during_the_rollout_count_too() -> None:
    """The first new pods fail while the others still come up."""
    passes = ((0, OLD, HEALTHY), (5, ROLLING, UNHEALTHY), (10, NEW, UNHEALTHY))
    assert at(5) == run(*passes).onsets[KEY]


def test_a_fix_is_judged_by_its_own_samples() -> None:
    """Sick before the change: counts from the end of the rollout plus range plus two scrapes."""
    passes = ((0, OLD, UNHEALTHY), (5, ROLLING, UNHEALTHY), (10, NEW, UNHEALTHY))
    memory = run(*passes)
    assert at(10) + WAIT == memory.onsets[KEY]
    assert frozenset() == memory.tainted


def test_while_a_fix_is_rolling_out_nothing_counts() -> None:
    """The wait begins anew in each pass until the rollout is complete."""
    passes = ((0, OLD, UNHEALTHY), (5, ROLLING, UNHEALTHY), (60, ROLLING, UNHEALTHY))
    memory = run(*passes)
    assert at(60) + WAIT == memory.onsets[KEY]
    assert frozenset({KEY}) == memory.tainted


def test_a_quick_fix_between_two_passes_is_noticed() -> None:
    """A rollout that nobody saw rolling is told by its template."""
    passes = ((0, OLD, UNHEALTHY), (5, NEW, UNHEALTHY), (10, NEW, UNHEALTHY))
    assert at(5) + WAIT == run(*passes).onsets[KEY]


def test_a_change_of_scale_is_no_release() -> None:
    """An autoscaler changes the generation and not the template."""
    scaled = dataclasses.replace(OLD, generation=9, observed_generation=9)
    assert at(0) == run((0, OLD, UNHEALTHY), (5, scaled, UNHEALTHY)).onsets[KEY]


def test_at_first_sight_nothing_is_taken_for_a_release() -> None:
    """After a restart of the operator an onset begins as it always does."""
    assert at(0) == run((0, ROLLING, UNHEALTHY), (5, NEW, UNHEALTHY)).onsets[KEY]


def test_a_workload_that_is_gone_is_forgotten() -> None:
    """Memory does not grow with what no longer exists."""
    memory = onsets.remember(run((0, OLD, UNHEALTHY)), SIGNALS, [], [], {"errors": 5.0}, at(5))
    assert (dict(memory.onsets), dict(memory.releases)) == ({}, {})


def test_a_rollout_that_takes_too_long_is_stuck() -> None:
    """A StatefulSet never says so itself; ten minutes of rolling do."""
    memory = run((0, OLD, HEALTHY), (5, ROLLING, HEALTHY), (600, ROLLING, HEALTHY))
    shown = [onsets.with_stuck(ROLLING, memory, at(t), 600.0).stuck for t in (605, 606)]
    assert [False, True] == shown


def test_a_rollout_that_is_over_is_not_stuck() -> None:
    """However long ago it was first seen."""
    memory = run((0, OLD, HEALTHY), (5, NEW, HEALTHY))
    assert not onsets.with_stuck(NEW, memory, at(10_000), 600.0).stuck
