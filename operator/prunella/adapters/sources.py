"""Who may ask which source, and which series of an answer are the asker's."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

from prunella import settings
from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import compiled


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


def confinements(
    sources: Mapping[str, settings.Source],
) -> dict[str, compiled.Confinement]:
    """What every selector of a source's queries gets, by the source's name."""
    return {
        name: compiled.Confinement(source.namespace_label, source.matchers)
        for name, source in sources.items()
    }


def is_own(labels: Mapping[str, str], source: settings.Source, namespace: str) -> bool:
    """Whether a series is the namespace's own: without the label it is an aggregate of own ones.

    The same holds for the labels that the source's matchers choose by.  A policy of no namespace,
    which is about nodes, is shown those of all.
    """
    wanted = {**source.matchers, source.namespace_label: namespace}
    if not namespace:
        wanted = dict(source.matchers)
    return all(labels.get(label, value) == value for label, value in wanted.items())


def own_series(
    vector: model.Vector, source: settings.Source, namespace: str
) -> tuple[model.Vector, int]:
    """The vector without series that bear another namespace or cluster, and how many those were.

    A confined query can bring none, unless it makes them up: they must not be stored or shown.
    """
    own = tuple(each for each in vector.samples if is_own(each.labels, source, namespace))
    foreign = len(vector.samples) - len(own)
    return (model.Vector(own, vector.infos), foreign) if foreign else (vector, 0)
