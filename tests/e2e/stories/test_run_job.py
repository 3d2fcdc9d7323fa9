"""A Job of an administrator's template runs, by the real Job controller and the chart's account."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from prunella.actions import run_job
from prunella.api import offered, steps
from prunella.core import model
from tests.e2e.harness import manifests, release
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(300)


def jobs(story: Story) -> list[Document]:
    """The Jobs of the namespace."""
    return story.api.items(f"/apis/batch/v1/namespaces/{story.namespace}/jobs")


def watch(story: Story, **parameters: str) -> None:
    """Given a workload that fails, when a policy runs a Job for it."""
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    story.reported("checkout", above=0.25)
    step = {"runJob": {"template": "purge", "parameters": parameters}}
    signal = manifests.failing("checkout")
    story.apply(manifests.policy("checkout", step, signal=signal))
    story.start_operator(offered=release.OFFERED)


def complete(story: Story) -> bool:
    """Whether the one Job has ended well."""
    conditions = [
        each["type"]
        for job in jobs(story)
        for each in job.get("status", {}).get("conditions", ())
        if each["status"] == "True"
    ]
    return "Complete" in conditions


def test_a_job_runs_to_its_end_and_is_proved(story: Story) -> None:
    """Given a template, when its Job is complete and the errors end, then that is proved."""
    watch(story, PREFIX="cart:")
    story.wait(lambda: complete(story), "the Job is complete")
    story.annotate_pods("checkout", errors="0")

    record = story.phase("checkout", "Succeeded")

    (effect,) = record["spec"]["effects"]
    (job,) = jobs(story)
    assert ("Create", job["metadata"]["name"]) == (effect["verb"], effect["name"])
    assert "Succeeded" == record["status"]["run"]["state"]
    assert 1 == len(story.writes(effect["name"]))


def test_values_that_do_not_match_run_nothing(story: Story) -> None:
    """Given a value that the template does not take, then it says so, and no Job is made."""
    watch(story, PREFIX="cart:*")

    message = story.becomes("checkout", "BadParameters")

    assert "'cart:*' does not match '[a-z]+:'" in message
    assert [] == jobs(story)


def made(story: Story) -> dict[str, Any]:
    """A Job as the action makes it."""
    template = offered.JobTemplate.model_validate(release.TEMPLATE)
    params = steps.RunJob(template="purge", parameters={"PREFIX": "cart:"})
    target = model.Ref("Deployment", story.namespace, "checkout")
    job = run_job.job_of(template, params, target, "record-1")
    job["metadata"]["annotations"] = {"prunella.dev/remediation": "record-1"}
    return job


def in_pod(job: Document) -> Any:
    """The pod's spec."""
    return job["spec"]["template"]["spec"]


def in_container(job: Document) -> Any:
    """The container."""
    return in_pod(job)["containers"][0]


def _unmark(job: Document) -> None:
    """Without labels of its own a Job gets those of its pods."""
    del job["metadata"]["labels"], job["spec"]["template"]["metadata"]["labels"]


ANOTHER = "are those of a template in offered.jobTemplates"
RESTRICTED = "one restricted container"
LITERAL = "whose variables are literal"
STOLEN = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}}
FORGED: dict[str, tuple[Callable[[Document], Any], str]] = {
    "another image": (lambda j: in_container(j).update(image="evil:1"), ANOTHER),
    "another account": (lambda j: in_pod(j).update(serviceAccountName="admin"), ANOTHER),
    "another Secret": (
        lambda j: in_container(j).update(envFrom=[{"secretRef": {"name": "s"}}]),
        ANOTHER,
    ),
    "no such template": (
        lambda j: j["metadata"].update(labels={run_job.TEMPLATE: "other"}),
        ANOTHER,
    ),
    "no mark of a template": (_unmark, "that a CronJob owns"),
    "no record": (lambda j: j["metadata"].pop("annotations"), "that name their Remediation"),
    "no deadline": (lambda j: j["spec"].pop("activeDeadlineSeconds"), RESTRICTED),
    "a second container": (
        lambda j: in_pod(j)["containers"].append({"name": "b", "image": "evil:1"}),
        RESTRICTED,
    ),
    "the node's files": (
        lambda j: in_pod(j).update(volumes=[{"name": "tmp", "hostPath": {"path": "/"}}]),
        RESTRICTED,
    ),
    "privileges": (
        lambda j: in_container(j)["securityContext"].update(allowPrivilegeEscalation=True),
        RESTRICTED,
    ),
    "a variable of another Secret": (lambda j: in_container(j)["env"].append(STOLEN), LITERAL),
    "another command": (lambda j: in_container(j).update(command=["sh"]), ANOTHER),
    "a token": (lambda j: in_pod(j).update(automountServiceAccountToken=True), ANOTHER),
    "root": (lambda j: in_container(j)["securityContext"].update(runAsUser=0), LITERAL),
    "a capability": (
        lambda j: in_container(j)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
        LITERAL,
    ),
    "the node's network": (lambda j: in_pod(j).update(hostNetwork=True), RESTRICTED),
}


def test_the_operators_account_makes_no_other_job(story: Story) -> None:
    """Given the operator's token alone, when a Job differs from its template, it is refused."""
    kubeconfig = story.lab.token_kubeconfig(release.ACCOUNT, release.HOME)

    def create(job: Document) -> tuple[int, str]:
        arguments = ("create", "--dry-run=server", "--filename", "-")
        text = json.dumps(job)
        done = story.lab.kubectl(*arguments, input=text, kubeconfig=kubeconfig, check=False)
        return done.returncode, done.stderr

    code, words = create(made(story))
    assert 0 == code, words
    for name, (change, expected) in FORGED.items():
        job = copy.deepcopy(made(story))
        change(job)
        code, words = create(job)
        assert (1, True) == (code, expected in words), f"{name}: {words}"
