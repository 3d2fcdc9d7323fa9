"""Settings of incidents: when they open and end, and what is looked at to name their cause."""

from __future__ import annotations

from typing import Annotated

import pydantic

from prunella import allowed
from prunella.core.incidents import limits

_CORRELATION = limits.Settings()


class Incidents(pydantic.BaseModel):
    """When incidents open, end and are forgotten. Times in seconds."""

    model_config = allowed.CONFIG

    enabled: bool = True
    interval_seconds: Annotated[float, pydantic.Field(ge=1, le=300, allow_inf_nan=False)] = 2.0
    """Time between two rounds: alerts are taken in, causes are looked for, objects written."""
    quiet_seconds: allowed.Seconds = _CORRELATION.quiet
    """An incident whose alerts have all ended is resolved after this time."""
    stale_seconds: allowed.Seconds = _CORRELATION.stale
    """One with alerts that nobody ended, when nothing was heard of it for this time."""
    reopen_seconds: allowed.Seconds = _CORRELATION.reopen
    """The same alert this long after the resolution opens the incident again."""
    retention_seconds: Annotated[float, pydantic.Field(ge=3600)] = 30 * 86_400.0
    judged_retention_seconds: Annotated[float, pydantic.Field(ge=3600)] = 365 * 86_400.0
    """For those of which a person has confirmed or rejected a suspect: later ones learn of them."""
    most_kept: Annotated[int, pydantic.Field(ge=10, le=10_000)] = 500
    """Resolved incidents that are kept in one namespace, judged ones not counted."""


class Diagnosis(pydantic.BaseModel):
    """What is looked at to name the cause of an incident. Lengths are in seconds."""

    model_config = allowed.CONFIG

    enabled: bool = True
    objects: bool = True
    """List pods, Events, claims and autoscalers of what is sick; off: only what is watched."""
    measurements: bool = True
    """Ask the source of service-graph metrics for latency and errors of calls."""
    usual_seconds: Annotated[float, pydantic.Field(ge=60, le=86_400)] = 1800.0
    recent_seconds: Annotated[float, pydantic.Field(ge=15, le=3600)] = 60.0
    step_seconds: Annotated[float, pydantic.Field(ge=1, le=300)] = 10.0
    rate_seconds: Annotated[float, pydantic.Field(ge=10, le=3600)] = 60.0
    """What rates are taken over: at least two scrapes."""
