"""runJob: one Job of an administrator's template, restricted, under a name of the record's."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.actions import run_job
from prunella.api import offered, reasons
from prunella.core import model
from prunella.core.decisions import action
from tests.unit.actions import manifests
from tests.unit.api import test_offered
from tests.unit.core import builders

Refused = reasons.Refused
TEMPLATE = test_offered.template(command=["purge"], args=["--all"], env={"HOST": "redis"})


def plan(
    parameters: dict[str, str] | None = None,
    template: str = "purge-cache",
    found: offered.JobTemplate = TEMPLATE,
    record: str = "deployment-checkout-1",
) -> object:
    """The plan for a Deployment."""
    given = {"PREFIX": "cart:"} if parameters is None else parameters
    step = {"runJob": {"template": template, "parameters": given}}
    live_state = model.LiveState(builders.workload())
    request = dataclasses.replace(manifests.request(live_state, step), record=record)
    return run_job.RunJob({"purge-cache": found}).plan(request)


def created(planned: object) -> dict[str, Any]:
    """The Job of a plan, as it comes back from the ledger."""
    assert isinstance(planned, action.Plan), planned
    (effect,) = map(manifests.kept, planned.effects)
    assert (model.Verb.CREATE, ()) == (effect.verb, effect.inverse)
    return dict(effect.manifest)


def test_the_job_is_the_templates() -> None:
    """Image, account, command and deadline are the administrator's; it runs once."""
    job = created(plan())
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (0, 300, 3600) == (
        job["spec"]["backoffLimit"],
        job["spec"]["activeDeadlineSeconds"],
        job["spec"]["ttlSecondsAfterFinished"],
    )
    assert (TEMPLATE.image, ["purge"], ["--all"]) == (
        container["image"],
        container["command"],
        container["args"],
    )
    assert ("cache-purger", False) == (
        pod["serviceAccountName"],
        pod["automountServiceAccountToken"],
    )
    assert {"prunella.dev/job-template": "purge-cache"} == job["metadata"]["labels"]


def test_it_is_restricted() -> None:
    """No root, no privileges, no capabilities, a root file system that can't be written."""
    pod = created(plan())["spec"]["template"]["spec"]
    own = pod["containers"][0]["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
    assert {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == own


def test_parameters_are_environment_variables_and_nothing_else() -> None:
    """Kubernetes replaces $(NAME) in values, also by what a Secret holds: it is escaped."""
    loose = test_offered.template(parameters={"PREFIX": {"pattern": ".*"}}, secret="redis")  # noqa: S106
    (container,) = created(plan({"PREFIX": "$(PASSWORD)"}, found=loose))["spec"]["template"][
        "spec"
    ]["containers"]
    env = {each["name"]: each["value"] for each in container["env"]}
    assert "$$(PASSWORD)" == env["PREFIX"]
    assert ("Deployment", "checkout", "shop") == tuple(
        env[f"PRUNELLA_TARGET_{part}"] for part in ("KIND", "NAME", "NAMESPACE")
    )
    assert [{"secretRef": {"name": "redis"}}] == container["envFrom"]


def test_a_record_has_one_name() -> None:
    """The same record gives the same Job, so that the API server has room for one."""
    names = [created(plan(record=each))["metadata"]["name"] for each in ("r-1", "r-1", "r-2")]
    assert names[0] == names[1] != names[2]
    long = created(
        run_job.RunJob({"a" * 63: TEMPLATE}).plan(
            dataclasses.replace(
                manifests.request(
                    model.LiveState(builders.workload()),
                    {"runJob": {"template": "a" * 63, "parameters": {"PREFIX": "x:"}}},
                ),
                record="r-1",
            )
        )
    )
    assert 63 == len(long["metadata"]["name"])


REFUSALS: dict[str, tuple[object, Refused, str]] = {
    "no such template": (
        plan(template="purge-disk"),
        Refused.NOT_OFFERED,
        "there is no Job template purge-disk; the operator has: purge-cache",
    ),
    "not for this namespace": (
        plan(found=test_offered.template(namespaces=["web", "blog"])),
        Refused.NOT_OFFERED,
        "Job template purge-cache is for web, blog, not for shop",
    ),
    "a value that does not match": (
        plan({"PREFIX": "cart"}),
        Refused.BAD_PARAMETERS,
        "Job template purge-cache: parameters.PREFIX: 'cart' does not match '[a-z]+:'",
    ),
}


@pytest.mark.parametrize(("found", "reason", "message"), REFUSALS.values(), ids=REFUSALS)
def test_it_is_refused(found: object, reason: Refused, message: str) -> None:
    """Nothing runs that the administrator has not meant for this namespace and these values."""
    assert model.Refusal(reason, message) == found
