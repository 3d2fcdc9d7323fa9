"""Restores: whose symptom a target is, which suspect is next, who owns it, what became of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.actions import registry, restore
from prunella.api import policy as policy_api
from prunella.api import reasons, remediation, trigger
from prunella.core import model, objects
from prunella.core.changes import swaps
from prunella.core.changes.values import Change
from prunella.core.decisions import causes, decide, episode, guards, restoring, step
from prunella.core.decisions.guards import incidents as incident_guards
from prunella.core.decisions.guards import ownership, rollouts, timing
from prunella.core.outcomes import settling, verification
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes, ref, seconds
from tests.unit.core.changes import test_undo

Phase, Refused = reasons.Phase, reasons.Refused
CHECKOUT, WEB = ref(), ref("web")
CART, FLAGS = ref("cart", kind="Service"), ref("flags", kind="ConfigMap")
TRIGGER = trigger.Trigger.model_validate({"incident": {"causeKind": ["Release"]}})
STEPS = [{"restore": {"kinds": ["Service"]}}, {"rollback": {}}]
MADE = swaps.Swaps(
    ({"op": "test", "path": "/a", "value": 1}, {"op": "replace", "path": "/a", "value": 2}),
    ({"op": "test", "path": "/a", "value": 2}, {"op": "replace", "path": "/a", "value": 1}),
)


def about(*others: model.Ref, **changes: Any) -> causes.OpenIncident:
    """An incident of which checkout and web are symptoms, and that suspects cart first."""
    first = builders.incident(**{"suspect": CART, "members": (CHECKOUT, WEB), **changes})
    views = tuple(dataclasses.replace(first, suspect=other) for other in others)
    return dataclasses.replace(first, others=views)


def thing(value: int, uid: str = "u") -> dict[str, Any]:
    """An object with one field."""
    return {"metadata": {"uid": uid, "resourceVersion": "7"}, "a": value}


def managed(manager: str, *fields: str, **entry: Any) -> dict[str, Any]:
    """The object with one field, of which somebody has written some fields."""
    told = {"manager": manager, "fieldsV1": {field: {} for field in fields}, **entry}
    made = thing(1)
    return {**made, "metadata": {**made["metadata"], "managedFields": [told]}}


def effect(of: model.Ref = CART) -> model.Effect:
    """The restore of one field from 1 to 2."""
    return restore.patching(of, thing(1), MADE, f"restore {of}")


def restored(
    of: model.Ref = CART,
    phase: Phase = Phase.UNHELPFUL,
    target: model.Ref = CHECKOUT,
    ago: float = 5,
) -> objects.Record:
    """A record that has restored a suspect for this incident."""
    made = builders.record(
        f"R-{of.name}",
        phase,
        action="restore",
        effects=[effect(of)],
        target=builders.workload(target.name),
        ago=seconds(ago),
    )
    return dataclasses.replace(made, spec=made.spec.model_copy(update={"incident": "inc-1"}))


NEXT = [
    pytest.param(about(), (), CART, "", id="the first suspect"),
    pytest.param(about(FLAGS), (restored(),), FLAGS, "", id="the second, the first did not help"),
    pytest.param(
        about(FLAGS), (restored(target=WEB),), FLAGS, "", id="whichever target it was tried for"
    ),
    pytest.param(
        about(FLAGS),
        (restored(phase=Phase.VERIFYING),),
        CART,
        "",
        id="the first while it is proved",
    ),
    pytest.param(
        about(FLAGS),
        (restored(phase=Phase.NOT_SENT),),
        CART,
        "",
        id="what was not sent was not tried",
    ),
    pytest.param(
        about(FLAGS),
        (restored(), restored(FLAGS)),
        None,
        "all 2 suspects of inc-1 were restored in vain",
        id="none left",
    ),
    pytest.param(
        about(),
        (restored(phase=Phase.SUCCEEDED),),
        None,
        "R-cart has restored Service/cart for inc-1 already",
        id="healed",
    ),
    pytest.param(
        about(),
        (restored(phase=Phase.SUCCEEDED, ago=300),),
        CART,
        "",
        id="changed again since it was healed",
    ),
    pytest.param(
        about(members=()), (), None, "symptom of none of 1 open incidents", id="no symptom of it"
    ),
    pytest.param(
        about(suspect=CHECKOUT, members=()), (), CHECKOUT, "", id="the target is the suspect"
    ),
    pytest.param(
        about(suspect=ref("cart", "other", "Service")),
        (),
        None,
        "suspects an object outside of namespace shop",
        id="another namespace",
    ),
    pytest.param(
        about(cause_kind="Node"),
        (),
        None,
        "suspects Service/cart, but as Node, and the trigger is Release",
        id="not as the trigger asks",
    ),
]


@pytest.mark.parametrize(("incident", "records", "expected", "told"), NEXT)
def test_which_suspect_is_next(
    incident: causes.OpenIncident,
    records: tuple[objects.Record, ...],
    expected: model.Ref | None,
    told: str,
) -> None:
    """The likeliest that was not tried in vain, if it fits the trigger; else it is told why not."""
    found = causes.to_restore(TRIGGER, CHECKOUT, [incident], records)
    assert expected == (found.suspect if found is not None else None)
    if told:
        assert told in causes.why_not_restored(TRIGGER, CHECKOUT, [incident], records)


def test_the_evidence_says_what_explains_a_symptom() -> None:
    """A symptom is not what the incident names first."""
    said = [causes.finding(target, about()).message for target in (CHECKOUT, CART)]
    assert said[0].startswith("inc-1 explains it by Service/cart (Release, High): ")
    assert said[1].startswith("inc-1 names it first (Release, High): ")


def case(action: str = "restore", **changes: Any) -> guards.Case:
    """A case of a policy that restores, and else rolls back."""
    of = builders.policy(trigger={"incident": {"causeKind": ["Release"]}}, steps=STEPS)
    return builders.case(
        action=action, of=of, **{"suspect": CART, "incidents": (about(),), **changes}
    )


NAMED = [
    pytest.param(case(), "", "", id="a symptom may be restored"),
    pytest.param(case("rollback"), "NOT_THE_CAUSE", "skip", id="and not rolled back"),
    pytest.param(
        case("rollback", follows=restored()),
        "NOT_THE_CAUSE",
        "skip",
        id="not after a restore either",
    ),
    pytest.param(case(incidents=()), "NOT_THE_CAUSE", "skip", id="no incident"),
    pytest.param(
        case(records=(restored(target=WEB, phase=Phase.VERIFYING),)),
        "WAITS_FOR_INCIDENT",
        "",
        id="another target leads",
    ),
    pytest.param(
        case(records=(restored(FLAGS, target=WEB),), incidents=(about(FLAGS),)),
        "WAITS_FOR_INCIDENT",
        "",
        id="another target's is still to be put back",
    ),
]


@pytest.mark.parametrize(("of", "reason", "skip"), NAMED)
def test_who_may_restore(of: guards.Case, reason: str, skip: str) -> None:
    """One target of an incident at a time, and nothing else is done to a mere symptom."""
    answer = incident_guards.named_by_an_incident(of)
    if not reason:
        assert "inc-1 suspects Service/cart: Release, High" == answer
        return
    assert isinstance(answer, model.Refusal)
    assert (Refused[reason], bool(skip)) == (answer.reason, answer.skip_step)


LONG_AGO = minutes(60)


@pytest.mark.parametrize("phase", [Phase.VERIFYING, Phase.SUCCEEDED])
def test_symptoms_wait_while_the_suspect_is_restored(phase: Phase) -> None:
    """Policies without a trigger leave its symptoms alone, however long that takes."""
    records = (restored(phase=phase, target=WEB),)
    incident = about(named_at=NOW - LONG_AGO, started_at=NOW - LONG_AGO)
    asked = builders.case(records=records, incidents=(incident,))
    answer = incident_guards.waits_for_the_cause(asked)
    assert (phase is Phase.VERIFYING) == isinstance(answer, model.Refusal)


def test_a_rollout_of_the_sick_is_no_bar_to_a_restore_of_another_object() -> None:
    """A quota holds its pods back: they can't come before it is put back."""
    rolling = builders.workload(updated=2)
    answer = timing.no_rollout_in_progress(case(target=rolling, suspect=CART))
    assert "itself is not written" in str(answer)


