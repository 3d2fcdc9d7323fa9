"""RemediationPolicy: what to watch, when it is sick, what may be done about it.

Only a target, one signal and one step must be written; every other field has a safe
default.  The models are the only source of the custom resource definition.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

import pydantic
from pydantic import alias_generators

from prunella.api import conditions as conditions_api
from prunella.api import types


class ApiModel(pydantic.BaseModel):
    """A frozen model, written in camelCase, that refuses fields it does not know."""

    model_config = pydantic.ConfigDict(
        alias_generator=alias_generators.to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
    )


def _rules(*rules: tuple[str, str]) -> dict[str, Any]:
    """CEL rules of the API server: (expression, message) pairs."""
    return {
        "x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]
    }


def _exactly_one(*fields: str) -> tuple[str, str]:
    terms = " + ".join(f"(has(self.{field}) ? 1 : 0)" for field in fields)
    return f"{terms} == 1", f"exactly one of {', '.join(fields)} must be given"


def _check_exactly_one(model: pydantic.BaseModel, *fields: str) -> None:
    given = [name for name in fields if getattr(model, alias_to_field(name)) is not None]
    if len(given) != 1:
        found = ", ".join(given) or "none"
        raise ValueError(f"exactly one of {', '.join(fields)} must be given, found {found}")


def alias_to_field(alias: str) -> str:
    """The Python name of a camelCase field."""
    return alias_generators.to_snake(alias)


Query = Annotated[str, pydantic.Field(min_length=1, max_length=4096)]
SignalName = Annotated[str, pydantic.Field(max_length=63, pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$")]
_BELOW_5S = "^(0+w)?(0+d)?(0+h)?(0+m)?(0*[0-4]s)?$"
"""Durations that are too short for an interval; CEL's own knows neither days nor weeks."""
LabelName = Annotated[str, pydantic.Field(max_length=128, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]


class Mode(enum.StrEnum):
    """How far a policy may go."""

    ADVISE = "Advise"
    DRY_RUN = "DryRun"
    LIVE = "Live"


class TargetKind(enum.StrEnum):
    """The workloads that a policy can act on."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"


_SELECTS_SOME = "!has(self.selector) || " + " || ".join(
    f"(has(self.selector.{part}) && size(self.selector.{part}) > 0)"
    for part in ("matchLabels", "matchExpressions")
)


class Target(ApiModel):
    """The workloads that the policy watches and may act on, in its own namespace."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=_rules(
            _exactly_one("name", "selector"),
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
        _check_exactly_one(self, "name", "selector")
        return self


class PrometheusQuery(ApiModel):
    """One instant query for all targets."""

    query: Query = pydantic.Field(
        description=(
            "PromQL that returns a vector; each series is mapped to its target by labels. "
            "Every selector is confined to the policy's namespace."
        )
    )


class Ratio(ApiModel):
    """A share of events, such as failed requests of all requests."""

    bad: Query = pydantic.Field(
        description="PromQL of the bad events. A target without such a series has had none."
    )
    total: Query = pydantic.Field(description="PromQL of all events.")
    minimum: float = pydantic.Field(
        20.0,
        ge=0,
        description=(
            "Fewest events in the query's window that allow a verdict; fewer is Unknown. "
            "Rates are multiplied by their range to count events."
        ),
    )


class Threshold(ApiModel):
    """The values at which a signal is Unhealthy."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=_rules(
            _exactly_one("above", "below", "outside"),
            (
                "!has(self.outside) || self.outside[0] <= self.outside[1]",
                "outside must be [low, high]",
            ),
        )
    )

    above: float | None = pydantic.Field(None, description="Unhealthy above this value.")
    below: float | None = pydantic.Field(None, description="Unhealthy below this value.")
    outside: Annotated[list[float], pydantic.Field(min_length=2, max_length=2)] | None = (
        pydantic.Field(None, description="Unhealthy below the first or above the second value.")
    )

    @pydantic.model_validator(mode="after")
    def _one_limit(self) -> Threshold:
        _check_exactly_one(self, "above", "below", "outside")
        if self.outside is not None and self.outside[0] > self.outside[1]:
            raise ValueError(f"outside must be [low, high], found {self.outside}")
        return self


class Mapping(ApiModel):
    """How a series finds its target, where the standard labels do not tell."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=_rules(
            (
                "has(self.single) && self.single ? !has(self.name) : has(self.name)",
                "give name (and namespace), or single: true",
            )
        )
    )

    namespace: LabelName | None = pydantic.Field(
        None, description="Label that holds the namespace. Default: namespace."
    )
    name: LabelName | None = pydantic.Field(None, description="Label that holds the target's name.")
    single: bool = pydantic.Field(
        default=False, description="The query returns one series without labels, for target.name."
    )

    @pydantic.model_validator(mode="after")
    def _label_or_single(self) -> Mapping:
        if self.single == (self.name is not None):
            raise ValueError("give name (and namespace), or single: true")
        return self


class OnEmpty(enum.StrEnum):
    """What an empty answer means."""

    UNKNOWN = "Unknown"
    HEALTHY = "Healthy"


