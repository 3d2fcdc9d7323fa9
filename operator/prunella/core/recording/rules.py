"""Recording rules as data, and how their series are named.

All series of a signal bear the labels ``policy``, ``namespace`` and ``signal``, so that the same
records of many policies live side by side; a series of a target keeps its mapping labels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from prunella.api import types
from prunella.core import objects
from prunella.core.signals import compiled

POLICY, NAMESPACE, SIGNAL = "policy", "namespace", "signal"
WINDOW, KIND, SIDE, PART = "window", "kind", "side", "part"
OWN_LABELS: Final = frozenset({POLICY, SIGNAL, WINDOW, KIND, SIDE, PART})
"""Labels that the rules write: no mapping may need one of them."""


class UnsupportedError(ValueError):
    """What recording rules can't compute: where it is written, and what to do about it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One recording rule."""

    record: str
    expr: str
    labels: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other, every so many seconds."""

    name: str
    interval: int
    rules: tuple[Rule, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """The series and groups of one signal of one policy."""

    key: objects.Key
    signal: str

    @property
    def labels(self) -> dict[str, str]:
        """The labels of all its series."""
        return {POLICY: self.key.name, NAMESPACE: self.key.namespace, SIGNAL: self.signal}

    def group(self, part: str = "") -> str:
        """Name of a group; unique in the cluster."""
        end = f"/{part}" if part else ""
        return f"prunella/{self.key.namespace}/{self.key.name}/{self.signal}{end}"

    def series(self, record: str, **more: str) -> str:
        """The selector of one of its records."""
        labels = {**self.labels, **more}
        inner = ",".join(f'{name}="{value}"' for name, value in labels.items())
        return f"{record}{{{inner}}}"

    def rule(self, record: str, expr: str, **more: str) -> Rule:
        """A rule that writes one of its records."""
        return Rule(record, expr, {**self.labels, **more})


def span(seconds: float) -> str:
    """So many seconds as PromQL writes a duration."""
    return types.Duration.from_seconds(round(seconds)).text


def check_labels(signal: compiled.Signal) -> None:
    """Make sure that the mapping needs no label that the rules write; raises UnsupportedError."""
    taken = sorted(OWN_LABELS.intersection(signal.labels))
    if taken:
        raise UnsupportedError(
            f"signal {signal.name}: mapping uses the label {taken[0]}, which the recording rules "
            "write themselves: rename it in the query with label_replace"
        )
