"""Parameters of the steps that give a target more room: fields, bounds, quotas, resources."""

from __future__ import annotations

import enum
import re
from typing import Annotated

import pydantic

from prunella.api import base, detectors, quantities, types

VALUE, CURRENT = "$value", "$current"
"""What a requirement's query may hold: the number that would be written, and the one there now."""
MOST = 1_000_000
Whole = Annotated[int, pydantic.Field(ge=-MOST, le=MOST)]


class Requirement(base.ApiModel):
    """What must be true, by a metrics source, before a step writes anything."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            ("has(self.atMost) || has(self.atLeast)", "atMost or atLeast must be given")
        )
    )

    query: detectors.Query = pydantic.Field(
        description=(
            "PromQL that yields one number. $value stands for the number that would be written, "
            "$current for the one that is there now. Without data nothing is written. Example: "
            "sum(pool_size) + $value - $current."
        )
    )
    source: types.DnsLabel = pydantic.Field(
        "default", description="Name of a metrics source in the operator's settings."
    )
    at_most: float | None = pydantic.Field(None, description="The number may not be above this.")
    at_least: float | None = pydantic.Field(None, description="The number may not be below this.")

    @pydantic.model_validator(mode="after")
    def _bounded(self) -> Requirement:
        if self.at_most is None and self.at_least is None:
            raise ValueError("atMost or atLeast must be given")
        return self


Requirements = Annotated[list[Requirement], pydantic.Field(max_length=4)]


def requirements() -> list[Requirement]:
    """The field `require` of a step."""
    found: list[Requirement] = pydantic.Field(
        default_factory=list,
        description="What must be true first, as sum of pools <= connections. Default: nothing.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    return found


class PatchField(base.ApiModel):
    """Write one field of one object, such as the size of a connection pool.

    Only fields that the administrators allow in the operator's settings, in the policy's namespace.
    """

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            base.exactly_one("by", "to", "value"),
            (
                "has(self.value) || (has(self.min) && has(self.max))",
                "min and max must be given with by and to",
            ),
            (
                "!has(self.min) || !has(self.max) || self.min <= self.max",
                "min must not be above max",
            ),
        )
    )

    api_version: Annotated[
        str, pydantic.Field(pattern=r"^([a-z0-9.-]+/)?v[a-z0-9]+$", max_length=100)
    ] = pydantic.Field(description="Group and version, such as postgresql.cnpg.io/v1.")
    kind: Annotated[str, pydantic.Field(pattern=r"^[A-Z][A-Za-z0-9]*$", max_length=63)] = (
        pydantic.Field(description="Kind of the object, such as Pooler.")
    )
    name: types.ObjectName | None = pydantic.Field(
        None, description="Name of the object. Default: the target's."
    )
    path: Annotated[
        str, pydantic.Field(pattern=r"^[A-Za-z][^\s\[\]]*$", min_length=1, max_length=253)
    ] = pydantic.Field(
        description="The field, such as spec.instances. A dot within a key is written \\. ."
    )
    by: Whole | None = pydantic.Field(None, description="What to add; negative to take away.")
    to: Whole | None = pydantic.Field(None, description="The number to write.")
    value: Annotated[str, pydantic.Field(max_length=253)] | None = pydantic.Field(
        None, description="The text to write, such as a feature flag's off; true or false."
    )
    min: Whole | None = pydantic.Field(None, description="Never a lower number than this.")
    max: Whole | None = pydantic.Field(None, description="Never a higher number than this.")
    require: Requirements = requirements()

    @pydantic.model_validator(mode="after")
    def _fits(self) -> PatchField:
        base.check_exactly_one(self, "by", "to", "value")
        if self.value is None and (self.min is None or self.max is None):
            raise ValueError("min and max must be given with by and to")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min ({self.min}) must not be above max ({self.max})")
        return self


class Bound(enum.StrEnum):
    """Which bound of an autoscaler is meant."""

    MAX = "Max"
    MIN = "Min"


class ScaleBounds(base.ApiModel):
    """Change the minimum or the maximum of the autoscaler that scales the target."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            base.exactly_one("by", "to"), ("self.min <= self.max", "min must not be above max")
        )
    )

    bound: Bound = pydantic.Field(Bound.MAX, description="Which bound: Max or Min.")
    by: Annotated[int, pydantic.Field(ge=-1000, le=1000)] | None = pydantic.Field(
        None, description="Replicas to add to the bound; negative to take away."
    )
    to: Annotated[int, pydantic.Field(ge=0, le=10_000)] | None = pydantic.Field(
        None, description="The bound to write, in replicas."
    )
    min: int = pydantic.Field(1, ge=0, le=10_000, description="Never a lower bound than this.")
    max: int = pydantic.Field(ge=0, le=10_000, description="Never a higher bound than this.")
    require: Requirements = requirements()

    @pydantic.model_validator(mode="after")
    def _fits(self) -> ScaleBounds:
        base.check_exactly_one(self, "by", "to")
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) must not be above max ({self.max})")
        return self


