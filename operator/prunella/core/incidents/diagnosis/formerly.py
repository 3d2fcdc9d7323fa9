"""What an object was before a change: a deleted or rewritten route still tells whom it led to."""

from __future__ import annotations

import zlib

from prunella.core.changes import packing
from prunella.core.changes.values import Change
from prunella.core.incidents.diagnosis import read


def manifest(change: Change) -> read.Raw:
    """The object before a change; empty when it is new, or was too large to be kept."""
    if not change.spec.before:
        return read.NOTHING
    try:
        found = packing.unpack(packing.from_text(change.spec.before))
    except (ValueError, zlib.error):
        return read.NOTHING  # written by somebody else: nothing is known then
    return found if isinstance(found, dict) else read.NOTHING
