"""patchField: write one field of one object that administrators allow, and know the way back.

A number goes up or down by a step within the bounds of the policy and of the administrators; a
text, such as a feature flag, becomes another one that they allow.
"""

from __future__ import annotations

from typing import Any, Final

from prunella.actions import object_fields
from prunella.api import capacity, reasons, trust
from prunella.core import model
from prunella.core.changes import diff
from prunella.core.decisions import action, fields, requirements
from prunella.core.decisions.rules import WritableField

Refused = reasons.Refused
MOST_TOLD: Final = 5
_BOOLEANS: Final = {"true": True, "false": False}


class PatchField:
    """Writes one value of an object beside the target."""

    name = "patchField"
    owned_field = None
    risk = trust.Risk.HIGH

    def plan(self, request: action.Request) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
        """One patch of the field, or a refusal."""
        params = request.params
        if not isinstance(params, capacity.PatchField):
            raise TypeError("patchField is planned from the parameters of a patchField step")
        what = fields.written(params, request.live_state)
        if what is None:
            raise TypeError("patchField writes a field")
        allowed = _allowed(params, what.ref, request.rules.fields)
        if isinstance(allowed, model.Refusal):
            return allowed
        looked = object_fields.found(request, what.ref, params.api_version)
        if isinstance(looked, model.Refusal):
            return looked
        now = fields.value_at(looked, what.paths[0])
        beside = fields.value_at(looked, what.paths[0][:-1])
        wanted = _wanted(params, allowed, what.ref, now, beside)
        if isinstance(wanted, model.Refusal):
            return wanted
        if params.require:
            value, current = fields.whole_number(wanted), fields.whole_number(now)
            answer = requirements.unmet(request, params.require, value or 0, current or 0)
            if answer is not None:
                return answer
        return object_fields.setting(looked, {what.paths[0]: wanted})


def _allowed(
    params: capacity.PatchField, ref: model.Ref, fields_: tuple[WritableField, ...]
) -> WritableField | model.Refusal:
    """The administrators' word on the field."""
    for each in fields_:
        same = (each.api_version, each.kind) == (params.api_version, params.kind)
        if same and each.path == params.path and each.name in {"", ref.name}:
            return each
    told = "; ".join(map(str, fields_[:MOST_TOLD])) or "none"
    message = (
        f"{params.path} of {params.api_version} {ref} is not a field that the administrators allow "
        f"(chart value patchField.fields): {told}"
    )
    return model.Refusal(Refused.FIELD_NOT_ALLOWED, message, skip_step=True)


def _wanted(
    params: capacity.PatchField, allowed: WritableField, ref: model.Ref, now: Any, beside: Any
) -> int | str | bool | model.Refusal:
    """The value to write: of the sort that is there now, or ``beside`` it."""
    if params.value is not None:
        return _text(params, allowed, ref, now)
    number = _number(params, allowed, ref, now)
    as_text = isinstance(now, str) or _all_text(now, beside)
    return str(number) if isinstance(number, int) and as_text else number


def _number(
    params: capacity.PatchField, allowed: WritableField, ref: model.Ref, now: Any
) -> int | model.Refusal:
    """The number to write."""
    what = f"{params.path} of {ref}"
    current = fields.whole_number(now)
    if current is None and not (now is diff.ABSENT and params.to is not None):
        is_ = "not there" if now is diff.ABSENT else f"{diff.value_text(now)}, not a whole number"
        return _unfit(f"{what} is {is_}")
    if current is not None and not _allows(allowed, current):
        return _unfit(
            f"{what} is {current}, the administrators allow {_range(allowed)}: it could not be put "
            "back"
        )
    low, high = params.min or 0, params.max or 0
    bounds = fields.Bounds(
        low if allowed.min is None else max(low, allowed.min),
        high if allowed.max is None else min(high, allowed.max),
    )
    wanted = params.to if params.to is not None else (current or 0) + (params.by or 0)
    if current is None:
        return min(max(wanted, bounds.low), bounds.high)
    return fields.within(what, current, wanted, bounds)


def _all_text(now: Any, beside: Any) -> bool:
    """Whether a field that is not there belongs to a map of texts, as the data of a ConfigMap."""
    texts = isinstance(beside, dict) and all(isinstance(each, str) for each in beside.values())
    return now is diff.ABSENT and bool(beside) and texts


def _text(
    params: capacity.PatchField, allowed: WritableField, ref: model.Ref, now: Any
) -> str | bool | model.Refusal:
    """The text to write, or the boolean that it stands for."""
    what, wanted = f"{params.path} of {ref}", str(params.value)
    if not isinstance(now, str | bool):
        told = "not there" if now is diff.ABSENT else f"{diff.value_text(now)}, not a text"
        return _unfit(f"{what} is {told}")
    current = str(now).lower() if isinstance(now, bool) else now
    for value, purpose in ((wanted, "wanted"), (current, "there now: it could not be put back")):
        if value not in allowed.values:
            values = ", ".join(allowed.values) or "none"
            message = f"{what}: {value!r} is {purpose}; the administrators allow {values}"
            return model.Refusal(Refused.FIELD_NOT_ALLOWED, message, skip_step=True)
    if wanted == current:
        message = f"{what} is {wanted!r} already"
        return model.Refusal(Refused.AT_BOUND, message, skip_step=True)
    return _BOOLEANS.get(wanted, wanted) if isinstance(now, bool) else wanted


def _allows(allowed: WritableField, number: int) -> bool:
    above = allowed.min is None or number >= allowed.min
    return above and (allowed.max is None or number <= allowed.max)


def _range(allowed: WritableField) -> str:
    return f"{allowed.min if allowed.min is not None else 'any'} to {allowed.max}"


def _unfit(message: str) -> model.Refusal:
    return model.Refusal(Refused.NOT_WRITABLE, message, skip_step=True)
