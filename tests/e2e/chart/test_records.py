"""Records are the operator's word: nobody else writes them, and namespaces still end."""

from __future__ import annotations

import pytest

from lab.cluster import Lab
from tests.e2e.chart import toolbox

pytestmark = pytest.mark.timeout(180)

WRITES = ("create", "edit", "status", "delete", "delete all")


def _write(lab: Lab, who: toolbox.Kubectl, way: str, namespace: str) -> toolbox.Done:
    record = "remediation/deployment-web-1"
    note = '{"metadata": {"annotations": {"note": "edited"}}}'
    commands = {
        "edit": ("patch", record, "--type=merge", "--patch", note),
        "delete": ("delete", record),
        "delete all": ("delete", "remediations", "--all"),
    }
    if way == "create":
        return toolbox.create(who, toolbox.record(namespace, "forged"))
    if way == "status":
        return toolbox.write_status(lab, who, namespace, record, {"phase": "Succeeded"})
    return who("-n", namespace, *commands[way])


@pytest.mark.parametrize("way", WRITES)
def test_records_are_closed_to_a_namespace_user(
    release: Lab, operator: toolbox.Kubectl, namespace: str, way: str
) -> None:
    """Given role edit, or even all rights on prunella.dev, when a user writes, then he may not."""
    assert toolbox.create(operator, toolbox.record(namespace)).returncode == 0
    editor = toolbox.user(release, namespace, "editor")
    powerful = toolbox.user(release, namespace, "powerful", *ALL_RIGHTS)
    toolbox.assert_refused(_write(release, editor, way, namespace), "cannot")
    toolbox.assert_refused(
        _write(release, powerful, way, namespace), f"only {toolbox.USERNAME} writes remediations"
    )
    record = release.get("-n", namespace, "remediation", "deployment-web-1")
    assert "note" not in record["metadata"].get("annotations", {})
    assert record.get("status", {}).get("phase") is None


DEEPER = '{"spec": {"attempt": 2}}'
ALL_RIGHTS = (
    "*:remediations.prunella.dev,remediations.prunella.dev/status",
    "*:remediationpolicies.prunella.dev,remediationpolicies.prunella.dev/status",
)


def test_records_are_frozen_even_for_the_operator(
    release: Lab, operator: toolbox.Kubectl, namespace: str
) -> None:
    """Given a record, when the operator's account edits its spec, then the server refuses."""
    assert toolbox.create(operator, toolbox.record(namespace)).returncode == 0
    _grant_edit(release, namespace)
    edit = ("patch", "remediation/deployment-web-1", "--type=merge", "--patch", DEEPER)
    toolbox.assert_refused(operator("-n", namespace, *edit), "spec")
    assert _write(release, operator, "status", namespace).returncode == 0
    assert _write(release, operator, "delete", namespace).returncode == 0


LABELS = {
    "its own": ('{"prunella.dev/phase": "Succeeded"}', ""),
    "another": ('{"app": "web"}', "only those of prunella.dev/* are changed"),
}


@pytest.mark.parametrize(("labels", "words"), LABELS.values(), ids=LABELS)
def test_the_operator_changes_its_own_labels_alone(
    operator: toolbox.Kubectl, namespace: str, labels: str, words: str
) -> None:
    """Given the chart's own rights, when the operator patches a record, then only its labels go."""
    assert toolbox.create(operator, toolbox.record(namespace)).returncode == 0
    change = f'{{"metadata": {{"labels": {labels}}}}}'
    edit = ("patch", "remediation/deployment-web-1", "--type=merge", "--patch")
    done = operator("-n", namespace, *edit, change)
    if words:
        toolbox.assert_refused(done, words)
    else:
        assert done.returncode == 0, done.stderr
    note = '{"metadata": {"annotations": {"note": "edited"}}}'
    toolbox.assert_refused(operator("-n", namespace, *edit, note), "never changed")


def _grant_edit(lab: Lab, namespace: str) -> None:
    """Give the operator more than the chart does, to see that the guard holds alone."""
    arguments = ("--verb=patch,update", "--resource=remediations.prunella.dev")
    lab.kubectl("-n", namespace, "create", "role", "more", *arguments)
    subject = f"--serviceaccount={toolbox.HOME}:{toolbox.ACCOUNT}"
    lab.kubectl("-n", namespace, "create", "rolebinding", "more", "--role=more", subject)


def test_namespace_with_records_can_be_deleted(
    release: Lab, operator: toolbox.Kubectl, namespace: str
) -> None:
    """Given records inside, when a namespace is deleted, then it goes and they with it."""
    for name in ("one", "two"):
        assert toolbox.create(operator, toolbox.record(namespace, name)).returncode == 0
    release.kubectl("delete", "namespace", namespace, "--timeout=90s")
    assert release.kubectl("get", "namespace", namespace, check=False).returncode != 0
    release.kubectl("create", "namespace", namespace)


def test_policy_status_is_the_operators(
    release: Lab, operator: toolbox.Kubectl, namespace: str
) -> None:
    """Given a policy, when a user writes its status, then only the operator may."""
    powerful = toolbox.user(release, namespace, "powerful", *ALL_RIGHTS)
    assert toolbox.create(powerful, toolbox.policy(namespace, "Advise")).returncode == 0
    written = (namespace, "remediationpolicy/web", {"observedGeneration": 1})
    toolbox.assert_refused(
        toolbox.write_status(release, powerful, *written),
        f"only {toolbox.USERNAME} writes remediationpolicies/status",
    )
    done = toolbox.write_status(release, operator, *written)
    assert done.returncode == 0, done.stderr
