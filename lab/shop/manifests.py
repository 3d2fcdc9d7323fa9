"""The manifests of a shop, with its name filled in."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import yaml

from lab.binaries import LabError

FOLDER = pathlib.Path(__file__).parent / "manifests"
NAMESPACES = ("web", "core", "data")
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?")

Document = dict[str, Any]


def fill(text: str, name: str) -> str:
    """Replace ``${SHOP}``; LabError when the name could not be part of a namespace's."""
    if not _NAME.fullmatch(name):
        raise LabError(f"{name!r} cannot name a shop: use up to 20 of a-z, 0-9 and inner dashes")
    return text.replace("${SHOP}", name)


def documents(name: str) -> list[Document]:
    """Every object of the shop, in an order in which they can be applied."""
    found: list[Document] = []
    for path in sorted(FOLDER.glob("*.yaml")):
        found.extend(yaml.safe_load_all(fill(path.read_text(), name)))
    return sorted(found, key=_rank)


_FIRST = ("Namespace", "PriorityClass", "Node", "PersistentVolume", "ServiceAccount")


def _rank(document: Document) -> int:
    """Namespaces first, pods' owners last; a stable sort keeps the files' order."""
    kind = document["kind"]
    if kind in _FIRST:
        return _FIRST.index(kind)
    return len(_FIRST) + (kind in ("Deployment", "StatefulSet", "DaemonSet"))
