"""The journal: who changed what and when, whatever becomes of the operator meanwhile."""

from __future__ import annotations

import base64
import datetime
import json
import time
import zlib
from typing import Any

import pytest

from tests.e2e.harness import faulty, manifests, release
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import stays, wait_until

pytestmark = pytest.mark.timeout(300)

RELEASED = "Deployment checkout: containers[app].image checkout:v1 -> checkout:v2, by kubectl-set"
CHANGES = "/apis/prunella.dev/v1alpha1/namespaces/{}/changes"


def changes(story: Story, kind: str = "", verb: str = "") -> list[Document]:
    """The specs of the story's Changes, oldest first."""
    found = [each["spec"] for each in story.api.items(CHANGES.format(story.namespace))]
    chosen = (
        each
        for each in found
        if kind in ("", each["object"]["kind"]) and verb in ("", each["verb"])
    )
    return sorted(chosen, key=lambda each: datetime.datetime.fromisoformat(each["at"]))


def summaries(story: Story, kind: str = "", verb: str = "") -> list[str]:
    """Their sentences."""
    return [each["summary"] for each in changes(story, kind, verb)]


def expect(story: Story, expected: list[str], kind: str = "", verb: str = "") -> None:
    """Wait for exactly these sentences."""
    wait_until(
        lambda: summaries(story, kind, verb) == expected,
        20,
        lambda: f"expected {expected}, found {summaries(story, kind, verb)}",
    )


def test_a_new_image_is_journalled_with_its_author_and_its_release(story: Story) -> None:
    """Given a Deployment, when an image is set by kubectl, then one Change says who and what."""
    story.run(manifests.workload("checkout", "v1"))
    story.start_operator()
    assert [] == changes(story)

    kubectl(
        story, "set", "image", "deployment/checkout", f"app={manifests.image('checkout', 'v2')}"
    )

    expect(story, [RELEASED])


def kubectl(story: Story, *arguments: str, **more: Any) -> str:
    """Run kubectl in the story's namespace, as its administrator."""
    return story.lab.kubectl("--namespace", story.namespace, *arguments, **more).stdout


def patch(story: Story, what: str, change: Document) -> None:
    """Merge something into an object."""
    kubectl(story, "patch", what, "--type=merge", "--patch", json.dumps(change))


SERVICE: Document = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "checkout"},
    "spec": {
        "selector": {"app": "checkout"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
    },
}
FLAGS: Document = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "flags"},
    "data": {
        "db_password": "hunter2-before",
        "application.yaml": "database:\n  url: postgres://shop:hunter2-before@db:5432/shop\n",
        "colour": "blue",
    },
}
QUOTA: Document = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "quota"},
    "spec": {"hard": {"pods": "50"}},
}
ROLE: Document = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "reader"},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
}
BLOCK: Document = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "block"},
    "spec": {"podSelector": {"matchLabels": {"app": "checkout"}}, "policyTypes": ["Ingress"]},
}


def test_kinds_of_all_sorts_are_journalled_and_no_credential_is_kept(story: Story) -> None:
    """Given several kinds, when people change them, then each Change says what they may know."""
    story.run(manifests.workload("checkout", "v1"))
    story.apply(SERVICE, FLAGS, QUOTA, ROLE)
    story.start_operator()

    patch(
        story,
        "service/checkout",
        {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 9999}]}},
    )
    address = "database:\n  url: postgres://shop:hunter2-after@db:5433/shop\n"
    patch(
        story,
        "configmap/flags",
        {"data": {"db_password": "hunter2-after", "application.yaml": address, "colour": "red"}},
    )
    patch(story, "resourcequota/quota", {"spec": {"hard": {"pods": "5"}}})
    patch(story, "role/reader", {"rules": [{**ROLE["rules"][0], "verbs": ["list"]}]})
    story.apply(BLOCK)
    kubectl(story, "delete", "resourcequota/quota")
    kubectl(story, "annotate", "deployment/checkout", "deployment.kubernetes.io/desired-replicas=2")

    by = ", by kubectl-patch"
    expect(
        story, [f"Service checkout: spec.ports[http].targetPort 8080 -> 9999{by}"], kind="Service"
    )
    expect(
        story,
        [
            f"ResourceQuota quota: spec.hard.pods 50 -> 5{by}",
            "ResourceQuota quota: deleted",
        ],
        kind="ResourceQuota",
    )
    expect(story, [f"Role reader: rules[0].verbs changed{by}"], kind="Role")
    expect(story, ["NetworkPolicy block: created, by kubectl"], kind="NetworkPolicy")
    expect(story, [], kind="Deployment")
    wait_until(lambda: changes(story, "ConfigMap"), 20, "the ConfigMap's Change")
    [flags] = changes(story, "ConfigMap")
    paths = {each["path"]: each for each in flags["fields"]}
    assert {"data.colour", "data[application.yaml]", "data.db_password"} == set(paths)
    assert ('"blue"', '"red"') == (paths["data.colour"]["old"], paths["data.colour"]["new"])
    assert paths["data.db_password"]["redacted"]
    assert "@db:5433/shop" in paths["data[application.yaml]"]["new"]
    journal = kubectl(story, "get", "changes,journalsnapshots", "--output=yaml")
    befores = [_unpacked(each.get("before", "")) for each in changes(story)]
    assert "hunter2" not in journal + "".join(befores)
    assert '"verbs"' not in "".join(befores)
    assert '"targetPort":8080' in "".join(befores)


