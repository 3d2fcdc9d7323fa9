"""An incident as spans: which, when, within which, and always the same ones."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from prunella.api import incident as incident_api
from prunella.api import reasons
from prunella.api import remediation as remediation_api
from prunella.core.incidents import trace, values
from tests.unit.core import builders

Item = incident_api.TimelineItem
State = incident_api.State
CART = incident_api.ObjectName(kind="Deployment", namespace="shop", name="cart")


def at(seconds: float) -> datetime.datetime:
    """So many seconds after the first symptom."""
    return builders.NOW + datetime.timedelta(seconds=seconds)


def incident(state: State = State.RESOLVED, **status: Any) -> values.Record:
    """One symptom, opened after 5 s, named after 10 s and again after 40 s, over after 20 min."""
    over = state is not State.OPEN
    said = [
        Item(at=at(5), kind="State", message="opened"),
        Item(at=at(0), kind="Alert", message="HighErrorRate on Deployment shop/cart"),
        Item(at=at(10), kind="Suspect", message="Service/db is suspected first (score 0.60)"),
        Item(at=at(40), kind="Suspect", message="Deployment/cart is suspected first (score 0.90)"),
    ]
    told = incident_api.IncidentStatus(
        state=state,
        severity=incident_api.Severity.CRITICAL,
        title="HighErrorRate on Deployment cart",
        started_at=at(0),
        resolved_at=at(1200) if over else None,
        alerts=3,
        objects=1,
        namespaces=["shop"],
        suspects=[
            incident_api.SuspectItem(
                object=CART,
                cause_kind=incident_api.CauseKind.RELEASE,
                field="image",
                change="deployment-cart-1",
                changed_at=at(-40),
                summary="image v1 -> v2",
                score=0.9,
                confidence=incident_api.Confidence.HIGH,
                evidence=[incident_api.EvidenceItem(kind="change", message="40 s before")],
            )
        ],
        members=[
            incident_api.MemberItem(
                object=CART, name="HighErrorRate", source="alertmanager", first=at(0), count=3
            )
        ],
        timeline=[*said, *([Item(at=at(1200), kind="State", message="resolved")] if over else [])],
    )
    return values.Record(
        name="inc-5a0a3361b7",
        namespace="shop",
        spec=incident_api.IncidentSpec(opened_at=at(5)),
        status=told.model_copy(update=status),
        uid="11111111-2222-3333-4444-555555555555",
    )


def named(found: list[trace.Span], name: str) -> trace.Span:
    """The one span of a name."""
    [span] = [each for each in found if each.name == name]
    return span


def offsets(span: trace.Span) -> tuple[float, float]:
    """Start and end, in seconds after the first symptom."""
    return (span.start - at(0)).total_seconds(), (span.end - at(0)).total_seconds()


def test_the_whole_is_one_trace() -> None:
    """The root lasts from the first symptom to the end; symptoms and diagnoses are parts of it."""
    found = trace.spans(incident(), ())
    root = named(found, "incident")
    assert [
        ("symptom HighErrorRate", (0, 0)),
        ("incident", (0, 1200)),
        ("diagnosis", (5, 10)),
        ("diagnosis", (10, 40)),
    ] == sorted(
        [(each.name, offsets(each)) for each in found], key=lambda pair: (pair[1][0], pair[1][1])
    )
    assert ("", {root.id}) == (root.parent, {each.parent for each in found if each is not root})
    assert {root.trace} == {each.trace for each in found}
    assert (32, {16}) == (len(root.trace), {len(each.id) for each in found})
    assert len(found) == len({each.id for each in found})


def test_the_root_says_what_the_object_says() -> None:
    """Severity, counts and suspects are attributes, the timeline is its events."""
    root = named(trace.spans(incident(), ()), "incident")
    expected = {
        "prunella.incident": "inc-5a0a3361b7",
        "k8s.namespace.name": "shop",
        "prunella.incident.severity": "Critical",
        "prunella.incident.state": "Resolved",
        "prunella.incident.namespaces": ["shop"],
        "prunella.incident.alerts": 3,
        "prunella.incident.flaps": 0,
        "prunella.suspect.1.object": "Deployment shop/cart",
        "prunella.suspect.1.cause_kind": "Release",
        "prunella.suspect.1.confidence": "High",
        "prunella.suspect.1.score": 0.9,
        "prunella.suspect.1.mark": "Suspect",
        "prunella.suspect.1.summary": "image v1 -> v2",
        "prunella.suspect.1.change": "deployment-cart-1",
        "prunella.suspect.1.changed_at": at(-40).isoformat(),
        "prunella.suspect.1.evidence": ["40 s before"],
    }
    assert expected == {key: root.attributes[key] for key in expected}
    assert "prunella.incident.merged_into" not in root.attributes
    assert ("state", {"message": "opened"}) == (root.events[0].name, root.events[0].attributes)
    assert 5 == len(root.events)


def test_the_root_comes_with_the_end() -> None:
    """While it is open its parts are told, the whole is not: a span is told when it has ended."""
    going_on, over = trace.spans(incident(State.OPEN), ()), trace.spans(incident(), ())
    assert {"symptom HighErrorRate", "diagnosis"} == {each.name for each in going_on}
    assert going_on == [each for each in over if each.name != "incident"]
    merged = named(trace.spans(incident(State.MERGED, merged_into="inc-1"), ()), "incident")
    assert "inc-1" == merged.attributes["prunella.incident.merged_into"]


def test_the_trace_stays_the_same() -> None:
    """Over a restart, and when the object moves to the operator's namespace, with another UID."""
    moved = dataclasses.replace(incident(), namespace="prunella-system", uid="another")
    other = dataclasses.replace(incident(), spec=incident_api.IncidentSpec(opened_at=at(6)))
    assert trace.trace_id(incident()) == trace.trace_id(moved)
    assert trace.trace_id(incident()) != trace.trace_id(other)
    assert [e.id for e in trace.spans(incident(), ())] == [e.id for e in trace.spans(moved, ())]


