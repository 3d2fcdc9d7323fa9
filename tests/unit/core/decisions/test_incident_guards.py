"""Policies on causes: which incident lets one act, and whom the others wait for."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.api import incident as incident_api
from prunella.api import reasons, trigger
from prunella.core import model, objects
from prunella.core.decisions import causes
from prunella.core.decisions.guards import incidents as guards
from prunella.core.incidents import naming, values, words
from prunella.core.incidents import status as statuses
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes, ref, seconds

Confidence, CauseKind = incident_api.Confidence, incident_api.CauseKind
CHECKOUT, DATABASE = ref(), ref("database")


def on_cause(**fields: Any) -> trigger.Trigger:
    """A trigger on releases."""
    return trigger.Trigger.model_validate({"incident": {"causeKind": ["Release"], **fields}})


def about(**changes: Any) -> causes.OpenIncident:
    """An incident that names checkout."""
    return builders.incident(**{"suspect": CHECKOUT, **changes})


def treated(ago: float, phase: reasons.Phase = reasons.Phase.SUCCEEDED) -> objects.Record:
    """A record that this incident led to, so many seconds ago."""
    made = builders.record("healed", phase, ago=seconds(ago))
    return dataclasses.replace(made, spec=made.spec.model_copy(update={"incident": "inc-1"}))


TRIGGERS = [
    pytest.param(on_cause(), about(), (), "", id="as it asks"),
    pytest.param(
        on_cause(),
        about(suspect=DATABASE),
        (),
        "none of 1 open incidents with a suspect names Deployment/checkout first",
        id="another is the cause",
    ),
    pytest.param(
        on_cause(),
        about(cause_kind=CauseKind.NODE),
        (),
        "inc-1 names Deployment/checkout first, but as Node, and the trigger is Release",
        id="another kind of cause",
    ),
    pytest.param(
        on_cause(),
        about(confidence=Confidence.MEDIUM),
        (),
        "inc-1 names Deployment/checkout first, but with confidence Medium, and the trigger needs "
        "High",
        id="not sure enough",
    ),
    pytest.param(
        on_cause(confidence="Medium"), about(confidence=Confidence.MEDIUM), (), "", id="sure enough"
    ),
    pytest.param(on_cause(changeWithin="5m"), about(), (), "", id="changed in time"),
    pytest.param(
        on_cause(changeWithin="30s"),
        about(),
        (),
        "inc-1 names Deployment/checkout first, but for a change 40 s before, and the trigger "
        "needs one within 30s",
        id="changed too long before",
    ),
    pytest.param(
        on_cause(changeWithin="30s"),
        about(changed_at=None),
        (),
        "inc-1 names Deployment/checkout first, but for no change, and the trigger needs one "
        "within 30s",
        id="not changed",
    ),
    pytest.param(
        on_cause(),
        about(),
        (treated(5),),
        "healed has treated Deployment/checkout for inc-1 already",
        id="treated already",
    ),
    pytest.param(on_cause(), about(), (treated(300),), "", id="changed again after the treatment"),
    pytest.param(
        on_cause(), about(), (treated(5, reasons.Phase.UNHELPFUL),), "", id="treated in vain"
    ),
]


@pytest.mark.parametrize(("wanted", "incident", "records", "refusal"), TRIGGERS)
def test_an_incident_lets_a_policy_act_on_its_cause(
    wanted: trigger.Trigger,
    incident: causes.OpenIncident,
    records: tuple[objects.Record, ...],
    refusal: str,
) -> None:
    """Only the first suspect, of a kind, with a confidence, by a change in time, and once."""
    case = builders.case(incidents=(incident,), records=records)
    case = dataclasses.replace(case, spec=case.spec.model_copy(update={"trigger": wanted}))
    answer = guards.named_by_an_incident(case)
    if not refusal:
        assert answer == f"inc-1 names Deployment/checkout first: Release, {incident.confidence}"
    else:
        assert model.Refusal(reasons.Refused.NOT_THE_CAUSE, refusal) == answer


WAITS = [
    pytest.param(about(suspect=DATABASE, members=(CHECKOUT,)), (), True, id="a symptom waits"),
    pytest.param(
        about(suspect=DATABASE, unlisted=frozenset({naming.object_hash(CHECKOUT)})),
        (),
        True,
        id="a symptom that the incident's object has no room to name",
    ),
    pytest.param(
        about(suspect=DATABASE, unlisted=frozenset({naming.object_hash(DATABASE)})),
        (),
        False,
        id="what is not in the incident does not",
    ),
    pytest.param(about(members=(CHECKOUT,)), (), False, id="the cause itself does not"),
    pytest.param(
        about(suspect=DATABASE, members=(CHECKOUT,), confidence=Confidence.LOW),
        (),
        False,
        id="a mere guess keeps nobody waiting",
    ),
    pytest.param(
        about(suspect=DATABASE, members=(CHECKOUT,), named_at=NOW - minutes(16)),
        (),
        False,
        id="not for ever",
    ),
    pytest.param(
        about(suspect=DATABASE, members=(CHECKOUT,), named_at=NOW - minutes(16)),
        (builders.record("r", reasons.Phase.VERIFYING, target=builders.workload("database")),),
        True,
        id="as long as the cause is being treated",
    ),
]


@pytest.mark.parametrize(("incident", "records", "waits"), WAITS)
def test_symptoms_wait_for_the_cause(
    incident: causes.OpenIncident,
    records: tuple[objects.Record, ...],
    waits: bool,
) -> None:
    """One remediation for each cause, not one for each symptom."""
    answer = guards.waits_for_the_cause(builders.case(incidents=(incident,), records=records))
    assert waits == isinstance(answer, model.Refusal)


def test_a_cause_in_another_namespace_is_not_named() -> None:
    """Who reads a policy's status may not read other namespaces."""
    incident = about(suspect=ref("secret", "elsewhere"), members=(CHECKOUT,))
    answer = guards.waits_for_the_cause(builders.case(incidents=(incident,)))
    assert isinstance(answer, model.Refusal)
    assert "names an object outside this namespace first (Release, High) since 10 s" in (
        answer.message
    )
    assert "secret" not in answer.message


