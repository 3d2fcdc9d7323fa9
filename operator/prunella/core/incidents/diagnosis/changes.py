"""Changes as evidence: when, of what, what their fields can do, and whom they touch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping

from prunella.api import change as change_api
from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.changes import summary
from prunella.core.changes.values import Change
from prunella.core.incidents.diagnosis import fields, relations
from prunella.core.incidents.diagnosis.scene import Scene

LOOK_BACK = 3600.0
"""Seconds before the first symptom from which a change alone may be suspected."""
SKEW = 5.0
"""Seconds by which clocks may differ: a change is not after a symptom within them."""
SET_UP = 60.0
"""Seconds within which what is created belongs to one set-up."""
TOGETHER = "it was created together with what it touches"
NOBODY = "no workload is touched by it"
_NEAR = 120.0
_SHOWN = 3
_LONG = 120
_AROUND = 30


@dataclasses.dataclass(frozen=True, slots=True)
class Touch:
    """A change and what it can do."""

    change: Change
    at: float
    field: str
    cause_kind: CauseKind
    danger: float
    """Log-odds by its most dangerous field."""
    reason: str
    """Why it is harmless; empty when it is not."""
    hurts: frozenset[model.Ref]
    """Workloads and nodes that it touches directly."""

    @property
    def target(self) -> model.Ref:
        """The object that changed."""
        return self.change.object


def touches(scene: Scene) -> list[Touch]:
    """All changes of the view that are not the operator's own, oldest first."""
    found = [_touch(scene, each) for each in scene.view.changes if not each.by.own]
    made = {each.target: each.at for each in found if is_created(each)}
    found = [_unless_set_up(each, made) for each in found]
    return sorted(found, key=lambda each: each.at)


def is_created(touch: Touch) -> bool:
    """Whether the object came into being by it."""
    return touch.change.spec.verb is change_api.Verb.CREATED


def _unless_set_up(touch: Touch, made: Mapping[model.Ref, float]) -> Touch:
    """An object that is created together with all that it touches does no harm to what was."""
    others = touch.hurts - {touch.target}
    if not is_created(touch) or not others:
        return touch
    if all(abs(made.get(each, math.inf) - touch.at) < SET_UP for each in others):
        return dataclasses.replace(touch, danger=fields.HARMLESS, reason=TOGETHER)
    return touch


def _touch(scene: Scene, change: Change) -> Touch:
    at, spec = change.at.timestamp(), change.spec
    hurts = relations.touched(scene, change)
    if spec.class_ is change_api.Class.EXTERNAL:
        return Touch(change, at, "", CauseKind.EXTERNAL, fields.PLAUSIBLE, "", hurts)
    if not hurts and relations.is_known(change.object):
        return Touch(change, at, "", CauseKind.UNKNOWN, fields.HARMLESS, NOBODY, hurts)
    if spec.verb is not change_api.Verb.MODIFIED:
        kind = fields.effect(change.object.kind, change_api.FieldChange(path="spec")).cause_kind
        joins = bool(relations.joined(scene, change))
        return Touch(change, at, "", kind, fields.DANGEROUS if joins else _whole(change), "", hurts)
    effects = [fields.effect(change.object.kind, each) for each in spec.fields]
    if not effects:
        return Touch(change, at, "", CauseKind.UNKNOWN, fields.UNLIKELY, "", hurts)
    most = max(effects, key=lambda each: each.danger)
    danger = most.danger
    if spec.class_ is change_api.Class.SCALING:
        danger = min(danger, fields.UNLIKELY)
    return Touch(change, at, most.field.path, most.cause_kind, danger, most.reason, hurts)


