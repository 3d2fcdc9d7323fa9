"""What helped and was changed back by somebody else is not done again."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import guards, restoring, vetoes
from prunella.core.decisions.guards import vetoes as guard
from tests.unit.core import builders
from tests.unit.core.builders import minutes, record

Phase, Refused = reasons.Phase, reasons.Refused
OTHER = objects.Key("shop", "other")
BEFORE = builders.workload()
SCALED = builders.workload(replicas=5)
FLAGS = builders.ref("flags", kind="ConfigMap")
SWITCH = builders.effect(
    target=dataclasses.replace(BEFORE, ref=FLAGS, uid="flags-uid"),
    patch=(
        {"op": "test", "path": "/data/new", "value": "on"},
        {"op": "replace", "path": "/data/new", "value": "off"},
    ),
    inverse=(
        {"op": "test", "path": "/data/new", "value": "off"},
        {"op": "replace", "path": "/data/new", "value": "on"},
    ),
)
LIMITS = builders.effect(
    patch=({"op": "add", "path": "/spec/template/spec/memory", "value": "2Gi"},),
    inverse=({"op": "remove", "path": "/spec/template/spec/memory"},),
)
MADE = dataclasses.replace(
    SWITCH,
    verb=model.Verb.CREATE,
    patch=({"op": "add", "path": "", "value": {}},),
    inverse=({"op": "remove", "path": ""},),
)


def _scaled(name: str = "s", phase: reasons.Phase = Phase.SUCCEEDED, **more: Any) -> objects.Record:
    told = {"action": "scale", "effects": [builders.scale_effect(BEFORE, 5)], "ago": minutes(60)}
    return record(name, phase, **{**told, **more})


@pytest.mark.parametrize(
    ("records", "workload", "expected"),
    [
        pytest.param([], BEFORE, None, id="nothing was done"),
        pytest.param([_scaled()], BEFORE, "s", id="it has been scaled back"),
        pytest.param([_scaled()], SCALED, None, id="it is as it was left"),
        pytest.param([_scaled()], builders.workload(replicas=4), None, id="a third number is new"),
        pytest.param([_scaled(phase=Phase.UNHELPFUL)], BEFORE, None, id="it did not help"),
        pytest.param([_scaled(key=OTHER)], BEFORE, None, id="another policy did it"),
        pytest.param([_scaled(generation=2)], BEFORE, None, id="the policy was edited since"),
        pytest.param([_scaled(policy_uid="old")], BEFORE, None, id="the policy was made anew"),
        pytest.param([_scaled(action="restart")], BEFORE, None, id="another action"),
        pytest.param(
            [_scaled()], builders.workload(uid="new"), None, id="the target was made anew"
        ),
        pytest.param(
            [
                _scaled(),
                _scaled("u", action="revert", attempt=2, ago=minutes(30), follows="s"),
            ],
            BEFORE,
            None,
            id="the operator itself took it back",
        ),
        pytest.param(
            [_scaled(), _scaled("o", key=OTHER, attempt=2, ago=minutes(30))],
            BEFORE,
            None,
            id="another policy has written it since",
        ),
        pytest.param(
            [_scaled(), record("r", attempt=2, ago=minutes(30))],
            BEFORE,
            "s",
            id="a restart since has written other fields",
        ),
        pytest.param(
            [_scaled(), _scaled("n", Phase.NOT_SENT, attempt=2, ago=minutes(30))],
            BEFORE,
            "s",
            id="what was not sent has written nothing",
        ),
        pytest.param([_scaled(effects=[LIMITS])], BEFORE, "s", id="a field that is gone again"),
        pytest.param(
            [_scaled(effects=[LIMITS])],
            builders.workload(template={"spec": {"memory": "2Gi"}}),
            None,
            id="a field that is still there",
        ),
        pytest.param(
            [_scaled(effects=[builders.effect()])], BEFORE, None, id="what has no way back"
        ),
        pytest.param(
            [_scaled(effects=[builders.scale_effect(BEFORE, 5), LIMITS])],
            builders.workload(template={"spec": {"memory": "2Gi"}}),
            None,
            id="only one of two fields is back",
        ),
    ],
)
def test_veto(
    records: list[objects.Record], workload: model.Workload, expected: str | None
) -> None:
    """The fields that an effect wrote are as before it, and nobody of ours wrote them since."""
    found = vetoes.veto(builders.policy(), workload, "scale", {}, records)
    assert expected == (found.name if found is not None else None)


@pytest.mark.parametrize(
    ("effect", "manifest", "expected"),
    [
        pytest.param(SWITCH, {"data": {"new": "on"}}, True, id="a switch is back"),
        pytest.param(SWITCH, {"data": {"new": "off"}}, False, id="it is as it was left"),
        pytest.param(SWITCH, {"data": {}}, False, id="the field is gone"),
        pytest.param(SWITCH, None, False, id="the object is gone"),
        pytest.param(MADE, None, True, id="what was made is gone again"),
        pytest.param(MADE, {"data": {}}, False, id="what was made is there"),
    ],
)
def test_veto_on_other_objects(
    effect: model.Effect, manifest: dict[str, Any] | None, expected: bool
) -> None:
    """Fields of another object are judged by that object as it was just looked at."""
    records = [_scaled(effects=[effect], action="patchField")]
    given = (builders.policy(), BEFORE, "patchField")
    found = vetoes.veto(*given, {FLAGS: manifest}, records)
    assert expected is (found is not None)
    assert vetoes.veto(*given, {}, records) is None


def test_a_release_that_comes_again_is_no_veto() -> None:
    """It was proved bad, and is rolled back sooner than before."""
    records = [_scaled(action="rollback")]
    assert vetoes.veto(builders.policy(), BEFORE, "rollback", {}, records) is None


def test_a_person_lifts_it() -> None:
    """After `prunella resume` it may be done again."""
    policy = builders.policy(annotations=builders.resumed(builders.NOW - minutes(1)))
    assert vetoes.veto(policy, BEFORE, "scale", {}, [_scaled()]) is None


def _case(**changes: Any) -> guards.Case:
    return dataclasses.replace(
        builders.case(records=[_scaled(action="restart")], workload=BEFORE), **changes
    )


def test_the_refusal_tells_what_was_done_and_what_lifts_it() -> None:
    """A person reads what they have vetoed, and the command."""
    told = (
        "s helped (scale Deployment/checkout from 3 to 5 replicas), and somebody else has changed "
        "it back: that is a veto; `prunella resume checkout -n shop` clears it"
    )
    expected = model.Refusal(Refused.UNDONE_BY_OTHERS, told)
    assert expected == guard.not_undone_by_others(_case())


def test_an_object_that_could_not_be_read_tells_nothing() -> None:
    """What was not seen is not taken for gone."""
    looked = restoring.Looked(FLAGS, None, problem="forbidden")
    case = _case(looked=looked, records=[_scaled(effects=[MADE], action="restart")])
    answer = "nobody has changed back what restart did to Deployment/checkout"
    assert answer == guard.not_undone_by_others(case)