def test_a_rollout_is_no_bar_to_taking_it_back() -> None:
    """The rollout is what is suspected: its pods may never come. Other actions wait for them."""
    rolling = builders.workload(updated=2)
    asked = case(target=rolling, suspect=rolling.ref)
    assert "this rollout itself" in str(timing.no_rollout_in_progress(asked))
    restart = dataclasses.replace(asked, action=registry.all_actions()["restart"])
    assert isinstance(timing.no_rollout_in_progress(restart), model.Refusal)


def test_a_restore_of_the_sick_workload_is_a_rollout_of_it() -> None:
    """A person who paused it works on it; another object is none of its pods' business."""
    paused = builders.workload(paused=True)
    for suspect, refused in ((CART, False), (paused.ref, True)):
        answer = rollouts.rollout_not_paused(case(target=paused, suspect=suspect))
        assert refused == isinstance(answer, model.Refusal)


def entry(manager: str, *path: str) -> dict[str, Any]:
    """An entry of managedFields that owns one field."""
    fields: dict[str, Any] = {}
    for part in reversed(path):
        fields = {part: fields}
    return {"manager": manager, "fieldsV1": fields}


PORT = ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:targetPort")
SELECTOR = ("f:spec", "f:selector", "f:app")
OWNED = [
    pytest.param({"managedFields": [entry("kubectl-edit", *PORT)]}, {}, "", id="a person"),
    pytest.param(
        {"managedFields": [entry("argocd-controller", *PORT)]},
        {},
        "OWNED_BY_GITOPS",
        id="the field",
    ),
    pytest.param(
        {"managedFields": [entry("argocd-controller", *SELECTOR)]}, {}, "", id="another field"
    ),
    pytest.param({"labels": {"kapp.k14s.io/app": "1"}}, {}, "OWNED_BY_GITOPS", id="a mark"),
    pytest.param({}, {"manager": "helm-controller"}, "OWNED_BY_GITOPS", id="who made the change"),
    pytest.param(
        {"ownerReferences": [{"kind": "Gateway", "name": "g", "controller": True}]},
        {},
        "OWNED_BY_CONTROLLER",
        id="a controller",
    ),
    pytest.param(
        {"ownerReferences": [{"kind": "Gateway", "name": "g"}]}, {}, "", id="a mere owner"
    ),
]


