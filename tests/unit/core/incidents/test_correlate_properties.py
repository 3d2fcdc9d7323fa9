"""What holds for every stream of notifications."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from prunella.core.incidents import correlate, values
from tests.unit.core.incidents import storms

ALERTS = st.builds(
    lambda target, at, late, name, firing, pod: storms.alert(
        target, at, name, firing=firing, received=at + late, pod=pod
    ),
    target=st.sampled_from(storms.SERVICES),
    at=st.sampled_from((0.0, 40.0, 80.0, 120.0, 1200.0, 1240.0, 1280.0, 5000.0, 5040.0)),
    late=st.sampled_from((0.0, 40.0, 80.0)),
    name=st.sampled_from(("Latency", "Errors", "Disk")),
    firing=st.booleans(),
    pod=st.sampled_from("ab"),
)
STREAMS = st.lists(ALERTS, max_size=40)
FLOODS = st.lists(ALERTS, min_size=30, max_size=60)
SMALL = correlate.Settings(limit=8)


def by_arrival(alerts: list[values.Alert]) -> dict[float, list[values.Alert]]:
    """The batches of a stream, in the order of arrival."""
    batches: dict[float, list[values.Alert]] = {}
    for each in sorted(alerts, key=lambda one: one.received):
        batches.setdefault(each.received, []).append(each)
    return batches


@given(STREAMS, st.integers(0, 1000))
def test_the_order_of_arrivals_at_one_time_does_not_matter(
    alerts: list[values.Alert], seed: int
) -> None:
    """The same batches, shuffled within: the same incidents."""
    answers = []
    for shuffle in (False, True):
        correlator = correlate.Correlator(storms.graph())
        for now, batch in by_arrival(alerts).items():
            some = random.Random(seed).sample(batch, len(batch)) if shuffle else batch  # noqa: S311
            correlator.observe(some, now)
        answers.append((correlator.incidents(), dict(correlator.merged)))
    assert answers[0] == answers[1]


@given(STREAMS)
def test_every_alert_is_in_exactly_one_incident(alerts: list[values.Alert]) -> None:
    """What the open incidents count is what was told of them, each firing once."""
    correlator = correlate.Correlator(storms.graph())
    for now, batch in by_arrival(alerts).items():
        correlator.observe(batch, now)
        heard = {each.fingerprint for each in alerts if each.received <= now}
        names = {each: correlator.incident_of(each) for each in heard}
        assert None not in names.values()
        opened = {each.id: each for each in correlator.incidents()}
        inside = [each for each in heard if names[each] in opened]
        counted = sum(each.count for one in opened.values() for each in one.members)
        reopened = sum(each.reopened for each in opened.values())
        assert counted == len(inside) or (reopened and counted < len(inside))


@given(STREAMS)
def test_nothing_attaches_to_a_resolved_incident(alerts: list[values.Alert]) -> None:
    """An alert that is new gets an incident that is open when it does."""
    correlator, heard = correlate.Correlator(storms.graph()), set()
    for now, batch in by_arrival(alerts).items():
        correlator.observe(batch, now)
        for each in batch:
            if each.fingerprint not in heard:
                name = correlator.incident_of(each.fingerprint)
                assert name is not None
                assert values.State.OPEN is correlator.state(name)
            heard.add(each.fingerprint)


@given(FLOODS)
def test_memory_is_bounded(alerts: list[values.Alert]) -> None:
    """However many alerts come, no more than the limit are followed."""
    correlator = correlate.Correlator(storms.graph(), SMALL)
    for now, batch in by_arrival(alerts).items():
        correlator.observe(batch, now)
        biggest = max((len(each.firings) for each in correlator._open.values()), default=0)
        assert len(correlator._firings) <= max(SMALL.limit, biggest)
        for memory in (correlator._past, correlator._ended, correlator._merged):
            assert len(memory) <= SMALL.limit
        assert len(correlator._unlearned) <= SMALL.limit
