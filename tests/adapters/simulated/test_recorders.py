"""The twins that only remember."""

from __future__ import annotations

from prunella import ports
from prunella.adapters.simulated import notifier as notifiers
from prunella.adapters.simulated import telemetry as telemetries
from prunella.core import model, objects

KEY = objects.Key("shop", "checkout")
NOTICE = ports.Notice(objects.Policy(KEY, "u", 1, None), ports.Severity.NORMAL, "Healed", "well")
ESCALATION = ports.Escalation(KEY, model.Ref("Deployment", "shop", "checkout"), "rem-1", "s", "d")
LABELS = {"namespace": "shop", "policy": "checkout"}


async def test_notices_are_kept_unless_broken() -> None:
    """A broken notifier loses Events and says of alerts that they did not arrive."""
    notifier = notifiers.RecordingNotifier()
    await notifier.event(NOTICE)
    assert await notifier.escalate(ESCALATION)
    notifier.broken = True
    await notifier.event(NOTICE)
    assert not await notifier.escalate(ESCALATION)
    assert ([NOTICE], [ESCALATION]) == (notifier.events, notifier.escalations)
    assert ["Healed"] == notifier.reasons


def test_telemetry_adds_up() -> None:
    """Counters are summed over labels that are not asked for; gauges keep the last value."""
    telemetry = telemetries.RecordingTelemetry()
    for reason in ("Paused", "Paused", "Cooldown"):
        telemetry.count("refusals", {**LABELS, "reason": reason})
    telemetry.gauge("targets", LABELS, 3)
    telemetry.gauge("targets", LABELS, 2)
    telemetry.observe("seconds", LABELS, 0.5)
    assert (3, 2) == (telemetry.value("refusals"), telemetry.value("refusals", reason="Paused"))
    assert (2, 0) == (telemetry.value("targets", policy="checkout"), telemetry.value("nothing"))
    assert [[0.5]] == list(telemetry.observations.values())


def test_a_policy_is_forgotten_with_all_its_series() -> None:
    """Series of other policies stay."""
    telemetry = telemetries.RecordingTelemetry()
    other = {"namespace": "store", "policy": "checkout"}
    for labels in (LABELS, other):
        telemetry.count("refusals", {**labels, "reason": "Paused"})
        telemetry.gauge("targets", labels, 3)
        telemetry.observe("seconds", labels, 0.5)
    telemetry.forget(KEY)
    assert [1, 1, 1] == [
        len(kept) for kept in (telemetry.counters, telemetry.gauges, telemetry.observations)
    ]
    assert 1 == telemetry.value("refusals", namespace="store")
