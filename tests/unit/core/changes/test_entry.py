"""The entry that a change of an object makes."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import itertools

import pytest

from prunella.api import change as change_api
from prunella.core.changes import entry, kinds, packing
from tests.unit.core.changes import objects

SECRET = "db_password"  # noqa: S105 - a name, no password
NEW = "registry.example/shop/checkout:1.5.0"


def released(
    manager: str = "kubectl-set", time: str = "11:59:58", **meta: object
) -> objects.Manifest:
    """The Deployment with a new image."""
    made = objects.later(
        objects.deployment(), generation=4, managedFields=[objects.manager(manager, time)], **meta
    )
    objects.image_of(made)["image"] = NEW
    return made


def test_a_release_is_told_whole() -> None:
    """Who, when, which field, which release, and the object before it."""
    found = objects.change(objects.deployment(), released())

    assert found is not None
    spec = found.spec
    assert spec.summary == (
        "Deployment checkout: containers[app].image checkout:1.4.2 -> checkout:1.5.0, "
        "by kubectl-set"
    )
    assert (change_api.Verb.MODIFIED, change_api.Class.CHANGE) == (spec.verb, spec.class_)
    assert datetime.datetime(2026, 3, 1, 11, 59, 58, tzinfo=datetime.UTC) == spec.at
    assert change_api.Author(manager="kubectl-set") == spec.by
    assert ["spec.template.spec.containers[name=app].image"] == [f.path for f in spec.fields]
    assert spec.release is not None
    assert ([NEW], "4") == (spec.release.images, spec.release.revision)
    assert ("11", 4, "shop") == (spec.resource_version, spec.generation, found.namespace)
    before = packing.unpack(packing.from_text(spec.before))
    assert "1.4.2" in str(before["spec"])
    assert ("apps/v1", "Deployment", "checkout") == (
        before["apiVersion"],
        before["kind"],
        before["metadata"]["name"],
    )


def test_a_status_is_no_change() -> None:
    """New readiness, a new resourceVersion and a new revision annotation are noise."""
    made = objects.later(
        objects.deployment(), annotations={"deployment.kubernetes.io/revision": "4"}
    )
    made["status"]["readyReplicas"] = 0
    assert objects.change(objects.deployment(), made) is None


def test_the_operators_own_change_is_named_as_such() -> None:
    """A restart by this operator is told as its own."""
    found = objects.change(objects.deployment(), released("prunella"))
    assert found is not None
    assert change_api.Author(manager="prunella", own=True) == found.spec.by


SCALE = {"f:spec": {"f:replicas": {}}}


@pytest.mark.parametrize(
    ("manager", "expected"),
    [
        pytest.param("kube-controller-manager", change_api.Class.SCALING, id="HPA"),
        pytest.param("keda-operator", change_api.Class.SCALING, id="KEDA"),
        pytest.param("kubectl", change_api.Class.CHANGE, id="a person"),
    ],
)
def test_an_autoscalers_replicas_are_scaling(manager: str, expected: change_api.Class) -> None:
    """Told by the owner of spec.replicas, for whom the API server keeps no time."""
    made = objects.later(
        objects.deployment(),
        generation=4,
        managedFields=[
            objects.manager("kubectl", "11:00:00"),
            objects.manager(manager, None, SCALE, "scale"),
        ],
    )
    made["spec"]["replicas"] = 5
    found = objects.change(objects.deployment(), made)
    assert found is not None
    assert (expected, manager) == (found.spec.class_, found.spec.by.manager)
    assert objects.NOW == found.at


def test_nobody_is_blamed_when_the_api_server_tells_nobody() -> None:
    """A field that was removed by its last owner leaves no trace: the author is unknown."""
    old = objects.deployment()
    old["metadata"]["labels"] = {"team": "blue"}
    made = objects.later(objects.deployment())
    made["metadata"]["managedFields"][0]["time"] = "2026-03-01T10:30:00Z"
    found = objects.change(old, made)
    assert found is not None
    assert change_api.Author() == found.spec.by
    assert "metadata.labels.team removed, was blue" in found.spec.summary


def test_a_late_change_has_the_time_of_its_write() -> None:
    """The write's own time is told, however late it is found; a watch trusts a fresh one only."""
    made = released(time="11:30:00")
    late = objects.change(objects.deployment(), made, late=True)
    prompt = objects.change(objects.deployment(), made)
    assert late is not None
    assert prompt is not None
    assert datetime.time(11, 30) == late.at.time()
    assert late.spec.late
    assert objects.NOW == prompt.at


ROLE = {"metadata": objects.metadata("reader"), "rules": [{"verbs": ["get"]}]}


def test_what_view_may_not_read_has_no_values() -> None:
    """Of a Role the path is told; neither its values nor the object before it."""
    made = objects.later({**ROLE, "rules": [{"verbs": ["list"]}]})
    found = objects.change(ROLE, made, "Role")
    assert found is not None
    assert [
        change_api.FieldChange(path="rules[0].verbs[0]", redacted=True)
    ] == found.spec.fields or (
        [change_api.FieldChange(path="rules[0].verbs", redacted=True)] == found.spec.fields
    )
    assert ("", entry.BEYOND_VIEW) == (found.spec.before, found.spec.before_omitted)
    assert "list" not in found.spec.model_dump_json()


def test_a_path_names_nobody_where_values_are_not_kept() -> None:
    """Whom a RoleBinding binds is not told by a merge key, nor by its hash."""
    binding = {"metadata": objects.metadata("b"), "subjects": [{"kind": "User", "name": "alice"}]}
    new = objects.later({**binding, "subjects": [{"kind": "User", "name": "bob"}]})
    found = objects.change(binding, new, "RoleBinding")
    assert found is not None
    assert ["subjects[0].name"] == [field.path for field in found.spec.fields]
    assert "sha256" not in found.spec.model_dump_json()


