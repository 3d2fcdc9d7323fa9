"""Steps: one action each, with its parameters."""

from __future__ import annotations

import enum
import re
from typing import Annotated

import pydantic

from prunella.api import base, capacity, certificates, nodes, offered, traffic, types
from prunella.api import capture as capture_api
from prunella.api import restore as restore_api

LEAST_LOST = types.duration("1m")
"""A kubelet that was restarted answers within the 40 s after which its node is NotReady."""
_BELOW_1M = r"^(0+[wdhm])*0*[0-5]?[0-9]s$"


class Restart(base.ApiModel):
    """Restart the workload as `kubectl rollout restart` does: by its own update strategy.

    A Rollout is restarted as `kubectl argo rollouts restart` does.
    """


class EvictPod(base.ApiModel):
    """Evict the worst pod through the Eviction API, which honours disruption budgets."""


class RestartPods(base.ApiModel):
    """Evict the sick pods and no others, one after the other, each after the last was replaced."""

    max: int = pydantic.Field(
        3,
        ge=1,
        le=30,
        description=(
            "Most pods that are restarted. When more are sick the step does not apply: then it is "
            "the workload that is, and `restart` or `rollback` is for that."
        ),
    )


class AbortRollout(base.ApiModel):
    """Give up a Rollout's release, as `kubectl argo rollouts abort` does: the stable one serves."""


class DeleteStuckPod(base.ApiModel):
    """Free a StatefulSet from pods that it waits for in vain."""

    lost_node_after: types.Duration | None = pydantic.Field(
        None,
        description=(
            "Also remove, without grace, pods in deletion whose node does not answer, so long "
            "after their own grace. Only where such a node is known to be off: one that is merely "
            "cut off still runs the pod, and then there are two of one identity."
        ),
        json_schema_extra=base.rules(
            (f"!self.matches(r'{_BELOW_1M}')", f"must be at least {LEAST_LOST}")
        ),
    )

    @pydantic.field_validator("lost_node_after")
    @classmethod
    def _long_enough(cls, after: types.Duration | None) -> types.Duration | None:
        if after is not None and after < LEAST_LOST:
            raise ValueError(f"must be at least {LEAST_LOST}, found {after}")
        return after


class Promote(base.ApiModel):
    """Let a Rollout that waits go on, as `kubectl argo rollouts promote` does."""

    full: bool = pydantic.Field(
        default=False,
        description="To the end at once: the steps, pauses and analyses that are left are skipped.",
    )


class RerunJob(base.ApiModel):
    """Run a CronJob's failed Job once more, from the CronJob's template."""

    times: int = pydantic.Field(
        1, ge=1, le=5, description="How often the same run is repeated at most."
    )


Parameters = Annotated[
    dict[str, Annotated[str, pydantic.Field(max_length=1024)]], pydantic.Field(max_length=16)
]
_NAMED_AS_VARIABLES = (
    f"self.all(name, name.matches(r'{offered.PARAMETER}'))",
    "names of parameters are like environment variables: A-Z, 0-9 and _",
)


def _check_names(given: dict[str, str]) -> dict[str, str]:
    for name in given:
        if not re.fullmatch(offered.PARAMETER, name):
            raise ValueError(f"{_NAMED_AS_VARIABLES[1]}; found {name!r}")
    return given


class RunJob(base.ApiModel):
    """Run a Job from a template of the administrators'."""

    template: types.DnsLabel = pydantic.Field(
        description="Name of the template, as the operator's settings have it."
    )
    parameters: Annotated[Parameters, pydantic.AfterValidator(_check_names)] = pydantic.Field(
        default_factory=dict,
        description="Values of the parameters that the template declares.",
        json_schema_extra=base.rules(_NAMED_AS_VARIABLES),
    )


class Webhook(base.ApiModel):
    """Ask a system outside the cluster to do something, such as to run a pipeline."""

    endpoint: types.DnsLabel = pydantic.Field(
        description="Name of the endpoint, as the operator's settings have it."
    )
    parameters: Annotated[Parameters, pydantic.AfterValidator(_check_names)] = pydantic.Field(
        default_factory=dict,
        description="Values of the parameters that the endpoint declares.",
        json_schema_extra=base.rules(_NAMED_AS_VARIABLES),
    )


