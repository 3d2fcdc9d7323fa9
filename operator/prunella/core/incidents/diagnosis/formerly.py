"""What an object was before a change: a deleted or rewritten route still tells whom it led to."""

from __future__ import annotations

import zlib

from prunella.api.change import ChangeSpec
from prunella.core.changes import packing
from prunella.core.changes.values import Change
from prunella.core.incidents.diagnosis import read

ROUTES = ("Ingress", "HTTPRoute", "VirtualService", "DestinationRule")
"""Kinds that lead to Services."""
POLICIES = ("NetworkPolicy", "AuthorizationPolicy", "PeerAuthentication")
"""Kinds that select whom they let in."""
KINDS = frozenset((*ROUTES, *POLICIES))
"""Kinds of which it matters what they were."""


def light(spec: ChangeSpec) -> ChangeSpec:
    """What to remember of a change: the object before it for these few kinds only."""
    return spec if spec.object.kind in KINDS else spec.model_copy(update={"before": ""})


def manifest(change: Change) -> read.Raw:
    """The object before a change; empty when it is new, or was too large to be kept."""
    if not change.spec.before:
        return read.NOTHING
    try:
        found = packing.unpack(packing.from_text(change.spec.before))
    except (ValueError, zlib.error):
        return read.NOTHING  # written by somebody else: nothing is known then
    return found if isinstance(found, dict) else read.NOTHING
