"""patchField: one allowed field, within two pairs of bounds, with the way back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.actions import patch_field
from prunella.api import reasons, steps
from prunella.core import model
from prunella.core.changes import swaps
from prunella.core.decisions import action, restoring, rules
from tests.unit.actions import manifests
from tests.unit.core import builders

Refused = reasons.Refused
CNPG = "postgresql.cnpg.io/v1"
SIZE = "spec.pgbouncer.parameters.default_pool_size"
POOL = model.Ref("Pooler", "shop", "checkout")
POOLER = {
    "apiVersion": CNPG,
    "kind": "Pooler",
    "metadata": {"name": "checkout", "namespace": "shop", "uid": "p", "generation": 7},
    "spec": {"instances": 2, "pgbouncer": {"parameters": {"default_pool_size": "25"}}},
}
FLAGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "flags", "namespace": "shop", "uid": "c", "resourceVersion": "12"},
    "data": {"new.search": "on", "beta": "true"},
}
ALLOWED = (
    rules.WritableField(CNPG, "Pooler", SIZE, max=100),
    rules.WritableField(CNPG, "Pooler", "spec.instances", min=1, max=8),
    rules.WritableField(CNPG, "Pooler", "spec.paused", values=("true", "false")),
    rules.WritableField("v1", "ConfigMap", "data.new\\.search", "flags", values=("on", "off")),
)
NEEDED = {"query": "sum(pool_size) + ($value - $current) * 3", "atMost": 90}


def step(**params: Any) -> dict[str, Any]:
    """A step that adds ten connections to each pool; None takes a parameter out."""
    whole = {"apiVersion": CNPG, "kind": "Pooler", "path": SIZE, "by": 10, "min": 1, "max": 60}
    return {name: value for name, value in (whole | params).items() if value is not None}


def flag(**params: Any) -> dict[str, Any]:
    """A step that switches a feature off."""
    which = {"apiVersion": "v1", "kind": "ConfigMap", "name": "flags", "path": "data.new\\.search"}
    return {**which, "value": "off", **params}


def plan(params: dict[str, Any], shown: Any = POOLER, **changes: Any) -> Any:
    """What comes of a step on an object as the API server shows it."""
    live_state = model.LiveState(builders.workload(), pods_known=False)
    ref = model.Ref(params["kind"], "shop", params.get("name", "checkout"))
    looked = changes.pop("looked", restoring.Looked(ref, shown))
    request = manifests.request(live_state, {"patchField": params}, looked={ref: looked}, **changes)
    return patch_field.PatchField().plan(
        dataclasses.replace(request, rules=rules.Rules(fields=ALLOWED))
    )


def effect_of(planned: Any) -> model.Effect:
    """The one effect, as it comes back from the ledger."""
    assert isinstance(planned, action.Plan), planned
    (effect,) = planned.effects
    return manifests.kept(effect)


@pytest.mark.parametrize(
    ("params", "shown", "path", "written", "summary"),
    [
        pytest.param(
            step(),
            POOLER,
            ("spec", "pgbouncer", "parameters", "default_pool_size"),
            "35",
            f'set {SIZE} of Pooler/checkout from "25" to "35"',
            id="a number that is written as text stays text",
        ),
        pytest.param(
            step(path="spec.instances", by=5),
            POOLER,
            ("spec", "instances"),
            7,
            "set spec.instances of Pooler/checkout from 2 to 7",
            id="a number stays a number",
        ),
        pytest.param(
            step(path="spec.instances", by=20),
            POOLER,
            ("spec", "instances"),
            8,
            "set spec.instances of Pooler/checkout from 2 to 8",
            id="the administrators' maximum is below the policy's",
        ),
        pytest.param(
            step(path="spec.instances", by=-5),
            POOLER,
            ("spec", "instances"),
            1,
            "set spec.instances of Pooler/checkout from 2 to 1",
            id="down to the minimum",
        ),
        pytest.param(
            flag(),
            FLAGS,
            ("data", "new.search"),
            "off",
            'set data[new.search] of ConfigMap/flags from "on" to "off"',
            id="a key with a dot in it",
        ),
    ],
)
def test_it_writes_one_field_and_knows_the_way_back(
    params: dict[str, Any], shown: Any, path: tuple[str, ...], written: Any, summary: str
) -> None:
    """Applied and undone, the object is as before; the version that it was planned for is kept."""
    effect = effect_of(plan(params, shown))
    after = swaps.apply(effect.patch, shown)
    found = after
    for part in path:
        found = found[part]
    assert (written, summary) == (found, effect.summary)
    assert shown == swaps.apply(effect.inverse, after)
    metadata = shown["metadata"]
    version = (metadata.get("generation"), metadata.get("resourceVersion", ""))
    assert (metadata["uid"], *version) == (effect.uid, effect.generation, effect.resource_version)
    assert effect.tested


def test_a_field_that_is_not_there_is_added_and_removed_again() -> None:
    """`to` needs no number to start from; in a map of texts the number becomes one."""
    bare = {**POOLER, "spec": {"instances": 2, "pgbouncer": {"parameters": {"x": "1"}}}}
    effect = effect_of(plan(step(by=None, to=30), bare))
    after = swaps.apply(effect.patch, bare)
    assert {"x": "1", "default_pool_size": "30"} == after["spec"]["pgbouncer"]["parameters"]
    assert bare == swaps.apply(effect.inverse, after)


@pytest.mark.parametrize(
    ("params", "shown", "reason", "message"),
    [
        pytest.param(
            step(path="spec.type"),
            POOLER,
            Refused.FIELD_NOT_ALLOWED,
            "spec.type of postgresql.cnpg.io/v1 Pooler/checkout is not a field that the "
            "administrators allow (chart value patchField.fields): ",
            id="a field that nobody allowed",
        ),
        pytest.param(
            flag(name="other"),
            FLAGS,
            Refused.FIELD_NOT_ALLOWED,
            "data.new\\.search of v1 ConfigMap/other is not a field",
            id="an object that nobody allowed",
        ),
        pytest.param(
            step(max=25),
            POOLER,
            Refused.AT_BOUND,
            f"{SIZE} of Pooler/checkout is 25, 35 is wanted within 1 to 25",
            id="at the policy's maximum",
        ),
        pytest.param(
            step(),
            {**POOLER, "spec": {"pgbouncer": {"parameters": {}}}},
            Refused.NOT_WRITABLE,
            f"{SIZE} of Pooler/checkout is not there",
            id="nothing to count from",
        ),
        pytest.param(
            step(),
            {**POOLER, "spec": {"pgbouncer": {"parameters": {"default_pool_size": "50%"}}}},
            Refused.NOT_WRITABLE,
            f'{SIZE} of Pooler/checkout is "50%", not a whole number',
            id="no whole number",
        ),
        pytest.param(
            step(),
            {**POOLER, "spec": {"pgbouncer": {"parameters": {"default_pool_size": "500"}}}},
            Refused.NOT_WRITABLE,
            f"{SIZE} of Pooler/checkout is 500, the administrators allow any to 100: it could not "
            "be put back",
            id="outside what could be put back",
        ),
        pytest.param(
            step(),
            None,
            Refused.NOT_WRITABLE,
            "postgresql.cnpg.io/v1 Pooler/checkout is not there: nothing to write to",
            id="no such object",
        ),
        pytest.param(
            flag(value="maybe"),
            FLAGS,
            Refused.FIELD_NOT_ALLOWED,
            "data.new\\.search of ConfigMap/flags: 'maybe' is wanted; the administrators allow on, "
            "off",
            id="a text that nobody allowed",
        ),
        pytest.param(
            flag(),
            {**FLAGS, "data": {"new.search": "half"}},
            Refused.FIELD_NOT_ALLOWED,
            "data.new\\.search of ConfigMap/flags: 'half' is there now: it could not be put back; "
            "the administrators allow on, off",
            id="a text that could not be put back",
        ),
        pytest.param(
            flag(),
            {**FLAGS, "data": {"new.search": "off"}},
            Refused.AT_BOUND,
            "data.new\\.search of ConfigMap/flags is 'off' already",
            id="it says so already",
        ),
    ],
)
def test_it_is_refused_with_what_was_compared(
    params: dict[str, Any], shown: Any, reason: reasons.Refused, message: str
) -> None:
    """Each of these lets the next step be tried."""
    found = plan(params, shown)
    assert isinstance(found, model.Refusal), found
    assert (reason, True) == (found.reason, found.skip_step)
    assert found.message.startswith(message)


def test_a_boolean_is_written_as_one() -> None:
    """A flag of a custom resource is no text."""
    shown = {**POOLER, "spec": {"paused": False}}
    effect = effect_of(plan(step(path="spec.paused", value="true", **BARE), shown))
    assert {"paused": True} == swaps.apply(effect.patch, shown)["spec"]


BARE = {"by": None, "min": None, "max": None}


def test_what_cannot_be_read_is_forbidden() -> None:
    """Without the right to read there is nothing to plan from."""
    looked = restoring.Looked(POOL, None, problem="can't look at Pooler/checkout: forbidden")
    expected = model.Refusal(Refused.FORBIDDEN, "can't look at Pooler/checkout: forbidden")
    assert expected == plan(step(), looked=looked)


ASKED = "sum(pool_size) + ((35) - (25)) * 3"


def test_a_requirement_is_asked_with_the_numbers_in_it() -> None:
    """About the state that the step would make."""
    (need,) = plan(step(require=[NEEDED]))
    kind = model.NeedKind.NUMBER
    assert (kind, ASKED, "default") == (need.kind, need.query, need.source)


@pytest.mark.parametrize(
    ("number", "message", "skipped"),
    [
        pytest.param(model.Number(90.0), None, False, id="met at the bound"),
        pytest.param(
            model.Number(91.0), f"{ASKED} is 91, required is at most 90", True, id="not met"
        ),
        pytest.param(
            model.Number(None, "no data"),
            f"required, and not known: {ASKED}: no data",
            False,
            id="nobody knows",
        ),
    ],
)
def test_a_requirement_decides(number: model.Number, message: str | None, skipped: bool) -> None:
    """What is not met lets the next step be tried; what nobody knows waits."""
    found = plan(step(require=[NEEDED]), numbers={("default", ASKED): number})
    if message is None:
        assert isinstance(found, action.Plan)
        return
    expected = model.Refusal(Refused.REQUIREMENT_NOT_MET, message, skip_step=skipped)
    assert expected == found


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param(step(by=None), "exactly one of by, to, value", id="nothing to write"),
        pytest.param(step(to=3), "exactly one of by, to, value", id="two things to write"),
        pytest.param(step(max=None), "min and max must be given", id="no bound"),
        pytest.param(step(min=70), "min (70) must not be above max (60)", id="bounds crossed"),
        pytest.param(step(path="spec.list[0]"), "should match pattern", id="a list's element"),
        pytest.param(
            step(require=[{"query": "up"}]), "atMost or atLeast must be given", id="no bound to it"
        ),
    ],
)
def test_a_step_that_makes_no_sense_is_told(params: dict[str, Any], message: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(ValueError, match=message.replace("(", "\\(").replace(")", "\\)")):
        steps.Step.model_validate({"patchField": params})