@pytest.mark.parametrize(("metadata", "author", "reason"), OWNED)
def test_ownership_is_judged_by_the_fields_of_the_change(
    metadata: dict[str, Any], author: dict[str, Any], reason: str
) -> None:
    """What others own of the object besides does not matter."""
    manifest = test_undo.service(9999)
    manifest["metadata"] |= {"managedFields": [], **metadata}
    by = test_undo.PORT.spec.by.model_copy(update=author)
    looked = restoring.Looked(CART, manifest, test_undo.but(test_undo.PORT, by=by))
    answer = ownership.not_owned_by_others(case(looked=looked))
    found = answer.reason if isinstance(answer, model.Refusal) else ""
    assert (Refused[reason] if reason else "") == found


def test_an_autoscaler_does_not_keep_a_restored_template_from_being_put_back() -> None:
    """Whose the fields are was asked before they were restored."""
    look = model.LiveState(builders.workload(), autoscalers=("HorizontalPodAutoscaler/a",))
    for undone, refused in ((restored(CHECKOUT), False), (builders.record(), True)):
        asked = builders.case(action="revert", follows=undone, live_state=look)
        answer = ownership.not_owned_by_others(asked)
        assert refused == isinstance(answer, model.Refusal)


SEEN = [
    pytest.param(effect(), thing(2), True, id="patched"),
    pytest.param(effect(), thing(1), False, id="not patched"),
    pytest.param(effect(), thing(3), None, id="somebody else has written"),
    pytest.param(effect(), thing(2, "v"), None, id="another object"),
    pytest.param(effect(), None, None, id="gone"),
    pytest.param(restore.creating(CART, {"a": 1}, ""), thing(1), True, id="created"),
    pytest.param(restore.creating(CART, {"a": 1}, ""), None, False, id="not created"),
    pytest.param(
        restore.creating(CART, {"a": 1}, ""),
        managed("prunella", "f:data"),
        True,
        id="created by us",
    ),
    pytest.param(
        restore.creating(CART, {"a": 1}, ""),
        managed("kubectl-edit", "f:data"),
        None,
        id="created, and somebody has added to it",
    ),
    pytest.param(
        restore.creating(CART, {"a": 1}, ""),
        managed("cloud-controller", "f:metadata"),
        True,
        id="created, and a controller has added a finalizer",
    ),
    pytest.param(
        restore.creating(CART, {"a": 1}, ""),
        managed("controller", "f:spec", subresource="status"),
        True,
        id="created, and a controller tells its status",
    ),
    pytest.param(restore.creating(CART, {"a": 1}, ""), thing(2), None, id="created by another"),
    pytest.param(restore.deleting(CART, thing(1), {}, ""), None, True, id="deleted"),
    pytest.param(restore.deleting(CART, thing(1), {}, ""), thing(1), False, id="not deleted"),
    pytest.param(
        restore.deleting(CART, thing(1), {}, ""), thing(1, "v"), None, id="deleted and made anew"
    ),
    pytest.param(
        restore.deleting(CART, thing(1), {}, ""),
        {"metadata": {"uid": "u", "deletionTimestamp": "now"}},
        True,
        id="being deleted",
    ),
]
SETTLED = {True: ("Verifying", "Effective"), False: ("NotSent", "NotSent"), None: ("Unknown",) * 2}


