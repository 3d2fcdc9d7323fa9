"""runJob: run a Job from a template that an administrator has prepared.

A policy only names the template and fills in its parameters, which become environment variables
and nothing else.  The Job's name follows from the record's, so the API server refuses a second
one.  There is no inverse: what has run has run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from prunella.actions import offers
from prunella.api import offered, trust
from prunella.api import steps as steps_api
from prunella.core import model
from prunella.core.decisions import action

TEMPLATE = "prunella.dev/job-template"
"""Label on a Job made here: the template that it was made of."""
MOST_NAME = 63


class RunJob:
    """Creates a Job."""

    name = "runJob"
    owned_field = None
    risk = trust.Risk.HIGH

    def __init__(self, templates: Mapping[str, offered.JobTemplate]) -> None:
        self._templates = templates

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One Job, when the template is for this namespace and the parameters are as declared."""
        params = request.params
        if not isinstance(params, steps_api.RunJob):
            raise TypeError("runJob is planned from the parameters of such a step")
        target = request.live_state.workload.ref
        template = offers.taken(
            "Job template", params.template, self._templates, target.namespace, params.parameters
        )
        if isinstance(template, model.Refusal):
            return template
        return action.Plan((_effect(template, params, target, request.record),))


def _effect(
    template: offered.JobTemplate, params: steps_api.RunJob, target: model.Ref, record: str
) -> model.Effect:
    manifest = job_of(template, params, target, record)
    name = str(manifest["metadata"]["name"])
    told = offers.in_words(template.filled(params.parameters))
    return model.Effect(
        verb=model.Verb.CREATE,
        target=model.Ref("Job", target.namespace, name),
        uid="",
        patch=({"op": "add", "path": "", "value": manifest},),
        summary=f"create Job {name} for {target} from template {params.template} ({told})",
    )


def job_of(
    template: offered.JobTemplate, params: steps_api.RunJob, target: model.Ref, record: str
) -> dict[str, Any]:
    """The manifest of the Job for a record."""
    labels = {TEMPLATE: params.template}
    name = job_name(params.template, record)
    spec = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": template.active_deadline_seconds,
        "ttlSecondsAfterFinished": template.ttl_seconds_after_finished,
        "template": {"metadata": {"labels": labels}, "spec": _pod(template, params, target)},
    }
    metadata = {
        "name": name,
        "namespace": target.namespace,
        "labels": labels,
        "annotations": {},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def job_name(template: str, record: str) -> str:
    """The Job's name, which follows from the record's."""
    digest = hashlib.sha256(record.encode()).hexdigest()[:10]
    return f"{template[: MOST_NAME - len(digest) - 1].rstrip('-')}-{digest}"


def _pod(
    template: offered.JobTemplate, params: steps_api.RunJob, target: model.Ref
) -> dict[str, Any]:
    """A pod as the Pod Security Standard ``restricted`` wants it; only /tmp can be written."""
    return {
        "restartPolicy": "Never",
        "serviceAccountName": template.service_account,
        "automountServiceAccountToken": template.mount_token,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": template.run_as_user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(template, params, target)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
    }


def _container(
    template: offered.JobTemplate, params: steps_api.RunJob, target: model.Ref
) -> dict[str, Any]:
    own = {
        "PRUNELLA_TARGET_KIND": target.kind,
        "PRUNELLA_TARGET_NAME": target.name,
        "PRUNELLA_TARGET_NAMESPACE": target.namespace,
    }
    env = {**template.env, **_literal(template.filled(params.parameters)), **own}
    container: dict[str, Any] = {
        "name": "job",
        "image": template.image,
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "resources": template.resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the pod's own
    }
    if template.command:
        container["command"] = list(template.command)
    if template.args:
        container["args"] = list(template.args)
    if template.secret is not None:
        container["envFrom"] = [{"secretRef": {"name": template.secret}}]
    return container


def _literal(values: Mapping[str, str]) -> dict[str, str]:
    """Values that Kubernetes takes as they are: it would put a Secret's value for ``$(NAME)``."""
    return {name: value.replace("$", "$$") for name, value in values.items()}