class SuspendCronJob(base.ApiModel):
    """Let a CronJob start no more Jobs. Those that run go on."""


class Scale(base.ApiModel):
    """Change the number of replicas, within bounds."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            base.exactly_one("by", "to"),
            ("!has(self.min) || self.min <= self.max", "min must not be above max"),
        )
    )

    by: Annotated[int, pydantic.Field(ge=-100, le=100)] | None = pydantic.Field(
        None, description="Replicas to add; negative to remove."
    )
    to: Annotated[int, pydantic.Field(ge=0, le=1000)] | None = pydantic.Field(
        None, description="Replicas to have."
    )
    min: int = pydantic.Field(1, ge=0, le=1000, description="Never fewer replicas than this.")
    max: int = pydantic.Field(10, ge=0, le=1000, description="Never more replicas than this.")

    @pydantic.model_validator(mode="after")
    def _bounds(self) -> Scale:
        base.check_exactly_one(self, "by", "to")
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) must not be above max ({self.max})")
        return self


class RollbackTo(enum.StrEnum):
    """Which earlier revision a rollback chooses."""

    LAST_HEALTHY = "LastHealthy"
    PREVIOUS = "Previous"


class Rollback(base.ApiModel):
    """Return to an earlier revision."""

    to: RollbackTo = pydantic.Field(
        RollbackTo.LAST_HEALTHY,
        description=(
            "LastHealthy: the newest earlier revision that the policy's own signal saw Healthy. "
            "Previous: the one before, unseen."
        ),
    )
    when_changed_within: types.Duration | None = pydantic.Field(
        None,
        description=(
            "Only when the current release is younger than this. It is as old as its newest "
            "rollout: a release that came back is young again, a restarted one is not."
        ),
    )
    config_maps: bool = pydantic.Field(
        default=False,
        description=(
            "Also put back the ConfigMaps that the earlier template names and that were changed "
            "with the release. The chart must enable restore of ConfigMaps."
        ),
    )
    allow_one_way: bool = pydantic.Field(
        default=False,
        description=(
            "Roll back although the release took a step that no rollback takes back: a migration "
            "Job, or a change of a claim that the pods mount."
        ),
    )


class GitRevert(base.ApiModel):
    """Revert the commit that the tool which deploys from Git has applied last.

    For workloads of a Flux Kustomization or an Argo CD Application. Which repositories and
    branches, and whether it is pushed or requested, the operator's settings say.
    """

    change_within: types.Duration = pydantic.Field(
        types.duration("1h"), description="Only a commit that is at most so old."
    )


class HelmRollback(base.ApiModel):
    """Roll the Helm release that the target belongs to back to what was deployed before.

    Helm does it itself, in a Job; for releases that neither Flux nor Argo CD owns.
    """

    change_within: types.Duration = pydantic.Field(
        types.duration("1h"), description="Only a release that is at most so old."
    )
    allow_hooks: bool = pydantic.Field(
        default=False,
        description=(
            "Also where the chart has hooks, other than tests: they may have taken a step that no "
            "rollback takes back, and those of a rollback are run. Administrators must allow it."
        ),
    )


ACTIONS: tuple[str, ...] = (
    "restart",
    "evictPod",
    "scale",
    "rollback",
    "restartPods",
    "deleteStuckPod",
    "rerunJob",
    "runJob",
    "suspendCronJob",
    "restore",
    "webhook",
    "patchField",
    "scaleBounds",
    "raiseQuota",
    "resize",
    "expandVolume",
    "shiftTraffic",
    "renewCertificate",
    "gitRevert",
    "helmRollback",
    "abortRollout",
    "promote",
    *nodes.ACTIONS,
)
"""Names of all actions, as written in a policy's steps: one field of `Step` each."""
OF_CRON_JOBS: tuple[str, ...] = ("rerunJob", "suspendCronJob")
"""Those for targets of kind CronJob; all others are for pods that run all the time."""
OF_ROLLOUTS: tuple[str, ...] = ("abortRollout", "promote")
"""Those for targets of kind Rollout, of Argo Rollouts, alone."""


