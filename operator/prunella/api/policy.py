"""RemediationPolicy: what to watch, when it is sick, what may be done about it.

Only a target, one signal and one step must be written; every other field has a safe
default.  The models are the only source of the custom resource definition.
"""

from __future__ import annotations

import enum
import re
from typing import Annotated

import pydantic

from prunella.api import base, capacity, types
from prunella.api import capture as capture_api
from prunella.api import nodes as nodes_api
from prunella.api import signals as signals_api
from prunella.api import steps as steps_api
from prunella.api import trigger as trigger_api
from prunella.api import windows as windows_api

_BELOW_5S = "^(0+w)?(0+d)?(0+h)?(0+m)?(0*[0-4]s)?$"
"""Durations that are too short for an interval; CEL's own knows neither days nor weeks."""
_UP_TO_A_DAY = "^(1d|24h|([1-9]|1[0-9]|2[0-3])h([1-5]?[0-9]m)?|([1-9]|[1-9][0-9]{1,2})m)$"
"""What an approval may take: a minute to a day."""
NOT_UP_TO_A_DAY = "must be from 1m to 24h, such as 30m, 2h or 1h30m"
LabelName = Annotated[str, pydantic.Field(max_length=128, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]


Signals = Annotated[list[signals_api.Signal], pydantic.Field(min_length=1, max_length=8)]
Steps = Annotated[list[steps_api.Step], pydantic.Field(min_length=1, max_length=8)]


class Mode(enum.StrEnum):
    """How far a policy may go."""

    ADVISE = "Advise"
    DRY_RUN = "DryRun"
    APPROVE = "Approve"
    LIVE = "Live"

    @property
    def acts(self) -> bool:
        """Whether a policy of this mode may change anything, by itself or once approved."""
        return self in {Mode.APPROVE, Mode.LIVE}


class TargetKind(enum.StrEnum):
    """The workloads that a policy can act on."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    CRON_JOB = "CronJob"
    ROLLOUT = "Rollout"
    NODE = "Node"
    """In a ClusterRemediationPolicy alone."""


WORKLOAD_KINDS = tuple(kind for kind in TargetKind if kind is not TargetKind.NODE)
"""The kinds that live in a namespace."""


_SELECTS_SOME = "!has(self.selector) || " + " || ".join(
    f"(has(self.selector.{part}) && size(self.selector.{part}) > 0)"
    for part in ("matchLabels", "matchExpressions")
)


class Target(base.ApiModel):
    """The workloads that the policy watches and may act on, in its own namespace."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            base.exactly_one("name", "selector"),
            (
                _SELECTS_SOME,
                "an empty selector would mean every workload: name labels",
            ),
        )
    )

    kind: TargetKind = pydantic.Field(TargetKind.DEPLOYMENT, description="Kind of the workloads.")
    name: types.ObjectName | None = pydantic.Field(
        None, description="Name of one workload. Give either this or a selector."
    )
    selector: types.LabelSelector | None = pydantic.Field(
        None,
        description="Labels of the workloads. An empty selector is refused: it would mean all.",
    )

    @pydantic.model_validator(mode="after")
    def _one_way_to_select(self) -> Target:
        base.check_exactly_one(self, "name", "selector")
        return self


class Guards(base.ApiModel):
    """Limits of the policy. All are on by default."""

    cooldown: types.Duration = pydantic.Field(
        types.duration("10m"),
        description="Time between two actions of the policy, and between two on a target.",
    )
    max_per_hour: int = pydantic.Field(
        3, ge=1, le=60, description="Most actions of the policy in any hour."
    )
    max_same_remedy_per_day: int = pydantic.Field(
        4,
        ge=1,
        le=1440,
        description=(
            "Most times in 24 h that the policy does the same to one target. What is needed more "
            "often masks a cause: a person is called, and the action is refused until the target "
            "was Healthy and fewer lie in the last 24 h, or until `prunella resume`."
        ),
    )
    max_unavailable: types.IntOrPercent = pydantic.Field(
        "25%",
        description=(
            "Most targets with an unfinished action. Percentages round down, never below 1: 25% of "
            "3 targets is one target."
        ),
    )
    stop_when_unhealthy: types.IntOrPercent = pydantic.Field(
        "20%",
        description=(
            "Nothing is done while more targets than this are sick at once: then the cause "
            "lies elsewhere. With fewer than 5 targets those of the namespace's other policies "
            "count too; where all of these are fewer than 5, it is not judged."
        ),
    )


class Otherwise(enum.StrEnum):
    """What follows an action that did not help."""

    REVERT = "Revert"
    CONTINUE = "Continue"
    ESCALATE = "Escalate"


