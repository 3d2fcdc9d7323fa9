"""All that administrators offer to policies by name: a section of the operator's settings."""

from __future__ import annotations

import pydantic

from prunella.api import base, offered
from prunella.api import endpoints as outside

Name = offered.OfferedName


class Offers(base.ApiModel):
    """Templates of Jobs, and systems outside the cluster."""

    job_templates: dict[Name, offered.JobTemplate] = pydantic.Field(default_factory=dict)
    helm_rollback: offered.JobTemplate | None = None
    """The Job that rolls a Helm release back; the chart makes it, of its own script."""
    captures: bool = False
    """Whether something may be kept before an action, where a policy says so."""
    endpoints: dict[Name, outside.Endpoint] = pydantic.Field(default_factory=dict)

    @pydantic.field_validator("job_templates")
    @classmethod
    def _not_reserved(
        cls, value: dict[Name, offered.JobTemplate]
    ) -> dict[Name, offered.JobTemplate]:
        if offered.HELM_ROLLBACK in value:
            raise ValueError(f"{offered.HELM_ROLLBACK} is the name of the Job of helmRollback")
        return value


NONE = Offers()
"""Nothing is offered: the default."""
