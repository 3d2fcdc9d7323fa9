"""Policies on nodes: who may write them, and what the operator's own token may do to a node."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.cluster import Lab
from tests.e2e.chart import toolbox
from tests.e2e.chart.toolbox import op

pytestmark = pytest.mark.timeout(240)

PATCH_NODES = "patch:nodes"
EVICT = "create:pods/eviction"
STEPS: dict[str, list[toolbox.Document]] = {
    "cordon": [{"cordon": {}}],
    "drain": [{"drain": {}}],
    "uncordon": [{"uncordon": {}}],
}
AUTHORS: dict[str, tuple[tuple[str, ...], str, toolbox.Document, str]] = {
    **{
        f"{name} without the right": ((), "Live", {"steps": steps}, "lets the operator patch nodes")
        for name, steps in STEPS.items()
    },
    "advice needs no right": ((), "Advise", {"steps": STEPS["drain"]}, ""),
    "cordon with the right": ((PATCH_NODES,), "Live", {"steps": STEPS["cordon"]}, ""),
    "drain without the right to evict": (
        (PATCH_NODES,),
        "Live",
        {"steps": STEPS["drain"]},
        "lets the operator evict pods of all namespaces",
    ),
    "drain with both": ((PATCH_NODES, EVICT), "Live", {"steps": STEPS["drain"]}, ""),
}


def policy(mode: str, **spec: Any) -> toolbox.Document:
    """A policy on nodes; ``spec`` replaces parts of it."""
    signal = {"name": "ready", "nodeCondition": {"type": "Ready", "status": "False"}}
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "ClusterRemediationPolicy",
        "metadata": {"name": "guard-nodes"},
        "spec": {"mode": mode, "target": {"name": "none"}, "signals": [signal], **spec},
    }


@pytest.fixture(scope="module")
def administrator(release: Lab, shop: str) -> Iterator[Callable[..., toolbox.Kubectl]]:
    """A user who may write policies on nodes, with further rights in the whole cluster."""
    made: dict[tuple[str, ...], toolbox.Kubectl] = {}

    def with_rights(*rights: str) -> toolbox.Kubectl:
        if rights not in made:
            made[rights] = _administrator(release, shop, f"guard-admin-{len(made)}", rights)
        return made[rights]

    yield with_rights
    for number in range(len(made)):
        name = f"guard-admin-{number}"
        kinds = ("clusterrole,clusterrolebinding", "--selector", f"guard={name}")
        release.kubectl("delete", *kinds)


def _administrator(lab: Lab, namespace: str, name: str, rights: tuple[str, ...]) -> toolbox.Kubectl:
    lab.kubectl("-n", namespace, "create", "serviceaccount", name)
    for number, rule in enumerate(("create:clusterremediationpolicies.prunella.dev", *rights)):
        verbs, resource = rule.split(":")
        role = f"{name}-{number}"
        lab.kubectl("create", "clusterrole", role, f"--verb={verbs}", f"--resource={resource}")
        subject = (f"--clusterrole={role}", f"--serviceaccount={namespace}:{name}")
        lab.kubectl("create", "clusterrolebinding", role, *subject)
        lab.kubectl("label", "clusterrole,clusterrolebinding", role, f"guard={name}")
    return toolbox.sign_in(lab, name, namespace)


@pytest.mark.parametrize("name", AUTHORS)
def test_authors_need_the_rights_that_they_lend(
    administrator: Callable[..., toolbox.Kubectl], name: str
) -> None:
    """Given an author's own rights, when he writes a policy, then it may do no more than he."""
    rights, mode, spec, refusal = AUTHORS[name]
    done = toolbox.create(administrator(*rights), policy(mode, **spec), dry=True)
    if refusal:
        toolbox.assert_refused(done, refusal)
    assert (refusal == "") == (done.returncode == 0), done.stderr


def test_who_edits_policies_of_a_namespace_writes_none(
    author: Callable[..., toolbox.Kubectl],
) -> None:
    """The chart gives nobody the right: it is an administrator's."""
    done = toolbox.create(author(), policy("Advise", steps=STEPS["cordon"]), dry=True)
    toolbox.assert_refused(done, 'cannot create resource "clusterremediationpolicies"')


@pytest.fixture(scope="module")
def node(release: Lab) -> Iterator[str]:
    """A node on which nothing runs."""
    name = "guard-node"
    metadata = {"name": name, "labels": {"by": "team"}, "annotations": {"by": "team"}}
    taint = {"key": "guard", "effect": "NoSchedule"}
    manifest = {"apiVersion": "v1", "kind": "Node", "metadata": metadata}
    release.apply(json.dumps({**manifest, "spec": {"taints": [taint]}}))
    yield name
    release.kubectl("delete", "node", name, "--wait=false")


def patch(who: toolbox.Kubectl, node: str, *operations: toolbox.Document) -> toolbox.Done:
    """One JSON patch of the node, tried on the server and not kept."""
    arguments = ("patch", "node", node, "--type=json", "--dry-run=server")
    return who(*arguments, "--patch", json.dumps(operations))


CORDON = (
    op("add", "/spec/unschedulable", value=True),
    op("add", "/metadata/annotations/prunella.dev~1cordoned-by", "record-1"),
)


UNTAINT = op("remove", "/spec/taints")
SPEC = "spec: the operator may change only unschedulable"


def test_nodes_are_not_touched_while_it_is_off(operator: toolbox.Kubectl, node: str) -> None:
    """Given cordon off, or drain off, or uncordon off, the operator's token patches no node."""
    toolbox.assert_refused(patch(operator, node, *CORDON), 'cannot get resource "nodes"')


@pytest.fixture(scope="module")
def enabled(release: Lab, operator: toolbox.Kubectl, node: str) -> Iterator[str]:
    """The node while cordon is enabled."""
    _switch(release, on=True)
    toolbox.eventually(lambda: patch(operator, node, *CORDON).returncode == 0)
    toolbox.await_policy(release, SPEC, present=True)
    toolbox.eventually(lambda: SPEC in patch(operator, node, UNTAINT).stderr)
    yield node
    _switch(release, on=False)


def _switch(release: Lab, *, on: bool) -> None:
    values = f"actions.cordon={json.dumps(on)},clusterPolicies.enabled={json.dumps(on)}"
    arguments = ("upgrade", toolbox.RELEASE, str(toolbox.CHART), "--namespace", toolbox.HOME)
    release.helm(*arguments, "--reuse-values", "--set", values, "--wait")


REFUSED: dict[str, tuple[toolbox.Document, str]] = {
    "a taint": (UNTAINT, SPEC),
    "a label": (op("add", "/metadata/labels/pool", "x"), "may not change labels"),
    "somebody's annotation": (
        op("replace", "/metadata/annotations/by", "x"),
        "may change only its own, prunella.dev/*",
    ),
    "a finalizer": (op("add", "/metadata/finalizers", ["x.io/y"]), "may not change labels"),
}


def test_only_what_is_its_own_is_written(operator: toolbox.Kubectl, enabled: str) -> None:
    """Given cordon on, the operator's token cordons a node, and writes nothing else of it."""
    assert patch(operator, enabled, *CORDON).returncode == 0
    for operation, words in REFUSED.values():
        toolbox.assert_refused(patch(operator, enabled, operation), words)
    done = operator("delete", "node", enabled, "--dry-run=server")
    toolbox.assert_refused(done, 'cannot delete resource "nodes"')
