"""What a diagnosis is made from, and what it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from prunella.core import model
from prunella.core.changes.values import Change
from prunella.core.incidents import anomalies, topology, values
from prunella.core.incidents import places as shares

Manifest = Mapping[str, object]
"""An object as the API server shows it, as JSON; never a Secret."""
NO_LINKS: topology.Links = {}


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """What a pod takes of its node; None where it is not measured."""

    cpu: float | None = None
    """Cores."""
    throttled: float | None = None
    """Share of scheduling periods in which it was held at its CPU limit."""
    memory: float | None = None
    """Working set in bytes."""
    growth: float | None = None
    """Bytes by which the working set grows in a second."""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """The part of the cluster that an incident may be about, as it is now."""

    at: float
    """Seconds since the epoch."""
    objects: Mapping[model.Ref, Manifest] = dataclasses.field(default_factory=dict)
    """Workloads, pods, Services, EndpointSlices, NetworkPolicies, ConfigMaps, quotas, claims,
    nodes, Events ... by kind, namespace and name. Cluster-wide objects have no namespace."""
    complete: frozenset[str] = frozenset()
    """Kinds that were listed whole: only of these is it known that an object is not there."""
    changes: tuple[Change, ...] = ()
    """Changes of these namespaces and of nodes, newest last."""
    calls: topology.Links = dataclasses.field(default_factory=lambda: NO_LINKS)
    places: topology.Links = dataclasses.field(default_factory=lambda: NO_LINKS)
    measurements: tuple[anomalies.Measurement, ...] = ()
    usage: Mapping[model.Ref, Usage] = dataclasses.field(default_factory=dict)
    """By pod."""
    sick: Mapping[model.Ref, float] = dataclasses.field(default_factory=dict)
    """What all open incidents say is sick, anywhere, and since when."""
    standing: shares.Places | None = None
    """`calls` and `places` as an index, where one was made for many incidents."""


@dataclasses.dataclass(frozen=True, slots=True)
class Diagnosis:
    """Suspects, most likely first, and what was looked at and is not suspected."""

    suspects: tuple[values.Suspect, ...] = ()
    ruled_out: tuple[str, ...] = ()
