"""What came with a release: which ConfigMaps go back with it, and what no rollback takes back."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from prunella.actions import with_release
from prunella.api import change as change_api
from prunella.api import reasons
from prunella.api import steps as steps_api
from prunella.core import model
from prunella.core.changes import kinds
from prunella.core.changes.values import Change
from prunella.core.decisions import restoring, rules
from tests.unit.actions import manifests
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes
from tests.unit.core.changes import objects, test_undo

FLAGS = model.Ref("ConfigMap", "shop", "flags")
OLD = objects.config_map(mode="fast")
NEW = {**objects.later(OLD), "data": {"mode": "slow"}}
RELEASED = NOW - minutes(5)


def at(change: Change, minutes_ago: float, **spec: Any) -> Change:
    """The Change at a time."""
    return test_undo.but(change, at=NOW - minutes(minutes_ago), **spec)


CHANGE = at(objects.change(OLD, NEW, "ConfigMap"), 5.5)


def revision(number: int, created: datetime.datetime) -> model.Revision:
    """A revision whose pods mount the ConfigMap and a claim."""
    volumes = [
        {"name": "f", "configMap": {"name": "flags"}},
        {"name": "d", "persistentVolumeClaim": {"claimName": "orders"}},
    ]
    return model.Revision(number, f"r{number}", created, {"spec": {"volumes": volumes}})


def plan(
    *changes: Change,
    looked: restoring.Looked | None = None,
    kind: str = "Deployment",
    jobs: Any = None,
    bounds: rules.Rules | None = None,
    **params: Any,
) -> with_release.Along | model.Refusal | tuple[model.Need, ...]:
    """What goes back with revision 1, where revision 2 was rolled out five minutes ago."""
    chosen, began = revision(1, NOW - minutes(60)), revision(2, RELEASED)
    live_state = model.LiveState(
        builders.workload("checkout", kind=kind), revisions=(chosen, began)
    )
    request = manifests.request(
        live_state,
        {"rollback": params},
        recent=restoring.Recent(changes, jobs or {}),
        looked={} if looked is None else {FLAGS: looked},
        rules=bounds or rules.Rules(),
    )
    step = steps_api.Rollback.model_validate(params)
    return with_release.plan(request, step, chosen, began)


def seen(change: Change | None = CHANGE, problem: str = "") -> restoring.Looked:
    """The ConfigMap as it is now."""
    return restoring.Looked(FLAGS, NEW, change, problem=problem)


def test_a_config_map_is_looked_at_by_its_change() -> None:
    """By the first one that came with the release: the object before it is what was there."""
    second = at(test_undo.but(CHANGE), 4)
    found = plan(CHANGE, second, configMaps=True)
    assert (model.Need(model.NeedKind.OBJECT, FLAGS, change=CHANGE.name),) == found


def test_it_goes_back_in_the_fields_of_that_change() -> None:
    """Under tests, with an inverse on the record."""
    found = plan(CHANGE, looked=seen(), configMaps=True)
    assert isinstance(found, with_release.Along)
    (effect,) = found.effects
    assert (FLAGS, True, "") == (effect.target, effect.tested, found.left)
    assert "fast" == effect.patch[-1]["value"]


OTHER = Change("chg-other", "shop", CHANGE.spec)
LEFT = [
    pytest.param(CHANGE, seen(OTHER), "an incident suspects chg-other of it", id="suspected"),
    pytest.param(
        CHANGE, restoring.Looked(FLAGS, None, CHANGE), "ConfigMap/flags is gone", id="gone"
    ),
]


@pytest.mark.parametrize(("change", "looked", "told"), LEFT)
def test_what_stays_is_told(change: Change, looked: restoring.Looked, told: str) -> None:
    """The template goes back alone, and its record says so."""
    found = plan(change, looked=looked, configMaps=True)
    assert isinstance(found, with_release.Along)
    assert ((), f"; ConfigMap/flags stays as it is: {told}") == (found.effects, found.left)


def test_administrators_bounds_hold_for_what_goes_along() -> None:
    """The template goes back alone where its ConfigMap would leave them."""
    field = rules.WritableField("v1", "ConfigMap", "data.mode", values=("slow",))
    there = dataclasses.replace(seen(), manifest={**NEW, "apiVersion": "v1"})
    found = plan(CHANGE, looked=there, bounds=rules.Rules(fields=(field,)), configMaps=True)
    assert isinstance(found, with_release.Along)
    assert () == found.effects
    assert "; ConfigMap/flags stays as it is: data.mode of ConfigMap/flags would go" in found.left


def test_what_may_not_be_read_is_refused() -> None:
    """Without the right nobody knows whether the earlier pods can run."""
    refusal = plan(CHANGE, looked=seen(problem="forbidden"), configMaps=True)
    assert isinstance(refusal, model.Refusal)
    assert reasons.Refused.FORBIDDEN is refusal.reason


NOTHING = [
    pytest.param(at(CHANGE, 8), id="before the release"),
    pytest.param(at(CHANGE, 2.5), id="after it"),
    pytest.param(at(CHANGE, 5, by=change_api.Author(own=True)), id="the operator's own"),
    pytest.param(at(CHANGE, 5, verb=change_api.Verb.CREATED), id="a new one"),
]


@pytest.mark.parametrize("change", NOTHING)
def test_what_did_not_come_with_it(change: Change) -> None:
    """It is left as it is, without a word."""
    assert with_release.Along() == plan(change, configMaps=True)


def claim(
    name: str, verb: str = "Modified", path: str = "spec.resources.requests.storage"
) -> Change:
    """A Change of a claim."""
    made = test_undo.created(objects.config_map(), kinds.BY_NAME["ConfigMap"])
    reference = made.spec.object.model_copy(update={"kind": "PersistentVolumeClaim", "name": name})
    fields = [change_api.FieldChange(path=path, old="1", new="2")]
    return at(made, 3, object=reference, verb=change_api.Verb(verb), fields=fields)


CLAIMS = [
    pytest.param(claim("orders"), "Deployment", True, id="resized"),
    pytest.param(claim("orders", "Deleted"), "Deployment", True, id="deleted"),
    pytest.param(claim("orders", path="metadata.labels.a"), "Deployment", False, id="labelled"),
    pytest.param(claim("other"), "Deployment", False, id="not mounted"),
    pytest.param(claim("data-checkout-12"), "StatefulSet", True, id="of a replica"),
    pytest.param(claim("data-checkout-12"), "Deployment", False, id="of a namesake's replica"),
    pytest.param(claim("data-checkout-db-0"), "StatefulSet", False, id="of another set"),
]


@pytest.mark.parametrize(("change", "kind", "one_way"), CLAIMS)
def test_which_claims_matter(change: Change, kind: str, one_way: bool) -> None:
    """Those that the pods mount, and what is wished of them."""
    found = plan(change, kind=kind)
    assert one_way == isinstance(found, model.Refusal)
    if isinstance(found, model.Refusal):
        assert (reasons.Refused.ONE_WAY, True) == (found.reason, found.skip_step)
        assert with_release.Along() == plan(change, kind=kind, allowOneWay=True)


MIGRATION = model.Ref("Job", "shop", "db-migrate")
ORDERS = model.Ref("PersistentVolumeClaim", "shop", "orders")


def there(ref: model.Ref, minutes_ago: float | None, **metadata: Any) -> dict[model.Ref, Any]:
    """An object that is still there, with the time of its creation where that is known."""
    if minutes_ago is not None:
        metadata["creationTimestamp"] = (NOW - minutes(minutes_ago)).isoformat()
    return {ref: {"metadata": {"name": ref.name, "namespace": ref.namespace, **metadata}}}


OWN = {"prunella.dev/remediation": "deployment-checkout-1"}
CREATED = [
    pytest.param(there(MIGRATION, 3), "Job/db-migrate was created", id="a migration"),
    pytest.param(there(MIGRATION, 6.5), "Job/db-migrate was created", id="just before the rollout"),
    pytest.param(there(MIGRATION, 8), "", id="before the release"),
    pytest.param(there(MIGRATION, None), "", id="nobody knows when"),
    pytest.param(there(MIGRATION, 3, annotations=OWN), "", id="the operator's own"),
    pytest.param(there(model.Ref("Job", "shop", "report"), 3), "", id="another Job"),
    pytest.param(
        there(ORDERS, 3), "PersistentVolumeClaim/orders was created", id="a claim of its pods"
    ),
    pytest.param(
        there(model.Ref("PersistentVolumeClaim", "shop", "cache"), 3), "", id="another claim"
    ),
]


@pytest.mark.parametrize(("objects_", "told"), CREATED)
def test_one_way_steps_are_known_without_the_journal(
    objects_: dict[model.Ref, Any], told: str
) -> None:
    """It keeps a day: of an older release the objects themselves tell when they were made."""
    found = plan(jobs=objects_)
    refused = isinstance(found, model.Refusal)
    assert bool(told) is refused
    if isinstance(found, model.Refusal):
        assert (reasons.Refused.ONE_WAY, True) == (found.reason, found.message.startswith(told))
        assert not isinstance(plan(jobs=objects_, allowOneWay=True), model.Refusal)
