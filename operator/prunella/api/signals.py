"""Signals: one named measurement each, with the rule that judges it."""

from __future__ import annotations

import enum
import re
from typing import Annotated

import pydantic

from prunella.api import base, detectors, nodes, types

Query = detectors.Query
SignalName = Annotated[str, pydantic.Field(max_length=63, pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$")]
_BELOW_5S = "^(0+w)?(0+d)?(0+h)?(0+m)?(0*[0-4]s)?$"
"""Durations that are too short for an interval; CEL's own knows neither days nor weeks."""
_LABEL_NAME = "^[a-zA-Z_][a-zA-Z0-9_]*$"
LabelName = Annotated[str, pydantic.Field(max_length=128, pattern=_LABEL_NAME)]


class PrometheusQuery(base.ApiModel):
    """One instant query for all targets."""

    query: Query = pydantic.Field(
        description=(
            "PromQL that returns a vector; each series is mapped to its target by labels. "
            "Every selector is confined to the policy's namespace."
        )
    )


class Ratio(base.ApiModel):
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


AlertText = Annotated[str, pydantic.Field(max_length=253)]


class Alert(base.ApiModel):
    """An alert that the source's own rules raise."""

    name: Annotated[str, pydantic.Field(min_length=1, max_length=253)] = pydantic.Field(
        description="Name of the alerting rule, such as KubePodCrashLooping."
    )
    labels: Annotated[dict[str, AlertText], pydantic.Field(max_length=16)] = pydantic.Field(
        default_factory=dict,
        description=(
            "Labels that the alert must bear, such as severity: critical. The policy's namespace "
            "is one of them always."
        ),
        json_schema_extra=base.rules(
            (f"self.all(key, key.matches(r'{_LABEL_NAME}'))", "keys must be names of labels")
        ),
    )

    @pydantic.field_validator("labels")
    @classmethod
    def _names(cls, labels: dict[str, str]) -> dict[str, str]:
        for name in labels:
            if len(name) > 128 or not re.fullmatch(_LABEL_NAME, name):
                raise ValueError(f"{name!r} is no name of a label, such as severity")
        return labels


class Threshold(base.ApiModel):
    """The values at which a signal is Unhealthy."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            base.exactly_one("above", "below", "outside"),
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
        base.check_exactly_one(self, "above", "below", "outside")
        if self.outside is not None and self.outside[0] > self.outside[1]:
            raise ValueError(f"outside must be [low, high], found {self.outside}")
        return self


class Mapping(base.ApiModel):
    """How a series finds its target, where the standard labels do not tell."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
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


DETECTORS = (
    "threshold",
    "baseline",
    "forecast",
    "drift",
    "change",
    "burnRate",
    "absent",
    "alert",
    "nodeCondition",
)
"""The fields of a signal of which exactly one says how it is judged."""
MEASUREMENTS = ("prometheus", "ratio", "alert", "nodeCondition")
"""The fields of a signal of which exactly one says what is measured."""
NODE_RULE = "a nodeCondition takes no presence, no mapping and no pods but Any"
ALERT_RULE = "an alert takes no presence, no mapping single and no pods but Any"
WINDOW = "$window"
"""Stands in the ranges of a burn rate's queries for each of its windows."""


class Signal(base.ApiModel):
    """One named measurement with the rule that judges it."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            base.exactly_one(*MEASUREMENTS),
            base.exactly_one(*DETECTORS),
            (
                (
                    "!has(self.alert) || (!has(self.presence) && (!has(self.pods) || "
                    "self.pods == 'Any') && (!has(self.mapping) || !has(self.mapping.single) "
                    "|| !self.mapping.single))"
                ),
                ALERT_RULE,
            ),
            (
                (
                    "!has(self.nodeCondition) || (!has(self.presence) && !has(self.mapping) "
                    "&& (!has(self.pods) || self.pods == 'Any'))"
                ),
                NODE_RULE,
            ),
            ("!has(self.burnRate) || has(self.ratio)", "burnRate needs a ratio"),
            ("!has(self.absent) || has(self.prometheus)", "absent needs a prometheus query"),
            ("!has(self.given) || has(self.baseline)", "given is for a baseline only"),
            (
                (
                    "!has(self.ratio) || (has(self.burnRate) == "
                    "(self.ratio.bad.contains('$window') && self.ratio.total.contains('$window')))"
                ),
                "with burnRate, and only then, the ranges of bad and total are written [$window]",
            ),
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
        None, description="A Prometheus query. Give this, a ratio or an alert."
    )
    ratio: Ratio | None = pydantic.Field(
        None, description="Bad events as a share of all. Give this, a query or an alert."
    )
    given: PrometheusQuery | None = pydantic.Field(
        None,
        description=(
            "What explains the signal, such as the traffic that explains the CPU: a surge that "
            "follows from it is no anomaly. For a baseline."
        ),
    )
    threshold: Threshold | None = pydantic.Field(None, description="Fixed values.")
    baseline: detectors.Baseline | None = pydantic.Field(
        None, description="What is unusual for this target at this hour, learned from its history."
    )
    forecast: detectors.Forecast | None = pydantic.Field(
        None, description="A limit that will be reached soon."
    )
    drift: detectors.Drift | None = pydantic.Field(None, description="A trend without a limit.")
    change: detectors.Change | None = pydantic.Field(
        None, description="Before against after a rollout, or a canary against the stable pods."
    )
    burn_rate: detectors.BurnRate | None = pydantic.Field(
        None, description="An error budget that is spent too fast; write ranges as [$window]."
    )
    absent: detectors.Absent | None = pydantic.Field(
        None, description="A series that should be there and is not."
    )
    alert: Alert | None = pydantic.Field(
        None,
        description=(
            "An alert of the source's own rules: Unhealthy while it fires for the target, Healthy "
            "while its rule is evaluated and does not. Needs no other detector."
        ),
    )
    node_condition: nodes.NodeCondition | None = pydantic.Field(
        None,
        description=(
            "A condition of the node itself, as the API server shows it. Needs no other detector. "
            "For targets of kind Node."
        ),
    )
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
        base.check_exactly_one(self, *MEASUREMENTS)
        base.check_exactly_one(self, *DETECTORS)
        single = self.mapping is not None and self.mapping.single
        if self.alert is not None and (self.presence or single or self.pods != "Any"):
            raise ValueError(ALERT_RULE)
        beside = self.presence or self.mapping or self.pods != "Any"
        if self.node_condition is not None and beside:
            raise ValueError(NODE_RULE)
        if self.burn_rate is not None and self.ratio is None:
            raise ValueError("burnRate needs a ratio")
        if self.absent is not None and self.prometheus is None:
            raise ValueError("absent needs a prometheus query")
        if self.given is not None and self.baseline is None:
            raise ValueError("given is for a baseline only")
        windowed = self.ratio is not None and all(
            WINDOW in query for query in (self.ratio.bad, self.ratio.total)
        )
        if self.ratio is not None and windowed != (self.burn_rate is not None):
            raise ValueError(
                "with burnRate, and only then, the ranges of bad and total are written [$window]"
            )
        if self.on_empty is OnEmpty.HEALTHY and self.presence is None:
            raise ValueError("onEmpty: Healthy needs a presence query")
        return self