def _unpacked(before: str) -> str:
    """The object before a change, as JSON."""
    return zlib.decompress(base64.b64decode(before)).decode() if before else ""


def test_scaling_is_a_fact_of_its_own(story: Story) -> None:
    """Given replicas, when the autoscaler's and a person's hand write them, then both are told."""
    story.run(manifests.workload("checkout", "v1"))
    story.start_operator()

    story.patch(
        f"/apis/apps/v1/namespaces/{story.namespace}/deployments/checkout/scale"
        "?fieldManager=kube-controller-manager",
        {"spec": {"replicas": 3}},
    )
    wait_until(lambda: len(changes(story)) == 1, 20, "the autoscaler's Change")
    kubectl(story, "scale", "deployment/checkout", "--replicas=1")

    expect(
        story,
        [
            "Deployment checkout: spec.replicas 2 -> 3, by kube-controller-manager",
            "Deployment checkout: spec.replicas 3 -> 1, by kubectl",
        ],
    )
    assert ["Scaling", "Change"] == [each.get("class", "Change") for each in changes(story)]


def test_what_changed_while_the_operator_was_dead_is_found_once(story: Story) -> None:
    """Given a killed operator, when it starts again, then nothing is lost or doubled."""
    story.run(manifests.workload("checkout", "v1"), manifests.workload("cart", "v1"))
    story.apply(SERVICE, FLAGS, QUOTA)
    operator = story.start_operator()
    story.wait(lambda: _kept(story) >= 5, "the first sights are kept", 60)
    patch(story, "configmap/flags", {"data": {"colour": "red"}})
    told = "ConfigMap flags: data.colour blue -> red, by kubectl-patch"
    expect(story, [told], kind="ConfigMap")
    operator.kill()

    patch(story, "configmap/flags", {"data": {"colour": "green"}})
    new = manifests.image("checkout", "v2")
    kubectl(story, "set", "image", "deployment/checkout", f"app={new}")
    kubectl(story, "label", "deployment/cart", "team=blue")
    kubectl(story, "delete", "resourcequota/quota")
    story.apply(BLOCK)
    time.sleep(1.5)
    operator.start()

    expected = {
        told,
        "ConfigMap flags: data.colour red -> green, by kubectl-patch",
        RELEASED,
        "Deployment cart: metadata.labels.team added: blue, by kubectl-label",
        "ResourceQuota quota: deleted",
        "NetworkPolicy block: created, by kubectl",
    }
    story.wait(lambda: expected <= set(summaries(story)), "all of it is found", 60)
    assert sorted(expected) == sorted(summaries(story))
    late = {each["summary"] for each in changes(story) if each.get("late")}
    assert late == expected - {told}

    operator.kill()
    operator.start()
    stays(lambda: len(changes(story)) == len(expected), 8, "nothing is told twice")


def _kept(story: Story) -> int:
    """Objects that would survive a crash."""
    path = f"/apis/prunella.dev/v1alpha1/namespaces/{story.namespace}/journalsnapshots"
    return sum(each["spec"]["objects"] for each in story.api.items(path))


def test_a_change_under_way_when_the_operator_dies_is_told_once(story: Story) -> None:
    """Given changes in quick succession, when the operator dies in the midst, then each is told."""
    story.apply(*(_config(number, "before") for number in range(20)))
    operator = story.start_operator()
    story.wait(lambda: _kept(story) >= 20, "the first sights are kept", 60)

    for number in range(20):
        story.apply(_config(number, "after"))
        if number in {7, 13}:
            operator.kill()
            operator.start(wait=False)

    operator.wait_ready()
    expected = sorted(
        f"ConfigMap c{number}: data.state before -> after, by kubectl" for number in range(20)
    )
    story.wait(lambda: len(changes(story)) >= 20, "all of them are found", 60)
    stays(lambda: sorted(summaries(story)) == expected, 8, "each is told once")


def _config(number: int, state: str) -> Document:
    """One of many ConfigMaps."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"c{number}"},
        "data": {"state": state},
    }


def test_a_deaf_watch_is_repaired_by_a_list(story: Story) -> None:
    """Given an operator that hears no event, when it lists anew, then the Change comes late."""
    story.run(manifests.workload("checkout", "v1"))
    operator = story.operator(journal={"relistSeconds": 10})
    operator.start(fault=faulty.DEAF)

    kubectl(story, "label", "deployment/checkout", "team=blue")

    told = "Deployment checkout: metadata.labels.team added: blue, by kubectl-label"
    story.wait(lambda: summaries(story) == [told], "it is found", 60)
    assert [True] == [each.get("late", False) for each in changes(story)]


def test_nodes_are_journalled_in_the_operators_own_namespace(story: Story, node: str) -> None:
    """Given a node, when it is cordoned, then the story's namespace shows no trace of it."""
    story.start_operator()
    path = CHANGES.format(release.HOME)

    def cordons() -> list[Document]:
        found = [each["spec"] for each in story.api.items(path)]
        own = (each for each in found if each["object"]["name"] == node)
        return [e for e in own if "spec.unschedulable false -> true" in e["summary"]]

    story.lab.kubectl("cordon", node)
    wait_until(cordons, 20, "the cordon is journalled")
    assert "Node" == cordons()[-1]["class"]
    assert "" == cordons()[-1]["object"].get("namespace", "")
    assert [] == changes(story)
