"""Parameters of the step that puts a suspected object back as it was."""

from __future__ import annotations

import enum
from typing import Annotated

import pydantic

from prunella.api import base, types


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