def test_values_of_a_kind_can_be_asked_for() -> None:
    """Who says that readers of Changes may read Roles gets their values."""
    rules = dataclasses.replace(objects.RULES, values_of=frozenset({"Role"}))
    made = objects.later({**ROLE, "rules": [{"verbs": ["list"]}]})
    found = objects.change(ROLE, made, "Role", rules)
    assert found is not None
    assert '["get"]' == found.spec.fields[0].old
    assert found.spec.before


def test_credentials_are_in_no_part_of_an_entry() -> None:
    """Neither in the fields nor in the object before."""
    found = objects.change(
        objects.config_map(**{SECRET: "hunter2-old"}, colour="blue"),
        objects.later(objects.config_map(**{SECRET: "hunter2-new"}, colour="blue")),
        "ConfigMap",
    )
    assert found is not None
    [field] = found.spec.fields
    assert field.redacted
    assert field.old != field.new
    before = str(packing.unpack(packing.from_text(found.spec.before)))
    assert "hunter2" not in found.spec.model_dump_json() + before
    assert "blue" in before


def test_a_huge_object_is_told_without_what_it_was_before() -> None:
    """Beyond the bound the Change says why the object before it is missing."""
    digits = "".join(
        str(int(hashlib.sha256(bytes([n % 256, n // 256])).hexdigest()[:7], 16)) + " "
        for n in range(9_000)
    )
    texts = {f"k{n}": digits[n:] + digits[:n] for n in range(2)}
    texts |= {f"r{n}": digits[::-1][n:] for n in range(2)}
    found = objects.change(
        objects.config_map(**texts), objects.later(objects.config_map(k0="")), "ConfigMap"
    )
    assert found is not None
    assert ("", entry.TOO_LARGE) == (found.spec.before, found.spec.before_omitted)


def test_many_fields_are_counted() -> None:
    """A Change holds 64 fields and the number of the others."""
    old = objects.config_map(**{f"k{n}": "a" for n in range(100)})
    new = objects.later(objects.config_map(**{f"k{n}": "b" for n in range(100)}))
    found = objects.change(old, new, "ConfigMap")
    assert found is not None
    assert (64, 36) == (len(found.spec.fields), found.spec.fields_omitted)
    assert "and 99 more fields" in found.spec.summary


def test_creation_and_deletion() -> None:
    """A creation has the object's own time and images, a deletion the whole object before."""
    kind = kinds.BY_NAME["Deployment"]
    made = objects.deployment()
    seen = entry.sight(kind, made, objects.RULES)
    born = entry.created(kind, seen, entry.Occasion(made, objects.NOW, late=False), objects.RULES)
    gone = entry.deleted(kind, seen, objects.NOW, objects.RULES, late=True)
    assert "Deployment checkout: created with checkout:1.4.2, by kubectl" == born.spec.summary
    assert datetime.time(10, 0) == born.at.time()
    assert ("Deployment checkout: deleted", True) == (gone.spec.summary, gone.spec.late)
    assert "1.4.2" in str(packing.unpack(packing.from_text(gone.spec.before)))


def test_a_nodes_change_is_kept_at_the_operators() -> None:
    """A node is in no namespace: its Changes are where only administrators read."""
    old = {"metadata": {"name": "n1", "uid": "u-9", "resourceVersion": "1"}, "spec": {}}
    new = objects.later({**old, "spec": {"unschedulable": True}}, 2)
    found = objects.change(old, new, "Node")
    assert found is not None
    assert ("prunella-system", change_api.Class.NODE) == (found.namespace, found.spec.class_)
    assert "Node n1: spec.unschedulable false -> true" == found.spec.summary


def names(*pairs: tuple[objects.Manifest, objects.Manifest], kind: str = "Deployment") -> list[str]:
    """The names of some changes."""
    return [found.name for old, new in pairs if (found := objects.change(old, new, kind))]


def test_the_name_is_that_of_the_change_and_not_of_who_saw_it() -> None:
    """Seen from another version, by another operator, after a crash: one name."""
    old, new = objects.deployment(), released()
    seen_later = objects.later(old, 12)
    other = objects.later(new, 17)
    first, second = names((old, new), (seen_later, other))
    assert first == second
    assert first.startswith("deployment-checkout-")
    again = objects.later(new, 18, generation=5)
    objects.image_of(again)["image"] = NEW + "-1"
    assert first not in names((new, again))


def test_there_and_back_and_there_again_are_three_names() -> None:
    """Without a generation the moment of the write tells equal changes apart."""

    def at(colour: str, version: int, time: str) -> objects.Manifest:
        fields = {"f:data": {"f:colour": {}}}
        managed = [objects.manager("kubectl-patch", time, fields)]
        return objects.later(objects.config_map(colour=colour), version, managedFields=managed)

    steps = [
        at("blue", 1, "11:59:00"),
        at("red", 2, "11:59:10"),
        at("blue", 3, "11:59:20"),
        at("red", 4, "11:59:30"),
    ]
    found = names(*itertools.pairwise(steps), kind="ConfigMap")
    assert 3 == len(set(found))


def test_a_new_nodes_first_status_is_no_change() -> None:
    """A kubelet that reports for the first time changes nothing, and is not told."""
    old = {"metadata": {"name": "n1", "uid": "u-9", "resourceVersion": "1"}, "spec": {}}
    conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
    new = objects.later({**old, "status": {"conditions": conditions}}, 2)
    assert objects.change(old, new, "Node") is None