_RESOURCE = r"^[a-z0-9]([-a-z0-9./]{0,118}[a-z0-9])?$"


class RaiseQuota(base.ApiModel):
    """Raise the ResourceQuota that refuses the target's pods, where it refuses them."""

    name: types.ObjectName | None = pydantic.Field(
        None,
        description=(
            "Name of the ResourceQuota. Default: the one that a Deployment's status says refuses "
            "its pods; other kinds say nothing."
        ),
    )
    by: types.Percent = pydantic.Field(
        "25%",
        description="How much more of what is short, and at least what the missing pods need.",
    )
    ceilings: Annotated[
        dict[str, quantities.Quantity], pydantic.Field(min_length=1, max_length=16)
    ] = pydantic.Field(
        description=(
            "The most of each resource, such as requests.cpu: 40. What is not named is not raised."
        ),
        json_schema_extra=base.rules(
            (f"self.all(key, key.matches(r'{_RESOURCE}'))", "keys must be names of resources")
        ),
    )
    require: Requirements = requirements()

    @pydantic.field_validator("ceilings")
    @classmethod
    def _resources(cls, ceilings: dict[str, quantities.Quantity]) -> dict[str, quantities.Quantity]:
        wrong = [key for key in ceilings if not re.fullmatch(_RESOURCE, key)]
        if wrong:
            raise ValueError(f"keys must be names of resources, found {wrong[0]!r}")
        return ceilings


class ExpandVolume(base.ApiModel):
    """Raise what the claims of the target's pods ask for, where their StorageClass allows it.

    A volume never shrinks again: nothing undoes it.
    """

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            ("self.allowOneWay", "allowOneWay must be true: no volume can be made smaller again")
        )
    )

    volume: types.DnsLabel | None = pydantic.Field(
        None,
        description=(
            "Name of the volume, as in the pod template or the volumeClaimTemplates. Default: the "
            "only one that is a claim."
        ),
    )
    by: types.Percent = pydantic.Field("25%", description="How much more than there is now.")
    max: quantities.Quantity = pydantic.Field(
        description="Never a larger volume than this, such as 200Gi."
    )
    allow_one_way: bool = pydantic.Field(
        default=False,
        description="Must be true, as a word that it is known: no volume shrinks again.",
    )
    require: Requirements = requirements()

    @pydantic.field_validator("max")
    @classmethod
    def _some(cls, most: quantities.Quantity) -> quantities.Quantity:
        if quantities.read(most) < 1:
            raise ValueError(f"must be at least one byte, found {most}")
        return most

    @pydantic.model_validator(mode="after")
    def _accepted(self) -> ExpandVolume:
        if not self.allow_one_way:
            raise ValueError("allowOneWay must be true: no volume can be made smaller again")
        return self


class Where(enum.StrEnum):
    """What a resize writes."""

    TEMPLATE = "Template"
    IN_PLACE = "InPlace"


class More(base.ApiModel):
    """How much more of a resource a container may use."""

    by: types.Percent = pydantic.Field("25%", description="How much more than its limit is now.")
    max: quantities.Quantity = pydantic.Field(description="Never a higher limit than this.")


class Resize(base.ApiModel):
    """Raise the limits of a container's memory or CPU, and a request that is equal to its limit."""

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(
            ("has(self.memory) || has(self.cpu)", "memory or cpu must be given")
        )
    )

    where: Where = pydantic.Field(
        Where.TEMPLATE,
        description=(
            "InPlace: the sick pods, or all that no signal names, through the subresource resize, "
            "without a restart and until they are replaced; needs Kubernetes 1.33. Template: the "
            "workload's pod template, which its update strategy rolls out."
        ),
    )
    container: types.DnsLabel | None = pydantic.Field(
        None, description="Name of the container. Default: the only one."
    )
    memory: More | None = pydantic.Field(None, description="More memory.")
    cpu: More | None = pydantic.Field(None, description="More CPU.")

    @pydantic.model_validator(mode="after")
    def _something(self) -> Resize:
        if self.memory is None and self.cpu is None:
            raise ValueError("memory or cpu must be given")
        return self


def required(params: base.ApiModel) -> list[tuple[tuple[str | int, ...], Requirement]]:
    """What a step requires, with where it stands; nothing of a step that can't."""
    return [
        ((*place, number), each)
        for place in REQUIREMENTS
        for number, each in enumerate(_at(params, place))
        if isinstance(each, Requirement)
    ]


REQUIREMENTS = (("require",), ("back", "require"))
"""Where a step may have requirements."""


def _at(params: object, place: tuple[str, ...]) -> list[object]:
    for name in place:
        params = getattr(params, name, None)
    return params if isinstance(params, list) else []


def with_numbers(query: str, value: float, current: float) -> str:
    """A requirement's query with the numbers in it, in brackets: one may be negative."""
    return query.replace(VALUE, f"({value:g})").replace(CURRENT, f"({current:g})")
