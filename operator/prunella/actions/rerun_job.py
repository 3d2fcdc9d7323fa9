"""rerunJob: run a CronJob's failed Job once more, as ``kubectl create job --from=cronjob`` does.

The new Job is made of the CronJob's template as it is now: who has repaired it meanwhile wants
that.  Its name follows from the failed Job's UID, so the API server refuses a second one.  There is
no inverse: what has run has run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, cast

from prunella.api import reasons, trust
from prunella.api import steps as steps_api
from prunella.core import model
from prunella.core.decisions import action

RERUN = "prunella.dev/rerun"
"""Annotation on a Job made here: how many times the same run was repeated, this one included."""
INSTANTIATE = "cronjob.kubernetes.io/instantiate"
"""Annotation that kubectl writes on Jobs that people make of a CronJob."""
MOST_NAME = 63
Refused = reasons.Refused


class RerunJob:
    """Creates a Job."""

    name = "rerunJob"
    owned_field = None
    risk = trust.Risk.LOW

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One Job, when the newest one has failed and none is running."""
        if not isinstance(request.params, steps_api.RerunJob):
            raise TypeError("rerunJob is planned from the parameters of such a step")
        workload, jobs = request.live_state.workload, request.live_state.jobs
        ref = workload.ref
        if workload.suspended:
            message = f"{ref} is suspended: nothing is expected of it"
            return model.Refusal(Refused.SCALED_TO_ZERO, message)
        running = next((job for job in jobs if job.state is model.JobState.ACTIVE), None)
        if running is not None:
            message = f"Job {running.name} of {ref} is running"
            return model.Refusal(Refused.JOB_RUNNING, message)
        newest = max(jobs, key=lambda job: (job.created, job.name), default=None)
        if newest is None or newest.state is not model.JobState.FAILED:
            state = "has no Job" if newest is None else f"has run: Job {newest.name} is complete"
            return model.Refusal(Refused.NOTHING_TO_RERUN, f"{ref} {state}", skip_step=True)
        number = _reruns(newest) + 1
        if number > request.params.times:
            message = (
                f"Job {newest.name} of {ref} has failed after {number - 1} reruns, "
                f"{request.params.times} are allowed"
            )
            return model.Refusal(Refused.AT_BOUND, message, skip_step=True)
        return action.Plan((_effect(workload, newest, number, request.params.times),))


def _reruns(job: model.Job) -> int:
    """How many reruns a Job is the last of; one that the CronJob made itself is of none."""
    written = job.annotations.get(RERUN, "")
    return int(written) if written.isdecimal() else 0


def _effect(workload: model.Workload, failed: model.Job, number: int, most: int) -> model.Effect:
    manifest = job_of(workload, failed, number)
    name = str(manifest["metadata"]["name"])
    why = f" ({failed.message})" if failed.message else ""
    return model.Effect(
        verb=model.Verb.CREATE,
        target=model.Ref("Job", workload.ref.namespace, name),
        uid="",
        patch=({"op": "add", "path": "", "value": manifest},),
        summary=(
            f"create Job {name} of {workload.ref}, rerun {number} of {most} at most: "
            f"Job {failed.name} has failed{why}"
        ),
    )


def job_of(workload: model.Workload, failed: model.Job, number: int) -> dict[str, Any]:
    """The manifest of the Job that repeats a failed one."""
    template = cast(Mapping[str, Any], workload.template)
    told = cast(Mapping[str, Any], template.get("metadata") or {})
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": workload.ref.name,
        "uid": workload.uid,
        "controller": True,
    }
    annotations = {**(told.get("annotations") or {}), INSTANTIATE: "manual", RERUN: str(number)}
    metadata: dict[str, Any] = {
        "name": _name(workload.ref.name, failed),
        "namespace": workload.ref.namespace,
        "annotations": annotations,
        "ownerReferences": [owner],
    }
    if told.get("labels"):
        metadata["labels"] = dict(told["labels"])
    spec = dict(cast(Mapping[str, Any], template["spec"]))
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _name(cron_job: str, failed: model.Job) -> str:
    digest = hashlib.sha256(failed.uid.encode()).hexdigest()[:10]
    ending = f"-rerun-{digest}"
    return cron_job[: MOST_NAME - len(ending)].rstrip("-.") + ending
