"""raiseQuota: more of what a ResourceQuota refuses the target's pods. Its inverse is what was."""

from __future__ import annotations

from prunella.actions import object_fields
from prunella.api import capacity, quantities, reasons, trust
from prunella.core import model
from prunella.core.decisions import action, fields, quotas, requirements, restoring
from prunella.core.decisions.rules import Rules

Refused = reasons.Refused


class RaiseQuota:
    """Writes limits of a quota, those that have no room for one more pod of the target."""

    name = "raiseQuota"
    owned_field = None
    risk = trust.Risk.HIGH

    def plan(self, request: action.Request) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
        """One patch of all limits that are short, or a refusal."""
        params, workload = request.params, request.live_state.workload
        if not isinstance(params, capacity.RaiseQuota):
            raise TypeError("raiseQuota is planned from the parameters of a raiseQuota step")
        written = fields.written(params, request.live_state)
        if written is None:
            message = (
                f"{workload.ref} does not say that a quota refuses its pods, and none is named"
            )
            return model.Refusal(Refused.NOT_THE_LIMIT, message, skip_step=True)
        looked = object_fields.found(request, written.ref)
        if isinstance(looked, model.Refusal):
            return looked
        short = _short(looked, workload)
        if isinstance(short, model.Refusal):
            return short
        missing = max(1, workload.replicas - workload.total)
        raised: dict[fields.Path, str] = {}
        for each in short:
            ceiling = _ceiling(each, params, request.rules, looked.ref)
            if isinstance(ceiling, model.Refusal):
                return ceiling
            limit = _raised(each, params.by, ceiling, missing, looked.ref)
            if isinstance(limit, model.Refusal):
                return limit
            raised["spec", "hard", each.resource] = limit
        # Of several limits the query is asked about the first: most quotas are short of one.
        value, now = next(iter(raised.values())), short[0].hard
        numbers = quantities.read(value), quantities.read(now)
        answer = requirements.unmet(request, params.require, *numbers)
        return answer if answer is not None else object_fields.setting(looked, raised)


def _short(
    looked: restoring.Looked, workload: model.Workload
) -> list[quotas.Short] | model.Refusal:
    """What the quota is short of; a Refusal when it is not known to refuse the pods."""
    manifest = object_fields.manifest(looked)
    spec = manifest["spec"]
    scoped = spec.get("scopes") or spec.get("scopeSelector")
    if scoped and quotas.refuser(workload.failure) != looked.ref.name:
        message = (
            f"{looked.ref} has scopes, and {workload.ref} does not say that it refuses its pods"
        )
        return model.Refusal(Refused.NOT_THE_LIMIT, message, skip_step=True)
    found = quotas.short(manifest, workload)
    if not found:
        told = f"{looked.ref} has room for one more pod of {workload.ref}"
        return model.Refusal(Refused.NOT_THE_LIMIT, told, skip_step=True)
    return found


def _ceiling(
    short: quotas.Short, params: capacity.RaiseQuota, rules: Rules, ref: model.Ref
) -> int | str | model.Refusal:
    """The lower one of the policy's ceiling and the administrators'."""
    what = f"{short.resource} of {ref} is short ({_needed(short)})"
    ceiling = params.ceilings.get(short.resource)
    if ceiling is None:
        message = f"{what}, and ceilings names none for it"
        return model.Refusal(Refused.NOT_ALLOWED, message, skip_step=True)
    if rules.quota_ceilings is None:
        return ceiling
    allowed = rules.quota_ceilings.get(short.resource)
    if allowed is None:
        message = f"{what}, and the administrators' raiseQuota.ceilings names none for it"
        return model.Refusal(Refused.FIELD_NOT_ALLOWED, message, skip_step=True)
    return min(ceiling, allowed, key=quantities.read)


def _needed(short: quotas.Short) -> str:
    return f"{short.used:g} are used of {short.hard}, a pod asks for {short.requested:g}"


def _raised(
    short: quotas.Short, by: str, ceiling: int | str, missing: int, ref: model.Ref
) -> str | model.Refusal:
    """The new limit of one resource: a share more, and room for the missing pods."""
    most = quantities.read(ceiling)
    if short.used + short.requested > most:
        what = f"{short.resource} of {ref} is short ({_needed(short)})"
        return model.Refusal(
            Refused.AT_BOUND, f"{what}, and its ceiling is {ceiling}", skip_step=True
        )
    share = 1 + int(by.removesuffix("%")) / 100
    wanted = max(quantities.read(short.hard) * share, short.used + missing * short.requested)
    if wanted >= most:
        return str(ceiling)
    text = quantities.write(wanted, short.hard, whole=not short.resource.endswith("cpu"))
    return text if quantities.read(text) <= most else str(ceiling)