PodsRule = Annotated[str, pydantic.Field(max_length=4, pattern=r"^(Any|All|([1-9][0-9]?|100)%)$")]


class Signal(ApiModel):
    """One named measurement with the rule that judges it."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=_rules(
            _exactly_one("prometheus", "ratio"),
            (
                "!has(self.onEmpty) || self.onEmpty != 'Healthy' || has(self.presence)",
                "onEmpty: Healthy needs a presence query that proves that data was there to see",
            ),
        )
    )

    name: SignalName = pydantic.Field(description="Name of the signal, unique in the policy.")
    source: types.DnsLabel = pydantic.Field(
        "default", description="Name of a metrics source in the operator's settings."
    )
    prometheus: PrometheusQuery | None = pydantic.Field(
        None, description="A Prometheus query. Give either this or a ratio."
    )
    ratio: Ratio | None = pydantic.Field(
        None, description="Bad events as a share of all. Give either this or a query."
    )
    threshold: Threshold = pydantic.Field(description="When a value is Unhealthy.")
    for_: types.Duration = pydantic.Field(
        types.duration("1m"),
        alias="for",
        description="How long a target must stay Unhealthy before anything is done.",
    )
    stale_after: types.Duration | None = pydantic.Field(
        None,
        description=(
            "Age at which data is too old to be believed. "
            "Default: three scrape intervals, at least 30s."
        ),
    )
    on_empty: OnEmpty = pydantic.Field(
        OnEmpty.UNKNOWN, description="What an empty answer means for a target."
    )
    presence: Query | None = pydantic.Field(
        None, description="PromQL that returns data whenever the signal could have been seen."
    )
    mapping: Mapping | None = pydantic.Field(
        None, description="How series find their targets, where the standard labels do not tell."
    )
    pods: PodsRule = pydantic.Field(
        "Any", description="How many pods must be Unhealthy for their workload: Any, All or N%."
    )

    @pydantic.model_validator(mode="after")
    def _one_measurement(self) -> Signal:
        _check_exactly_one(self, "prometheus", "ratio")
        if self.on_empty is OnEmpty.HEALTHY and self.presence is None:
            raise ValueError("onEmpty: Healthy needs a presence query")
        return self


class Restart(ApiModel):
    """Restart the workload pod by pod, as `kubectl rollout restart` does."""


class EvictPod(ApiModel):
    """Evict the worst pod through the Eviction API, which honours disruption budgets."""


class Scale(ApiModel):
    """Change the number of replicas, within bounds."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=_rules(
            _exactly_one("by", "to"),
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
        _check_exactly_one(self, "by", "to")
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) must not be above max ({self.max})")
        return self


class RollbackTo(enum.StrEnum):
    """Which earlier revision a rollback chooses."""

    LAST_HEALTHY = "LastHealthy"
    PREVIOUS = "Previous"


class Rollback(ApiModel):
    """Return to an earlier revision."""

    to: RollbackTo = pydantic.Field(
        RollbackTo.LAST_HEALTHY,
        description=(
            "LastHealthy: the newest earlier revision that the policy's own signal saw Healthy. "
            "Previous: the one before, unseen."
        ),
    )
    when_changed_within: types.Duration | None = pydantic.Field(
        None, description="Only when the current revision is younger than this."
    )


class Step(ApiModel):
    """One action with its parameters."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=_rules(_exactly_one("restart", "evictPod", "scale", "rollback"))
    )

    restart: Restart | None = pydantic.Field(None, description="Restart the workload.")
    evict_pod: EvictPod | None = pydantic.Field(None, description="Evict the worst pod.")
    scale: Scale | None = pydantic.Field(None, description="Change the number of replicas.")
    rollback: Rollback | None = pydantic.Field(None, description="Return to an earlier revision.")

    @pydantic.model_validator(mode="after")
    def _one_action(self) -> Step:
        _check_exactly_one(self, "restart", "evictPod", "scale", "rollback")
        return self

    @property
    def action(self) -> str:
        """The action's name, as written in the policy."""
        return next(name for name in ACTIONS if getattr(self, alias_to_field(name)) is not None)

    @property
    def params(self) -> ApiModel:
        """The action's parameters."""
        chosen: ApiModel = getattr(self, alias_to_field(self.action))
        return chosen


ACTIONS: tuple[str, ...] = ("restart", "evictPod", "scale", "rollback")
"""Names of all actions, as written in a policy's steps."""


class Guards(ApiModel):
    """Limits of the policy. All are on by default."""

    cooldown: types.Duration = pydantic.Field(
        types.duration("10m"),
        description="Time between two actions of the policy, and between two on a target.",
    )
    max_per_hour: int = pydantic.Field(
        3, ge=1, le=60, description="Most actions of the policy in any hour."
    )
    max_unavailable: types.IntOrPercent = pydantic.Field(
        "25%",
        description=(
            "Most targets with an unfinished action. Percentages round down, never below 1."
        ),
    )
    stop_when_unhealthy: types.IntOrPercent = pydantic.Field(
        "20%",
        description=(
            "Nothing is done while more targets than this are sick at once: then the cause "
            "lies elsewhere. Judged from 5 targets up; fewer are judged with their namespace."
        ),
    )


