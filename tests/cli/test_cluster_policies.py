"""Policies on nodes in the commands: shown with all, told in full, resumed, linted."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from prunella.cli import kube
from prunella.cli.lint import check
from prunella.core import objects
from tests.cli import conftest, fakes

SPEC: dict[str, Any] = {
    "mode": "Live",
    "target": {"selector": {"matchLabels": {"pool": "batch"}}},
    "signals": [
        {"name": "hangs", "nodeCondition": {"type": "KernelDeadlock", "status": "True"}},
        {
            "name": "memory",
            "prometheus": {"query": "node_edac_uncorrectable_errors_total"},
            "threshold": {"above": 0},
        },
    ],
    "steps": [{"cordon": {"uncordonAfter": "30m"}}],
}
LIST = f"{fakes.GROUP}/clusterremediationpolicies"


def nodes(**status: Any) -> kube.Object:
    """A policy on nodes as the API server has it."""
    metadata = {"name": "nodes", "uid": "nodes-uid", "generation": 1, "resourceVersion": "7"}
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "ClusterRemediationPolicy",
        "metadata": metadata,
        "spec": SPEC,
        "status": status,
    }


def record() -> kube.Object:
    """What such a policy did, kept in the operator's namespace."""
    policy = {"name": "nodes", "namespace": "", "uid": "nodes-uid", "generation": 1}
    target = {"kind": "Node", "namespace": "", "name": "worker-0", "uid": "u"}
    spec = fakes.record_spec(policy=policy, target=target, action="cordon")
    found = fakes.record("node-worker-0-1", spec=spec)
    found["metadata"]["namespace"] = "prunella-system"
    return found


def test_status_of_all_namespaces_shows_them(run: conftest.Run) -> None:
    """They are in no namespace: only who looks at all of them sees them."""
    cluster = fakes.cluster(nodes(), fakes.policy())
    everything, own = run("status", "-A", cluster=cluster), run("status", cluster=cluster)
    assert ([True], [False]) == (
        ["nodes" in everything.out],
        ["nodes" in own.out],
    )


@pytest.mark.parametrize("status", [403, 404], ids=["may not", "no definition"])
def test_status_does_without_them(run: conftest.Run, status: int) -> None:
    """Who may not see them, and a cluster without them, sees the others."""
    answers = {("LIST", LIST): kube.KubeError("no", status)}
    result = run("status", "-A", cluster=fakes.cluster(fakes.policy(), answers=answers))
    assert (0, True) == (result.code, "checkout" in result.out)


@pytest.mark.parametrize("kind", ["crempol", "ClusterRemediationPolicy"])
def test_explain_tells_what_it_sees_and_did(run: conftest.Run, kind: str) -> None:
    """Conditions, how series are mapped, the step, and records of the operator's namespace."""
    result = run("explain", f"{kind}/nodes", cluster=fakes.cluster(nodes(), record()))
    assert (0, "") == (result.code, result.err)
    text = " ".join(result.out.split())
    for told in (
        "ClusterRemediationPolicy nodes",
        "each Node with pool=batch",
        "Unhealthy while condition KernelDeadlock is True for 1m",
        "mapped by node",
        "cordon: uncordonAfter 30m",
        "cordon of Node/worker-0, node-worker-0-1",
    ):
        assert told in text


def test_one_that_is_not_there_is_named(run: conftest.Run) -> None:
    """The message names no namespace, as there is none."""
    result = run("explain", "crempol/none", cluster=fakes.cluster())
    message = "no ClusterRemediationPolicy none; `prunella status -A` shows what there is"
    assert conftest.Result(1, "", f"error: {message}\n") == result


def test_resume_clears_its_latch(run: conftest.Run) -> None:
    """Named as the messages of the operator name it."""
    latch = {"since": "2026-03-01T11:00:00Z", "message": "three in a row"}
    cluster = fakes.cluster(nodes(latch=latch))
    result = run("resume", "crempol/nodes", cluster=cluster)
    assert (0, "") == (result.code, result.err)
    annotations = cluster.objects[f"{LIST}/nodes"]["metadata"]["annotations"]
    assert "2026-03-01T12:10:00Z by alice@example.com" == annotations[objects.RESUMED]


GOOD = """\
apiVersion: prunella.dev/v1alpha1
kind: ClusterRemediationPolicy
metadata: {name: nodes}
spec:
  target: {selector: {matchLabels: {pool: batch}}}
  signals:
  - name: hangs
    nodeCondition: {type: KernelDeadlock, status: "True"}
    for: 1m
  - name: memory
    prometheus:
      query: sum by (node) (increase(node_edac_uncorrectable_errors_total[5m]))
    threshold: {above: 0}
    for: 1m
  steps:
  - cordon: {}
"""
UNMAPPED = (
    "the result keeps no label that names a target (node): NoMappingLabels; aggregate by (node)"
)
SLIPS = {
    "good": (GOOD, []),
    "in a namespace": (
        GOOD.replace("{name: nodes}", "{name: nodes, namespace: shop}"),
        ["3 a ClusterRemediationPolicy is in no namespace"],
    ),
    "a status without quotes": (
        GOOD.replace('"True"', "True"),
        ["8 must be True, False or Unknown, found true; did you mean True?"],
    ),
    "a query without the label": (
        GOOD.replace("sum by (node) ", "sum by (instance) "),
        [f"12 {UNMAPPED}"],
    ),
}


@pytest.mark.parametrize("name", SLIPS)
def test_lint(name: str) -> None:
    """Each slip is found at its line."""
    text, expected = SLIPS[name]
    report = check.check_text("policy.yaml", textwrap.dedent(text), 15.0)
    assert expected == [f"{each.line} {each.message}" for each in report.findings]
