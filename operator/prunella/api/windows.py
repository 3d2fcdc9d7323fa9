"""When actions may begin: windows that allow, and windows that deny, by the clock of a place.

The API server checks the shape.  That a schedule and a zone exist is checked by ``prunella lint``;
the operator takes what it does not understand for closed.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

import pydantic

from prunella.api import base, types

CRON: Final = r"^[0-9A-Za-z*,/#-]+( [0-9A-Za-z*,/#-]+){4}$"
ZONE: Final = r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$"
_LENGTH: Final = "^([0-9]{1,3}d)?([0-9]{1,3}h)?([0-9]{1,4}m)?$"
_LENGTH_TOLD: Final = "must be days, hours and minutes, at least 1m, such as 8h or 1d12h"


def _check_length(value: types.Duration) -> types.Duration:
    if not re.fullmatch(_LENGTH, value.text) or not re.search("[1-9]", value.text):
        raise ValueError(f"{_LENGTH_TOLD}, found {value}")
    return value


class Window(base.ApiModel):
    """A time that comes again and again."""

    cron: Annotated[str, pydantic.Field(max_length=100, pattern=CRON)] = pydantic.Field(
        description=(
            "When it opens, as five fields of cron: minute, hour, day of the month, month, day of "
            "the week (0 and 7 are Sunday; names, ranges, lists and steps; 6#1 is the first "
            "Saturday). 0 22 * * MON-FRI is 22:00 from Monday to Friday."
        )
    )
    duration: Annotated[types.Duration, pydantic.AfterValidator(_check_length)] = pydantic.Field(
        description="How long it stays open, in time that passes, whatever clocks show.",
        json_schema_extra=base.rules(
            (f"self.matches('{_LENGTH}') && self.matches('[1-9]')", _LENGTH_TOLD)
        ),
    )
    time_zone: Annotated[str, pydantic.Field(max_length=64, pattern=ZONE)] = pydantic.Field(
        "UTC",
        description=(
            "Name of the time zone, such as Europe/Berlin. A time that the clock skips opens as it "
            "goes on; one that comes twice opens the first time."
        ),
    )

    def __str__(self) -> str:
        return f"{self.cron} for {self.duration}, {self.time_zone}"


Listed = Annotated[tuple[Window, ...], pydantic.Field(max_length=16)]


class Windows(base.ApiModel):
    """Windows that allow and windows that deny. Without any, actions may begin at any time."""

    allow: Listed = pydantic.Field(
        (),
        description="Actions begin only while one of these is open. Default: at any time.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    deny: Listed = pydantic.Field(
        (),
        description="No action begins while one of these is open, whatever is allowed.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return bool(self.allow or self.deny)


NONE: Final = Windows()