class Otherwise(enum.StrEnum):
    """What follows an action that did not help."""

    REVERT = "Revert"
    CONTINUE = "Continue"
    ESCALATE = "Escalate"


class Verify(ApiModel):
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


class RemediationPolicySpec(ApiModel):
    """What to watch, when it is sick, what may be done about it."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=_rules(
            (
                (
                    "!self.signals.exists(s, has(s.mapping) && has(s.mapping.single) "
                    "&& s.mapping.single) || has(self.target.name)"
                ),
                "mapping single: true needs target.name",
            )
        )
    )

    mode: Mode = pydantic.Field(
        Mode.ADVISE,
        description=(
            "Advise says what it would do; DryRun also asks the API server whether it could; "
            "Live does it."
        ),
    )
    suspend: bool = pydantic.Field(default=False, description="Stop new actions of this policy.")
    interval: types.Duration = pydantic.Field(
        types.duration("30s"),
        description="Time between two evaluations, at least 5s.",
        json_schema_extra=_rules((f"!self.matches(r'{_BELOW_5S}')", "must be at least 5s")),
    )
    target: Target = pydantic.Field(description="The workloads to watch and act on.")
    signals: Annotated[list[Signal], pydantic.Field(min_length=1, max_length=8)] = pydantic.Field(
        description="Measurements; a target is sick when any of them is Unhealthy.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
    )
    steps: Annotated[list[Step], pydantic.Field(min_length=1, max_length=8)] = pydantic.Field(
        description="Actions, tried in order, each verified before the next.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    guards: Guards = pydantic.Field(
        default_factory=Guards, description="Limits of the policy. All are on by default."
    )
    verify: Verify = pydantic.Field(
        default_factory=Verify, description="How an action is proved to have helped."
    )

    @pydantic.model_validator(mode="after")
    def _signals_fit(self) -> RemediationPolicySpec:
        names = [signal.name for signal in self.signals]
        if len(set(names)) != len(names):
            raise ValueError(f"signals must have different names, found {', '.join(names)}")
        single = any(s.mapping is not None and s.mapping.single for s in self.signals)
        if single and self.target.name is None:
            raise ValueError("mapping single: true needs target.name")
        if self.interval.total_seconds() < 5:
            raise ValueError(f"interval must be at least 5s, found {self.interval}")
        return self


class TargetCounts(ApiModel):
    """How many targets stand where."""

    selected: int = pydantic.Field(0, description="Targets that the selector finds.")
    healthy: int = pydantic.Field(0, description="Targets with all signals Healthy.")
    unhealthy: int = pydantic.Field(0, description="Targets with an Unhealthy signal.")
    unknown: int = pydantic.Field(0, description="Targets that can't be judged.")
    in_flight: int = pydantic.Field(0, description="Targets with an unfinished action.")


ShortText = Annotated[str, pydantic.Field(max_length=253)]
LongText = Annotated[str, pydantic.Field(max_length=2048)]


class TargetStatus(ApiModel):
    """One target that is not Healthy: what was seen and what is done about it."""

    name: ShortText = pydantic.Field(description="The target.")
    verdict: Literal["Healthy", "Unhealthy", "Unknown"] = pydantic.Field(
        description="The worst verdict of its signals."
    )
    reason: ShortText = pydantic.Field("", description="One word that says why.")
    message: LongText = pydantic.Field("", description="The values that were seen.")
    refused: ShortText = pydantic.Field("", description="Why nothing is done, one word.")
    refusal: LongText = pydantic.Field("", description="The numbers that were compared.")
    advice: LongText = pydantic.Field("", description="What would be, or is being, done.")
    since: types.LocalTime | None = pydantic.Field(
        None, description="When this verdict was first seen."
    )


class Latch(ApiModel):
    """A policy that has stopped itself until a person resumes it."""

    since: types.LocalTime = pydantic.Field(description="When it stopped.")
    message: LongText = pydantic.Field(description="Why, and how to go on.")


class RemediationPolicyStatus(ApiModel):
    """What the operator sees and does for this policy."""

    observed_generation: int = pydantic.Field(
        0, description="The generation of the spec that this status is about."
    )
    conditions: Annotated[list[conditions_api.Condition], pydantic.Field(max_length=8)] = (
        pydantic.Field(
            default_factory=list,
            description="Ready, Reconciling and Stalled, as Flux writes them.",
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        )
    )
    targets: TargetCounts = pydantic.Field(
        default_factory=TargetCounts, description="How many targets stand where."
    )
    sick: Annotated[list[TargetStatus], pydantic.Field(max_length=20)] = pydantic.Field(
        default_factory=list, description="Targets that are not Healthy, worst first, at most 20."
    )
    latch: Latch | None = pydantic.Field(None, description="Set when the policy stopped itself.")
    last_action: ShortText = pydantic.Field("", description="The newest Remediation.")
    last_action_time: types.LocalTime | None = pydantic.Field(
        None, description="When the newest Remediation was created."
    )