class Step(base.ApiModel):
    """One action with its parameters, and what is kept before it."""

    model_config = pydantic.ConfigDict(json_schema_extra=base.rules(base.exactly_one(*ACTIONS)))

    restart: Restart | None = pydantic.Field(
        None, description="Restart the workload, by its own update strategy."
    )
    evict_pod: EvictPod | None = pydantic.Field(
        None, description="Evict the worst pod, if its disruption budgets allow it."
    )
    scale: Scale | None = pydantic.Field(None, description="Change the number of replicas.")
    rollback: Rollback | None = pydantic.Field(None, description="Return to an earlier revision.")
    restart_pods: RestartPods | None = pydantic.Field(
        None, description="Evict the sick pods alone, one by one, if their budgets allow it."
    )
    delete_stuck_pod: DeleteStuckPod | None = pydantic.Field(
        None, description="Free a StatefulSet from pods that it waits for in vain."
    )
    rerun_job: RerunJob | None = pydantic.Field(
        None, description="Run a CronJob's failed Job once more."
    )
    run_job: RunJob | None = pydantic.Field(
        None, description="Run a Job from a template of the administrators'."
    )
    suspend_cron_job: SuspendCronJob | None = pydantic.Field(
        None, description="Let a CronJob start no more Jobs."
    )
    restore: restore_api.Restore | None = pydantic.Field(
        None,
        description=(
            "Put the object that an incident suspects back as it was; needs spec.trigger. The "
            "target is what is sick because of it."
        ),
    )

    webhook: Webhook | None = pydantic.Field(
        None, description="Ask a system outside the cluster to do something."
    )

    patch_field: capacity.PatchField | None = pydantic.Field(
        None, description="Write one field that administrators allow, such as the size of a pool."
    )

    scale_bounds: capacity.ScaleBounds | None = pydantic.Field(
        None, description="Change the minimum or maximum of the target's autoscaler."
    )

    raise_quota: capacity.RaiseQuota | None = pydantic.Field(
        None, description="Raise the ResourceQuota that refuses the target's pods."
    )

    resize: capacity.Resize | None = pydantic.Field(
        None, description="Raise the memory or CPU of a container, in place or in the template."
    )

    expand_volume: capacity.ExpandVolume | None = pydantic.Field(
        None, description="Make the volumes of the target's pods larger; nothing undoes it."
    )

    shift_traffic: traffic.ShiftTraffic | None = pydantic.Field(
        None, description="Move traffic away from the target, to a side that is Healthy."
    )

    renew_certificate: certificates.RenewCertificate | None = pydantic.Field(
        None, description="Have cert-manager issue a Certificate again."
    )

    git_revert: GitRevert | None = pydantic.Field(
        None,
        description=(
            "Revert the commit that a Flux Kustomization or an Argo CD Application has applied "
            "last, in its repository and path."
        ),
    )

    helm_rollback: HelmRollback | None = pydantic.Field(
        None, description="Roll the target's Helm release back, by Helm itself in a Job."
    )

    abort_rollout: AbortRollout | None = pydantic.Field(
        None, description="Give up the release of a Rollout that is under way."
    )

    promote: Promote | None = pydantic.Field(
        None, description="Let a Rollout that waits at a step go on."
    )

    cordon: nodes.Cordon | None = pydantic.Field(
        None, description="Let no new pods be placed on the node."
    )

    drain: nodes.Drain | None = pydantic.Field(
        None, description="Cordon the node, and evict its pods as their budgets allow it."
    )

    uncordon: nodes.Uncordon | None = pydantic.Field(
        None, description="Let pods be placed again on a node that the operator has cordoned."
    )

    capture: capture_api.CapturePolicy | None = pydantic.Field(
        None, description="What is kept before this step, in place of the policy's own capture."
    )

    @pydantic.model_validator(mode="after")
    def _one_action(self) -> Step:
        base.check_exactly_one(self, *ACTIONS)
        return self

    @property
    def action(self) -> str:
        """The action's name, as written in the policy."""
        return next(
            name for name in ACTIONS if getattr(self, base.alias_to_field(name)) is not None
        )

    @property
    def params(self) -> base.ApiModel:
        """The action's parameters."""
        chosen: base.ApiModel = getattr(self, base.alias_to_field(self.action))
        return chosen
