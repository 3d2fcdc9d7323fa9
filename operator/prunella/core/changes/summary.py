"""A change in one sentence, for tables and for people in a hurry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from prunella.api import change as change_api

MOST_VALUE: Final = 48
_TEMPLATE: Final = ("spec.jobTemplate.spec.template.spec.", "spec.template.spec.")
_TELLING: Final = ("image", "spec", "data", "status", "metadata")
"""What is told first when several fields have changed."""


def sentence(
    target: str,
    verb: change_api.Verb,
    fields: Sequence[change_api.FieldChange],
    omitted: int,
    by: str,
    images: Sequence[str] = (),
) -> str:
    """``Service catalogue: spec.ports[http].targetPort 8080 -> 9999, by kubectl-patch``."""
    author = f", by {by}" if by else ""
    if verb is not change_api.Verb.MODIFIED:
        what = f" with {', '.join(_short(image) for image in images[:3])}" if images else ""
        return f"{target}: {verb.value.lower()}{what}{author}"
    if not fields:
        return f"{target}: modified{author}"
    first, *others = sorted(fields, key=_rank)
    more = len(others) + omitted
    rest = f" and {more} more field{'s' if more > 1 else ''}" if more else ""
    return f"{target}: {field(first)}{rest}{author}"


def field(change: change_api.FieldChange) -> str:
    """``containers[app].image shop/app:v1 -> shop/app:v2``."""
    path = change.path
    for prefix in _TEMPLATE:
        path = path.removeprefix(prefix)
    path = path.replace("[name=", "[").replace("[type=", "[")
    if change.old is None and change.new is None:
        return f"{path} changed"
    if change.old is None:
        return f"{path} added: {_value(change.new)}"
    if change.new is None:
        return f"{path} removed, was {_value(change.old)}"
    return f"{path} {_value(change.old)} -> {_value(change.new)}"


def _rank(change: change_api.FieldChange) -> tuple[int, str]:
    if change.path.endswith(".image"):
        return 0, change.path
    top = change.path.partition(".")[0].partition("[")[0]
    return (_TELLING.index(top) if top in _TELLING else 1), change.path


def _value(text: str | None) -> str:
    """A value without the quotes of JSON, its end cut off."""
    try:
        value = json.loads(text or "null")
    except ValueError:
        value = text
    shown = value if isinstance(value, str) else text or ""
    shown = " ".join(shown.split()) or '""'
    return shown if len(shown) <= MOST_VALUE else f"{shown[: MOST_VALUE - 3]}..."


def _short(image: str) -> str:
    """An image without its registry and folders."""
    return image.rpartition("/")[2].partition("@")[0]
