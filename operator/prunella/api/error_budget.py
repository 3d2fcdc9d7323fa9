"""The error budget that a policy's actions must leave alone."""

from __future__ import annotations

from typing import Final

import pydantic

from prunella.api import base, detectors, types

WINDOW: Final = "$window"
"""Stands for the window in the queries, as in those of a burn rate."""


class Share(base.ApiModel):
    """Events that were bad, and all of them."""

    bad: detectors.Query = pydantic.Field(
        description=(
            "PromQL that yields the number of bad events in the window, as one number. No series "
            "means none. Example: sum(increase(http_requests_total{code=~'5..'}[$window]))."
        )
    )
    total: detectors.Query = pydantic.Field(
        description="PromQL that yields the number of all events in the window, as one number."
    )


class ErrorBudget(base.ApiModel):
    """No action while the error budget of a service is, or is nearly, used up.

    Without data nothing is done: what nobody knows may be used up.
    """

    model_config = pydantic.ConfigDict(
        json_schema_extra=base.rules(base.exactly_one("ratio", "query"))
    )

    ratio: Share | None = pydantic.Field(
        None, description="The share of bad events, by two queries. Give either this or query."
    )
    query: detectors.Query | None = pydantic.Field(
        None,
        description=(
            "PromQL that yields the share of bad events in the window, from 0 to 1, as one number. "
            "For long windows name a recording rule."
        ),
    )
    objective: float = pydantic.Field(
        ge=1,
        lt=100,
        description="Percent of events that must be good, such as 99.9: the budget is the rest.",
    )
    window: types.Duration = pydantic.Field(
        types.duration("30d"),
        description="What the budget is for. $window in the queries stands for it, in seconds.",
    )
    stop_below: float = pydantic.Field(
        10.0,
        ge=0,
        le=100,
        description="Percent of the budget that must be left, so that an action may begin.",
    )
    source: types.DnsLabel = pydantic.Field(
        "default", description="Name of a metrics source in the operator's settings."
    )

    @pydantic.model_validator(mode="after")
    def _one_way_to_ask(self) -> ErrorBudget:
        base.check_exactly_one(self, "ratio", "query")
        return self

    @property
    def asked(self) -> str:
        """The one query that is asked; no bad events at all are none."""
        text = self.query or ""
        if self.ratio is not None:
            bad, total = self.ratio.bad, self.ratio.total
            text = f"(({bad}) or ({total}) * 0) / ({total})"
        return text.replace(WINDOW, f"{self.window.total_seconds():.0f}s")
