"""Who asks what the last pass found is told of every pass, whatever may be acted on."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella import wiring
from prunella.core import model, objects
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Story

KEY = objects.Key(NAMESPACE, "checkout")
TRIGGER = {"incident": {"causeKind": ["Release"]}}


class Kept:
    """Remembers what it is told (`outside_ports.Verdicts`)."""

    def __init__(self) -> None:
        self.told: dict[objects.Key, tuple[Any, ...]] = {}

    def judged(self, policy: objects.Key, *found: Any) -> None:
        """One pass."""
        self.told[policy] = found

    def forget(self, policy: objects.Key) -> None:
        """A policy is gone."""
        self.told.pop(policy, None)


@pytest.fixture
async def kept(monkeypatch: pytest.MonkeyPatch, story: Story) -> Kept:
    """What an operator tells that is started anew."""
    found = Kept()
    real = wiring.worlds.World

    def world(**ports: Any) -> Any:
        return real(**ports, verdicts=found)

    monkeypatch.setattr(wiring.worlds, "World", world)
    story.kill()
    story.start()
    return found


@pytest.mark.parametrize(
    "changes",
    [{}, {"mode": "Advise"}, {"suspend": True}, {"trigger": TRIGGER}],
    ids=["Live", "Advise", "suspended", "on causes"],
)
async def test_every_pass_is_told(story: Story, kept: Kept, changes: dict[str, Any]) -> None:
    """Verdicts by the signals alone, the findings, and when the next pass is due."""
    await harness.bad_release(story, harness.spec({"restart": {}}, **changes))
    await story.run(30)
    verdicts, findings, interval = kept.told[KEY]
    assert {CHECKOUT: model.Verdict.UNHEALTHY} == verdicts
    assert ["errors"] == [each.signal for each in findings if each.signal != "incident"]
    assert datetime.timedelta(seconds=5) == interval


@pytest.mark.parametrize("how", ["deleted", "broken"])
async def test_what_is_not_judged_any_more_is_forgotten(story: Story, kept: Kept, how: str) -> None:
    """A policy that is gone, or can't be evaluated, says nothing."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec())
    await story.run(10)
    assert KEY in kept.told
    if how == "deleted":
        story.delete()
    else:
        story.apply(
            harness.spec(signals=[{**harness.errors(), "ratio": {"bad": "(", "total": "a"}}])
        )
    await story.run(harness.RELIST_SECONDS + 10)
    assert {} == kept.told
