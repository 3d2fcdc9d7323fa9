"""All that administrators offer to policies by name: a section of the operator's settings."""

from __future__ import annotations

import pydantic

from prunella.api import base, offered
from prunella.api import endpoints as outside

Name = offered.OfferedName


class Offers(base.ApiModel):
    """Templates of Jobs, and systems outside the cluster."""

    job_templates: dict[Name, offered.JobTemplate] = pydantic.Field(default_factory=dict)
    captures: bool = False
    """Whether something may be kept before an action, where a policy says so."""
    endpoints: dict[Name, outside.Endpoint] = pydantic.Field(default_factory=dict)


NONE = Offers()
"""Nothing is offered: the default."""
