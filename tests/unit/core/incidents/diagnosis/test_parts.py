"""The parts of a diagnosis by themselves: reading, fields, addresses, policies, history, extent."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping
from typing import Any

import pytest

from prunella.api import change as change_api
from prunella.api import incident as incident_api
from prunella.core import model
from prunella.core.incidents import values
from prunella.core.incidents.diagnosis import (
    changes,
    diagnose,
    extent,
    fields,
    history,
    policies,
    read,
)
from prunella.core.incidents.diagnosis.scene import Scene
from tests.unit.core.incidents.diagnosis import world
from tests.unit.core.incidents.diagnosis.world import ONSET, World

APP = "spec.template.spec.containers[name=app]"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("250m", 0.25, id="milli"),
        pytest.param("1Gi", 2.0**30, id="binary"),
        pytest.param("2k", 2000.0, id="decimal"),
        pytest.param(3, 3.0, id="a number"),
        pytest.param("1e3", 1000.0, id="an exponent"),
        pytest.param("fast", None, id="a word"),
        pytest.param("1.2.3", None, id="a version"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_quantities_are_read_as_the_api_writes_them(text: object, number: float | None) -> None:
    """Suffixes are those of resource.Quantity; anything else is no quantity."""
    assert number == read.quantity(text)


@pytest.mark.parametrize(
    ("raw", "path", "found"),
    [
        pytest.param({"a": [{"b": 1}]}, ("a", 0, "b"), 1, id="a path"),
        pytest.param({"a": "text"}, ("a", "b"), None, id="a string has no fields"),
        pytest.param({"a": []}, ("a", 0), None, id="an empty list"),
        pytest.param(None, ("a",), None, id="nothing"),
    ],
)
def test_what_is_missing_is_nothing(raw: object, path: tuple[Any, ...], found: object) -> None:
    """A manifest of another shape is no error."""
    assert found == read.value(raw, *path)


SELECTORS = [
    pytest.param(None, False, id="none selects nothing"),
    pytest.param({}, True, id="an empty one everything"),
    pytest.param({"matchLabels": {"app": "cart"}}, True, id="equal"),
    pytest.param({"matchLabels": {"app": "mail"}}, False, id="not equal"),
    pytest.param({"matchExpressions": [{"key": "app", "operator": "In", "values": ["cart"]}]},
                 True, id="in"),
    pytest.param({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["cart"]}]},
                 False, id="not in"),
    pytest.param({"matchExpressions": [{"key": "x", "operator": "Exists"}]}, False, id="exists"),
    pytest.param({"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}, True,
                 id="does not exist"),
    pytest.param({"matchExpressions": [{"key": "gen", "operator": "Gt", "values": ["3"]}]}, True,
                 id="greater"),
    pytest.param({"matchExpressions": [{"key": "gen", "operator": "Lt", "values": ["3"]}]}, False,
                 id="less"),
    pytest.param({"matchExpressions": [{"key": "app", "operator": "Near"}]}, False, id="unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("selector", "chosen"), SELECTORS)
def test_selectors_select_as_the_api_server_does(selector: object, chosen: bool) -> None:
    """Labels and expressions must all hold."""
    assert chosen is read.selects(selector, {"app": "cart", "gen": "4"})


FIELDS = [
    ("Deployment", f"{APP}.image", "1", "2", "Release", fields.DANGEROUS),
    ("Deployment", f"{APP}.env[name=A].value", "1", "2", "Configuration", fields.DANGEROUS),
    ("Deployment", f"{APP}.resources.limits.cpu", "2", "1", "Resources", fields.DANGEROUS),
    ("Deployment", f"{APP}.resources.limits.cpu", "1", "2", "Resources", fields.HARMLESS),
    ("Deployment", f"{APP}.resources.requests.cpu", "1", "2", "Resources", fields.PLAUSIBLE),
    ("Deployment", f"{APP}.livenessProbe.periodSeconds", "9", "1", "Probe", fields.DANGEROUS),
    ("Deployment", "spec.replicas", "3", "1", "Scale", fields.DANGEROUS),
    ("Deployment", "spec.replicas", "1", "3", "Scale", fields.HARMLESS),
    ("Deployment", "spec.template.spec.nodeSelector.disk", None, '"x"', "Scheduling",
     fields.PLAUSIBLE),
    ("Deployment", "spec.template.spec.dnsPolicy", None, '"Default"', "Networking",
     fields.DANGEROUS),
    ("Deployment", "spec.template.metadata.annotations[checksum/secret]", '"a"', '"b"', "Access",
     fields.DANGEROUS),
    ("Deployment", "spec.template.metadata.annotations[note]", '"a"', '"b"', "Release", -2.0),
    ("Deployment", "metadata.annotations[note]", '"a"', '"b"', "Unknown", fields.HARMLESS),
    ("Deployment", "spec.revisionHistoryLimit", "10", "2", "Release", fields.HARMLESS),
    ("Service", "spec.selector[app.kubernetes.io/name]", '"a"', '"b"', "Networking",
     fields.DANGEROUS),
    ("Service", "metadata.labels.team", '"a"', '"b"', "Unknown", fields.HARMLESS),
    ("ConfigMap", "data[flags.json]", '"a"', '"b"', "Configuration", fields.DANGEROUS),
    ("ResourceQuota", "spec.hard.pods", '"10"', '"5"', "Quota", fields.DANGEROUS),
    ("ResourceQuota", "spec.hard.pods", '"5"', '"10"', "Quota", fields.HARMLESS),
    ("HorizontalPodAutoscaler", "spec.maxReplicas", "5", "1", "Scale", fields.DANGEROUS),
    ("HorizontalPodAutoscaler", "spec.maxReplicas", "1", "5", "Scale", fields.HARMLESS),
    ("Node", "spec.unschedulable", None, "true", "Node", fields.PLAUSIBLE),
    ("Node", "spec.unschedulable", "true", None, "Node", fields.HARMLESS),
    ("Node", "status.conditions[type=Ready].status", '"True"', '"Unknown"', "Node",
     fields.DANGEROUS),
    ("Node", "status.conditions[type=Ready].status", '"False"', '"True"', "Node",
     fields.HARMLESS),
    ("Node", "spec.taints", None, '[{"key": "node.kubernetes.io/unschedulable"}]', "Node",
     fields.HARMLESS),
    ("Node", "spec.taints", None, '[{"key": "team"}]', "Node", fields.PLAUSIBLE),
    ("Node", "metadata.labels.disk", None, '"ssd"', "Node", fields.HARMLESS),
    ("Node", "status", None, '{"conditions": []}', "Node", fields.HARMLESS),
    ("Node", "spec.taints", '[{"key": "x"}]', None, "Node", fields.HARMLESS),
    ("Node", "metadata.labels.disk", '"ssd"', None, "Node", fields.UNLIKELY),
    ("RoleBinding", "subjects", None, None, "Access", fields.DANGEROUS),
    ("Widget", "spec.size", "1", "2", "Unknown", fields.UNLIKELY),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "path", "old", "new", "cause", "danger"),
    [pytest.param(*row, id=f"{row[0]} {row[1]} {row[2]} to {row[3]}") for row in FIELDS],
)
def test_fields_are_judged_by_what_they_can_do(
    kind: str, path: str, old: str | None, new: str | None, cause: str, danger: float
) -> None:
    """A table for kinds of fields; numbers have a direction."""
    found = fields.effect(kind, change_api.FieldChange(path=path, old=old, new=new))
    assert (cause, danger) == (found.cause_kind.value, found.danger)


@pytest.mark.parametrize(
    ("before", "odds"),
    [
        pytest.param(10, 2.0, id="seconds"),
        pytest.param(120, 2.0, id="two minutes"),
        pytest.param(240, 1.4, id="four minutes"),
        pytest.param(3840, -1.0, id="an hour"),
        pytest.param(-3, 2.0, id="clocks differ"),
        pytest.param(-30, -math.inf, id="after the symptom"),
    ],
)
def test_a_change_counts_by_how_close_it_was(before: float, odds: float) -> None:
    """Alerts fire late, so two minutes are as close as ten seconds."""
    assert odds == pytest.approx(changes.closeness(before))


def test_long_values_are_cut_to_where_they_differ() -> None:
    """A flag in a file of flags is shown, and not the beginning of the file."""
    shop = World()
    old = "x" * 300 + '"cartFailure": "off"' + "y" * 300
    shop.change("ConfigMap", "flags", "data[f.json]", old, old.replace("off", "on"))
    [touch] = changes.touches(Scene(shop.view()))
    told = changes.sentence(touch, ONSET)
    assert '"cartFailure": "off' in told
    assert len(told) < 300


def test_a_change_is_told_with_its_user() -> None:
    """The user that the audit webhook told, and what he used; also when it came late."""
    shop = World()
    shop.change("ConfigMap", "flags", "data.colour", "blue", "red")
    shop.changes = [dataclasses.replace(shop.changes[0], told=change_api.LateAuthor(user="ada"))]
    [touch] = changes.touches(Scene(shop.view()))
    assert changes.sentence(touch, ONSET).endswith(", by ada (kubectl-edit)")


def test_what_the_operator_s_account_did_is_its_own() -> None:
    """It is no suspect, whatever the field manager."""
    shop = World()
    shop.change("ConfigMap", "flags", "data.colour", "blue", "red")
    told = change_api.LateAuthor(user="system:serviceaccount:prunella-system:prunella", own=True)
    shop.changes = [dataclasses.replace(shop.changes[0], told=told)]
    assert [] == changes.touches(Scene(shop.view()))


CART, FRONT = model.Ref("Deployment", "shop", "cart"), model.Ref("Deployment", "shop", "front")


def _policy(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": name, "namespace": "shop"}
    return {"kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def _blocked(shop: World) -> set[tuple[str, str]]:
    found = policies.find(Scene(shop.view()))
    return {(each.target.name, each.field) for each in found}


FROM = [
    pytest.param([{"from": [{"podSelector": {}}]}], False, id="everybody in the namespace"),
    pytest.param([{"from": [{"namespaceSelector": {}}]}], False, id="everybody anywhere"),
    pytest.param([{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}], False,
                 id="the namespace by its label"),
    pytest.param([{"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]}], True,
                 id="another namespace"),
    pytest.param([{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}], False,
                 id="addresses are not known"),
    pytest.param([{}], False, id="a rule without anything allows all"),
    pytest.param([], True, id="no rule"),
    pytest.param([{"ports": [{"port": 8000, "endPort": 9000}]}], False, id="a range of ports"),
    pytest.param([{"ports": [{"port": 9000, "endPort": 9100}]}], True, id="another range"),
    pytest.param([{"ports": [{"port": "http"}]}], False, id="a named port"),
    pytest.param([{"ports": [{"port": 8080, "protocol": "UDP"}]}], True, id="another protocol"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "blocked"), FROM)
def test_ingress_is_judged_as_the_api_documents_it(rules: list[Any], blocked: bool) -> None:
    """Rules add up; peers and ports of one rule must both fit."""
    shop = World()
    shop.add({"kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "a"}}})
    spec = {"podSelector": {"matchLabels": {"app": "cart"}}, "ingress": rules}
    shop.add(_policy("rules", spec))
    assert ({("rules", "spec.ingress")} if blocked else set()) == _blocked(shop)


def test_policies_add_up() -> None:
    """A second policy that lets the caller in makes the first one harmless."""
    shop = World()
    for name, rules in (("deny", []), ("allow", [{}])):
        shop.add(_policy(name, {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": rules}))
    assert set() == _blocked(shop)


def test_the_namespaces_around_are_those_of_calls_and_nodes() -> None:
    """Callees of callees, callers of these, then neighbours on the nodes; no strangers."""
    refs = {name: model.Ref("Deployment", name, name) for name in "abcdef"}
    calls = {refs["a"]: [refs["b"]], refs["b"]: [refs["c"]], refs["d"]: [refs["c"]]}
    node = model.Ref("Node", "", "n")
    places = {refs["c"]: [node], refs["e"]: [node]}
    assert ("a", "b", "c", "d", "e") == extent.widened(["a"], calls, places)


def test_no_more_namespaces_are_looked_at_than_bounded() -> None:
    """A platform that everybody calls does not make a view of the whole cluster."""
    hub = model.Ref("Deployment", "hub", "hub")
    calls = {model.Ref("Deployment", f"n{i:02}", "x"): [hub] for i in range(50)}
    assert extent.MOST == len(extent.widened(["hub"], calls, {}))


def event(name: str, related: str) -> tuple[model.Ref, Mapping[str, object]]:
    """An Event of namespace a that names a pod in another one; of none without."""
    told = {"related": {"kind": "Pod", "namespace": related, "name": "x"}} if related else {}
    return model.Ref("Event", "a", name), {"kind": "Event", **told}


def test_namespaces_that_events_name_are_looked_at_once() -> None:
    """Each that is not looked at already, without repeats."""
    objects = dict([event("1", "c"), event("2", "b"), event("3", "c"), event("4", "")])
    assert ("b", "c") == extent.named(objects, ("a",))
    assert ("c",) == extent.named(objects, ("a", "b"))


def test_events_make_no_view_larger_than_bounded() -> None:
    """A storm of them does not make a view of the whole cluster."""
    objects = dict(event(str(i), f"n{i:02}") for i in range(50))
    assert extent.MOST - 1 == len(extent.named(objects, ("a",)))


def record(mark: incident_api.Mark, *symptoms: str) -> values.Record:
    """An earlier incident in which a person marked the Deployment cart."""
    at = datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC)
    named = incident_api.ObjectName(kind="Deployment", namespace="shop", name="cart")
    suspect = incident_api.SuspectItem(object=named, summary="x", score=0.9, mark=mark)
    members = [
        incident_api.MemberItem(
            object=incident_api.ObjectName(kind="Deployment", namespace="shop", name=name),
            name="Sick",
            first=at,
        )
        for name in symptoms
    ]
    status = incident_api.IncidentStatus(
        suspects=[suspect], members=members, remediations=["shop/rollback-1"]
    )
    return values.Record("inc-old", "shop", incident_api.IncidentSpec(opened_at=at), status)


PAST = [
    pytest.param(incident_api.Mark.CONFIRMED, ["cart", "front"], history.CONFIRMED, id="confirmed"),
    pytest.param(incident_api.Mark.REJECTED, ["cart"], history.REJECTED, id="rejected"),
    pytest.param(incident_api.Mark.SUSPECT, ["cart"], 0.0, id="nobody judged it"),
    pytest.param(incident_api.Mark.CONFIRMED, ["mail", "store"], 0.0, id="other symptoms"),
]


@pytest.mark.parametrize(("mark", "symptoms", "odds"), PAST)
def test_what_people_said_of_incidents_alike_counts(
    mark: incident_api.Mark, symptoms: list[str], odds: float
) -> None:
    """By the same object and half of the symptoms in common."""
    shop = World()
    shop.change("Deployment", "cart", f"{APP}.image", "1", "2", before=600)
    without, given = (
        diagnose.diagnose(shop.view(), world.incident("cart"), past).suspects[0].score
        for past in ((), (record(mark, *symptoms),))
    )
    logit = [math.log(each / (1 - each)) for each in (without, given)]
    assert odds == pytest.approx(logit[1] - logit[0], abs=0.05)


def test_what_healed_it_then_is_told() -> None:
    """The evidence names the incident, its day and the remediation."""
    shop = World()
    shop.change("Deployment", "cart", f"{APP}.image", "1", "2")
    past = (record(incident_api.Mark.CONFIRMED, "cart"),)
    [first, *_] = diagnose.diagnose(shop.view(), world.incident("cart"), past).suspects
    [told] = [each.sentence for each in first.evidence if each.kind == "history"]
    assert told == (
        "confirmed as the cause of inc-old on 2026-02-01, which had the same symptoms; "
        "healed by shop/rollback-1"
    )
