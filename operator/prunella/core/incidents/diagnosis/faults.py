"""A fault: something that is wrong with an object as it is now, and whom it makes sick.

Many faults are a mismatch of two objects - a selector and labels, a port and a port, a reference
and what it refers to - and the objects alone do not tell which of them is wrong.  So a fault names
its usual culprit and the other sides; the one that changed last before the symptoms is blamed.
"""

from __future__ import annotations

import dataclasses

from prunella.api.incident import CauseKind
from prunella.core import model

SURE = 4.5
"""Log-odds of what can only be wrong, and hurts: a selector that selects nothing."""
LIKELY = 3.0
"""Of what is wrong by its own declaration but may still work: a port that is not declared."""
POSSIBLE = 1.5
"""Of a state that may as well be the consequence of something else: a pod that is not ready."""
FAINT = 0.5
"""Of what is unusual and mostly harmless."""

TEMPLATE = "spec.template"
CONTAINERS = "spec.template.spec.containers"


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """Another object that may be wrong instead, and which of its fields would be."""

    target: model.Ref
    fields: tuple[str, ...]
    """Beginnings of paths; an empty one is any field."""
    cause_kind: CauseKind


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    target: model.Ref
    """The object that is blamed unless another side has changed."""
    field: str
    cause_kind: CauseKind
    kind: str
    """Kind of evidence, as in `values.Evidence`."""
    sentence: str
    weight: float
    hurts: frozenset[model.Ref]
    """Workloads and nodes that it makes sick by itself; their callers follow."""
    since: float | None = None
    sides: tuple[Side, ...] = ()
    general: bool = False
    """True for a state that many causes have, such as a crash: somebody else may explain it."""
    fields: tuple[str, ...] = ()
    """Paths whose change could have brought it, when there are more than `field`."""

    @property
    def all_sides(self) -> tuple[Side, ...]:
        """The usual culprit first, then the others."""
        own = Side(self.target, self.fields or (self.field,), self.cause_kind)
        return (own, *self.sides)


def container_path(container: str, rest: str = "", *, init: bool = False) -> str:
    """The path of a container in a workload, with a field of it."""
    path = f"spec.template.spec.{'initContainers' if init else 'containers'}[name={container}]"
    return f"{path}.{rest}" if rest else path


def child(path: str, key: str) -> str:
    """The path of an entry of a map, in brackets where its key would be read as several."""
    return f"{path}[{key}]" if any(letter in key for letter in "./[]") else f"{path}.{key}"
