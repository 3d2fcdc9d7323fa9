"""Capture: what was there before an action, kept for whoever looks for the cause afterwards."""

from __future__ import annotations

import enum
from typing import Annotated, Final

import pydantic

from prunella.api import base, types

LONGEST_WAIT = types.duration("30s")
MOST_BYTES: Final = 524_288
MOST_CHARACTERS: Final = 720_000
"""Of what is kept: it must fit into one object, compressed and in base64."""
_OVER_30S = r"^(.*[wdhm].*|0*([4-9][0-9]|3[1-9]|[1-9][0-9]{2,})s)$"


class CaptureLogs(enum.StrEnum):
    """Which log of a pod's containers is kept."""

    PREVIOUS = "Previous"
    CURRENT = "Current"


class CaptureHttp(base.ApiModel):
    """A dump that the pods give by HTTP, as text."""

    port: int = pydantic.Field(ge=1, le=65_535, description="Port of the pod.")
    path: Annotated[str, pydantic.Field(max_length=512, pattern=r"^/[^\s#]*$")] = pydantic.Field(
        description="Path and query, such as /debug/pprof/goroutine?debug=1."
    )


class CapturePolicy(base.ApiModel):
    """What is kept before each action. It never blocks one: what can't be had is left out."""

    logs: CaptureLogs | None = pydantic.Field(
        None,
        description=(
            "Previous: of the containers before their last restart. Current: as they run. "
            "Default: none."
        ),
    )
    events: bool = pydantic.Field(default=True, description="Events of the target and of the pods.")
    describe: bool = pydantic.Field(
        default=True, description="The target and the pods as the API server shows them."
    )
    http: CaptureHttp | None = pydantic.Field(
        None, description="A dump that the pods give by HTTP. Only text is kept."
    )
    pods: int = pydantic.Field(
        2, ge=1, le=5, description="Most pods that are looked at; those that are not ready first."
    )
    timeout: types.Duration = pydantic.Field(
        types.duration("10s"),
        description="Longest time that it may delay the action, at most 30s.",
        json_schema_extra=base.rules((f"!self.matches(r'{_OVER_30S}')", "must be at most 30s")),
    )
    max_bytes: int = pydantic.Field(
        131_072, ge=4096, le=MOST_BYTES, description="Bytes that are kept of all together."
    )
    keep: types.Duration = pydantic.Field(
        types.duration("1d"), description="How long it is kept; never longer than the Remediation."
    )

    @pydantic.field_validator("timeout")
    @classmethod
    def _not_too_long(cls, timeout: types.Duration) -> types.Duration:
        if timeout > LONGEST_WAIT:
            raise ValueError(f"must be at most {LONGEST_WAIT}, found {timeout}")
        return timeout


class CapturedPart(base.ApiModel):
    """One thing that was looked at."""

    name: base.LongText = pydantic.Field(description="What it is, such as a pod's log.")
    bytes: int = pydantic.Field(0, ge=0, description="How many bytes of it are kept.")
    cut: bool = pydantic.Field(default=False, description="Whether its beginning was left out.")
    problem: base.LongText = pydantic.Field("", description="Why there is none of it.")


class CaptureSpec(base.ApiModel):
    """What was kept. Written once, by the operator."""

    remediation: base.ShortText = pydantic.Field(description="The Remediation that followed.")
    taken_at: types.LocalTime = pydantic.Field(description="When it was taken.")
    expires_at: types.LocalTime = pydantic.Field(description="When it is deleted.")
    parts: Annotated[list[CapturedPart], pydantic.Field(max_length=64)] = pydantic.Field(
        default_factory=list, description="What was looked at."
    )
    content: Annotated[str, pydantic.Field(max_length=MOST_CHARACTERS)] = pydantic.Field(
        "", description="The texts of the parts, by name: JSON, compressed by zlib, in base64."
    )
