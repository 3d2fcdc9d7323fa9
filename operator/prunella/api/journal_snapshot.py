"""JournalSnapshot: what the journal last saw of some objects of one namespace.

The operator writes it for itself, so that a change made while it was down is found, with the
values before it, when it starts again.  Credentials are hashes in it, as everywhere in the journal.
"""

from __future__ import annotations

from typing import Annotated, Final

import pydantic

from prunella.api import base, types

MOST_CHARACTERS: Final = 1_048_576


class JournalSnapshotSpec(base.ApiModel):
    """What was last seen."""

    taken_at: types.LocalTime = pydantic.Field(description="When it was written.")
    objects: int = pydantic.Field(ge=0, description="How many objects are in it.")
    sights: Annotated[str, pydantic.Field(max_length=MOST_CHARACTERS)] = pydantic.Field(
        description="The objects without what is noise: JSON, compressed by zlib, in base64."
    )
