"""What the chart's admission policy lets the operator's Jobs be, evaluated outside a cluster."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import cel
import pytest

from prunella.actions import run_job
from prunella.api import offered, steps
from prunella.core import model

Document = dict[str, Any]
Render = Callable[..., list[Document]]

IMAGE = f"tools/redis@sha256:{'0' * 64}"
PURGE = {
    "namespaces": ["shop"],
    "image": IMAGE,
    "serviceAccount": "purger",
    "secret": "redis",
    "command": ["sh", "-c", 'redis-cli -h "$HOST" del \'a\' <b >c # \\d\n\t"é"'],
    "args": ["one", "two"],
    "env": {"HOST": "redis"},
    "parameters": {"PREFIX": {"pattern": "[a-z]+:"}},
}
PLAIN = {"namespaces": ["*"], "image": IMAGE, "serviceAccount": "plain", "mountToken": True}
TEMPLATES = {"purge": PURGE, "plain": PLAIN}


def made(name: str) -> Document:
    """A Job as the action makes it."""
    template = offered.JobTemplate.model_validate(TEMPLATES[name])
    given = {"PREFIX": "cart:"} if template.parameters else {}
    params = steps.RunJob(template=name, parameters=given)
    target = model.Ref("Deployment", "shop", "checkout")
    job = run_job.job_of(template, params, target, "record-1")
    job["metadata"]["annotations"] = {"prunella.dev/remediation": "record-1"}
    return job


def refusals(render: Render, job: Document) -> list[str]:
    """What the policy says against the creation of a Job."""
    documents = render(actions={"runJob": True}, offered={"jobTemplates": TEMPLATES})
    policy = next(
        each["spec"]
        for each in documents
        if each["kind"] == "ValidatingAdmissionPolicy"
        and each["metadata"]["name"] == "prunella-jobs"
    )
    request = {"operation": "CREATE", "namespace": job["metadata"]["namespace"]}
    known: Document = {"request": request, "object": job}

    def holds(expression: str) -> Any:
        plain = re.sub(r"variables\.(\w+)", r"v_\1", expression).replace("dyn(object)", "object")
        return cel.evaluate(plain, known)

    for each in policy["variables"]:
        known[f"v_{each['name']}"] = holds(each["expression"])
    return [each["message"] for each in policy["validations"] if not holds(each["expression"])]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_job_as_its_template_says_is_let_in(render: Render, name: str) -> None:
    """Whatever characters are in its command, and without one."""
    assert [] == refusals(render, made(name))


def pod(job: Document) -> Any:
    """The pod's spec."""
    return job["spec"]["template"]["spec"]


def box(job: Document) -> Any:
    """The container."""
    return pod(job)["containers"][0]


SECRET = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "other", "key": "password"}}}
HOOK = {"exec": {"command": ["sh"]}}
TEMPLATE, LITERAL = "are those of a template", "whose variables are literal"
FORGED: dict[str, tuple[str, Callable[[Document], Any], str]] = {
    "a variable of another Secret": ("purge", lambda j: box(j)["env"].append(SECRET), LITERAL),
    "another command": ("purge", lambda j: box(j).update(command=["sh"]), TEMPLATE),
    "no command": ("purge", lambda j: box(j).pop("command"), TEMPLATE),
    "a command of its own": ("plain", lambda j: box(j).update(command=["sh"]), TEMPLATE),
    "other arguments": ("purge", lambda j: box(j)["args"].reverse(), TEMPLATE),
    "arguments of its own": ("plain", lambda j: box(j).update(args=["x"]), TEMPLATE),
    "a token": ("purge", lambda j: pod(j).update(automountServiceAccountToken=True), TEMPLATE),
    "a token by default": (
        "purge",
        lambda j: pod(j).pop("automountServiceAccountToken"),
        TEMPLATE,
    ),
    "a capability": (
        "purge",
        lambda j: box(j)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
        LITERAL,
    ),
    "root": ("purge", lambda j: box(j)["securityContext"].update(runAsUser=0), LITERAL),
    "root allowed": (
        "purge",
        lambda j: box(j)["securityContext"].update(runAsNonRoot=False),
        LITERAL,
    ),
    "a container for looking in": (
        "purge",
        lambda j: pod(j).update(ephemeralContainers=[{"name": "x"}]),
        LITERAL,
    ),
    "a hook": ("purge", lambda j: box(j).update(lifecycle={"postStart": HOOK}), LITERAL),
    "a probe": ("purge", lambda j: box(j).update(livenessProbe=HOOK), LITERAL),
    "another Secret": (
        "purge",
        lambda j: box(j).update(envFrom=[{"secretRef": {"name": "other"}}]),
        TEMPLATE,
    ),
    "another image": ("purge", lambda j: box(j).update(image="evil:1"), TEMPLATE),
    "another namespace": ("purge", lambda j: j["metadata"].update(namespace="blog"), TEMPLATE),
    "no record": ("purge", lambda j: j["metadata"].pop("annotations"), "name their Remediation"),
}


@pytest.mark.parametrize(("name", "change", "expected"), FORGED.values(), ids=FORGED)
def test_a_job_that_differs_from_its_template_is_refused(
    render: Render, name: str, change: Callable[[Document], Any], expected: str
) -> None:
    """Even from the operator's own account: it can reach nothing that the template does not."""
    job = copy.deepcopy(made(name))
    change(job)
    (message,) = refusals(render, job)
    assert expected in message