class Verify(base.ApiModel):
    """How an action is proved to have helped."""

    within: types.Duration = pydantic.Field(
        types.duration("5m"),
        description=(
            "How long the signal may take to be Healthy. Counts from the end of the rollout "
            "plus the query's longest range plus two scrapes."
        ),
    )
    samples: int = pydantic.Field(
        3, ge=1, le=20, description="Healthy samples in a row that prove the action."
    )
    otherwise: Otherwise = pydantic.Field(
        Otherwise.REVERT,
        description=(
            "If it did not help: Revert undoes what can be undone and goes on to the next step, "
            "Continue goes on without undoing, Escalate calls a person."
        ),
    )


class Evaluation(enum.StrEnum):
    """Who computes what the signals are judged by."""

    OPERATOR = "Operator"
    RULES = "Rules"


_OF_CRON_JOBS = " || ".join(f"has(s.{name})" for name in steps_api.OF_CRON_JOBS)
_IS_CRON_JOB = "(has(self.target.kind) && self.target.kind == 'CronJob')"
_FIT = (
    f"self.steps.all(s, {_IS_CRON_JOB} == ({_OF_CRON_JOBS}))",
    f"a target of kind CronJob takes {' or '.join(steps_api.OF_CRON_JOBS)}, no other kind does",
)
_OF_ROLLOUTS = " || ".join(f"has(s.{name})" for name in steps_api.OF_ROLLOUTS)
_IS_ROLLOUT = "(has(self.target.kind) && self.target.kind == 'Rollout')"
_FIT_ROLLOUTS = (
    f"{_IS_ROLLOUT} || !self.steps.exists(s, {_OF_ROLLOUTS})",
    f"{' and '.join(steps_api.OF_ROLLOUTS)} are for targets of kind Rollout",
)
NO_TEMPLATE_OF_ROLLOUTS = "resize of a Rollout needs where: InPlace; its template is not resized"
_IN_TEMPLATE = "has(s.resize) && (!has(s.resize.where) || s.resize.where != 'InPlace')"
_RESIZES_ROLLOUTS = (
    f"!{_IS_ROLLOUT} || !self.steps.exists(s, {_IN_TEMPLATE})",
    NO_TEMPLATE_OF_ROLLOUTS,
)
_OF_NODES = " || ".join(f"has(s.{name})" for name in nodes_api.ACTIONS)
NODES_NEED_CLUSTER = "targets of kind Node need a ClusterRemediationPolicy"
_NO_NODES = (
    (
        "(!has(self.target.kind) || self.target.kind != 'Node') "
        f"&& !self.steps.exists(s, {_OF_NODES}) "
        "&& !self.signals.exists(s, has(s.nodeCondition))"
    ),
    f"{NODES_NEED_CLUSTER}; so do nodeCondition and {', '.join(nodes_api.ACTIONS)}",
)
ANYWHERE_NEEDS_RESTORE = (
    "trigger.incident.symptoms: Anywhere needs a step restore: "
    "other actions treat the suspect itself"
)
RESTORE_NEEDS_TRIGGER = "restore needs spec.trigger: it puts back what an incident suspects"


