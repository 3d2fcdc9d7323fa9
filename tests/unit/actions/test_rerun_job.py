"""rerunJob: one Job of the CronJob's template, under a name that follows from the failed one."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.actions import rerun_job
from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import action
from tests.unit.actions import manifests
from tests.unit.core import builders

Refused, State = reasons.Refused, model.JobState
NOW = builders.NOW
POD = {"spec": {"containers": [{"name": "app", "image": "shop/report:v1"}]}}
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "report"}, "annotations": {"team": "data"}},
    "spec": {"backoffLimit": 2, "template": POD},
}


def job(name: str, state: State, minutes_ago: float = 60, rerun: int = 0) -> model.Job:
    """A Job of the CronJob."""
    annotations = {rerun_job.RERUN: str(rerun)} if rerun else {}
    created = NOW - datetime.timedelta(minutes=minutes_ago)
    message = "BackoffLimitExceeded" if state is State.FAILED else ""
    return model.Job(name, f"{name}-uid", created, state, message, annotations)


FAILED = job("checkout-2", State.FAILED)
BEFORE = job("checkout-1", State.COMPLETE, 1500)


def plan(*jobs: model.Job, times: int = 1, **changes: Any) -> object:
    """The plan for a CronJob with these Jobs."""
    fields = {"kind": "CronJob", "template": TEMPLATE, **changes}
    live_state = model.LiveState(builders.workload(**fields), pods_known=False, jobs=jobs)
    request = manifests.request(live_state, {"rerunJob": {"times": times}})
    return rerun_job.RerunJob().plan(request)


def created(planned: object) -> dict[str, Any]:
    """The Job of a plan, as it comes back from the ledger."""
    assert isinstance(planned, action.Plan), planned
    (effect,) = map(manifests.kept, planned.effects)
    assert (model.Verb.CREATE, (), "Job") == (effect.verb, effect.inverse, effect.target.kind)
    whole: Any = effect.patch[0]["value"]
    assert effect.target.name == whole["metadata"]["name"]
    return dict(whole)


def test_the_failed_job_is_made_anew_of_the_cron_jobs_template() -> None:
    """As kubectl makes it: the CronJob owns it, so that its history limits clean it up."""
    whole = created(plan(BEFORE, FAILED))
    name = whole["metadata"].pop("name")
    assert {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "namespace": "shop",
            "labels": {"app": "report"},
            "annotations": {
                "team": "data",
                "cronjob.kubernetes.io/instantiate": "manual",
                "prunella.dev/rerun": "1",
            },
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": "checkout",
                    "uid": "checkout-uid",
                    "controller": True,
                }
            ],
        },
        "spec": TEMPLATE["spec"],
    } == whole
    assert name.startswith("checkout-rerun-")


def test_its_name_follows_from_the_failed_job_and_fits() -> None:
    """The same failed Job gives the same name, another one another; 63 characters at most."""
    names = [created(plan(failed))["metadata"]["name"] for failed in (FAILED, FAILED)]
    other = created(plan(job("checkout-3", State.FAILED)))["metadata"]["name"]
    assert names[0] == names[1] != other
    long = created(plan(FAILED, name="a" * 52))["metadata"]["name"]
    assert (63, "a" * 46) == (len(long), long[:46])


def test_it_is_told_why_and_how_often() -> None:
    """The summary names the failed Job and the bound."""
    planned = plan(job("checkout-rerun-1", State.FAILED, rerun=1), times=3)
    assert isinstance(planned, action.Plan)
    name = planned.effects[0].target.name
    assert (
        f"create Job {name} of CronJob/checkout, rerun 2 of 3 at most: Job checkout-rerun-1 has "
        "failed (BackoffLimitExceeded)"
    ) == planned.effects[0].summary
    assert "2" == created(planned)["metadata"]["annotations"]["prunella.dev/rerun"]


Row = tuple[tuple[model.Job, ...], dict[str, Any], model.Refusal]
REFUSED: dict[str, Row] = {
    "suspended": (
        (FAILED,),
        {"suspended": True},
        model.Refusal(
            Refused.SCALED_TO_ZERO, "CronJob/checkout is suspended: nothing is expected of it"
        ),
    ),
    "one is running": (
        (FAILED, job("checkout-3", State.ACTIVE, 1)),
        {},
        model.Refusal(Refused.JOB_RUNNING, "Job checkout-3 of CronJob/checkout is running"),
    ),
    "it has run since": (
        (FAILED, job("checkout-3", State.COMPLETE, 5)),
        {},
        model.Refusal(
            Refused.NOTHING_TO_RERUN,
            "CronJob/checkout has run: Job checkout-3 is complete",
            skip_step=True,
        ),
    ),
    "no job is left": (
        (),
        {},
        model.Refusal(Refused.NOTHING_TO_RERUN, "CronJob/checkout has no Job", skip_step=True),
    ),
    "often enough": (
        (job("checkout-rerun-1", State.FAILED, rerun=1),),
        {},
        model.Refusal(
            Refused.AT_BOUND,
            "Job checkout-rerun-1 of CronJob/checkout has failed after 1 reruns, 1 are allowed",
            skip_step=True,
        ),
    ),
}


@pytest.mark.parametrize(("jobs", "changes", "expected"), REFUSED.values(), ids=REFUSED)
def test_refuses_with_what_it_saw(
    jobs: tuple[model.Job, ...], changes: dict[str, Any], expected: model.Refusal
) -> None:
    """Never beside a run, never what is done, never without end."""
    assert expected == plan(*jobs, **changes)
