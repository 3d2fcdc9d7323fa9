"""Bounds that administrators state: whatever writes a field, and puts it back, stays within them.

The API server holds the operator's account to them, too, but not where a kind may be restored: a
restore may put any field back, and there these bounds are all that is left.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from prunella.api import quantities
from prunella.core import model
from prunella.core.changes import diff
from prunella.core.decisions import fields
from prunella.core.decisions.rules import Rules, WritableField

Manifest = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Stated:
    """What administrators allow of one field."""

    path: fields.Path
    chart_value: str
    most: int | str | None = None
    """A number, or a quantity."""
    least: int | None = None
    values: tuple[str, ...] = ()

    def allows(self, value: Any) -> bool:
        """Whether a value is within the bound; what is not there is."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if value is diff.ABSENT or text in self.values:
            return True
        try:
            number = quantities.read(text)
        except ValueError:
            return False
        above = self.least is None or number >= self.least
        return above and self.most is not None and number <= quantities.read(self.most)

    def __str__(self) -> str:
        if self.most is None:
            return f"one of {', '.join(self.values)}"
        return f"up to {self.most}" if self.least is None else f"{self.least} to {self.most}"


def broken(rules: Rules, ref: model.Ref, was: Manifest | None, becomes: Manifest | None) -> str:
    """The first bound that a change of an object, or its undoing, would not keep; empty: none.

    A field that stays as it is, breaks none.
    """
    version = str((becomes or was or {}).get("apiVersion") or "")
    for each in _stated(rules, ref, version):
        before, after = _at(was, each.path), _at(becomes, each.path)
        if before == after or (each.allows(before) and each.allows(after)):
            continue
        told = [diff.value_text(value) or "nothing" for value in (before, after)]
        return (
            f"{diff.path_text(each.path)} of {ref} would go from {told[0]} to {told[1]}, the "
            f"administrators allow {each} (chart value {each.chart_value})"
        )
    return ""


def _stated(rules: Rules, ref: model.Ref, version: str) -> Iterator[Stated]:
    for field in rules.fields:
        if (field.api_version, field.kind) == (version, ref.kind) and field.name in {"", ref.name}:
            yield _of_field(field)
    if rules.scale_most is not None:
        for path, _ in fields.BOUNDS.get(ref.kind, {}).values():
            yield Stated(path, "scaleBounds.max", rules.scale_most)
    if rules.quota_ceilings is not None and ref.kind == "ResourceQuota":
        for resource, most in rules.quota_ceilings.items():
            yield Stated(("spec", "hard", resource), "raiseQuota.ceilings", most)


def _of_field(field: WritableField) -> Stated:
    path = fields.parts(field.path)
    return Stated(path, "patchField.fields", field.max, field.min, field.values)


def _at(manifest: Manifest | None, path: fields.Path) -> Any:
    found: Any = manifest
    for part in path:
        found = found.get(part, diff.ABSENT) if isinstance(found, Mapping) else diff.ABSENT
    return found
