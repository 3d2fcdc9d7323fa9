"""What takes one Change back, and why others can't be."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from prunella.api import change as change_api
from prunella.api import reasons
from prunella.core.changes import entry, kinds, swaps, undo
from prunella.core.changes.values import Change
from tests.unit.core.changes import objects
from tests.unit.core.changes.objects import Manifest

Refused = reasons.Refused
SERVICE, CONFIG_MAP = kinds.BY_NAME["Service"], kinds.BY_NAME["ConfigMap"]


def service(port: int = 8080, uid: str = "u-3", **spec: Any) -> Manifest:
    """Service cart as the API server shows it."""
    ports = [{"name": "http", "port": 80, "targetPort": port, "nodePort": 30080}]
    whole = {"selector": {"app": "cart"}, "ports": ports, "clusterIP": "10.0.0.7", **spec}
    return {"metadata": objects.metadata("cart", uid), "spec": whole}


def changed(old: Manifest, new: Manifest, kind: str = "Service") -> Change:
    """The Change from one to the other."""
    made = objects.change(old, objects.later(new), kind)
    assert made is not None
    return made


def deleted(manifest: Manifest, kind: kinds.Kind = SERVICE) -> Change:
    """The Change of an object that was deleted."""
    seen = entry.sight(kind, manifest, objects.RULES)
    return entry.deleted(kind, seen, objects.NOW, objects.RULES, late=False)


def created(manifest: Manifest, kind: kinds.Kind = CONFIG_MAP) -> Change:
    """The Change of an object that was created."""
    seen = entry.sight(kind, manifest, objects.RULES)
    occasion = entry.Occasion(manifest, objects.NOW, late=False)
    return entry.created(kind, seen, occasion, objects.RULES)


def but(change: Change, **spec: Any) -> Change:
    """The Change with other fields of its spec."""
    return Change(change.name, change.namespace, change.spec.model_copy(update=spec))


def test_a_modified_object_is_patched_in_the_fields_of_its_change_alone() -> None:
    """What was changed since, elsewhere, stays."""
    now = service(9999, selector={"app": "cart", "tier": "blue"})
    found = undo.of(SERVICE, changed(service(), service(9999)), now)
    assert isinstance(found, undo.Undo)
    assert found.swaps is not None
    expected = service(selector={"app": "cart", "tier": "blue"})
    assert expected == swaps.apply(found.swaps.patch, now)


def test_a_deleted_service_is_made_without_what_the_server_sets() -> None:
    """Another may have its address or port by now; a headless one keeps that it has none."""
    found = undo.of(SERVICE, deleted(service()), None)
    headless = undo.of(SERVICE, deleted(service(clusterIP="None")), None)
    assert isinstance(found, undo.Undo)
    assert isinstance(headless, undo.Undo)
    assert found.whole == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {
            "selector": {"app": "cart"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        },
    }
    assert headless.whole is not None
    assert "None" == headless.whole["spec"]["clusterIP"]


def test_a_created_object_is_kept_whole_for_the_way_back() -> None:
    """Its annotations too, whoever writes them."""
    made = objects.config_map(mode="fast")
    made["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    found = undo.of(CONFIG_MAP, created(made), made)
    assert isinstance(found, undo.Undo)
    assert found.whole is not None
    assert made["metadata"]["annotations"] == found.whole["metadata"]["annotations"]
    assert {"mode": "fast"} == found.whole["data"]


HIDDEN, ANEW = {"password": "a"}, {"password": "b"}
PORT = changed(service(), service(9999))
PASSWORD = changed(objects.config_map(**HIDDEN), objects.config_map(**ANEW), "ConfigMap")
LATER = but(PORT, at=objects.NOW, by=change_api.Author(manager="kubectl-edit"))
OTHER_FIELD = but(PORT, fields=[change_api.FieldChange(path="metadata.labels.a", old="1", new="2")])

OBSTACLES = [
    pytest.param(
        PORT, service(7), (), "CHANGED_SINCE", "is 7 now, the change wrote 9999", id="edited"
    ),
    pytest.param(
        PORT, service(), (), "CHANGED_SINCE", "no longer as the change left", id="put back"
    ),
    pytest.param(PORT, None, (), "CHANGED_SINCE", "Service/cart is gone", id="gone"),
    pytest.param(
        PORT, service(9999, uid="u-9"), (), "CHANGED_SINCE", "replaced by another", id="made anew"
    ),
    pytest.param(
        PORT,
        service(9999),
        (LATER,),
        "CHANGED_SINCE",
        "again by kubectl-edit 0 s later",
        id="again",
    ),
    pytest.param(
        but(PORT, before=""), service(9999), (), "NO_CHANGE", "not recorded", id="without before"
    ),
    pytest.param(
        but(PORT, before="", before_omitted="too large"),
        service(9999),
        (),
        "NO_CHANGE",
        "has no object before it: too large",
        id="too large before",
    ),
    pytest.param(
        but(PORT, fields_omitted=3),
        service(9999),
        (),
        "NO_CHANGE",
        "3 changed fields more",
        id="long",
    ),
    pytest.param(
        but(PORT, before="x"), service(9999), (), "NO_CHANGE", "object before it", id="unreadable"
    ),
    pytest.param(
        PASSWORD,
        objects.config_map(**ANEW),
        (),
        "REDACTED",
        "values in data.password look like credentials",
        id="a credential",
    ),
    pytest.param(
        deleted(service()), service(), (), "CHANGED_SINCE", "there again", id="there again"
    ),
    pytest.param(
        deleted(objects.config_map(**HIDDEN), CONFIG_MAP),
        None,
        (),
        "REDACTED",
        "look like credentials",
        id="deleted with a credential",
    ),
    pytest.param(
        created(objects.config_map(**HIDDEN)),
        objects.config_map(**HIDDEN),
        (),
        "REDACTED",
        "look like credentials",
        id="created with a credential",
    ),
    pytest.param(
        created(objects.config_map(a="1")),
        objects.config_map(a="2"),
        (OTHER_FIELD,),
        "CHANGED_SINCE",
        "was changed again",
        id="created and changed",
    ),
]


@pytest.mark.parametrize(("change", "manifest", "later", "reason", "told"), OBSTACLES)
def test_what_can_t_be_taken_back(
    change: Change, manifest: Manifest | None, later: tuple[Change, ...], reason: str, told: str
) -> None:
    """Each obstacle has its reason, and says what was found."""
    kind = kinds.BY_NAME[change.object.kind]
    found = undo.of(kind, change, manifest, later)
    assert isinstance(found, undo.Obstacle)
    assert (Refused[reason], True) == (found.reason, told in found.message), found.message


def test_a_later_change_of_other_fields_is_no_obstacle() -> None:
    """Only the Change's own fields must be as it left them."""
    assert isinstance(undo.of(SERVICE, PORT, service(9999), (OTHER_FIELD,)), undo.Undo)


