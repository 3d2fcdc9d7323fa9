"""shiftTraffic: move traffic away from a sick side, to one that is Healthy and has headroom.

Weights of an HTTPRoute or a VirtualService are written, or one value of a Service's selector, under
a test of what is there.  The inverse is what was there before.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from prunella.actions import object_fields, restore
from prunella.api import reasons, traffic, trust
from prunella.core import model, objects, pointers
from prunella.core.changes import author, swaps
from prunella.core.decisions import action, fields, requirements, restoring, sides, weights

Refused = reasons.Refused
Planned = action.Plan | model.Refusal | tuple[model.Need, ...]
PROGRESSIVE: Final = frozenset(
    {
        "rollouts-controller",
        "argo-rollouts",
        "gatewayAPI",
        "rollouts-plugin-trafficrouter-gatewayapi",
        "flagger",
    }
)
"""Field managers that move the weights of a canary themselves.

Argo Rollouts writes HTTPRoutes by a plugin, which names itself ``gatewayAPI``:
https://github.com/argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi
"""
RECENTLY: Final = datetime.timedelta(hours=1)
"""A write so young may be of who is at work on it, where nobody knows since when it is ill."""
CANARY_LABEL: Final = "rollouts.argoproj.io/gatewayapi-canary"
"""The label that this plugin gives a route while its canary is under way."""


class ShiftTraffic:
    """Writes what divides traffic between two sides."""

    name = sides.SHIFT_TRAFFIC
    owned_field = None
    risk = trust.Risk.HIGH

    def plan(self, request: action.Request) -> Planned:
        """One patch of the route or the Service, or a refusal."""
        params = request.params
        if not isinstance(params, traffic.ShiftTraffic):
            raise TypeError("shiftTraffic is planned from the parameters of a shiftTraffic step")
        written = fields.written(params, request.live_state)
        if written is None:
            raise TypeError("shiftTraffic writes a route or a Service")
        looked = object_fields.found(request, written.ref)
        if isinstance(looked, model.Refusal):
            return looked
        if (refusal := _in_other_hands(request, looked, written)) is not None:
            return refusal
        side = sides.other(request, params)
        if not isinstance(side, sides.Side):
            return side
        if params.label is not None:
            return _switched(request, params, looked, side)
        return _weighed(request, params, looked, side)


def _in_other_hands(
    request: action.Request, looked: restoring.Looked, written: fields.Written
) -> model.Refusal | None:
    """Who moves this traffic himself: a controller of canaries, or a person since it is sick."""
    metadata = (looked.manifest or {}).get("metadata") or {}
    if CANARY_LABEL in (metadata.get("labels") or {}):
        message = (
            f"{looked.ref} has the label {CANARY_LABEL}: Argo Rollouts moves its traffic, abort or "
            "promote there"
        )
        return model.Refusal(Refused.OWNED_BY_CONTROLLER, message, skip_step=True)
    for entry in metadata.get("managedFields") or ():
        manager = str(entry.get("manager") or "")
        if manager == objects.FIELD_MANAGER or not any(
            author.owns(entry, each) for each in written.paths
        ):
            continue
        if manager in PROGRESSIVE:
            message = f"{manager} moves the traffic of {looked.ref} itself: abort or promote there"
            return model.Refusal(Refused.OWNED_BY_CONTROLLER, message, skip_step=True)
        at = _time(entry)
        if at is not None and request.sick_since is None and at > request.now - RECENTLY:
            message = (
                f"{manager} has written what divides the traffic of {looked.ref} at "
                f"{at:%H:%M:%S}, within the last hour, and since when "
                f"{request.live_state.workload.ref} is ill is not known: somebody may be at work"
            )
            return model.Refusal(Refused.CHANGED_BY_OTHERS, message)
        if at is not None and request.sick_since is not None and at > request.sick_since:
            message = (
                f"{manager} has written what divides the traffic of {looked.ref} at "
                f"{at:%H:%M:%S}, after {request.live_state.workload.ref} fell ill at "
                f"{request.sick_since:%H:%M:%S}: somebody is at work on it"
            )
            return model.Refusal(Refused.CHANGED_BY_OTHERS, message)
    return None


def _time(entry: Mapping[str, Any]) -> datetime.datetime | None:
    told = entry.get("time")
    return datetime.datetime.fromisoformat(told) if isinstance(told, str) else None


def _weighed(
    request: action.Request,
    params: traffic.ShiftTraffic,
    looked: restoring.Looked,
    side: sides.Side,
) -> Planned:
    """The patch of a route's weights."""
    manifest = object_fields.manifest(looked)
    target = request.live_state.workload
    left, taking = weights.backends(params, target.ref.name)
    if (answer := _misled(request, side, left, taking)) is not None:
        return answer
    bounds = weights.Bounds(params.most, params.left)
    try:
        found = weights.shift(manifest, left, taking, bounds)
    except weights.NotMovableError as error:
        floor = isinstance(error, weights.AtFloorError)
        reason = Refused.AT_BOUND if floor else Refused.NOT_WRITABLE
        return model.Refusal(reason, f"{looked.ref}: {error}", skip_step=True)
    loads = [
        sides.Load(move.left[0], move.taken, target.replicas, side.ready) for move in found.moves
    ]
    if (answer := _no_room(request, params, side, loads)) is not None:
        return answer
    told = "; ".join(f"rule {each.rule}: {each}" for each in found.moves)
    summary = f"move traffic of {looked.ref} from {left} to {taking}: {told}"
    if found.untouched:
        summary += f"; {found.untouched} rules that do not send to {taking} stay"
    return action.Plan((restore.patching(looked.ref, manifest, found.swaps, summary),))


