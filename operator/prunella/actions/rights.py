"""What gives rights: kinds and fields that say who, or what pods, may do what.

A field may be the last part of a path, or a key within a value that is written whole, as a volume
that was added to a list or an object that is made again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from prunella.core.changes import undo

KINDS: Final = frozenset(
    {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"}
)
"""Kinds that say who may do what."""
_NAMES: Final = (
    "serviceAccount(Name)?|automountServiceAccountToken|securityContext|host(Network|PID|IPC)"
    "|hostPath|privileged|capabilities"
)
"""Fields of a pod template that say what its pods may do."""
_IN_PATH: Final = re.compile(rf"({_NAMES})\b")
_KEY: Final = re.compile(_NAMES)
_WRITES: Final = frozenset({"add", "replace"})


def in_paths(paths: Iterable[str]) -> list[str]:
    """The paths that lead to or through such a field."""
    return [path for path in paths if _IN_PATH.search(path)]


def in_values(found: undo.Undo, *, deleted: bool) -> list[str]:
    """Such fields within the values that an undo would write; ``deleted``: it makes it again."""
    values: list[Any] = []
    if found.swaps is not None:
        values = [each["value"] for each in found.swaps.patch if each["op"] in _WRITES]
    elif deleted:
        values = [found.whole]
    return list(dict.fromkeys(name for each in values for name in _keys(each)))


def _keys(value: Any) -> Iterator[str]:
    """The names of such fields anywhere in a value."""
    if isinstance(value, Mapping):
        yield from (key for key in value if _KEY.fullmatch(key))
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _keys(each)
