"""What the chart's admission policy lets the operator's Jobs be, evaluated outside a cluster."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import cel
import pytest
import yaml

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


def refusals(render: Render, job: Document, **values: Any) -> list[str]:
    """What the policy says against the creation of a Job."""
    given = {"actions": {"runJob": True}, "offered": {"jobTemplates": TEMPLATES}, **values}
    documents = render(**given)
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


HELM = {
    "actions": {"runJob": True, "helmRollback": True},
    "helmRollback": {"image": f"alpine/helm@sha256:{'0' * 64}", "namespaces": ["shop"]},
}


def helm(**given: Any) -> Document:
    """The chart's values, with more of helmRollback."""
    return {**HELM, "helmRollback": {**HELM["helmRollback"], **given}}


def variable(job: Document, name: str) -> Any:
    """One variable of the container."""
    return next(each for each in box(job)["env"] if each["name"] == name)


def move(job: Document, namespace: str) -> None:
    """Make it one of another namespace."""
    job["metadata"].update(namespace=namespace)
    variable(job, "PRUNELLA_TARGET_NAMESPACE").update(value=namespace)


def of_helm(render: Render, **given: Any) -> Document:
    """A Job of helmRollback, as the action makes it of the settings that the chart renders."""
    documents = render(**helm(**given), offered={"jobTemplates": TEMPLATES})
    (settings,) = [
        yaml.safe_load(text)
        for each in documents
        if each["kind"] == "ConfigMap"
        for text in each["data"].values()
    ]
    told = offered.JobTemplate.model_validate(settings["offered"]["helmRollback"])
    given = {"RELEASE": "shop", "CHANGED": "1", "HOOKS": "Refuse"}
    assert [] == [*told.problems(given)]
    params = steps.RunJob(template=offered.HELM_ROLLBACK, parameters=given)
    job = run_job.job_of(told, params, model.Ref("Deployment", "shop", "checkout"), "record-1")
    job["metadata"]["annotations"] = {"prunella.dev/remediation": "record-1"}
    return job


def test_a_job_of_helm_is_let_in_where_it_is_enabled(render: Render) -> None:
    """Its script and account are those of the chart."""
    job = of_helm(render)
    assert [] == refusals(render, job, **HELM)
    off = {**HELM, "actions": {"runJob": True, "helmRollback": False}}
    assert 2 == len(refusals(render, job, **off))
    alone = {**HELM, "actions": {"runJob": False, "helmRollback": True}}
    assert [] == refusals(render, job, **alone)
    assert 2 == len(refusals(render, made("plain"), **alone))


def test_a_job_of_helm_has_time_for_each_part_of_a_rollback(render: Render) -> None:
    """Hooks before, hooks after and Helm's own: one that is killed leaves the release pending."""
    assert 3 * 90 + 120 == of_helm(render, timeoutSeconds=90)["spec"]["activeDeadlineSeconds"]


def test_a_job_of_helm_knows_kinds_by_their_groups(render: Render) -> None:
    """As the account does."""
    kinds = [
        {"kind": "Deployment", "group": "apps", "resource": "deployments"},
        {"kind": "Service", "resource": "services"},
    ]
    job = of_helm(render, kinds=kinds)
    assert "Deployment.apps Service" == variable(job, "KINDS")["value"]
    assert [] == refusals(render, job, **helm(kinds=kinds))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda j: box(j).update(args=["helm uninstall shop"]), id="another script"),
        pytest.param(lambda j: pod(j).update(serviceAccountName="admin"), id="another account"),
        pytest.param(lambda j: move(j, "blog"), id="another namespace"),
        pytest.param(lambda j: box(j).update(image="evil:1"), id="another image"),
        pytest.param(
            lambda j: j["metadata"]["labels"].update({run_job.TEMPLATE: "plain"}),
            id="under the name of another template",
        ),
    ],
)
def test_a_job_of_helm_is_what_the_chart_says(
    render: Render, change: Callable[[Document], Any]
) -> None:
    """The operator's own account can't make it anything else."""
    job = of_helm(render)
    change(job)
    (message,) = refusals(render, job, **HELM)
    assert TEMPLATE in message


VARIABLES = "has the variables of its template and no others"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda j: box(j)["env"].append({"name": "HELM_DRIVER", "value": "sql"}),
            id="another storage of releases",
        ),
        pytest.param(
            lambda j: box(j)["env"].append({"name": "LD_PRELOAD", "value": "/x.so"}),
            id="what changes what runs",
        ),
        pytest.param(lambda j: variable(j, "KINDS").update(value="Secret"), id="another kind"),
        pytest.param(
            lambda j: box(j)["env"].append({"name": "KINDS", "value": "Secret"}),
            id="another kind, the second time",
        ),
        pytest.param(lambda j: variable(j, "KINDS").pop("value"), id="no kinds"),
        pytest.param(lambda j: variable(j, "HISTORY_MAX").update(value="1"), id="no history"),
        pytest.param(lambda j: variable(j, "TIMEOUT").update(value="9"), id="another timeout"),
        pytest.param(lambda j: variable(j, "HOOKS").update(value="Run"), id="hooks"),
        pytest.param(
            lambda j: variable(j, "PRUNELLA_TARGET_NAMESPACE").update(value="blog"),
            id="a release elsewhere",
        ),
        pytest.param(lambda j: box(j).pop("env"), id="no variables"),
    ],
)
def test_a_job_of_helm_has_the_variables_of_its_template(
    render: Render, change: Callable[[Document], Any]
) -> None:
    """They decide what Helm reads, and what the script lets it write."""
    job = of_helm(render)
    change(job)
    (message,) = refusals(render, job, **HELM)
    assert VARIABLES in message


def test_a_job_of_helm_may_run_hooks_where_they_are_allowed(render: Render) -> None:
    """And a variable that is empty is one that the API server shows without its value."""
    job = of_helm(render, allowHooks=True)
    variable(job, "HOOKS").update(value="Run")
    variable(job, "EXPECT").pop("value")
    assert [] == refusals(render, job, **helm(allowHooks=True))
    variable(job, "HOOKS").update(value="Always")
    (message,) = refusals(render, job, **helm(allowHooks=True))
    assert VARIABLES in message
