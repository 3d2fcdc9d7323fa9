"""Reading manifests without trusting them: what is missing or of another type is empty."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence

Raw = Mapping[str, object]
NOTHING: Raw = {}

_SUFFIXES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")


def value(raw: object, *path: str | int) -> object:
    """What is at a path of keys and indices; None when there is nothing."""
    for step in path:
        if isinstance(step, str):
            raw = raw.get(step) if isinstance(raw, Mapping) else None
        else:
            raw = raw[step] if isinstance(raw, Sequence) and -len(raw) <= step < len(raw) else None
    return raw


def mapping(raw: object, *path: str | int) -> Raw:
    """The object at a path."""
    found = value(raw, *path)
    return found if isinstance(found, Mapping) else NOTHING


def items(raw: object, *path: str | int) -> tuple[Raw, ...]:
    """The objects of the list at a path."""
    found = value(raw, *path)
    if not isinstance(found, Sequence) or isinstance(found, str):
        return ()
    return tuple(each for each in found if isinstance(each, Mapping))


def strings(raw: object, *path: str | int) -> tuple[str, ...]:
    """The strings of the list at a path."""
    found = value(raw, *path)
    if not isinstance(found, Sequence) or isinstance(found, str):
        return ()
    return tuple(each for each in found if isinstance(each, str))


def text(raw: object, *path: str | int) -> str:
    """The string at a path; a number as its digits."""
    found = value(raw, *path)
    if isinstance(found, bool) or found is None:
        return ""
    return str(found) if isinstance(found, str | int | float) else ""


def whole(raw: object, *path: str | int) -> int | None:
    """The whole number at a path, also when it is written as a string."""
    found = value(raw, *path)
    if isinstance(found, bool):
        return None
    if isinstance(found, str) and found.isdigit():
        return int(found)
    return int(found) if isinstance(found, int | float) else None


def labels(raw: object, *path: str | int) -> Mapping[str, str]:
    """The map of strings at a path, such as ``metadata.labels``."""
    return {key: each for key, each in mapping(raw, *path).items() if isinstance(each, str)}


def quantity(found: object) -> float | None:
    """A Kubernetes quantity (``250m``, ``1Gi``) as a number; None when it is none."""
    match = _QUANTITY.fullmatch(str(found).strip()) if found is not None else None
    if match is None or (match[2] and match[2] not in _SUFFIXES):
        return None
    try:
        return float(match[1]) * _SUFFIXES.get(match[2], 1.0)
    except ValueError:
        return None


def time(found: object) -> float | None:
    """A time of the API (RFC 3339) in seconds since the epoch."""
    if not isinstance(found, str):
        return None
    try:
        parsed = datetime.datetime.fromisoformat(found)
    except ValueError:
        return None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)
    return aware.timestamp()


def condition(raw: Raw, kind: str) -> Raw:
    """The condition of a type in an object's status."""
    for each in items(raw, "status", "conditions"):
        if each.get("type") == kind:
            return each
    return NOTHING


def selects(selector: object, found: Mapping[str, str]) -> bool:
    """Whether a label selector selects labels: none selects nothing, an empty one everything."""
    if not isinstance(selector, Mapping):
        return False
    exact = mapping(selector, "matchLabels")
    return all(found.get(key) == each for key, each in exact.items()) and all(
        _holds(each, found) for each in items(selector, "matchExpressions")
    )


def _holds(rule: Raw, found: Mapping[str, str]) -> bool:
    key, wanted = text(rule, "key"), strings(rule, "values")
    match rule.get("operator"):
        case "In":
            return found.get(key) in wanted
        case "NotIn":
            return found.get(key) not in wanted
        case "Exists":
            return key in found
        case "DoesNotExist":
            return key not in found
        case "Gt" | "Lt":
            return _compares(str(rule["operator"]), found.get(key, ""), wanted)
        case _:
            return False


def _compares(operator: str, there: str, wanted: Sequence[str]) -> bool:
    if not (there.isdigit() and wanted and wanted[0].isdigit()):
        return False
    return int(there) > int(wanted[0]) if operator == "Gt" else int(there) < int(wanted[0])
