"""Who changed an object, and when, by what the API server writes into managedFields.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from prunella.core import objects
from prunella.core.changes import diff

Entry = Mapping[str, Any]


class Author(NamedTuple):
    """A field manager and the second of its newest write; empty and None when not told."""

    manager: str = ""
    at: datetime.datetime | None = None
    subresource: str = ""

    @property
    def own(self) -> bool:
        """Whether it was this operator."""
        return self.manager == objects.FIELD_MANAGER


NOBODY = Author()


def author(managed: Sequence[Entry], paths: Iterable[diff.Path]) -> Author:
    """Who wrote last of those that own one of the changed fields.

    Nobody owns a removed field any more: then it is whoever wrote last at all, statuses aside.
    """
    wanted = tuple(paths)
    owning = [each for each in managed if any(owns(each, path) for path in wanted)]
    others = [each for each in managed if each.get("subresource") != "status"]
    found = max(owning or others, key=_newness, default=None)
    return NOBODY if found is None else _author(found)


def creator(managed: Sequence[Entry]) -> Author:
    """Who wrote first."""
    timed = [each for each in managed if each.get("time") and not each.get("subresource")]
    found = min(timed, key=_newness, default=None)
    return NOBODY if found is None else _author(found)


def owns(entry: Entry, path: diff.Path) -> bool:
    """Whether a manager owns a field, or something within it."""
    return _owns(entry.get("fieldsV1") or {}, path)


def _owns(fields: Any, path: diff.Path) -> bool:
    if not path:
        return True
    if not isinstance(fields, Mapping):
        return False
    if not fields:  # An atomic map or list is owned as a whole.
        return True
    part, rest = path[0], path[1:]
    if isinstance(part, str):
        inner = fields.get(f"f:{part}")
        return inner is not None and _owns(inner, rest)
    return any(
        _owns(inner, rest)
        for key, inner in fields.items()
        if key.startswith("k:") and _same_element(key[2:], part)
    )


def _same_element(key: str, part: int | diff.Element) -> bool:
    """Whether a key of managedFields may be this element; keys that ours has not are no bar."""
    if isinstance(part, int):
        return True
    known = json.loads(key)
    return part.key not in known or known[part.key] == part.value


def _newness(entry: Entry) -> tuple[bool, str]:
    """By time; the API server tells none for the subresource ``scale``, whose owner is newest."""
    scaled = entry.get("subresource") == "scale" and not entry.get("time")
    return scaled, str(entry.get("time") or "")


def _author(entry: Entry) -> Author:
    text = entry.get("time")
    at = datetime.datetime.fromisoformat(text) if text else None
    return Author(str(entry.get("manager") or ""), at, str(entry.get("subresource") or ""))
