"""Fields of other objects than the target that a step writes: which ones, and what is in them."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Final

from prunella.api import base, capacity, reasons
from prunella.core import model
from prunella.core.changes import diff, swaps
from prunella.core.decisions import restoring

Path = tuple[str, ...]
_DOT: Final = re.compile(r"(?<!\\)\.")
_WHOLE: Final = re.compile(r"-?[0-9]+")


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """An object that a step writes, and the paths of its fields."""

    ref: model.Ref
    paths: tuple[Path, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """The lowest and the highest number that may be written."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


def parts(path: str) -> Path:
    r"""The keys of a path such as ``data.a\.b``, in which a dot within a key is escaped."""
    return tuple(each.replace("\\.", ".") for each in _DOT.split(path))


def writes_elsewhere(params: base.ApiModel | None) -> bool:
    """Whether a step writes other objects than its target."""
    return isinstance(params, capacity.PatchField)


def written(params: base.ApiModel | None, live_state: model.LiveState) -> Written | None:
    """What a step writes beside its target; None when it writes nothing else, or nothing yet."""
    target = live_state.workload.ref
    if isinstance(params, capacity.PatchField):
        ref = model.Ref(params.kind, target.namespace, params.name or target.name)
        return Written(ref, (parts(params.path),))
    return None


def value_at(looked: restoring.Looked, path: Path) -> Any:
    """What is there now; ABSENT when nothing is."""
    found: Any = looked.manifest
    for part in path:
        found = found.get(part, diff.ABSENT) if isinstance(found, dict) else diff.ABSENT
    return found


def whole_number(value: Any) -> int | None:
    """A number as it is, or written as text; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


def within(what: str, now: int, wanted: int, bounds: Bounds) -> int | model.Refusal:
    """The number to write, drawn into the bounds; a Refusal at them.

    Outside its bounds already: to be pulled the other way is not what a step asks for.
    """
    bounded = min(max(wanted, bounds.low), bounds.high)
    opposite = (bounded > now) != (wanted > now)
    if bounded == now or opposite:
        message = f"{what} is {now}, {wanted} is wanted within {bounds}"
        return model.Refusal(reasons.Refused.AT_BOUND, message, skip_step=True)
    return bounded


def setting(looked: restoring.Looked, path: Path, wanted: Any) -> swaps.Swaps | model.Refusal:
    """The patch that writes a value in place of the one that is there, and its inverse."""
    now = value_at(looked, path)
    before = diff.Difference(path, wanted, now)
    try:
        return swaps.take_back([before], looked.manifest, looked.manifest)
    except swaps.NotApplicableError as error:
        message = f"{looked.ref}: {error}"
        return model.Refusal(reasons.Refused.NOT_WRITABLE, message, skip_step=True)
