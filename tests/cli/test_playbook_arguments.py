"""`prunella new` and `prunella suggest`: arguments that make no sense."""

from __future__ import annotations

import pytest

from tests.cli import conftest

LEAK = ("new", "memory-leak", "--target", "deploy/checkout", "-n", "web")

NEW = {
    "a playbook that is not there": (
        ("new", "memory-leek", "--target", "deploy/x", "-n", "shop"),
        "there is no playbook memory-leek; did you mean memory-leak? There are: ",
    ),
    "no target": (("new", "memory-leak"), "say which workload: --target KIND/NAME"),
    "a kind that is no workload": (
        ("new", "memory-leak", "--target", "job/x", "-n", "shop"),
        "--target job/x: write KIND/NAME, such as Deployment/checkout; kinds are Deployment, ",
    ),
    "no kind": (
        ("new", "memory-leak", "--target", "checkout", "-n", "shop"),
        "--target checkout: write KIND/NAME",
    ),
    "a workload for a CronJob's playbook": (
        ("new", "nightly-job-failed", "--target", "deploy/web", "-n", "shop"),
        "playbook nightly-job-failed is not for Deployment/web: spec: steps[0]: rerunJob is for",
    ),
    "a CronJob for a workload's playbook": (
        ("new", "memory-leak", "--target", "cj/backup", "-n", "shop"),
        "playbook memory-leak is not for CronJob/backup: spec: steps[0]: restart is for pods",
    ),
    "a name that no object has": (
        ("new", "memory-leak", "--target", "deploy/Check_out", "-n", "shop"),
        "'Check_out' is no name of an object",
    ),
    "signals of another kind": (
        ("new", "error-ratio-after-release", "--target", "sts/db", "-n", "shop"),
        "is not for StatefulSet/db: spec.signals[0].ratio",
    ),
    "a mapping to another kind": (
        ("new", "latency-under-load", "--target", "sts/db", "-n", "shop"),
        "slow: series led by k8s_deployment_name are never of a StatefulSet",
    ),
    "an action of other kinds": (
        ("new", "cpu-throttled", "--target", "ds/agent", "-n", "shop"),
        "playbook cpu-throttled is not for DaemonSet/agent",
    ),
    "a name that a policy can not have": (
        (*LEAK, "--name", "My_Policy"),
        "playbook memory-leak is not for Deployment/checkout: metadata.name",
    ),
}
SUGGEST = {
    "no history": (("suggest", "-n", "shop"), "say where the history is: --prometheus URL"),
    "no such file": (
        ("suggest", "-n", "shop", "--data", "/none.om"),
        "can't read /none.om: No such file or directory",
    ),
    "no such playbook": (
        ("suggest", "-n", "shop", "--data", "x.om", "--playbook", "leak"),
        "there is no playbook leak",
    ),
}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(pytest.param(*wrong, id=f"new: {name}") for name, wrong in NEW.items()),
        *(pytest.param(*wrong, id=f"suggest: {name}") for name, wrong in SUGGEST.items()),
    ],
)
def test_what_is_wrong_is_told(run: conftest.Run, arguments: tuple[str, ...], message: str) -> None:
    """Code 2, and one line that says what to do."""
    result = run(*arguments)

    assert (2, "", 1) == (result.code, result.out, result.err.count("\n"))
    assert message in result.err
