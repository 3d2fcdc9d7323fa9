"""Steps: one action each, with its parameters."""

from __future__ import annotations

import enum
from typing import Annotated

import pydantic

from prunella.api import base, capacity, types

LEAST_LOST = types.duration("1m")
"""A kubelet that was restarted answers within the 40 s after which its node is NotReady."""
_BELOW_1M = r"^(0+[wdhm])*0*[0-5]?[0-9]s$"


class Restart(base.ApiModel):
    """Restart the workload as `kubectl rollout restart` does: by its own update strategy."""


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


class RerunJob(base.ApiModel):
    """Run a CronJob's failed Job once more, from the CronJob's template."""

    times: int = pydantic.Field(
        1, ge=1, le=5, description="How often the same run is repeated at most."
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


class RestoredKind(enum.StrEnum):
    """Kinds of objects that can be put back as they were."""

    SERVICE = "Service"
    NETWORK_POLICY = "NetworkPolicy"
    CONFIG_MAP = "ConfigMap"
    RESOURCE_QUOTA = "ResourceQuota"
    AUTOSCALER = "HorizontalPodAutoscaler"
    INGRESS = "Ingress"
    LIMIT_RANGE = "LimitRange"
    BUDGET = "PodDisruptionBudget"
    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    CRON_JOB = "CronJob"


FIELDS_ONLY: frozenset[RestoredKind] = frozenset(
    {
        RestoredKind.DEPLOYMENT,
        RestoredKind.STATEFUL_SET,
        RestoredKind.DAEMON_SET,
        RestoredKind.CRON_JOB,
    }
)
"""What runs pods: fields of it are put back, and it is neither created nor deleted."""


FieldPath = Annotated[
    str, pydantic.Field(min_length=1, max_length=253, pattern=r"^[A-Za-z][^\s]*$")
]


class RestartReaders(enum.StrEnum):
    """Which workloads that read a restored ConfigMap are restarted with it."""

    NEVER = "Never"
    AT_START = "AtStart"
    ALL = "All"


READERS_OF_CONFIG_MAPS = "restartReaders needs ConfigMap among kinds: nothing else is read at start"


class Restore(base.ApiModel):
    """Put the object that an incident suspects back as it was before the suspected change.

    Only the fields of that change are written. When it does not help, the change is put back and
    the next suspect is tried.
    """

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            (
                (
                    "!has(self.restartReaders) || self.restartReaders == 'Never' "
                    "|| 'ConfigMap' in self.kinds"
                ),
                READERS_OF_CONFIG_MAPS,
            )
        )
    )

    kinds: Annotated[list[RestoredKind], pydantic.Field(min_length=1, max_length=12)] = (
        pydantic.Field(
            description="Kinds of objects that may be restored.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        )
    )
    fields: Annotated[list[FieldPath], pydantic.Field(max_length=16)] = pydantic.Field(
        default_factory=list,
        description=(
            "Only changes all of whose fields begin with one of these paths, such as spec.ports. "
            "Default: any field."
        ),
    )
    change_within: types.Duration = pydantic.Field(
        types.duration("1h"), description="Only a change that is at most so old."
    )
    undo_created: bool = pydantic.Field(
        default=False,
        description=(
            "Delete an object whose creation is suspected, if no other object refers to it."
        ),
    )
    max_healthy_dependents: int = pydantic.Field(
        0,
        ge=0,
        le=1000,
        description=(
            "Most workloads beside the target that depend on the object and are Healthy by a "
            "policy's signals. With more of them it is left alone."
        ),
    )
    restart_readers: RestartReaders = pydantic.Field(
        RestartReaders.NEVER,
        description=(
            "Workloads that are restarted after a ConfigMap, as they keep what they have read. "
            "AtStart: those that read a changed key as environment or by subPath; All: also those "
            "that mount it. Never: a ConfigMap that is read at start only is left alone. Restarts "
            "need action restart."
        ),
    )

    @pydantic.model_validator(mode="after")
    def _readers_of_config_maps(self) -> Restore:
        restarts = self.restart_readers is not RestartReaders.NEVER
        if restarts and RestoredKind.CONFIG_MAP not in self.kinds:
            raise ValueError(READERS_OF_CONFIG_MAPS)
        return self


ACTIONS: tuple[str, ...] = (
    "restart",
    "evictPod",
    "scale",
    "rollback",
    "restartPods",
    "deleteStuckPod",
    "rerunJob",
    "suspendCronJob",
    "restore",
    "patchField",
    "scaleBounds",
    "raiseQuota",
    "resize",
)
"""Names of all actions, as written in a policy's steps: one field of `Step` each."""
OF_CRON_JOBS: tuple[str, ...] = ("rerunJob", "suspendCronJob")
"""Those for targets of kind CronJob; all others are for pods that run all the time."""


class Step(base.ApiModel):
    """One action with its parameters."""

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
    suspend_cron_job: SuspendCronJob | None = pydantic.Field(
        None, description="Let a CronJob start no more Jobs."
    )
    restore: Restore | None = pydantic.Field(
        None,
        description=(
            "Put the object that an incident suspects back as it was; needs spec.trigger. The "
            "target is what is sick because of it."
        ),
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
