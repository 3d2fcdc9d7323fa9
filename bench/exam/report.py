"""The exam's table and its totals, against goals and floors."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from bench.exam import healing
from bench.exam.run import Outcome


@dataclasses.dataclass(frozen=True, slots=True)
class Total:
    """A figure over all faults, with what is wanted of it."""

    name: str
    value: float | None
    goal: float
    floor: float
    higher: bool
    """Whether more is better."""

    @property
    def met(self) -> bool:
        """Whether the floor is met; a figure that could not be had meets nothing."""
        if self.value is None:
            return False
        return self.value >= self.floor if self.higher else self.value <= self.floor


def totals(outcomes: Sequence[Outcome]) -> list[Total]:
    """The figures of the exam; a fault that could not be examined counts as not answered."""
    wrong = [each for each in outcomes if not each.nothing]
    ranks = [each.verdict.rank if each.verdict else None for each in wrong]
    shares = [each.verdict.share for each in wrong if each.verdict]
    took = [each.verdict.seconds for each in wrong if each.verdict]
    found = [each for each in took if each is not None]
    falsely = sum(each.verdict.falsely for each in outcomes if each.verdict)
    return [
        Total("incidents per fault", _mean(shares), 1.0, 1.2, higher=False),
        Total("cause first", _mean(rank == 1 for rank in ranks), 0.90, 0.75, higher=True),
        Total(
            "cause in the first three",
            _mean(rank is not None and rank <= 3 for rank in ranks),
            0.97,
            0.9,
            higher=True,
        ),
        Total("named falsely when nothing is wrong", falsely, 0, 1, higher=False),
        Total("seconds from symptom to cause, p95", _p95(found), 15, 30, higher=False),
        *_healing(outcomes),
    ]


def _healing(outcomes: Sequence[Outcome]) -> list[Total]:
    """The figures of what was done; none where nobody was to heal."""
    judged = [each.healing for each in outcomes if each.healing is not None]
    if not judged:
        return []
    curable = [each for each in judged if each.curable]
    took = sorted(each.seconds for each in judged if each.seconds is not None)
    harmful = sum(len(each.harmful) for each in judged)
    wrong, undone = sum(each.wrong for each in judged), sum(each.undone for each in judged)
    share = _mean(each.healed for each in curable)
    taken_back = undone / wrong if wrong else 1.0
    return [
        Total("healed and proved without a person", share, 0.85, 0.65, higher=True),
        Total("harmful actions", harmful, 0, 0, higher=False),
        Total("wrong experiments undone to the byte", taken_back, 1.0, 1.0, higher=True),
        Total("seconds from fault to proved, median", _median(took), 75, 120, higher=False),
    ]


def _median(ordered: Sequence[float]) -> float | None:
    return statistics.median(ordered) if ordered else None


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None


def _p95(values: Sequence[float]) -> float | None:
    """The smallest value that at least 95 % of the values do not exceed."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * 95 // 100) - 1] if ordered else None


COLUMNS = ("fault", "incidents", "rank", "seconds", "first symptom", "first suspect")
HEALED = ("healed", "what was done", "seconds", "proof, or why a person was called")


def row(outcome: Outcome) -> tuple[str, ...]:
    """One fault of the table."""
    delay = "none" if outcome.delay is None else f"{outcome.delay:.0f} s"
    verdict = outcome.verdict
    if outcome.error:
        return (outcome.fault, "", "", "", delay, f"error: {outcome.error.splitlines()[0]}")
    if verdict is None:
        return (outcome.fault, "", "", "", delay, _shown(outcome))
    rank = "-" if outcome.nothing else str(verdict.rank or "none")
    took = "" if verdict.seconds is None else f"{verdict.seconds:.0f}"
    first = verdict.first or "nobody"
    falsely = f" ({verdict.falsely} falsely)" if verdict.falsely else ""
    named = (outcome.fault, str(verdict.incidents), rank, took, delay, first + falsely)
    return (*named, *_cells(outcome.healing))


def _cells(found: healing.Healing | None) -> tuple[str, ...]:
    """What was done about a fault."""
    if found is None:
        return ()
    answer = ("yes" if found.healed else "no") if found.curable else "-"
    harm = " HARMFUL" if found.harmful else ""
    seconds = "" if found.seconds is None else f"{found.seconds:.0f}"
    done = "; ".join(found.actions) or "nothing"
    return (answer, done + harm, seconds, (found.proof or found.why).replace("|", "/"))


def _shown(outcome: Outcome) -> str:
    """Without an operator: how the fault shows itself."""
    seen = outcome.symptoms
    parts = {"alerts": seen.alerts, "pending": seen.pending, "errors": seen.errors}
    parts |= {"slow": seen.slow, "before": outcome.before}
    return "; ".join(f"{key}: {', '.join(names)}" for key, names in parts.items() if names)


def table(outcomes: Iterable[Outcome]) -> str:
    """All faults, then the totals; as Markdown, for the documentation."""
    outcomes = list(outcomes)
    heals = any(each.healing is not None for each in outcomes)
    columns = (*COLUMNS, *HEALED) if heals else COLUMNS
    rows = [columns, tuple("-" * 3 for _ in columns), *map(row, outcomes)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def summary(outcomes: Sequence[Outcome]) -> str:
    """The totals as a table, goal and floor beside each."""
    lines = ["| figure | value | goal (floor) | |", "|---|---|---|---|"]
    for each in totals(outcomes):
        value = "none" if each.value is None else f"{each.value:.2f}"
        verdict = "met" if each.met else "MISSED"
        lines.append(f"| {each.name} | {value} | {each.goal:g} ({each.floor:g}) | {verdict} |")
    return "\n".join(lines)


def document(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything, for JSON."""
    return {
        "faults": [dataclasses.asdict(each) for each in outcomes],
        "totals": [{**dataclasses.asdict(each), "met": each.met} for each in totals(outcomes)],
    }
