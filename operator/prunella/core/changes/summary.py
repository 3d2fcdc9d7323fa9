"""A change in one sentence, for tables and for people in a hurry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from prunella.api import change as change_api
from prunella.core import objects

MOST_VALUE: Final = 48
_CONTEXT: Final = 12
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


def author(by: change_api.Author) -> str:
    """``ada (kubectl-edit)``: the user and the field manager, as far as they are known.

    The operator is called by its field manager, whatever its account is called.
    """
    if by.own:
        return by.manager or objects.FIELD_MANAGER
    if by.user and by.manager:
        return f"{by.user} ({by.manager})"
    return by.user or by.manager


def attributed(sentence: str, was: change_api.Author, by: change_api.Author) -> str:
    """A sentence that names an author as ``was``, with one who is known better."""
    known, told = author(was), author(by)
    if known == told:
        return sentence
    return f"{sentence.removesuffix(f', by {known}')}, by {told}"


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
    old, new = _pair(_text(change.old), _text(change.new))
    return f"{path} {_cut(old)} -> {_cut(new)}"


def _rank(change: change_api.FieldChange) -> tuple[int, str]:
    if change.path.endswith(".image"):
        return 0, change.path
    top = change.path.partition(".")[0].partition("[")[0]
    return (_TELLING.index(top) if top in _TELLING else 1), change.path


def _value(text: str | None) -> str:
    """A value without the quotes of JSON, its end cut off."""
    return _cut(_text(text))


def _text(text: str | None) -> str:
    """A value on one line, without the quotes of JSON."""
    try:
        value = json.loads(text or "null")
    except ValueError:
        value = text
    shown = value if isinstance(value, str) else text or ""
    return " ".join(shown.split()) or '""'


def _pair(old: str, new: str) -> tuple[str, str]:
    """Two values with what differs in sight: long ones begin shortly before it."""
    folder, same, _ = old.rpartition("/")
    if same and new.rpartition("/")[0] == folder and ":" in old.removeprefix(folder):
        return old.removeprefix(folder + "/"), new.removeprefix(folder + "/")
    if max(len(old), len(new)) <= MOST_VALUE:
        return old, new
    pairs = zip(old, new, strict=False)
    common = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))
    start = max(0, common - _CONTEXT)
    return (f"...{old[start:]}", f"...{new[start:]}") if start else (old, new)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_VALUE else f"{text[: MOST_VALUE - 3]}..."


def _short(image: str) -> str:
    """An image without its registry and folders."""
    return image.rpartition("/")[2].partition("@")[0]
