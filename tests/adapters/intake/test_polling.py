"""Polls: what is active, what has ended, and what a failure does not say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from prunella.adapters.intake import alertmanager_poll, polling, prometheus_poll, told
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import telemetry
from tests.adapters.intake import bodies

NOW = bodies.START.timestamp()


class Source:
    """Says which alerts are active, or that it can't."""

    def __init__(self, clock: clocks.VirtualClock) -> None:
        self.active: list[str] = []
        self.down = False
        self._clock = clock

    async def ask(self) -> Sequence[told.Told]:
        """The active alerts."""
        if self.down:
            raise polling.PollError("no answer")
        now = self._clock.now().timestamp()
        return [told.Told("test", name, (), NOW, firing=True, received=now) for name in self.active]


@pytest.fixture
def clock() -> clocks.VirtualClock:
    """Virtual time."""
    return clocks.VirtualClock(bodies.START)


@pytest.fixture
def source(clock: clocks.VirtualClock) -> Source:
    """A source that is polled."""
    return Source(clock)


@pytest.fixture
def counted() -> telemetry.RecordingTelemetry:
    """The operator's metrics."""
    return telemetry.RecordingTelemetry()


@pytest.fixture
def poll(
    source: Source, clock: clocks.VirtualClock, counted: telemetry.RecordingTelemetry
) -> polling.Poll:
    """A poll of every 5 s; 30 s until what is missing has ended."""
    return polling.Poll("test", source.ask, clock, counted, every=5, missing=30)


def states(poll: polling.Poll) -> list[tuple[str, bool, float | None]]:
    """What is told: name, whether it fires, and when it ended after the start."""
    return [
        (each.name, each.firing, None if each.ended_at is None else each.ended_at - NOW)
        for each in poll.tell()
    ]


async def test_missing_for_a_while_has_ended(
    poll: polling.Poll, source: Source, clock: clocks.VirtualClock
) -> None:
    """The end is when it was first missing; a short gap is none."""
    source.active = ["A", "B"]
    await poll.ask()
    assert [("A", True, None), ("B", True, None)] == states(poll)
    for seconds, active in ((5, ["A"]), (25, ["A", "B"]), (5, ["A"]), (29, ["A"])):
        await clock.advance(seconds)
        source.active = active
        await poll.ask()
        assert all(fires for _, fires, _ in states(poll))
    await clock.advance(1)
    await poll.ask()
    assert [("B", False, 35.0), ("A", True, None)] == states(poll)
    await poll.ask()
    assert [("A", True, None)] == states(poll)


async def test_failure_ends_nothing(
    poll: polling.Poll,
    source: Source,
    clock: clocks.VirtualClock,
    counted: telemetry.RecordingTelemetry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No answer is no empty answer; it is counted, and logged once."""
    source.active = ["A"]
    await poll.ask()
    poll.tell()
    source.down = True
    for _ in range(20):
        await clock.advance(5)
        await poll.ask()
    assert [] == states(poll)
    assert 1 == caplog.text.count("no answer")
    assert 20 == counted.value("prunella_intake_polls_total", source="test", outcome="failed")


async def test_too_many_are_not_believed(
    poll: polling.Poll, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory is bounded, and a flood ends nothing either."""
    monkeypatch.setattr(polling, "MOST_ALERTS", 2)
    source.active = ["A"]
    await poll.ask()
    poll.tell()
    source.active = ["A", "B", "C"]
    await poll.ask()
    assert [] == states(poll)


async def test_only_the_newest_answer_waits(poll: polling.Poll, source: Source) -> None:
    """Whoever comes late finds the state of now once, and every end."""
    source.active = ["A"]
    for _ in range(3):
        await poll.ask()
    assert [("A", True, None)] == states(poll)


async def test_primed(poll: polling.Poll, source: Source, clock: clocks.VirtualClock) -> None:
    """The first answer primes; a source that gives none for a minute is waited for no longer."""
    assert not poll.primed
    source.down = True
    await poll.ask()
    await clock.advance(60)
    assert not poll.primed
    await clock.advance(1)
    assert poll.primed
    source.down = False
    await poll.ask()
    assert poll.primed


PROMETHEUS = {
    "status": "success",
    "data": {
        "alerts": [
            {
                "labels": {"alertname": "Down", "namespace": "shop", "cluster": "eu-1"},
                "annotations": {"description": "it is down"},
                "state": "firing",
                "activeAt": bodies.time(-30),
                "value": "1e+00",
            },
            {
                "labels": {"alertname": "Soon", "namespace": "shop"},
                "annotations": {},
                "state": "pending",
                "activeAt": bodies.time(-5),
                "value": "1e+00",
            },
        ]
    },
}


def test_prometheus_answer() -> None:
    """What fires, since its expression is true; what is pending does not."""
    (alert,) = prometheus_poll.read(PROMETHEUS, "Prometheus default", {}, NOW)
    assert ("Down", "it is down") == (alert.name, alert.message)
    assert (("cluster", "eu-1"), ("namespace", "shop")) == alert.labels
    assert NOW - 30 == pytest.approx(alert.starts_at)


@pytest.mark.parametrize(("cluster", "expected"), [("eu-1", 1), ("us-1", 0)])
def test_prometheus_of_several_clusters(cluster: str, expected: int) -> None:
    """A source's matchers leave out the alerts of other clusters."""
    found = prometheus_poll.read(PROMETHEUS, "Prometheus", {"cluster": cluster}, NOW)
    assert expected == len(found)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param({"data": {}}, "data.alerts", id="no list"),
        pytest.param({"data": {"alerts": [{}]}}, "data.alerts.0.labels", id="another form"),
        pytest.param(
            {"data": {"alerts": []}, "warnings": ["a ruler is down"]}, "a ruler", id="partial"
        ),
    ],
)
def test_prometheus_answer_that_says_nothing(document: dict[str, object], message: str) -> None:
    """A partial answer, or one of another form, is no list of what is active."""
    with pytest.raises(polling.PollError, match=message):
        prometheus_poll.read(document, "Prometheus", {}, NOW)


def test_alertmanager_answer() -> None:
    """The alerts with their beginning; one without a name can't be followed."""
    body = (
        b'[{"labels": {"alertname": "Down", "namespace": "shop"}, "annotations": {"summary": "it is'
        b' down"}, "startsAt": "2026-03-01T11:59:30.000Z", "endsAt": "2026-03-01T12:05:00.000Z",'
        b' "fingerprint": "ab", "receivers": [], "status": {"state": "active"}},'
        b' {"labels": {}, "annotations": {}, "startsAt": "2026-03-01T11:59:30.000Z"}]'
    )
    (alert,) = alertmanager_poll.read(body, NOW)
    assert ("Alertmanager", "Down", "it is down") == (alert.source, alert.name, alert.message)
    assert NOW - 30 == pytest.approx(alert.starts_at)
    assert alert.firing


@pytest.mark.parametrize("body", [b"", b"{}", b'[{"labels": 1}]', b"<html>"])
def test_alertmanager_answer_that_says_nothing(body: bytes) -> None:
    """Anything else is not an empty list."""
    with pytest.raises(polling.PollError, match="not an answer of Alertmanager"):
        alertmanager_poll.read(body, NOW)