_NEW = -5.0
"""Log-odds of an object that is new: nobody depended on it; what is wrong with it is a fault."""
_CREATED = {
    "NetworkPolicy": fields.DANGEROUS,
    "ResourceQuota": fields.DANGEROUS,
    "LimitRange": fields.DANGEROUS,
    "AuthorizationPolicy": fields.DANGEROUS,
    "HorizontalPodAutoscaler": fields.PLAUSIBLE,
    "ScaledObject": fields.PLAUSIBLE,
}
"""Kinds that take something away by being there."""


def takes(kind: str) -> bool:
    """Whether an object of a kind takes something away from others by being there."""
    return kind in _CREATED


def _whole(change: Change) -> float:
    """How dangerous it is that an object came or went."""
    if change.spec.verb is change_api.Verb.DELETED:
        return fields.DANGEROUS
    return _CREATED.get(change.object.kind, _NEW)


def closeness(before: float) -> float:
    """Log-odds by the seconds between a change and the symptom: 2 up to two minutes, -1 at 1 h."""
    if before < -SKEW:
        return -math.inf
    return 2.0 - 0.6 * math.log2(max(before, _NEAR) / _NEAR)


def matches(touch: Touch, target: model.Ref, paths: tuple[str, ...]) -> bool:
    """Whether a change is of an object and of one of some fields, or of all of the object."""
    if touch.target != target or touch.danger <= fields.HARMLESS:
        return False
    if touch.change.spec.verb is not change_api.Verb.MODIFIED:
        return True
    return any(
        each.path.startswith(path) or path.startswith(each.path)
        for each in touch.change.spec.fields
        for path in paths
    )


def field(touch: Touch, paths: tuple[str, ...]) -> str:
    """The changed field that belongs to a fault; the most dangerous one when none does."""
    for path in paths:
        for each in touch.change.spec.fields if path else ():
            if each.path.startswith(path) or path.startswith(each.path):
                return each.path
    return touch.field


def sentence(touch: Touch, onset: float | None = None, path: str = "") -> str:
    """The change as people tell it: object, field, old and new value, when, by whom."""
    spec = touch.change.spec
    told = (
        f"{touch.target.kind} {touch.target.name}: {'; '.join(_told(touch, path)) or spec.summary}"
    )
    if onset is not None:
        told += f", {_ago(onset - touch.at)} the first symptom"
    by = touch.change.by
    who = by.user if spec.class_ is change_api.Class.EXTERNAL else summary.author(by)
    return f"{told}, by {who}" if who else told


def _told(touch: Touch, path: str) -> Iterator[str]:
    spec = touch.change.spec
    if spec.verb is not change_api.Verb.MODIFIED:
        yield spec.verb.value.lower()
        return
    first = [each for each in spec.fields if path and each.path == path]
    rest = [each for each in spec.fields if each not in first]
    for each in [*first, *rest][:_SHOWN]:
        old, new = _pair(fields.plain(each.old), fields.plain(each.new))
        yield f"{each.path} {old} -> {new}" + (" (hashes)" if each.redacted else "")
    more = len(spec.fields) + spec.fields_omitted - _SHOWN
    if more > 0:
        yield f"{more} more fields"


def _pair(old: str, new: str) -> tuple[str, str]:
    """Two values, cut to where they differ when they are long."""
    if max(len(old), len(new)) <= _LONG:
        return old, new
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    return _part(old, start, end), _part(new, start, end)


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    differing = (at for at, (left, right) in pairs if left != right)
    return next(differing, min(len(one), len(other)))


def _part(text: str, start: int, end: int) -> str:
    """What is between two lengths, with some characters around it."""
    first, last = max(0, start - _AROUND), min(len(text), len(text) - end + _AROUND)
    part = text[first:last]
    shown = part if len(part) <= _LONG else f"{part[:_LONG]}..."
    return f"{'...' if first else ''}{shown}{'...' if last < len(text) else ''}"


def _ago(seconds: float) -> str:
    word = "before" if seconds >= 0 else "after"
    each = abs(seconds)
    return f"{each:.0f} s {word}" if each < 300 else f"{each / 60:.0f} min {word}"
