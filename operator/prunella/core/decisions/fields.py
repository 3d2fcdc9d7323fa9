"""Fields of other objects than the target that a step writes: which ones, and what is in them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prunella.api import base, capacity, reasons, traffic
from prunella.api import certificates as certificates_api
from prunella.core import model
from prunella.core.changes import diff, swaps
from prunella.core.decisions import certificates, claims, quotas, restoring

Path = tuple[str, ...]
_DOT: Final = re.compile(r"(?<!\\)\.")
_WHOLE: Final = re.compile(r"-?[0-9]+")


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """An object that a step writes, and the paths of its fields."""

    ref: model.Ref
    paths: tuple[Path, ...]
    more: tuple[model.Ref, ...] = ()
    """Further objects of which the same fields are written."""


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
    if isinstance(params, capacity.Resize):
        return params.where is capacity.Where.IN_PLACE
    room = capacity.PatchField | capacity.ScaleBounds | capacity.RaiseQuota | capacity.ExpandVolume
    return isinstance(params, room | traffic.ShiftTraffic | certificates_api.RenewCertificate)


def written(
    params: base.ApiModel | None,
    live_state: model.LiveState,
    findings: Sequence[model.Finding] = (),
) -> Written | None:
    """What a step writes beside its target; None when it writes nothing else, or nothing yet."""
    target = live_state.workload.ref
    if isinstance(params, capacity.PatchField):
        ref = model.Ref(params.kind, target.namespace, params.name or target.name)
        return Written(ref, (parts(params.path),))
    if isinstance(params, capacity.ScaleBounds):
        return _bound_of(params.bound, live_state)
    if isinstance(params, traffic.ShiftTraffic):
        ref = model.Ref(params.kind, target.namespace, params.name or target.name)
        return Written(ref, (_DIVIDING[params.kind] + ((params.label,) if params.label else ()),))
    if isinstance(params, certificates_api.RenewCertificate):
        ref = model.Ref(certificates.CERTIFICATE, target.namespace, params.name or target.name)
        return Written(ref, (("status", "conditions"),))
    if isinstance(params, capacity.RaiseQuota):
        name = params.name or quotas.refuser(live_state.workload.failure)
        paths = tuple(("spec", "hard", resource) for resource in params.ceilings)
        ref = model.Ref("ResourceQuota", target.namespace, name)
        return Written(ref, paths) if name else None
    if isinstance(params, capacity.ExpandVolume):
        meant = claims.meant(params, live_state, findings)
        return None if isinstance(meant, model.Refusal) else _all_of(meant)
    return None


def _all_of(refs: Sequence[model.Ref]) -> Written:
    first, *more = refs
    return Written(first, (claims.REQUEST,), tuple(more))


BOUNDS: Final[Mapping[str, Mapping[capacity.Bound, tuple[Path, int]]]] = {
    "HorizontalPodAutoscaler": {
        capacity.Bound.MIN: (("spec", "minReplicas"), 1),
        capacity.Bound.MAX: (("spec", "maxReplicas"), 1),
    },
    "ScaledObject": {
        capacity.Bound.MIN: (("spec", "minReplicaCount"), 0),
        capacity.Bound.MAX: (("spec", "maxReplicaCount"), 100),
    },
}
"""Where autoscalers have their bounds, and what they are where nothing is written."""


_DIVIDING: Final[Mapping[traffic.TrafficKind, Path]] = {
    traffic.TrafficKind.HTTP_ROUTE: ("spec", "rules"),
    traffic.TrafficKind.VIRTUAL_SERVICE: ("spec", "http"),
    traffic.TrafficKind.SERVICE: ("spec", "selector"),
}
"""What divides traffic; who owns it is told of the whole of a route's rules."""


def _bound_of(bound: capacity.Bound, live_state: model.LiveState) -> Written | None:
    """The bound of the autoscaler; KEDA makes an HPA of its own for each ScaledObject."""
    scalers = [name.partition("/") for name in live_state.autoscalers]
    keda = [each for each in scalers if each[0] == "ScaledObject"]
    chosen = keda or scalers
    if len(chosen) != 1 or chosen[0][0] not in BOUNDS:
        return None
    kind, _, name = chosen[0]
    ref = model.Ref(kind, live_state.workload.ref.namespace, name)
    return Written(ref, (BOUNDS[kind][bound][0],))


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


def setting(looked: restoring.Looked, wanted: Mapping[Path, Any]) -> swaps.Swaps | model.Refusal:
    """The patch that writes values in place of those that are there, and its inverse."""
    found = [diff.Difference(path, each, value_at(looked, path)) for path, each in wanted.items()]
    try:
        return swaps.take_back(found, looked.manifest, looked.manifest)
    except swaps.NotApplicableError as error:
        message = f"{looked.ref}: {error}"
        return model.Refusal(reasons.Refused.NOT_WRITABLE, message, skip_step=True)
