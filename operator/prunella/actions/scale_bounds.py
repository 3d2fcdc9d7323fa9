"""scaleBounds: the minimum or maximum of the target's autoscaler. Its inverse is the old bound."""

from __future__ import annotations

from prunella.actions import object_fields
from prunella.api import capacity, reasons, trust
from prunella.core import model
from prunella.core.changes import diff
from prunella.core.decisions import action, fields, requirements, restoring

Refused = reasons.Refused
Bound = capacity.Bound
_OTHER = {Bound.MAX: Bound.MIN, Bound.MIN: Bound.MAX}


class ScaleBounds:
    """Writes one bound of a HorizontalPodAutoscaler or a ScaledObject."""

    name = "scaleBounds"
    owned_field = None
    risk = trust.Risk.HIGH

    def plan(self, request: action.Request) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
        """One patch of the bound, or a refusal."""
        params = request.params
        if not isinstance(params, capacity.ScaleBounds):
            raise TypeError("scaleBounds is planned from the parameters of a scaleBounds step")
        written = fields.written(params, request.live_state)
        if written is None:
            return _no_scaler(request.live_state)
        looked = object_fields.found(request, written.ref)
        if isinstance(looked, model.Refusal):
            return looked
        now, other = bound(looked, params.bound), bound(looked, _OTHER[params.bound])
        (path,) = written.paths
        what = f"{diff.path_text(path)} of {written.ref}"
        wanted = params.to if params.to is not None else now + (params.by or 0)
        low, high = params.min, params.max
        if params.bound is Bound.MAX:
            low = max(low, other)
        else:
            high = min(high, other)
        most = request.rules.scale_most
        if most is not None and now > most:
            return _beyond(f"{what} is {now}", most)
        high = high if most is None else min(high, most)
        found = fields.within(what, now, wanted, fields.Bounds(low, high))
        if isinstance(found, model.Refusal):
            return found if most is None or high < most else _beyond(found.message, most)
        if found > now and (refusal := _not_the_limit(looked, params.bound)) is not None:
            return refusal
        answer = requirements.unmet(request, params.require, found, now)
        return answer if answer is not None else object_fields.setting(looked, {path: found})


def _beyond(told: str, most: int) -> model.Refusal:
    """More than administrators allow, there or back."""
    message = f"{told}; the administrators allow up to {most} (chart value scaleBounds.max)"
    return model.Refusal(Refused.AT_BOUND, message, skip_step=True)


def bound(looked: restoring.Looked, which: Bound) -> int:
    """A bound of an autoscaler, in replicas; its default where nothing is written."""
    path, default = fields.BOUNDS[looked.ref.kind][which]
    number = fields.whole_number(fields.value_at(looked, path))
    return default if number is None else number


def _no_scaler(live_state: model.LiveState) -> model.Refusal:
    """None, or several: then it is not plain whose bounds are meant."""
    found = live_state.autoscalers
    target = live_state.workload.ref
    told = f"{', '.join(found)} scale {target}" if found else f"no autoscaler scales {target}"
    return model.Refusal(Refused.NOT_WRITABLE, f"{told}: one is needed", skip_step=True)


def _not_the_limit(looked: restoring.Looked, which: Bound) -> model.Refusal | None:
    """An HPA that wants fewer replicas than it may have is not held back by its maximum."""
    wants = fields.whole_number(fields.value_at(looked, ("status", "desiredReplicas")))
    if which is Bound.MIN or wants is None or wants >= bound(looked, which):
        return None
    message = (
        f"{looked.ref} wants {wants} replicas and may have {bound(looked, which)}: its maximum is "
        "not what limits it"
    )
    return model.Refusal(Refused.NOT_THE_LIMIT, message, skip_step=True)
