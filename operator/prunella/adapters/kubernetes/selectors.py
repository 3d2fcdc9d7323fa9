"""Label selectors as the API server understands them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Raw = Mapping[str, Any]


def matches(selector: Raw | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector selects an object; none selects nothing, an empty one everything."""
    if selector is None:
        return False
    exact = selector.get("matchLabels") or {}
    rules = selector.get("matchExpressions") or ()
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        _holds(rule, labels) for rule in rules
    )


def _holds(rule: Raw, labels: Mapping[str, str]) -> bool:
    key, values = rule["key"], rule.get("values") or ()
    match rule["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False


def query(selector: Raw) -> str:
    """A selector in the form of the ``labelSelector`` parameter."""
    exact = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    return ",".join(exact + [_text(rule) for rule in selector.get("matchExpressions") or ()])


def _text(rule: Raw) -> str:
    key, values = rule["key"], ",".join(rule.get("values") or ())
    forms = {
        "In": f"{key} in ({values})",
        "NotIn": f"{key} notin ({values})",
        "Exists": str(key),
        "DoesNotExist": f"!{key}",
    }
    return forms[rule["operator"]]