@pytest.mark.parametrize(("sent", "there", "expected"), SEEN)
def test_a_lost_answer_is_settled_by_the_object(
    sent: model.Effect, there: dict[str, Any] | None, expected: bool | None
) -> None:
    """Without a mark: it is as it was left, as it was before, or nobody knows."""
    assert expected is restoring.as_written(sent, there)
    status = remediation.EffectStatus(sent_at=NOW - minutes(1))
    record = builders.record(
        "R", Phase.ACTING, action="restore", effects=[sent], effect_statuses=[status]
    )
    look = model.LiveState(builders.workload())
    settled = settling.settle(record, look, NOW, {CART: there})
    assert SETTLED[expected] == (settled.phase, settled.effects[0].outcome)
    assert "" == settled.effects[0].fingerprint


ONE_WAY: dict[str, tuple[tuple[model.PatchOperation, ...], dict[str, Any]]] = {
    "promoted": (
        (
            {"op": "test", "path": "/status/release", "value": "new"},
            {"op": "test", "path": "/status/pauses", "value": ["step"]},
            {"op": "remove", "path": "/status/pauses"},
        ),
        {
            "as it was": ({"release": "new", "pauses": ["step"]}, False),
            "done": ({"release": "new"}, True),
            "waits for something else": ({"release": "new", "pauses": ["doubt"]}, None),
            "another release": ({"release": "newer"}, None),
            "another release that waits": ({"release": "newer", "pauses": ["step"]}, None),
        },
    ),
    "aborted": (
        (
            {"op": "test", "path": "/status/release", "value": "new"},
            {"op": "test", "path": "/status/abort", "value": None},
            {"op": "add", "path": "/status/abort", "value": True},
        ),
        {
            "as it was": ({"release": "new"}, False),
            "done": ({"release": "new", "abort": True}, True),
            "another release, aborted": ({"release": "newer", "abort": True}, None),
        },
    ),
    "a part of what is tested": (
        (
            {"op": "test", "path": "/status", "value": {"a": 1, "b": 2}},
            {"op": "replace", "path": "/status/a", "value": 3},
        ),
        {
            "as it was": ({"a": 1, "b": 2}, False),
            "done": ({"a": 3, "b": 2}, True),
            "otherwise": ({"a": 4, "b": 2}, None),
        },
    ),
    "beside what is tested": (
        (
            {"op": "test", "path": "/status/abort", "value": 1},
            {"op": "test", "path": "/status/abortedAt", "value": 2},
            {"op": "replace", "path": "/status/abortedAt", "value": 3},
        ),
        {
            "done": ({"abort": 1, "abortedAt": 3}, True),
            "otherwise": ({"abort": 2, "abortedAt": 3}, None),
        },
    ),
}


