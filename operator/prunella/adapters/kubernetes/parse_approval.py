"""An Approval of the API server to the core's value. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import pydantic

from prunella.adapters.kubernetes import parse
from prunella.api import approval as approval_api
from prunella.core import objects


def approval(raw: Mapping[str, Any]) -> objects.Approval:
    """An Approval. Raises Unreadable when its spec is none of ours: then nothing was approved.

    A status that can't be read is as if there were none: it is written anew.
    """
    meta = raw["metadata"]
    try:
        spec = approval_api.ApprovalSpec.model_validate(raw.get("spec"))
        created = datetime.datetime.fromisoformat(meta["creationTimestamp"])
    except pydantic.ValidationError as error:
        raise parse.Unreadable(parse.explain(error)) from error
    except (KeyError, ValueError) as error:
        raise parse.Unreadable(f"metadata.creationTimestamp: {error}") from error
    try:
        status = approval_api.ApprovalStatus.model_validate(raw.get("status") or {})
    except pydantic.ValidationError:
        status = approval_api.ApprovalStatus()
    return objects.Approval(
        name=meta["name"],
        namespace=meta["namespace"],
        spec=spec,
        status=status,
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        created=created,
    )
