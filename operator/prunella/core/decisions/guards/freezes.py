"""The guard of freezes: what people have marked as not to be changed."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.core import model
from prunella.core.decisions import halts
from prunella.core.decisions.guards.case import Answer, Case, Refused


def not_frozen(case: Case) -> Answer:
    """The namespace, the target and each other object that would be written."""
    if case.pause.frozen:
        return model.Refusal(Refused.FROZEN, case.pause.frozen)
    for what, freeze in _marks(case):
        if why := halts.why_frozen(freeze, what, case.now):
            return model.Refusal(Refused.FROZEN, why)
    return f"neither {case.target} nor its namespace is frozen"


def _marks(case: Case) -> Iterator[tuple[str, halts.Freeze]]:
    """Each object with what it says of being frozen, as far as it was looked at."""
    workload = case.workload
    yield str(case.target), halts.freeze_of(workload.labels, workload.annotations)
    looked = case.looked
    seen = [*case.also, *case.left.values()]
    for each in [looked, *seen] if looked is not None else seen:
        yield str(each.ref), halts.freeze_of_manifest(each.manifest)
    for ref in case.readers:
        manifest = looked.neighbours.get(ref) if looked is not None else None
        yield str(ref), halts.freeze_of_manifest(manifest)
