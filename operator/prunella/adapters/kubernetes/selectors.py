"""Label selectors as the API server understands them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prunella.core.incidents.diagnosis import read

Raw = Mapping[str, Any]


def matches(selector: Raw | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector selects an object; none selects nothing, an empty one everything."""
    return read.selects(selector, labels)


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