def record(*suspects: incident_api.SuspectItem, **fields: Any) -> values.Record:
    """An Incident object."""
    spec = incident_api.IncidentSpec(opened_at=NOW, mirror=fields.pop("mirror", False))
    status = incident_api.IncidentStatus(suspects=list(suspects), **fields)
    return values.Record("inc-1", "shop", spec, status)


def item(name: str, mark: str = "Suspect", confidence: str = "Low") -> incident_api.SuspectItem:
    """A suspect as written."""
    return incident_api.SuspectItem.model_validate(
        {
            "object": {"kind": "Deployment", "namespace": "shop", "name": name},
            "summary": "s",
            "score": 0.5,
            "mark": mark,
            "confidence": confidence,
        }
    )


OBJECTS = [
    pytest.param(record(item("a")), [("a", "Low")], id="the first suspect"),
    pytest.param(record(), [], id="none is suspected"),
    pytest.param(record(item("a"), state="Resolved"), [], id="over"),
    pytest.param(record(item("a"), mirror=True), [], id="a mirror"),
    pytest.param(record(item("a", "Rejected"), item("b")), [("b", "Low")], id="the first rejected"),
    pytest.param(record(item("a", "Confirmed")), [("a", "High")], id="confirmed by a person"),
]


@pytest.mark.parametrize(("found", "expected"), OBJECTS)
def test_open_incidents_are_read_from_their_objects(
    found: values.Record, expected: list[tuple[str, str]]
) -> None:
    """Open ones with a suspect; what people said counts."""
    read = causes.open_incidents([found])
    assert expected == [(each.suspect.name, each.confidence) for each in read]


def test_every_symptom_of_a_storm_is_known_as_one() -> None:
    """An object names 64 of 400 symptoms; the others are known by their hashes."""
    refs = [ref(f"svc-{number:03}") for number in range(400)]
    members = [values.Member(each, "HighErrorRate", 0.0, 1, 1) for each in refs]
    listed = statuses.sample(members)
    names = [words.object_name(each.target) for each in listed]
    items = [
        incident_api.MemberItem(object=each, name="HighErrorRate", first=NOW) for each in names
    ]
    told = record(item("database"), members=items, unlisted=statuses.unlisted(members, listed))
    (read,) = causes.open_incidents([told])
    assert (64, 336) == (len(read.members), len(read.unlisted))
    assert [] == [each for each in refs if not read.has(each)]
    assert not read.has(ref("svc-400"))


def test_symptoms_are_no_unhealthy_peers_of_their_cause() -> None:
    """One cause makes much sick: what it explains, named or not, stops no remediation of it."""
    other = ref("other")
    found = about(
        suspect=DATABASE,
        members=(DATABASE, CHECKOUT),
        unlisted=frozenset({naming.object_hash(ref("cart"))}),
    )
    sick = dict.fromkeys((DATABASE, CHECKOUT, ref("cart"), other), model.Verdict.UNHEALTHY)
    assert {DATABASE, other} == causes.without_symptoms(sick, found).keys()
