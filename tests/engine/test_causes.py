"""Policies on causes: an incident names a target, and one rollback heals it; symptoms wait."""

from __future__ import annotations

import datetime
from typing import Any

from prunella.adapters.simulated import incidents as simulated
from prunella.api import incident as incident_api
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import BAD, CHECKOUT, GOOD, NAMESPACE, Phase, Story

CART = model.Ref("Deployment", NAMESPACE, "cart")
NAME = "inc-0123456789"


def on_cause(**trigger: Any) -> dict[str, Any]:
    """A policy that rolls checkout back when an incident names its release."""
    incident = {"causeKind": ["Release"], "changeWithin": "30m", **trigger}
    return harness.spec(trigger={"incident": incident})


def status(
    story: Story, suspect: model.Ref = CHECKOUT, *sick: model.Ref, **fields: Any
) -> incident_api.IncidentStatus:
    """An open incident that names a release of 40 s before."""
    now = story.world.clock.now()
    objects = [
        {"kind": each.kind, "namespace": each.namespace, "name": each.name}
        for each in (suspect, *sick)
    ]
    return incident_api.IncidentStatus.model_validate(
        {
            "title": "HighErrorRate",
            "startedAt": now,
            "namedAt": now,
            "members": [{"object": each, "name": "Alert", "first": now} for each in objects],
            "suspects": [
                {
                    "object": objects[0],
                    "causeKind": "Release",
                    "confidence": "High",
                    "score": 0.9,
                    "summary": "image v1 -> v2",
                    "changedAt": now - datetime.timedelta(seconds=40),
                    **fields,
                }
            ],
        }
    )


def open_incident(story: Story, told: incident_api.IncidentStatus) -> None:
    """What the loop of incidents writes."""
    server: simulated.IncidentServer = story.world.incident_server
    spec = incident_api.IncidentSpec(opened_at=story.world.clock.now())
    server.update(server.create(NAMESPACE, NAME, spec), told)


async def test_the_incident_decides_and_the_signals_prove(story: Story) -> None:
    """Sick by its own signal, it is left alone until an incident names it; then one rollback."""
    await harness.bad_release(story, on_cause())
    await story.run(30)
    assert ([], "NotTheCause") == (story.records(), story.sick().refused)
    open_incident(story, status(story))
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    (record,) = story.records()
    assert (NAME, "incident") == (record.spec.incident, record.spec.evidence[0].signal)
    assert GOOD == story.image()
    await story.run(300)
    assert 1 == len(story.records())


async def test_the_incident_acts_before_the_own_signal_does(story: Story) -> None:
    """Its error ratio is below its threshold: the incident is reason enough to roll it back."""
    document = {**on_cause(), "signals": [harness.errors(above=0.9)]}
    await harness.bad_release(story, document)
    await story.run(20)
    assert [] == story.records()
    open_incident(story, status(story))
    await story.run(10)
    assert ["rollback"] == [action for action, _ in story.phases()]


async def test_a_symptom_waits_for_the_cause(story: Story) -> None:
    """A policy on signals leaves a target alone that the incident explains, for 15 minutes."""
    await harness.bad_release(story)
    open_incident(story, status(story, CART, CHECKOUT))
    await story.run(60)
    assert ([], "WaitsForIncident") == (story.records(), story.sick().refused)
    assert [] == story.pages()
    await story.run(900)
    assert ["rollback"] == [action for action, _ in story.phases()]


async def test_what_a_person_rejected_is_not_acted_on(story: Story) -> None:
    """The machine suspects, a person has said no."""
    await harness.bad_release(story, on_cause())
    open_incident(story, status(story, mark="Rejected"))
    await story.run(60)
    assert ([], "NotTheCause") == (story.records(), story.sick().refused)


async def test_an_incident_long_after_the_change_is_none_to_act_on(story: Story) -> None:
    """The trigger says how old the suspected change may be."""
    await harness.bad_release(story, on_cause(changeWithin="30s"))
    open_incident(story, status(story))
    await story.run(60)
    assert "but for a change 40 s before" in story.sick().refusal
    assert BAD == story.image()
