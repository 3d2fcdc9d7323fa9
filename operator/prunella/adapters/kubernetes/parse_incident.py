"""An Incident of the API server to the core's value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydantic

from prunella.adapters.kubernetes import parse
from prunella.api import incident as incident_api
from prunella.core import model
from prunella.core.incidents import values


def incident(raw: Mapping[str, Any]) -> values.Record:
    """An Incident. Raises Unreadable when its spec or status is none of ours."""
    meta = raw["metadata"]
    try:
        spec = incident_api.IncidentSpec.model_validate(raw.get("spec"))
        status = incident_api.IncidentStatus.model_validate(raw.get("status") or {})
    except pydantic.ValidationError as error:
        raise parse.Unreadable(parse.explain(error)) from error
    return values.Record(
        name=meta["name"],
        namespace=meta["namespace"],
        spec=spec,
        status=status,
        uid=meta.get("uid", ""),
        resource_version=meta.get("resourceVersion", ""),
        annotations=meta.get("annotations") or model.NO_LABELS,
    )
