"""After a crash: what of a difference is in the journal already.

The sight that a restart begins from may be older than the newest Change of its object.  What those
Changes have told is not told again; what was taken back since is.
"""

from __future__ import annotations

from collections.abc import Sequence

from prunella.api import change as change_api


def untold(
    fields: Sequence[change_api.FieldChange], told: Sequence[change_api.FieldChange]
) -> list[change_api.FieldChange]:
    """The fields that still differ from what ``told``, oldest first, left them as."""
    first: dict[str, change_api.FieldChange] = {}
    newest: dict[str, change_api.FieldChange] = {}
    for each in told:
        first.setdefault(each.path, each)
        newest[each.path] = each
    left = []
    for each in fields:
        known = newest.get(each.path)
        if known is None:
            left.append(each)
        elif known.new != each.new:
            left.append(each.model_copy(update={"old": known.new}))
    changed = {each.path for each in fields}
    for path, known in newest.items():
        was = first[path].old
        if path not in changed and known.new != was:
            left.append(known.model_copy(update={"old": known.new, "new": was}))
    return left
