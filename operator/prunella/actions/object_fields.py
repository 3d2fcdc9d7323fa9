"""Fields of an object beside the target: what the actions share that write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prunella.actions import restore
from prunella.api import reasons
from prunella.core import model
from prunella.core.changes import diff
from prunella.core.decisions import action, fields, restoring

Refused = reasons.Refused


def found(
    request: action.Request, ref: model.Ref, api_version: str = ""
) -> restoring.Looked | model.Refusal:
    """The object to write as it is now; a Refusal when it can't be seen or is not there."""
    looked = request.looked.get(ref)
    if looked is None:
        raise ValueError(f"{ref} is written without a look at it")
    if looked.problem:
        return model.Refusal(Refused.FORBIDDEN, looked.problem)
    if looked.manifest is None:
        kind = f"{api_version} {ref}" if api_version else str(ref)
        message = f"{kind} is not there: nothing to write to"
        return model.Refusal(Refused.NOT_WRITABLE, message, skip_step=True)
    return looked


def manifest(looked: restoring.Looked) -> restoring.Manifest:
    """What `found` has seen of the object, which is there."""
    if looked.manifest is None:
        raise ValueError(f"{looked.ref} is written, and is not there")
    return looked.manifest


def setting(
    looked: restoring.Looked, wanted: Mapping[fields.Path, Any]
) -> action.Plan | model.Refusal:
    """The patch that writes values in place of those that are there."""
    made = fields.setting(looked, wanted)
    if isinstance(made, model.Refusal):
        return made
    told = [
        f"{diff.path_text(path)} of {looked.ref} from "
        f"{diff.value_text(fields.value_at(looked, path)) or 'nothing'} to {diff.value_text(each)}"
        for path, each in wanted.items()
    ]
    summary = f"set {', '.join(told)}"
    return action.Plan((restore.patching(looked.ref, manifest(looked), made, summary),))
