"""Incidents as traces while they go on: each span once, nothing lost, nothing held up."""

from __future__ import annotations

import asyncio

import pytest

from prunella.adapters.simulated import ledger as ledgers
from prunella.adapters.simulated import traces as simulated
from prunella.api import incident as incident_api
from prunella.core.incidents import trace
from prunella.engine import incident_traces
from tests.engine.incident_stage import CART, CHECKOUT, Stage, suspect, telling

QUIET = 900.0
REVIEW = 120.0


class Sender:
    """What sends the incidents of a stage, until it is stopped."""

    def __init__(self, stage: Stage, to: simulated.RecordingTraces | None = None) -> None:
        self.traces = to or simulated.RecordingTraces()
        self.loop = incident_traces.IncidentTraces(
            lambda: {each.name: each for each in stage.objects()},
            ledgers.SimulatedLedger(stage.ledger_server),
            self.traces,
            stage.clock,
            stage.telemetry,
        )
        self.task = asyncio.create_task(self.loop.run())

    async def stop(self) -> None:
        """End it."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def names(self) -> list[str]:
        """The names of the spans that have arrived, in their order."""
        return [each.name for each in self.traces.spans]


def exports(stage: Stage, outcome: str) -> float:
    """How many requests had an outcome."""
    return stage.telemetry.value(incident_traces.EXPORTS, outcome=outcome)


async def test_each_span_is_sent_once_when_it_has_ended() -> None:
    """Symptoms and diagnoses while it goes on, the whole with its end."""
    async with telling() as stage:
        sender = Sender(stage)
        stage.around.suspects = (suspect(CART),)
        stage.alerts.fire(CART)
        await stage.run(30)
        going_on = sender.names
        stage.around.suspects = (suspect(CHECKOUT),)
        stage.alerts.fire(CHECKOUT)
        await stage.run(30)
        changed = sender.names[len(going_on) :]
        stage.alerts.end()
        await stage.run(QUIET + REVIEW)
        assert ["symptom HighErrorRate", "diagnosis"] == going_on
        assert ["symptom HighErrorRate", "diagnosis"] == sorted(changed, reverse=True)
        assert ["incident"] == sender.names[4:]
        assert {trace.trace_id(stage.only())} == {each.trace for each in sender.traces.spans}
        assert (4, 0) == (exports(stage, "sent"), exports(stage, "failed"))
        await sender.stop()
        assert sender.traces.closed


async def test_a_restart_goes_on_with_the_same_trace() -> None:
    """What was sent may be sent again, as the same spans; what comes later is added to them."""
    async with telling() as stage:
        first = Sender(stage)
        stage.around.suspects = (suspect(CART),)
        stage.alerts.fire(CART)
        await stage.run(30)
        await first.stop()
        second = Sender(stage)
        stage.alerts.end()
        await stage.run(QUIET + REVIEW)
        assert first.traces.spans == second.traces.spans[:2]
        assert "incident" == second.names[-1]
        assert 3 == len({each.id for each in second.traces.spans})
        await second.stop()


async def test_the_end_that_a_crash_left_is_sent_after_it() -> None:
    """An incident that has just ended is looked at once more; an old one is not."""
    async with telling() as stage:
        stage.alerts.fire(CART)
        await stage.run(30)
        stage.alerts.end()
        await stage.run(QUIET + REVIEW)
        after_crash = Sender(stage)
        await stage.run(10)
        await stage.run(incident_traces.JUST_ENDED.total_seconds())
        later = Sender(stage)
        await stage.run(10)
        assert ("incident" in after_crash.names, []) == (True, later.names)
        await after_crash.stop()
        await later.stop()


async def test_what_does_not_arrive_is_sent_again_later() -> None:
    """Each half minute, said once in the log; nothing is lost meanwhile."""
    async with telling() as stage:
        sender = Sender(stage)
        sender.traces.failure = "no route to host"
        stage.alerts.fire(CART)
        await stage.run(100)
        asked = sender.traces.asked
        sender.traces.failure = ""
        await stage.run(40)
        assert 3 <= asked <= 4
        assert asked == exports(stage, "failed")
        assert "symptom HighErrorRate" in sender.names
        assert stage.only().status.state is incident_api.State.OPEN
        await sender.stop()


async def test_it_is_given_up_an_hour_after_the_end() -> None:
    """A backend that is gone for good is not asked for ever, and takes no memory."""
    async with telling() as stage:
        sender = Sender(stage)
        sender.traces.failure = "no route to host"
        stage.alerts.fire(CART)
        await stage.run(30)
        stage.alerts.end()
        await stage.run(QUIET + incident_traces.GIVE_UP.total_seconds() + 60)
        asked = sender.traces.asked
        sender.traces.failure = ""
        await stage.run(120)
        assert (asked, []) == (sender.traces.asked, sender.names)
        assert {} == sender.loop._sent
        await sender.stop()


async def test_a_storm_is_sent_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request has more spans than the bound."""
    monkeypatch.setattr(incident_traces, "MOST_SPANS", 3)
    async with telling() as stage:
        sender = Sender(stage)
        for number in range(8):
            stage.alerts.fire(CART, f"Alert{number}")
        await stage.run(60)
        assert 8 == len([name for name in sender.names if name.startswith("symptom")])
        assert sender.traces.asked >= 3
        await sender.stop()


async def test_an_error_of_its_own_ends_nothing() -> None:
    """It is logged and counted, and the next round goes on."""
    async with telling() as stage:
        sender = Sender(stage)
        stage.alerts.fire(CART)
        await stage.run(6)

        def broken() -> dict[str, object]:
            raise RuntimeError("a defect")

        mains, sender.loop._mains = sender.loop._mains, broken  # type: ignore[assignment]
        await stage.run(11)
        sender.loop._mains = mains
        await stage.run(30)
        assert exports(stage, "failed") >= 1
        assert "symptom HighErrorRate" in sender.names
        await sender.stop()
