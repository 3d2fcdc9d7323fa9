"""`prunella lint` on triggers: kinds of cause that never apply, and remedies that don't fit."""

from __future__ import annotations

import pathlib
import re

import pytest

from prunella.cli.lint import check
from prunella.cli.lint.findings import Severity

ROOT = pathlib.Path(__file__).parents[2]

POLICY = """\
apiVersion: prunella.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: checkout, namespace: shop}
spec:
  target: {name: checkout}
  steps: [{rollback: {}}]
  signals:
  - {name: errors, prometheus: {query: x}, threshold: {above: 1}, for: 1m}
  trigger: {incident: {causeKind: [%s]}}
"""
PATH = "9 warning spec.trigger.incident.causeKind:"
NEVER = "names no workload, and the targets are workloads: it never applies [trigger-never]"
REMEDY = "6 warning spec.steps[0]: a rollback takes back pod templates, no cause of"
RESULTS = [
    pytest.param("Release", [], id="a release"),
    pytest.param("Release, Saturation", [], id="one of two fits"),
    pytest.param("Release, Node", [f"{PATH} Node {NEVER}"], id="a node is no workload"),
    pytest.param("Saturation", [f"{REMEDY} Saturation [trigger-remedy]"], id="load is no release"),
]


@pytest.mark.parametrize(("kinds", "expected"), RESULTS)
def test_triggers_can_fire(kinds: str, expected: list[str]) -> None:
    """What can never apply is found at its line."""
    report = check.check_text("policy.yaml", POLICY % kinds, 15.0)
    found = [f"{f.line} {f.severity} {f.path}: {f.message} [{f.rule}]" for f in report.findings]
    assert expected == found


RESTORES = [
    pytest.param("Quota, Networking", [], id="a quota can be put back"),
    pytest.param("Networking, Node", [f"{PATH} Node {NEVER}"], id="a node can't"),
]


@pytest.mark.parametrize(("kinds", "expected"), RESTORES)
def test_a_restore_acts_on_other_objects(kinds: str, expected: list[str]) -> None:
    """Its suspects need not be workloads."""
    text = POLICY.replace("rollback: {}", "restore: {kinds: [ResourceQuota]}") % kinds
    report = check.check_text("policy.yaml", text, 15.0)
    found = [f"{f.line} {f.severity} {f.path}: {f.message} [{f.rule}]" for f in report.findings]
    assert expected == found


def test_a_restore_without_a_trigger_is_found() -> None:
    """It has nothing to put back."""
    text = POLICY.replace("rollback: {}", "restore: {kinds: [Service]}") % "Release"
    text = text[: text.index("  trigger:")]
    found = check.check_text("policy.yaml", text, 15.0).findings
    assert ["restore needs spec.trigger: it puts back what an incident suspects"] == [
        each.message for each in found
    ]


def test_the_ready_policy_of_the_documentation_is_clean() -> None:
    """It can be copied as it stands."""
    text = (ROOT / "docs" / "actions.md").read_text()
    (block,) = re.findall(r"```yaml\n(apiVersion: .*?- restore:.*?)```", text, re.DOTALL)
    found = check.check_text("policy.yaml", block, 15.0).findings
    assert [] == [each.message for each in found if each.severity is not Severity.HINT]