class RemediationPolicySpec(base.ApiModel):
    """What to watch, when it is sick, what may be done about it."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            (
                (
                    "!self.signals.exists(s, has(s.mapping) && has(s.mapping.single) "
                    "&& s.mapping.single) || has(self.target.name)"
                ),
                "mapping single: true needs target.name",
            ),
            _FIT,
            _FIT_ROLLOUTS,
            _RESIZES_ROLLOUTS,
            _NO_NODES,
            (
                "has(self.trigger) || !self.steps.exists(s, has(s.restore))",
                RESTORE_NEEDS_TRIGGER,
            ),
            (
                (
                    "!has(self.trigger) || !has(self.trigger.incident.symptoms) "
                    "|| self.trigger.incident.symptoms != 'Anywhere' "
                    "|| self.steps.exists(s, has(s.restore))"
                ),
                ANYWHERE_NEEDS_RESTORE,
            ),
        )
    )

    mode: Mode = pydantic.Field(
        Mode.ADVISE,
        description=(
            "Advise says what it would do; DryRun also asks the API server whether it could; "
            "Approve asks a person, and does it once that person has said yes; Live does it."
        ),
    )
    approval_expires_after: types.Duration = pydantic.Field(
        types.duration("1h"),
        description=(
            "Approve only: how long a question waits for its answer, from 1m to 24h. What was not "
            "approved by then is not done."
        ),
        json_schema_extra=base.rules((f"self.matches(r'{_UP_TO_A_DAY}')", NOT_UP_TO_A_DAY)),
    )
    suspend: bool = pydantic.Field(default=False, description="Stop new actions of this policy.")
    interval: types.Duration = pydantic.Field(
        types.duration("30s"),
        description="Time between two evaluations, at least 5s.",
        json_schema_extra=base.rules((f"!self.matches(r'{_BELOW_5S}')", "must be at least 5s")),
    )
    target: Target = pydantic.Field(description="The workloads to watch and act on.")
    signals: Annotated[list[signals_api.Signal], pydantic.Field(min_length=1, max_length=8)] = (
        pydantic.Field(
            description=(
                "Measurements; a target is sick when any of them is Unhealthy, or as `when` says."
            ),
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        )
    )
    when: Annotated[str, pydantic.Field(min_length=1, max_length=1024)] | None = pydantic.Field(
        None,
        description=(
            "CEL expression over the signals by name (with _ for -): true while Unhealthy, false "
            "while Healthy, unknown otherwise. A target is sick when it is true. Example: "
            "errors && !backup. Default: any signal."
        ),
    )
    trigger: trigger_api.Trigger | None = pydantic.Field(
        None,
        description=(
            "Act on causes: only when an open incident names the target as its first suspect. "
            "The signals then prove that the action has helped. Default: the signals decide."
        ),
    )
    evaluation: Evaluation = pydantic.Field(
        Evaluation.OPERATOR,
        description=(
            "Operator: it computes baselines and burn rates itself. Rules: it reads what the "
            "recording rules written by `prunella compile` have computed."
        ),
    )
    steps: Annotated[list[steps_api.Step], pydantic.Field(min_length=1, max_length=8)] = (
        pydantic.Field(
            description="Actions, tried in order, each verified before the next.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        )
    )
    guards: Guards = pydantic.Field(
        default_factory=Guards, description="Limits of the policy. All are on by default."
    )
    windows: windows_api.Windows = pydantic.Field(
        default_factory=windows_api.Windows,
        description="When actions may begin. Default: at any time.",
    )
    escalate_after: types.Duration = pydantic.Field(
        types.duration("15m"),
        description=(
            "Live, Approve: a person is called, once, when a target has been Unhealthy for so long "
            "and every action was refused. Time in which a person has suspended or paused it does "
            "not count."
        ),
    )
    capture: capture_api.CapturePolicy | None = pydantic.Field(
        None,
        description=(
            "Live, Approve: what is kept before each action, for `prunella logs remediation/NAME`. "
            "Default: nothing."
        ),
    )
    verify: Verify = pydantic.Field(
        default_factory=Verify, description="How an action is proved to have helped."
    )

    @pydantic.field_validator("approval_expires_after")
    @classmethod
    def _up_to_a_day(cls, wait: types.Duration) -> types.Duration:
        if not re.fullmatch(_UP_TO_A_DAY, wait.text):
            raise ValueError(f"{NOT_UP_TO_A_DAY}, found {wait}")
        return wait

    @pydantic.model_validator(mode="after")
    def _steps_fit(self) -> RemediationPolicySpec:
        kind = self.target.kind
        if kind is TargetKind.NODE or any(each.node_condition for each in self.signals):
            raise ValueError(NODES_NEED_CLUSTER)
        for number, step in enumerate(self.steps):
            if step.action in nodes_api.ACTIONS:
                raise ValueError(f"steps[{number}]: {step.action}: {NODES_NEED_CLUSTER}")
            own = step.action in steps_api.OF_CRON_JOBS
            if own != (kind is TargetKind.CRON_JOB):
                fits = "a target of kind CronJob" if own else "pods that run all the time"
                message = f"steps[{number}]: {step.action} is for {fits}, the target is a {kind}"
                raise ValueError(message)
            if step.action in steps_api.OF_ROLLOUTS and kind is not TargetKind.ROLLOUT:
                fits = "a target of kind Rollout"
                message = f"steps[{number}]: {step.action} is for {fits}, the target is a {kind}"
                raise ValueError(message)
            in_place = step.resize is None or step.resize.where is capacity.Where.IN_PLACE
            if kind is TargetKind.ROLLOUT and not in_place:
                raise ValueError(f"steps[{number}]: {NO_TEMPLATE_OF_ROLLOUTS}")
        return self

    @pydantic.model_validator(mode="after")
    def _signals_fit(self) -> RemediationPolicySpec:
        names = [signal.name for signal in self.signals]
        if len(set(names)) != len(names):
            raise ValueError(f"signals must have different names, found {', '.join(names)}")
        single = any(s.mapping is not None and s.mapping.single for s in self.signals)
        if single and self.target.name is None:
            raise ValueError("mapping single: true needs target.name")
        restores = any(step.restore is not None for step in self.steps)
        if self.trigger is None and restores:
            raise ValueError(RESTORE_NEEDS_TRIGGER)
        anywhere = self.trigger is not None and self.trigger.incident.anywhere
        if anywhere and not restores:
            raise ValueError(ANYWHERE_NEEDS_RESTORE)
        if self.interval.total_seconds() < 5:
            raise ValueError(f"interval must be at least 5s, found {self.interval}")
        return self
