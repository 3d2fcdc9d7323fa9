"""What a run says to people: findings, actions, refusals, and what history can't tell."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prunella.api import reasons
from prunella.backtest import kept_samples, labels, recorded_guards, recorder, run
from prunella.core import model, objects

Phase = reasons.Phase
OUTCOMES: Final = {
    Phase.SUCCEEDED: "Healthy again afterwards, by itself",
    Phase.UNHELPFUL: "still Unhealthy when it would have been verified",
    Phase.UNPROVEN: "no data to verify it by",
    Phase.SUPERSEDED: "the target was changed by somebody else meanwhile",
    Phase.VERIFYING: "history ends before it could be verified",
    Phase.ACTING: "history ends before it could be verified",
}
"""What became of an action, in words: history did not answer to it."""
CAVEATS: Final = (
    (
        "History does not answer to an action: it goes on as if each one had changed nothing. So a "
        "follow-up is what would come if the one before did not help, and an outcome is not proof."
    ),
    (
        "The policy is run as if its mode were Live, alone: other policies, the limits that they "
        "use up, people and the API server's own refusals are not seen."
    ),
)


@dataclasses.dataclass(frozen=True, slots=True)
class GuardAnswer:
    """What one guard said of an action: ``passed`` or ``not judged``."""

    guard: str
    answer: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """One action that would have been carried out."""

    at: datetime.datetime
    target: str
    action: str
    step: int
    summary: str
    why: str
    since: datetime.datetime | None
    """When the signal that led to it became Unhealthy."""
    time_to_detect: float | None
    """Seconds from then to the decision."""
    outcome: str
    follows: str
    record: str
    labelled: bool | None
    """Whether it lies in a known incident; None without labels."""
    guards: tuple[GuardAnswer, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A stretch of time in which a signal was Unhealthy."""

    signal: str
    target: str
    start: datetime.datetime
    end: datetime.datetime
    worst: float
    held: bool
    """Whether it lasted for the signal's ``for``: shorter ones are flickers."""
    open: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """A stretch of time in which a guard or the action itself said no."""

    target: str
    reason: str
    message: str
    start: datetime.datetime
    end: datetime.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """All of it. Times are UTC."""

    policy: str
    mode: str
    start: datetime.datetime
    until: datetime.datetime
    complete: bool
    interval: float
    targets: tuple[str, ...]
    samples: int
    steps: int
    passes: int
    actions: tuple[Action, ...]
    findings: tuple[Finding, ...]
    refusals: tuple[Refusal, ...]
    escalations: int
    latched: tuple[datetime.datetime, ...]
    """When a person was taken to have resumed the policy after it had latched."""
    verdicts: Mapping[str, kept_samples.Tally]
    not_judged: tuple[GuardAnswer, ...]
    """Guards that could not be judged for some action, and why the first time."""
    caveats: tuple[str, ...]
    score: labels.Score | None

    @property
    def weeks(self) -> float:
        """How long the history was."""
        return max((self.until - self.start) / labels.WEEK, 1e-9)

    def per_week(self, count: int) -> float:
        """How often in a week."""
        return count / self.weeks

    @property
    def held(self) -> tuple[Finding, ...]:
        """Findings without the flickers."""
        return tuple(each for each in self.findings if each.held)


def summarize(done: run.Run, windows: Sequence[labels.Window] | None) -> Summary:
    """A run, as far as it has come; ``windows`` are known incidents."""
    request = done.request
    holds = {s.name: s.for_.total_seconds() for s in request.spec.signals}
    found = done.tracker.findings()
    actions = tuple(_action(each, windows) for each in done.records if _would_act(each))
    score = None
    if windows is not None:
        seen = [w for w in windows if w.start <= done.until and w.end >= request.start]
        hold = {name: datetime.timedelta(seconds=each) for name, each in holds.items()}
        fired = [
            labels.Fired(f, f.start + hold[f.signal]) for f in found if f.lasted >= hold[f.signal]
        ]
        weeks = len(done.targets) * max((done.until - request.start) / labels.WEEK, 0.0)
        decided = [(each.target.rpartition("/")[2], each.at) for each in actions]
        score = labels.score(seen, fired, decided, weeks)
    return Summary(
        policy=str(request.key),
        mode=request.spec.mode.value,
        start=request.start,
        until=done.until,
        complete=done.evaluated >= done.points,
        interval=request.spec.interval.total_seconds(),
        targets=tuple(str(each) for each in sorted(done.targets)),
        samples=done.samples,
        steps=done.evaluated,
        passes=done.passes,
        actions=actions,
        findings=tuple(_finding(each, holds[each.signal]) for each in found),
        refusals=tuple(_refusal(each) for each in done.refusals),
        escalations=len(done.escalations),
        latched=tuple(done.resumed),
        verdicts=done.tracker.tallies,
        not_judged=_not_judged(actions),
        caveats=(*CAVEATS, *_more_caveats(done)),
        score=score,
    )


