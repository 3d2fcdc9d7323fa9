"""The Telemetry port as dictionaries."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Final

from prunella.core import objects

_Series = tuple[str, frozenset[tuple[str, str]]]

NAMESPACE: Final = "namespace"
POLICY: Final = "policy"


def _series(name: str, labels: Mapping[str, str]) -> _Series:
    return name, frozenset(labels.items())


class RecordingTelemetry:
    """Counters, gauges and observations by name and labels."""

    def __init__(self) -> None:
        self.counters: collections.Counter[_Series] = collections.Counter()
        self.gauges: dict[_Series, float] = {}
        self.observations: dict[_Series, list[float]] = {}

    def count(self, name: str, labels: Mapping[str, str]) -> None:
        """Add one to a counter."""
        self.counters[_series(name, labels)] += 1

    def gauge(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge."""
        self.gauges[_series(name, labels)] = value

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Keep an observation, in seconds."""
        self.observations.setdefault(_series(name, labels), []).append(value)

    def forget(self, policy: objects.Key) -> None:
        """Drop the series with the policy's labels."""
        wanted = {(NAMESPACE, policy.namespace), (POLICY, policy.name)}
        for store in (self.counters, self.gauges, self.observations):
            for series in [each for each in store if wanted <= each[1]]:
                del store[series]

    def value(self, name: str, **labels: str) -> float:
        """A counter's or gauge's value; counters summed over the labels not given."""
        wanted = set(labels.items())
        for series, value in self.gauges.items():
            if series[0] == name and wanted <= series[1]:
                return value
        return sum(
            count
            for (each, having), count in self.counters.items()
            if each == name and wanted <= having
        )
