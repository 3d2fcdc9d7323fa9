"""The disruption budgets of a namespace and of the cluster, and the arithmetic of taking a unit.

What is counted are places: a workload that is rolled out and has an unfinished Remediation is one.
A unit is taken by writing it down under the version that was read; whoever reads the same version
and writes later has lost, reads again, and finds one unit less.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Sequence
from typing import Final

from prunella.api import reasons
from prunella.core import disruptions, model, objects
from prunella.core.decisions import ledger, nodes, shares
from prunella.core.decisions.rules import DisruptionBudget, Rules

_AT_WORK: Final = frozenset({reasons.Phase.ACTING, reasons.Phase.VERIFYING})
"""Phases of Remediations that disrupt; what is Pending disrupts once it has a unit."""
TAKES_BACK: Final = ledger.TAKES_BACK | {nodes.UNCORDON}
"""Actions that take a disruption back: they wait for no budget, and count while under way."""
KEPT_UNSEEN: Final = datetime.timedelta(minutes=15)
"""How long a unit is kept whose Remediation nobody sees, as one of another operator."""
_OVERRIDE: Final = re.compile(r"^(\d{1,4})(%?)$")
_MOST_TOLD: Final = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """How many may be at once, and where that is from."""

    most: int
    why: str


def judge(
    seen: disruptions.Seen,
    target: model.Ref,
    records: Sequence[objects.Record],
    rules: Rules,
    now: datetime.datetime,
    own_record: str = "",
) -> model.Refusal | str:
    """Whether one more target may be disrupted, with the numbers of both budgets.

    The target itself is not counted: it is what one more means.
    """
    if seen.problem:
        message = f"nobody knows what is being disrupted: {seen.problem}"
        return model.Refusal(reasons.Refused.DISRUPTIONS_UNKNOWN, message)
    if (busy := _at_work_on(seen, target)) is not None:
        return busy
    found = counted(seen, target, records, now, own_record)
    here = {place: why for place, why in found.items() if place[1] == target.namespace}
    in_namespace = namespace_limit(seen, rules)
    in_cluster = _limit(rules.disruptions.cluster, seen.workloads_of_all)
    told = (
        (
            reasons.Refused.NAMESPACE_DISRUPTIONS,
            here,
            in_namespace,
            f"in namespace {target.namespace}",
        ),
        (reasons.Refused.CLUSTER_DISRUPTIONS, found, in_cluster, "in the cluster"),
    )
    asked = told if target.namespace else told[1:]  # A node is in no namespace.
    for reason, places, limit, where in asked:
        if len(places) >= limit.most:
            message = f"{_numbers(len(places), limit, where)}{_named(places)}"
            return model.Refusal(reason, message)
    return "; ".join(_numbers(len(places), limit, where) for _, places, limit, where in asked)


def _at_work_on(seen: disruptions.Seen, target: model.Ref) -> model.Refusal | None:
    """Another remediator that holds the Lease of this very node, named as medik8s does."""
    if target.kind != "Node":
        return None
    for other in seen.others:
        kind, _, name = other.place
        if kind == "Lease" and name.endswith(f"/node-{target.name}"):
            message = f"Lease {name} {other.why}: it is at work on {target}"
            return model.Refusal(reasons.Refused.IN_FLIGHT, message)
    return None


def counted(
    seen: disruptions.Seen,
    target: model.Ref,
    records: Iterable[objects.Record],
    now: datetime.datetime,
    own_record: str = "",
) -> dict[disruptions.Place, str]:
    """All that is disrupted beside the target, each place once, with why; nothing that is stale."""
    known = tuple(records)
    found: dict[disruptions.Place, str] = {}
    for record in known:
        if record.phase in _AT_WORK and record.name != own_record:
            found.setdefault(record.target, f"{record.name} is {record.phase}")
    for unit in still_taken(seen.taken, known, now):
        if (unit.namespace, unit.record) != (target.namespace, own_record):
            found.setdefault(unit.place, f"{unit.record} has a unit")
    for other in sorted(seen.others, key=lambda each: (bool(each.covers), each.place)):
        if not other.stale and target not in other.covers and other.covers.isdisjoint(found):
            found.setdefault(other.place, other.why)
    found.pop(target, None)
    return found


def still_taken(
    taken: Iterable[disruptions.Unit], records: Iterable[objects.Record], now: datetime.datetime
) -> tuple[disruptions.Unit, ...]:
    """The units whose Remediation is under way; of one that nobody sees, for a while."""
    over = {(record.namespace, record.name): not record.in_flight for record in records}
    return tuple(
        unit
        for unit in taken
        if not over.get((unit.namespace, unit.record), now - unit.at > KEPT_UNSEEN)
    )


def with_unit(
    seen: disruptions.Seen,
    record: objects.Record,
    records: Iterable[objects.Record],
    now: datetime.datetime,
) -> tuple[disruptions.Unit, ...]:
    """The units as they are once this Remediation has one; those that are over are left out."""
    own = (record.namespace, record.name)
    others = still_taken(seen.taken, records, now)
    kept = tuple(unit for unit in others if (unit.namespace, unit.record) != own)
    kind, namespace, name = record.target
    return (*kept, disruptions.Unit(*own, place=(kind, namespace, name), at=now))


def forbids_all(seen: disruptions.Seen, namespace: str, rules: Rules) -> str:
    """Why nothing at all may be disrupted in a namespace, in words; empty when something may be."""
    if seen.problem:
        return f"nobody knows what is being disrupted: {seen.problem}"
    limit = namespace_limit(seen, rules)
    return "" if limit.most else f"no disruption may be in namespace {namespace} ({limit.why})"


def namespace_limit(seen: disruptions.Seen, rules: Rules) -> Limit:
    """The Namespace's own budget if it has one, else that of the settings.

    One that can't be read is the strictest there is: nothing.
    """
    if seen.override is None:
        return _limit(rules.disruptions.namespace, seen.workloads)
    written = _OVERRIDE.match(seen.override)
    if written is None:
        told = f"the annotation {disruptions.OVERRIDE} is malformed: {seen.override[:63]!r}"
        return Limit(0, f"{told}; write a number or a share such as 30%")
    number, percent = int(written[1]), bool(written[2])
    most = shares.allowance(f"{number}%", seen.workloads) if percent and number else number
    return Limit(most, f"the annotation {disruptions.OVERRIDE}: {seen.override}")


def _limit(budget: DisruptionBudget, size: int) -> Limit:
    """The smaller of number and share; the share of a small set says nothing."""
    if size < shares.SMALLEST_SET:
        return Limit(budget.max, f"at most {budget.max}")
    share = shares.allowance(f"{budget.percent}%", size)
    why = f"at most {budget.max} and {budget.percent}% of {size} workloads"
    return Limit(min(budget.max, share), why)


def _numbers(count: int, limit: Limit, where: str) -> str:
    return f"{count} disruptions {where}, {limit.most} may be at once ({limit.why})"


def _named(places: dict[disruptions.Place, str]) -> str:
    """The first few of many."""
    if not places:
        return ""
    first = sorted(places.items())[:_MOST_TOLD]
    told = "; ".join(f"{kind}/{name}: {why}" for (kind, _, name), why in first)
    more = len(places) - len(first)
    return f": {told}{f'; and {more} more' if more else ''}"