@pytest.mark.parametrize("case", ONE_WAY)
def test_a_patch_without_an_inverse_is_told_by_all_that_it_leaves(case: str) -> None:
    """What it removes is gone, and what it has tested and not changed is as it was."""
    patch, seen = ONE_WAY[case]
    rollout = ref("web", kind="Rollout")
    sent = model.Effect(
        verb=model.Verb.PATCH, target=rollout, uid="u", generation=1, patch=patch, summary=""
    )
    found = {
        name: restoring.as_written(sent, {"metadata": {"uid": "u"}, "status": status})
        for name, (status, _) in seen.items()
    }
    assert {name: expected for name, (_, expected) in seen.items()} == found


ADDED = [
    pytest.param({"data": {"a": "1"}}, {"data": {"a": "1"}}, True, id="as it was made"),
    pytest.param({"data": {"a": "1"}}, {"data": {"a": "1", "b": "2"}}, None, id="another key"),
    pytest.param({}, {"binaryData": {"b": "Mg=="}}, None, id="another map"),
    pytest.param(
        {"spec": {"hard": {"pods": "1"}}},
        {"spec": {"hard": {"pods": "1", "secrets": "1"}}},
        None,
        id="another limit",
    ),
    pytest.param(
        {"spec": {"selector": {"app": "a"}}},
        {"spec": {"selector": {"app": "a", "track": "b"}, "clusterIP": "10.0.0.1"}},
        None,
        id="another label that selects",
    ),
    pytest.param(
        {"spec": {"selector": {"app": "a"}}},
        {"spec": {"selector": {"app": "a"}, "clusterIP": "10.0.0.1"}},
        True,
        id="what the API server adds",
    ),
]


@pytest.mark.parametrize(("whole", "there", "expected"), ADDED)
def test_what_was_added_shows_without_managed_fields(
    whole: dict[str, Any], there: dict[str, Any], *, expected: bool | None
) -> None:
    """The API server notes nobody once the operator's fields were given back."""
    named = {"metadata": {"name": "cart", "uid": "u"}}
    sent = restore.creating(CART, {**whole, **named}, "create it")
    assert expected is restoring.as_written(sent, {**there, **named})


ENDS = [
    pytest.param(policy_api.Otherwise.REVERT, False, id="another suspect may be next"),
    pytest.param(policy_api.Otherwise.CONTINUE, False, id="without undoing"),
    pytest.param(policy_api.Otherwise.ESCALATE, True, id="a person is asked"),
]


@pytest.mark.parametrize(("otherwise", "expected"), ENDS)
def test_people_are_called_when_no_suspect_is_left(
    otherwise: policy_api.Otherwise, *, expected: bool
) -> None:
    """The last step is not over with the first suspect."""
    verify = policy_api.Verify(otherwise=otherwise)
    assert expected == verification.must_escalate(restored(), verify, 1)


