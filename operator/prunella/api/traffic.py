"""Parameters of the step that moves traffic from a sick side to a Healthy one."""

from __future__ import annotations

import enum
from typing import Annotated

import pydantic

from prunella.api import base, capacity, types


class TrafficKind(enum.StrEnum):
    """What divides traffic between the sides."""

    HTTP_ROUTE = "HTTPRoute"
    VIRTUAL_SERVICE = "VirtualService"
    SERVICE = "Service"


class JudgedBy(enum.StrEnum):
    """By what the other side is known to be Healthy."""

    SIGNALS = "Signals"
    READINESS = "Readiness"


Subset = types.DnsLabel | None
_SUBSET = "Of a VirtualService: the subset of the destination."


class SickSide(base.ApiModel):
    """What the route calls the side that traffic is moved away from."""

    service: types.DnsLabel | None = pydantic.Field(
        None, description="Service that the route sends to. Default: of the target's name."
    )
    subset: Subset = pydantic.Field(None, description=_SUBSET)


class OtherSide(base.ApiModel):
    """The side that takes the traffic over."""

    workload: types.ObjectName = pydantic.Field(
        description="Name of the workload that answers there; of the target's kind."
    )
    service: types.DnsLabel | None = pydantic.Field(
        None, description="Service that the route sends to. Default: of the workload's name."
    )
    subset: Subset = pydantic.Field(None, description=_SUBSET)


LEAST_AFTER = types.duration("5m")
_BELOW_5M = r"^(0+[wdhm])*0*[0-4]m(0*[0-5]?[0-9]s)?$|^(0+[wdhm])*0*[0-5]?[0-9]s$"


class WayBack(base.ApiModel):
    """How traffic comes back, by and by, when the target is Healthy again."""

    after: types.Duration = pydantic.Field(
        types.duration("30m"),
        description="How long after the last move was proved, for each step of the way.",
        json_schema_extra=base.rules(
            (f"!self.matches(r'{_BELOW_5M}')", f"must be at least {LEAST_AFTER}")
        ),
    )
    by: Annotated[int, pydantic.Field(ge=1, le=100)] = pydantic.Field(
        10, description="Most percent of all traffic that come back at once."
    )
    require: Annotated[list[capacity.Requirement], pydantic.Field(min_length=1, max_length=4)] = (
        pydantic.Field(
            description=(
                "What must be true before each step, such as probes of the target that succeed: "
                "what gets no traffic fails no request, and is Healthy for that reason alone."
            ),
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        )
    )

    @pydantic.field_validator("after")
    @classmethod
    def _long_enough(cls, after: types.Duration) -> types.Duration:
        if after < LEAST_AFTER:
            raise ValueError(f"must be at least {LEAST_AFTER}, found {after}")
        return after


_BY, _LEAVE = 50, 0
_OF_ROUTES = "self.kind != 'Service' || !(has(self.by) || has(self.leave) || has(self.from))"
_NO_WAY_BACK = "self.kind != 'Service' || !has(self.back)"
_OF_SERVICES = "(self.kind == 'Service') == has(self.label)"
_SUBSETS = (
    "self.kind == 'VirtualService' || "
    "!(has(self.to.subset) || (has(self.from) && has(self.from.subset)))"
)
_SAID = {
    _OF_ROUTES: "a Service's selector moves all traffic at once: leave by, leave and from out",
    _OF_SERVICES: "label must be given with kind Service, and with no other",
    _NO_WAY_BACK: "a Service's selector moves all traffic at once: the way back is a person's",
    _SUBSETS: "only a VirtualService has subsets",
}


class ShiftTraffic(base.ApiModel):
    """Move traffic away from the target, to a side that is Healthy and has headroom."""

    model_config = pydantic.ConfigDict(json_schema_extra=base.rules(*_SAID.items()))

    kind: TrafficKind = pydantic.Field(
        description=(
            "HTTPRoute (Gateway API) or VirtualService (Istio): weights are written. Service: its "
            "selector, as for blue and green."
        )
    )
    name: types.ObjectName | None = pydantic.Field(
        None, description="Name of that object. Default: the target's."
    )
    from_: SickSide | None = pydantic.Field(
        None,
        alias="from",
        description="What the route calls the target. Default: the Service of its name.",
    )
    to: OtherSide = pydantic.Field(description="The side that takes the traffic over.")
    label: (
        Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_./]*$", max_length=253)]
        | None
    ) = pydantic.Field(
        None,
        description=(
            "Of a Service: the key of its selector that tells the sides apart, such as version. "
            "It gets the value that the pods of the other side have."
        ),
    )
    by: Annotated[int, pydantic.Field(ge=1, le=100)] | None = pydantic.Field(
        None, description="Most percent of all traffic that are moved at once. Default: 50."
    )
    leave: Annotated[int, pydantic.Field(ge=0, le=99)] | None = pydantic.Field(
        None, description="Percent of all traffic that the target keeps. Default: 0."
    )
    judged_by: JudgedBy = pydantic.Field(
        JudgedBy.SIGNALS,
        description=(
            "Signals: some policy of the namespace must have found the other side Healthy, and all "
            "its replicas must be ready. Readiness: where no policy judges it, ready replicas do."
        ),
    )
    max_more_per_replica: Annotated[int, pydantic.Field(ge=0, le=900)] = pydantic.Field(
        25,
        description=(
            "Headroom, by ready replicas: how many percent more traffic one of the other side may "
            "get than a replica gets now where it gets most. Not asked where require is given."
        ),
    )
    require: capacity.Requirements = capacity.requirements()
    back: WayBack | None = pydantic.Field(
        None, description="The way back after a move that has helped. Default: a person's."
    )

    @pydantic.model_validator(mode="after")
    def _fits(self) -> ShiftTraffic:
        service = self.kind is TrafficKind.SERVICE
        given = self.by is not None or self.leave is not None or self.from_ is not None
        if service and given:
            raise ValueError(_SAID[_OF_ROUTES])
        if service and self.back is not None:
            raise ValueError(_SAID[_NO_WAY_BACK])
        if service != (self.label is not None):
            raise ValueError(_SAID[_OF_SERVICES])
        subsets = self.to.subset or (self.from_ and self.from_.subset)
        if subsets and self.kind is not TrafficKind.VIRTUAL_SERVICE:
            raise ValueError(_SAID[_SUBSETS])
        return self

    @property
    def most(self) -> int:
        """Most percent of all traffic that are moved at once."""
        return _BY if self.by is None else self.by

    @property
    def left(self) -> int:
        """Percent of all traffic that the target keeps."""
        return _LEAVE if self.leave is None else self.leave
