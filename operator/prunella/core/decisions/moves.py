"""Records of moved traffic: what a shift found, what is back of it, and which sides are left."""

from __future__ import annotations

from collections.abc import Iterable

from prunella.api import policy as policy_api
from prunella.api import reasons, traffic
from prunella.core import model, objects
from prunella.core.decisions import ledger, sides


def moved_by(last: objects.Record, records: Iterable[objects.Record]) -> objects.Record | None:
    """The shift that began the unbroken chain of moves that a record ends; None: it is gone.

    ``last`` must be among the records.
    """
    known = [each for each in records if each.spec.attempt <= last.spec.attempt]
    chain = ledger.moves_in_a_row(known).get((last.policy, last.spec.target.uid), [])
    if not chain or chain[0].spec.action != sides.SHIFT_TRAFFIC:
        return None
    return chain[0]


def all_back(origin: objects.Record, last: objects.Record) -> bool:
    """Whether the last part has left things as they were before the shift."""
    return found_by(origin) == left_by(last)


def found_by(record: objects.Record) -> dict[str, object]:
    """What a move found where it was sent, by the pointer to it."""
    (effect,) = ledger.effects_of(record)
    return ledger.tested(effect.patch)


def left_by(record: objects.Record) -> dict[str, object]:
    """What a move left there."""
    (effect,) = ledger.effects_of(record)
    return ledger.tested(effect.inverse)


def emptied(records: Iterable[objects.Record]) -> dict[model.Ref, objects.Record]:
    """Targets whose traffic was moved away with success and is not all back, with the last move."""
    known = sorted(records, key=lambda record: record.spec.attempt)
    newest = {record.target: record for record in known if record.acted or record.in_flight}
    return {
        target: last
        for target, last in newest.items()
        if last.spec.action in sides.MOVES
        and last.phase is reasons.Phase.SUCCEEDED
        and not _is_back(last, known)
    }


def _is_back(last: objects.Record, records: Iterable[objects.Record]) -> bool:
    origin = moved_by(last, records)
    return origin is not None and all_back(origin, last)


def taking(record: objects.Record, spec: policy_api.RemediationPolicySpec) -> model.Ref | None:
    """The workload that a shift has moved traffic to; None of any other record."""
    params = shift_of(record, spec) if record.spec.action == sides.SHIFT_TRAFFIC else None
    return record.target._replace(name=params.to.workload) if params is not None else None


def shift_of(
    record: objects.Record, spec: policy_api.RemediationPolicySpec
) -> traffic.ShiftTraffic | None:
    """What the step that a record names says of a shift now; None: it is no shift, or not there."""
    if record.spec.step >= len(spec.steps):
        return None
    params = spec.steps[record.spec.step].params
    return params if isinstance(params, traffic.ShiftTraffic) else None