def test_after_a_restore_in_vain_the_same_step_is_tried_again() -> None:
    """First it is put back; then the step is the same, of the next suspect."""
    policy = builders.policy(trigger={"incident": {"causeKind": ["Release"]}}, steps=STEPS)
    assert policy.spec is not None
    tried = restored()
    after = episode.next_attempt(policy, policy.spec, "checkout-uid", [tried])
    assert episode.Next(0, tried, revert=True) == after
    undone = builders.record("U", action="revert", follows=tried.name, attempt=2)
    following = episode.next_attempt(policy, policy.spec, "checkout-uid", [tried, undone])
    assert episode.Next(0, undone) == following


def changed(name: str, at: float, **spec: Any) -> Change:
    """A Change of cart, so many seconds after the hour."""
    moment = test_undo.PORT.at + seconds(at)
    made = test_undo.but(test_undo.PORT, at=moment, **spec)
    return dataclasses.replace(made, name=name)


OWN = test_undo.PORT.spec.by.model_copy(update={"own": True})
BEFORE, FIRST = changed("0", 0, resource_version="9"), changed("a", 0)
SCALED, LAST = changed("b", 1, class_="Scaling"), changed("c", 2)
MINE = changed("d", 3, by=OWN)
SUSPECTED = [
    pytest.param("a", FIRST, [SCALED, LAST], id="by its name"),
    pytest.param("", LAST, [], id="the newest that somebody else wanted"),
    pytest.param("gone", None, [], id="one that the journal has no more"),
]


@pytest.mark.parametrize(("name", "expected", "later"), SUSPECTED)
def test_which_change_is_taken_back(
    name: str, expected: Change | None, later: list[Change]
) -> None:
    """The operator's own changes are neither suspected nor somebody's later decision."""
    known = [BEFORE, FIRST, SCALED, LAST, MINE]
    found = restoring.suspected(name, known)
    assert expected == found
    if found is not None:
        assert tuple(later) == restoring.later_than(found, known)


def test_what_the_operator_deleted_is_not_created_again() -> None:
    """The journal tells of nobody who deletes: its own deletion looks like a person's."""
    away = restore.deleting(CART, thing(1), {}, "delete it")
    status = remediation.EffectStatus(sent_at=NOW - seconds(70))
    record = builders.record(
        "R", action="restore", effects=[away], effect_statuses=[status], ago=seconds(75)
    )
    assert causes.to_restore(TRIGGER, CHECKOUT, [about()], [record]) is None
    told = causes.why_not_restored(TRIGGER, CHECKOUT, [about()], [record])
    assert "R has restored Service/cart for inc-1 already" == told


def test_a_restore_that_nothing_would_prove_is_not_tried() -> None:
    """The incident alone says that the target is sick: its signals are Healthy before and after."""
    by_incident = causes.finding(CHECKOUT, about())
    by_signal = builders.finding(CHECKOUT)
    refused = guards.evaluate(
        (incident_guards.named_by_an_incident,), case(findings=(by_incident,))
    )[-1].refusal
    assert refused is not None
    assert (Refused.NOTHING_TO_PROVE, True) == (refused.reason, refused.skip_step)
    answer = incident_guards.named_by_an_incident(case(findings=(by_incident, by_signal)))
    assert "suspects Service/cart" in str(answer)


def test_who_can_prove_it_leads() -> None:
    """Named by the incident and seen by a signal, named only, and not named at all."""
    named = about()
    by_incident = causes.finding(CHECKOUT, named)

    def sick(name: str, *findings: model.Finding, by: causes.OpenIncident | None = named) -> Any:
        return decide.UnhealthyTarget(builders.workload(name), findings, NOW, seconds(0), by)

    lone = sick("a", builders.finding(ref("a")), by=None)
    told = sick("b", by_incident)
    shown = sick("c", by_incident, builders.finding(ref("c")))
    turns = sorted((lone, told, shown), key=lambda each: step.turn(each, NOW))
    assert ["c", "b", "a"] == [each.workload.ref.name for each in turns]