def _would_act(record: objects.Record) -> bool:
    return record.acted or record.in_flight


def _action(record: objects.Record, windows: Sequence[labels.Window] | None) -> Action:
    spec = record.spec
    since = next((each.since for each in spec.evidence if each.since is not None), None)
    at = spec.decided_at
    labelled = None
    if windows is not None:
        labelled = any(w.is_about(spec.target.name) and w.overlaps(at, at) for w in windows)
    return Action(
        at=at,
        target=str(record.target),
        action=spec.action,
        step=spec.step,
        summary="; ".join(effect.summary for effect in spec.effects),
        why=spec.reason,
        since=since,
        time_to_detect=None if since is None else (at - since).total_seconds(),
        outcome=OUTCOMES.get(record.phase, f"{record.phase}: {record.status.message}"),
        follows=spec.follows,
        record=record.name,
        labelled=labelled,
        guards=tuple(
            GuardAnswer(
                each.guard,
                "passed"
                if recorded_guards.was_judged(each.guard, each.message, spec.action)
                else "not judged",
                each.message,
            )
            for each in spec.guards
        ),
    )


def _finding(found: kept_samples.Finding, hold: float) -> Finding:
    return Finding(
        found.signal,
        str(found.target),
        found.start,
        found.end,
        found.worst,
        found.lasted.total_seconds() >= hold,
        found.open,
    )


def _refusal(row: recorder.Refused) -> Refusal:
    return Refusal(str(row.target), row.reason, row.message, row.start, row.end)


def _not_judged(actions: Sequence[Action]) -> tuple[GuardAnswer, ...]:
    found: dict[str, GuardAnswer] = {}
    for action in actions:
        for each in action.guards:
            if each.answer == "not judged":
                why = each.message.removeprefix(recorded_guards.NOT_JUDGED)
                found.setdefault(each.guard, dataclasses.replace(each, message=why))
    return tuple(found.values())


def _more_caveats(done: run.Run) -> list[str]:
    found = []
    if not done.facts.workloads:
        found.append(
            "Without kube-state-metrics in the history, targets are the names that the signals' "
            "series map to, each from its first sample until a day after its last, and whatever "
            "needs their objects is not judged."
        )
    else:
        found.append(
            "Of kube-state-metrics a new generation with the same replicas is taken for a new pod "
            "template; when its history was scraped, not when things happened, is what is known."
        )
    if done.resumed:
        found.append(
            f"The policy latched itself {len(done.resumed)} times after actions that did not help; "
            "each time it is taken to have been resumed by a person once all targets were well."
        )
    return found


def refused_by_reason(summary: Summary) -> list[tuple[str, int, str]]:
    """Reasons with how often they began, and the first one's message; the most frequent first."""
    counts = collections.Counter(each.reason for each in summary.refusals)
    first: dict[str, str] = {}
    for each in summary.refusals:
        first.setdefault(each.reason, each.message)
    return [(reason, count, first[reason]) for reason, count in counts.most_common()]


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary as JSON knows it, with what follows from it."""
    document: dict[str, Any] = _plain(dataclasses.asdict(summary))
    document["weeks"] = round(summary.weeks, 4)
    document["actionsPerWeek"] = round(summary.per_week(len(summary.actions)), 3)
    document["findingsPerWeek"] = round(summary.per_week(len(summary.held)), 3)
    if summary.score is not None:
        document["score"] |= {
            "precision": summary.score.precision,
            "recall": summary.score.recall,
            "medianLead": summary.score.median_lead,
            "falseActionsPerSeriesWeek": summary.score.false_actions_per_series_week,
        }
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, model.Ref):
        value = value._asdict()
    if isinstance(value, dict):
        return {_camel(str(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - JSON has no NaN
        return None
    return value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(each.capitalize() for each in rest)