def _misled(
    request: action.Request,
    side: sides.Side,
    left: weights.Backend,
    taking: weights.Backend,
) -> model.Refusal | tuple[model.Need, ...] | None:
    """Why the Services do not lead to the two sides; of subsets that can't be seen here."""
    target = request.live_state.workload
    found = {name: sides.service(request, name) for name in (left.service, taking.service)}
    if needs := tuple(_needs(found.values())):
        return needs
    for backend, ref, labels in (
        (left, target.ref, sides.labels_of(target)),
        (taking, side.ref, side.labels),
    ):
        chosen = found[backend.service]
        if isinstance(chosen, model.Refusal):
            return chosen
        if isinstance(chosen, Mapping) and not sides.selects(chosen, labels):
            return _astray(f"Service/{backend.service} does not choose the pods of {ref}")
    chosen = found[taking.service]
    both = isinstance(chosen, Mapping) and sides.selects(chosen, sides.labels_of(target))
    if both and not taking.subset:
        return _astray(f"Service/{taking.service} chooses the pods of {target.ref}, too")
    return None


def _needs(answers: Any) -> Iterator[model.Need]:
    for each in answers:
        if isinstance(each, tuple):
            yield from each


def _astray(message: str) -> model.Refusal:
    return model.Refusal(Refused.NOT_WRITABLE, message, skip_step=True)


def _no_room(
    request: action.Request,
    params: traffic.ShiftTraffic,
    side: sides.Side,
    loads: Sequence[sides.Load],
) -> model.Refusal | tuple[model.Need, ...] | None:
    """Whether the other side can bear what comes: by the policy's query, or by its replicas."""
    worst = max(loads, key=lambda load: load.more)
    if params.require:
        now, then = worst.taken
        return requirements.unmet(request, params.require, then, now)
    return sides.crowded(worst, params.max_more_per_replica, side.ref)


def _switched(
    request: action.Request,
    params: traffic.ShiftTraffic,
    looked: restoring.Looked,
    side: sides.Side,
) -> Planned:
    """The patch of a Service's selector: all that came to the one side comes to the other."""
    chosen = sides.selector(looked)
    if isinstance(chosen, model.Refusal):
        return chosen
    target, label = request.live_state.workload, str(params.label)
    value = side.labels.get(label)
    if label not in chosen or value is None:
        where = f"the pods of {side.ref}" if label in chosen else f"the selector of {looked.ref}"
        return _astray(f"{where} has no {label}: it does not tell the sides apart")
    if chosen[label] == value:
        message = f"{looked.ref} chooses {label}={value} already"
        return model.Refusal(Refused.AT_BOUND, message, skip_step=True)
    if not sides.selects(chosen, sides.labels_of(target)):
        return _astray(f"{looked.ref} does not choose the pods of {target.ref}")
    then = {**chosen, label: value}
    if not sides.selects(then, side.labels):
        return _astray(f"{looked.ref} with {label}={value} does not choose the pods of {side.ref}")
    load = sides.Load(weights.WHOLE, (0, weights.WHOLE), target.replicas, side.ready)
    if (answer := _no_room(request, params, side, [load])) is not None:
        return answer
    return _selecting(looked, label, chosen, value, f"{target.ref} to {side.ref}")


def _selecting(
    looked: restoring.Looked, label: str, chosen: Mapping[str, str], value: str, told: str
) -> action.Plan:
    manifest = object_fields.manifest(looked)

    def swap(was: Mapping[str, str], wanted: str) -> swaps.Operations:
        test = {"op": "test", "path": "/spec/selector", "value": dict(was)}
        pointer = f"/spec/selector/{pointers.part(label)}"
        return test, {"op": "replace", "path": pointer, "value": wanted}

    made = swaps.Swaps(swap(chosen, value), swap({**chosen, label: value}, chosen[label]))
    summary = (
        f"move all traffic of {looked.ref} from {told}: {label} from {chosen[label]} to {value}"
    )
    return action.Plan((restore.patching(looked.ref, manifest, made, summary),))