def test_what_was_opened_again_ends_twice() -> None:
    """The second end is a span of its own within the first, from the moment it was opened again."""
    first = named(trace.spans(incident(), ()), "incident")
    again = [
        *incident().status.timeline,
        Item(at=at(1500), kind="State", message="opened again (1)"),
        Item(at=at(2400), kind="State", message="resolved"),
    ]
    second = named(
        trace.spans(incident(timeline=again, reopened=1, resolved_at=at(2400)), ()), "incident"
    )
    assert (first.id, first.trace) == (second.parent, second.trace)
    assert ((0, 1200), (1500, 2400)) == (offsets(first), offsets(second))
    assert first.id != second.id


def done(phase: reasons.Phase, **status: Any) -> Any:
    """A rollback that was decided after 60 s and sent after 61 s."""
    effect = remediation_api.EffectStatus(sent_at=at(61), outcome="Effective", message="patched")
    return builders.record(
        "checkout-1",
        phase,
        action="rollback",
        ago=datetime.timedelta(seconds=-60),
        finished_ago=datetime.timedelta(seconds=-180),
        effect_statuses=[effect],
        **status,
    )


PROOF = remediation_api.Verification(
    rollout_complete_at=at(80), counts_from=at(95), message="errors: 0.01 is below 0.05"
)
PHASES = [
    pytest.param(reasons.Phase.SUCCEEDED, "", id="it helped"),
    pytest.param(reasons.Phase.UNHELPFUL, "errors stay", id="it did not help"),
    pytest.param(reasons.Phase.FAILED, "errors stay", id="it failed"),
    pytest.param(reasons.Phase.ADVISED, "", id="it was advised"),
]


@pytest.mark.parametrize(("phase", "error"), PHASES)
def test_what_was_done_is_a_span_and_so_is_the_proof(phase: reasons.Phase, error: str) -> None:
    """From the decision to the end, with the effects as events; the proof begins with the last."""
    record = done(phase, message="errors stay", verification=PROOF)
    found = trace.spans(incident(), [record])
    action, proof = named(found, "remediation rollback"), named(found, "verification")
    assert (named(found, "incident").id, action.id) == (action.parent, proof.parent)
    assert ((60, 180), (61, 180)) == (offsets(action), offsets(proof))
    assert (error, error) == (action.error, proof.error)
    assert (phase.value, "rollback") == (
        action.attributes["prunella.phase"],
        action.attributes["prunella.action"],
    )
    assert ["effect"] == [each.name for each in action.events]
    assert "Effective" == action.events[0].attributes["outcome"]
    assert ["rollout complete", "samples count"] == [each.name for each in proof.events]
    assert PROOF.message == proof.attributes["prunella.verification"]


def test_what_is_under_way_is_not_told_yet() -> None:
    """A span is told when it has ended; without a proof there is no span for it."""
    going_on = trace.spans(incident(), [done(reasons.Phase.VERIFYING, verification=PROOF)])
    unproved = trace.spans(incident(), [done(reasons.Phase.FAILED)])
    assert not {"remediation rollback", "verification"} & {each.name for each in going_on}
    assert {"remediation rollback"} == {each.name for each in unproved} - {
        each.name for each in going_on
    }
