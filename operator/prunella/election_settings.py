"""Settings of the election of a leader among replicas."""

from __future__ import annotations

import math
from typing import Annotated, Self

import pydantic

from prunella import allowed
from prunella.core.election import lease

_TIMES = lease.Times()
_Seconds = Annotated[float, pydantic.Field(ge=0.1, le=60)]


class LeaderElection(pydantic.BaseModel):
    """Who of several replicas decides and writes; without it there must never be a second one."""

    model_config = allowed.CONFIG

    enabled: bool = False
    identity: Annotated[str, pydantic.Field(max_length=253)] = ""
    """Name of this process, such as the pod's; empty: made up, of the host's name and chance."""
    lease_duration_seconds: _Seconds = _TIMES.duration
    renew_deadline_seconds: _Seconds = _TIMES.renew_deadline
    retry_seconds: _Seconds = _TIMES.retry

    @property
    def times(self) -> lease.Times:
        """The times of the election."""
        return lease.Times(
            self.lease_duration_seconds, self.renew_deadline_seconds, self.retry_seconds
        )

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Self:
        """Make sure that a leader falls silent well before another may begin."""
        times = self.times
        if not math.isclose(times.duration, round(times.duration)):
            raise ValueError(f"leaseDurationSeconds is {times.duration:g}: a Lease has whole ones")
        if times.margin < 1:
            raise ValueError(
                f"renewDeadlineSeconds is {times.renew_deadline:g}, and leaseDurationSeconds "
                f"{times.duration:g}: 1 s at least must be between them"
            )
        if times.duration < 5:
            raise ValueError(f"leaseDurationSeconds is {times.duration:g}, the least is 5")
        if times.retry * 2 > times.renew_deadline:
            raise ValueError(
                f"retrySeconds is {times.retry:g}, and renewDeadlineSeconds "
                f"{times.renew_deadline:g}: give time for two tries at least"
            )
        return self
