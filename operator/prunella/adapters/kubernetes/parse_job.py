"""Raw JSON of a Job to the core's value. Pure: nothing is read or sent here."""

from __future__ import annotations

import datetime

from prunella.adapters.kubernetes import parse
from prunella.core import model

_ENDED = (model.JobState.COMPLETE, model.JobState.FAILED)


def job(raw: parse.Raw) -> model.Job:
    """A Job, as far as its conditions tell."""
    meta, status = raw["metadata"], raw.get("status") or {}
    held = {c["type"]: c for c in status.get("conditions") or () if c.get("status") == "True"}
    state = next((s for s in _ENDED if s.value in held), model.JobState.ACTIVE)
    told = held.get(state.value, {})
    return model.Job(
        name=meta["name"],
        uid=meta["uid"],
        created=datetime.datetime.fromisoformat(meta["creationTimestamp"]),
        state=state,
        message=": ".join(filter(None, (told.get("reason"), told.get("message")))),
        annotations=meta.get("annotations") or model.NO_LABELS,
    )
