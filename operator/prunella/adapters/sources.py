"""Who may ask which source, and which series of an answer are the asker's."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

from prunella import settings
from prunella.api import reasons
from prunella.core import model


def admit(
    sources: Mapping[str, settings.Source], name: str, namespace: str
) -> settings.Source | model.Failure:
    """The source by that name, if it exists and is open to the namespace."""
    source = sources.get(name)
    if source is None:
        known = ", ".join(sorted(sources)) or "none"
        return model.Failure(
            reasons.Doubt.UNKNOWN_SOURCE,
            f"there is no source {name!r} in the operator's settings, only: {known}",
        )
    if any(fnmatch.fnmatchcase(namespace, each) for each in source.allowed_namespaces):
        return source
    return model.Failure(
        reasons.Doubt.FORBIDDEN_SOURCE,
        f"the source {name!r} is closed to namespace {namespace!r} by its allowedNamespaces",
    )


def is_own(labels: Mapping[str, str], label: str, namespace: str) -> bool:
    """Whether a series is the namespace's own: without the label it is an aggregate of own ones."""
    return labels.get(label, namespace) == namespace


def own_series(vector: model.Vector, label: str, namespace: str) -> tuple[model.Vector, int]:
    """The vector without series that bear another namespace, and how many those were.

    A confined query can bring none, unless it makes them up: they must not be stored or shown.
    """
    own = tuple(each for each in vector.samples if is_own(each.labels, label, namespace))
    foreign = len(vector.samples) - len(own)
    return (model.Vector(own, vector.infos), foreign) if foreign else (vector, 0)