def test_a_list_that_was_only_sorted_anew_is_left() -> None:
    """The journal tells the order by names, which are not the elements."""
    old = service()
    old["spec"]["ports"].append({"name": "admin", "port": 81, "targetPort": 81})
    new = copy.deepcopy(old)
    new["spec"]["ports"].reverse()
    found = undo.of(SERVICE, changed(old, new), new)
    assert isinstance(found, undo.Obstacle)
    assert Refused.CHANGED_SINCE is found.reason


DEPLOYMENT = kinds.BY_NAME["Deployment"]


def deployment(replicas: int = 2, **labels: str) -> Manifest:
    """A Deployment, as the API server shows it."""
    template = {"spec": {"containers": [{"name": "app", "image": "app:1"}]}}
    metadata = {**objects.metadata("app", "u-app"), "labels": labels}
    spec = {"replicas": replicas, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def test_a_created_workload_is_scaled_to_nothing() -> None:
    """It is not deleted; the way back is the number that it had."""
    made = deployment(replicas=2)
    found = undo.of(DEPLOYMENT, created(made, DEPLOYMENT), made)
    assert isinstance(found, undo.Undo)
    assert found.swaps is not None
    gone = swaps.apply(found.swaps.patch, made)
    assert 0 == gone["spec"]["replicas"]
    assert made == swaps.apply(found.swaps.inverse, gone)

    nothing = deployment(replicas=0)
    again = undo.of(DEPLOYMENT, created(made, DEPLOYMENT), nothing)
    assert isinstance(again, undo.Obstacle)
    assert "no replicas already" in again.message


LABELS = [
    pytest.param(deployment(3, version="2"), 2, id="labels-and-replicas"),
    pytest.param(deployment(2, version="2"), None, id="labels-only"),
]


@pytest.mark.parametrize(("new", "expected"), LABELS)
def test_a_workloads_own_labels_stay(new: Manifest, expected: int | None) -> None:
    """A release writes its version there: its pods do not depend on it."""
    found = undo.of(DEPLOYMENT, changed(deployment(version="1"), new, "Deployment"), new)
    if expected is None:
        assert isinstance(found, undo.Obstacle)
        assert "only labels or annotations" in found.message
        return
    assert isinstance(found, undo.Undo)
    assert found.swaps is not None
    after = swaps.apply(found.swaps.patch, new)
    assert (expected, {"version": "2"}) == (after["spec"]["replicas"], after["metadata"]["labels"])
