"""Two contents of an object compared: which fields differ, as paths with both values.

Elements of lists are told apart by their merge keys, as ``kubectl apply`` does, so that an added
container is one difference and not a difference of all that follow it.
https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple


class Absent(enum.Enum):
    """The type of ABSENT."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""The value of a field that is not there; ``None`` is a value."""
_MERGE_KEYS: Final = {
    "ports": ("name", "port", "containerPort"),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "taints": ("key",),
    "rules": ("host",),
    "parentRefs": ("name",),
}
_MAPS: Final = {
    *("metadata", "labels", "annotations", "data", "nodeSelector", "matchLabels"),
    *("resources", "limits", "requests"),
}
"""Fields whose entries are told one by one, even when the whole map comes or goes."""
_USUAL_KEYS: Final = ("name", "type", "host", "topologyKey", "key")
MOST_TEXT: Final = 1024


class Element(NamedTuple):
    """A part of a path: the element of a list whose merge key has this value."""

    key: str
    value: Any


Part = str | int | Element
Path = tuple[Part, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs; a whole subtree when it was added or removed."""

    path: Path
    old: Any
    new: Any


def diff(old: Any, new: Any, *, keyed: bool = True) -> list[Difference]:
    """All differences, in the order of the fields' names.

    Without ``keyed`` elements of lists are told apart by their place alone: a merge key is a value.
    """
    return list(_diff((), old, new, keyed=keyed))


def _diff(path: Path, old: Any, new: Any, *, keyed: bool) -> Iterator[Difference]:
    if path and path[-1] in _MAPS:
        old, new = _opened(old, new), _opened(new, old)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted(old.keys() | new.keys()):
            was, now = old.get(name, ABSENT), new.get(name, ABSENT)
            yield from _diff((*path, name), was, now, keyed=keyed)
    elif _elements(old) and _elements(new):
        yield from _lists(path, old, new, keyed=keyed)
    elif value_json(old) != value_json(new):
        yield Difference(path, old, new)


def _opened(value: Any, other: Any) -> Any:
    """An empty map for one that is absent, when the other is there."""
    return {} if value is ABSENT and isinstance(other, Mapping) else value


def _elements(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _lists(
    path: Path, old: Sequence[Any], new: Sequence[Any], *, keyed: bool
) -> Iterator[Difference]:
    key = _merge_key(path, old, new) if keyed else None
    if key is None:
        for index in range(max(len(old), len(new))):
            yield from _diff((*path, index), _at(old, index), _at(new, index), keyed=keyed)
        return
    was = {each[key]: each for each in old}
    now = {each[key]: each for each in new}
    found = [
        difference
        for value in [*was, *(value for value in now if value not in was)]
        for difference in _diff(
            (*path, Element(key, value)),
            was.get(value, ABSENT),
            now.get(value, ABSENT),
            keyed=keyed,
        )
    ]
    if not found and list(was) != list(now):
        found.append(Difference(path, list(was), list(now)))
    yield from found


def _at(elements: Sequence[Any], index: int) -> Any:
    return elements[index] if index < len(elements) else ABSENT


def _merge_key(path: Path, old: Sequence[Any], new: Sequence[Any]) -> str | None:
    """The field that all elements have, each another value in its list; None without one."""
    field = next((part for part in reversed(path) if isinstance(part, str)), "")
    for key in _MERGE_KEYS.get(field, _USUAL_KEYS):
        if all(_tells_apart(key, elements) for elements in (old, new)):
            return key
    return None


def _tells_apart(key: str, elements: Sequence[Any]) -> bool:
    found = [each.get(key) for each in elements]
    return all(isinstance(each, str | int) for each in found) and len(set(found)) == len(found)


def path_text(path: Path) -> str:
    """A path as people write it: ``spec.ports[name=http].targetPort``."""
    text = ""
    for part in path:
        if isinstance(part, Element):
            text += f"[{part.key}={part.value}]"
        elif isinstance(part, int) or any(letter in part for letter in "./[]"):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def value_text(value: Any) -> str | None:
    """A value as JSON, cut at 1024 characters; None when it is absent."""
    text = value_json(value)
    if text is None:
        return None
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 3]}..."


def value_json(value: Any) -> str | None:
    """A value as JSON; None when it is absent."""
    if value is ABSENT:
        return None
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), sort_keys=True)
