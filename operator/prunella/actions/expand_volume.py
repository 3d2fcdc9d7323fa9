"""expandVolume: larger claims for the sick pods. Nothing undoes it: no volume shrinks.

The request of a claim is raised; its driver makes the volume larger, and the file system with it,
for most drivers while it is mounted.  A StatefulSet's volumeClaimTemplates can't be changed, so the
record says what further replicas begin with.
"""

from __future__ import annotations

from collections.abc import Sequence

from prunella.actions import object_fields, restore
from prunella.api import capacity, quantities, reasons, trust
from prunella.core import model
from prunella.core.changes import diff, swaps
from prunella.core.decisions import action, claims, requirements, restoring

Refused = reasons.Refused
STORAGE_CLASS = "StorageClass"


class ExpandVolume:
    """Writes what claims ask for."""

    name = "expandVolume"
    owned_field = None
    risk = trust.Risk.HIGH

    def plan(self, request: action.Request) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
        """A patch of each claim, or a refusal."""
        params = request.params
        if not isinstance(params, capacity.ExpandVolume):
            raise TypeError("expandVolume is planned from the parameters of an expandVolume step")
        meant = claims.meant(params, request.live_state, request.findings)
        if isinstance(meant, model.Refusal):
            return meant
        seen: list[restoring.Looked] = []
        for ref in meant:
            looked = object_fields.found(request, ref)
            if isinstance(looked, model.Refusal):
                return looked
            seen.append(looked)
        if needs := _unseen(request, seen):
            return needs
        return _planned(request, params, seen)


def _unseen(request: action.Request, seen: Sequence[restoring.Looked]) -> tuple[model.Need, ...]:
    """The claims' classes, and a StatefulSet for its templates, that were not looked at yet."""
    workload = request.live_state.workload.ref
    wanted = [_class_of(each) for each in seen]
    wanted += [workload] if workload.kind == "StatefulSet" else []
    return tuple(
        model.Need(model.NeedKind.OBJECT, ref)
        for ref in dict.fromkeys(wanted)
        if ref is not None and ref not in request.looked
    )


def _class_of(looked: restoring.Looked) -> model.Ref | None:
    """The class that a claim's volume is made by; None for one that was made by hand."""
    name = (looked.manifest or {})["spec"].get("storageClassName")
    return model.Ref(STORAGE_CLASS, "", name) if name else None


def _planned(
    request: action.Request, params: capacity.ExpandVolume, seen: Sequence[restoring.Looked]
) -> action.Plan | model.Refusal | tuple[model.Need, ...]:
    """One patch for each claim that may grow; those at the bound already are passed over."""
    raised: list[tuple[restoring.Looked, str]] = []
    refusal = None
    for looked in seen:
        size = _not_ready(looked) or _class_refuses(request, looked) or _larger(looked, params)
        if isinstance(size, str):
            raised.append((looked, size))
        elif size.reason is not Refused.AT_BOUND:
            return size
        else:
            refusal = size
    if not raised:
        return refusal or model.Refusal(Refused.NO_PODS, "no claim is left", skip_step=True)
    first, size = raised[0]
    numbers = quantities.read(size), _size(first)
    answer = requirements.unmet(request, params.require, *numbers)
    if answer is not None:
        return answer
    note = _template_note(request, params, [size for _, size in raised])
    return action.Plan(tuple(_effect(looked, size, note) for looked, size in raised))


def _not_ready(looked: restoring.Looked) -> model.Refusal | None:
    """A claim without a volume, on its way out, or whose last resize is not over."""
    manifest = looked.manifest or {}
    phase = (manifest.get("status") or {}).get("phase")
    if phase != "Bound" or "deletionTimestamp" in manifest["metadata"]:
        state = "being deleted" if phase == "Bound" else phase or "not bound yet"
        return _skipped(Refused.NOT_WRITABLE, f"{looked.ref} is {state}: it can't grow")
    if why := claims.pending(manifest):
        message = f"{looked.ref} is being made larger already: {why}"
        return model.Refusal(Refused.RESIZE_PENDING, message)
    return None


def _class_refuses(request: action.Request, looked: restoring.Looked) -> model.Refusal | None:
    """The class must allow it. One that can't be read the API server asks in the dry run."""
    ref = _class_of(looked)
    if ref is None:
        message = f"{looked.ref} has no StorageClass: its volume was made by hand, and can't grow"
        return _skipped(Refused.NOT_WRITABLE, message)
    known = request.looked[ref]
    if known.problem or (known.manifest or {}).get("allowVolumeExpansion"):
        return None
    state = "is not there" if known.manifest is None else "has allowVolumeExpansion: false"
    return _skipped(Refused.NOT_WRITABLE, f"{ref} of {looked.ref} {state}")


def _size(looked: restoring.Looked) -> float:
    """What a claim has, in bytes; drivers may give more than was asked for."""
    manifest = looked.manifest or {}
    has = claims.capacity_of(manifest) or 0
    return max(quantities.read(claims.requested(manifest)), quantities.read(has))


def _larger(looked: restoring.Looked, params: capacity.ExpandVolume) -> str | model.Refusal:
    """What to ask for: a share more than there is, up to the policy's bound."""
    asked, now = claims.requested(looked.manifest or {}), _size(looked)
    most = quantities.read(params.max)
    if now >= most:
        has = claims.capacity_of(looked.manifest or {}) or asked
        return _skipped(Refused.AT_BOUND, f"{looked.ref} has {has}, max is {params.max}")
    wanted = now * (1 + int(params.by.removesuffix("%")) / 100)
    text = quantities.write(wanted, asked, whole=True)
    return text if quantities.read(text) < most else quantities.canonical(params.max)


def _template_note(
    request: action.Request, params: capacity.ExpandVolume, sizes: Sequence[str]
) -> str:
    """What a StatefulSet's template still asks for: it can't be changed, and makes new claims."""
    looked = request.looked.get(request.live_state.workload.ref)
    if looked is None or looked.manifest is None:
        return ""
    templates = looked.manifest["spec"].get("volumeClaimTemplates") or ()
    for each in templates:
        name, asks = each["metadata"]["name"], claims.requested(each)
        meant = params.volume in {None, name}
        if meant and quantities.read(asks) < max(map(quantities.read, sizes)):
            return (
                f"; volumeClaimTemplate {name} of {looked.ref} still asks for {asks} and can't be "
                "changed: further replicas begin with that"
            )
    return ""


def _effect(looked: restoring.Looked, size: str, note: str) -> model.Effect:
    """The patch of one claim, without an inverse."""
    now = claims.requested(looked.manifest or {})
    change = diff.Difference(claims.REQUEST, size, now)
    made = swaps.take_back([change], looked.manifest, looked.manifest)
    summary = f"expand {looked.ref} from {now} to {size}, one way{note}"
    one_way = swaps.Swaps(made.patch, ())
    return restore.patching(looked.ref, looked.manifest or {}, one_way, summary)


def _skipped(reason: reasons.Refused, message: str) -> model.Refusal:
    return model.Refusal(reason, message, skip_step=True)
