"""What was expected against what was seen, one row for each comparison."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from prunella.core import model, objects
from prunella.policytest import cases, fields, timeline

Path = tuple[str | int, ...]
NOTHING = "nothing"


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One comparison."""

    check: str
    target: str
    expected: str
    found: str
    passed: bool
    path: Path = ()
    """Where the expectation is written, below the case."""


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """What an expectation may leave out because there is only one."""

    namespace: str
    policies: tuple[objects.Key, ...]
    targets: tuple[model.Ref, ...]

    def policy(self, name: str | None) -> objects.Key:
        """The policy that is meant."""
        return next((key for key in self.policies if key.name == name), self.policies[0])

    def target(self, name: str | None) -> model.Ref:
        """The workload that is meant."""
        return self.targets[0] if name is None else fields.ref(name, self.namespace)


def judge(expect: cases.Expect, told: timeline.Timeline, context: Context) -> Iterator[Row]:
    """All comparisons of one case."""
    if told.failed_passes:
        found = f"{told.failed_passes} passes ended with an error"
        yield Row("engine", "", "no errors", found, passed=False)
    for policy in context.policies:
        yield from _nothing_judged(expect, told, policy)
    for number, check in enumerate(expect.checks):
        for row in _check(check, told, context):
            yield dataclasses.replace(row, path=("expect", "checks", number))
    yield from _effects(expect.effects, told, context)
    for number, refusal in enumerate(expect.refusals):
        row = _refusal(refusal, told, context)
        yield dataclasses.replace(row, path=("expect", "refusals", number))
    for row in _final(expect.final, told, context):
        yield dataclasses.replace(row, path=("expect", "final", *row.path))


def _nothing_judged(
    expect: cases.Expect, told: timeline.Timeline, policy: objects.Key
) -> Iterator[Row]:
    """That a policy judged nothing: whatever did not happen proves nothing then.

    A case that expects Unknown itself is about just that.
    """
    passes = [each for each in told.passes if each.policy == policy]
    if not passes:
        return
    verdicts = {verdict for each in passes for verdict in each.outcome.verdicts.values()}
    meant = any(
        model.Verdict.UNKNOWN in (check.verdict, *check.signals.values()) for check in expect.checks
    )
    if not verdicts:
        found = f"in none of {len(passes)} passes was there a workload that the policy selects"
        yield Row("targets", str(policy), "a target", found, passed=False)
    elif verdicts == {model.Verdict.UNKNOWN} and not meant:
        said = next((f for each in reversed(passes) for f in each.outcome.findings), None)
        why = f": {said.signal}: {said.reason}: {said.message}" if said is not None else ""
        found = f"Unknown in all {len(passes)} passes{why}"
        yield Row("verdicts", str(policy), "Healthy or Unhealthy at some time", found, passed=False)


def _check(check: cases.Check, told: timeline.Timeline, context: Context) -> Iterator[Row]:
    at, target = fields.clock_time(check.at), context.target(check.target)
    seen = told.last_pass(context.policy(check.policy), check.at)
    if seen is None:
        yield Row(f"{at} verdict", str(target), "a verdict", "no pass yet", passed=False)
        return
    worst = seen.worst(target)
    detail = f": {worst.signal}: {worst.message}" if worst is not None else ""
    if check.verdict is not None:
        verdict = seen.outcome.verdicts.get(target)
        yield _equal(f"{at} verdict", target, check.verdict, verdict or "not selected", detail)
    for signal, wanted in check.signals.items():
        finding = seen.finding(target, signal)
        said = f": {finding.message}" if finding is not None else ""
        judged = finding.verdict if finding is not None else "no such finding"
        yield _equal(f"{at} {signal}", target, wanted, judged, said)
    if check.reason is not None:
        reason = worst.reason if worst is not None else NOTHING
        yield _equal(f"{at} reason", target, check.reason, reason, detail)
    if check.refused is not None:
        refusal = seen.refusal(target)
        word = refusal.reason if refusal is not None else ""
        why = f": {refusal.message}" if refusal is not None else ""
        yield _equal(f"{at} refused", target, check.refused or NOTHING, word or NOTHING, why)


def _equal(
    check: str, target: model.Ref | str, expected: object, found: object, detail: str = ""
) -> Row:
    return Row(check, str(target), str(expected), f"{found}{detail}", passed=expected == found)


def _effects(
    expected: tuple[cases.ExpectedEffect, ...], told: timeline.Timeline, context: Context
) -> Iterator[Row]:
    if not expected and not told.sent:
        yield Row("effects", "", NOTHING, NOTHING, passed=True, path=("expect", "effects"))
    for number, (wanted, sent) in enumerate(itertools.zip_longest(expected, told.sent)):
        path: Path = ("expect", "effects", number) if wanted else ("expect", "effects")
        name = f"effect {number + 1}"
        found = _describe(sent, told) if sent is not None else NOTHING
        target = str(_target_of(sent, told)) if sent is not None else str(wanted.target or "")
        if wanted is None or sent is None:
            text = _wanted(wanted) if wanted is not None else NOTHING
            yield Row(name, target, text, found, passed=False, path=path)
            continue
        wrong = list(_differences(wanted, sent, told, context))
        found = f"{found}; {'; '.join(wrong)}" if wrong else found
        yield Row(name, target, _wanted(wanted), found, passed=not wrong, path=path)


def _wanted(wanted: cases.ExpectedEffect) -> str:
    parts = [wanted.action or wanted.verb or "any"]
    parts += [f"after {fields.clock_time(wanted.after)}"] if wanted.after is not None else []
    parts += [f"before {fields.clock_time(wanted.before)}"] if wanted.before is not None else []
    parts += [f"{path}={value}" for path, value in wanted.fields_.items()]
    return " ".join(parts)


def _describe(sent: timeline.Sent, told: timeline.Timeline) -> str:
    return f"{_action(sent, told)} at {fields.clock_time(told.offset(sent.time))}"


def _action(sent: timeline.Sent, told: timeline.Timeline) -> str:
    record = told.record(sent.mark)
    return record.spec.action if record is not None else sent.effect.verb


def _target_of(sent: timeline.Sent, told: timeline.Timeline) -> model.Ref:
    record = told.record(sent.mark)
    return record.target if record is not None else sent.effect.target


def _differences(
    wanted: cases.ExpectedEffect,
    sent: timeline.Sent,
    told: timeline.Timeline,
    context: Context,
) -> Iterator[str]:
    offset = told.offset(sent.time)
    if wanted.action is not None and wanted.action != _action(sent, told):
        yield "another action"
    if wanted.verb is not None and wanted.verb is not sent.effect.verb:
        yield f"the verb is {sent.effect.verb}"
    if wanted.target is not None and context.target(wanted.target) != _target_of(sent, told):
        yield "another target"
    if wanted.after is not None and offset < wanted.after:
        yield "too early"
    if wanted.before is not None and offset > wanted.before:
        yield "too late"
    for path, value in wanted.fields_.items():
        found = look_up(sent.after, path)
        if found != value:
            yield f"{path} is {found}"


def look_up(content: Any, path: str) -> Any:
    """A field by its path, such as ``spec.template.spec.containers[0].image``; None without it.

    Keys with dots in them, such as annotations, are found too.
    """
    return _walk(content, path.replace("[", ".").replace("]", "").split("."))


def _walk(content: Any, parts: list[str]) -> Any:
    if not parts:
        return content
    if isinstance(content, list):
        index = int(parts[0]) if parts[0].isdigit() else len(content)
        return _walk(content[index], parts[1:]) if index < len(content) else None
    if not isinstance(content, Mapping):
        return None
    for count in range(len(parts), 0, -1):
        key = ".".join(parts[:count])
        if key in content:
            return _walk(content[key], parts[count:])
    return None


def _refusal(wanted: cases.ExpectedRefusal, told: timeline.Timeline, context: Context) -> Row:
    target, policy = context.target(wanted.target), context.policy(wanted.policy)
    words = [
        refusal.reason
        for each in told.passes
        if each.policy == policy and (refusal := each.refusal(target)) is not None
    ]
    found = ", ".join(dict.fromkeys(words)) or NOTHING
    return Row("refused", str(target), wanted.reason, found, passed=wanted.reason in words)


def _final(wanted: cases.FinalState, told: timeline.Timeline, context: Context) -> Iterator[Row]:
    for name, workload in wanted.workloads.items():
        ref = context.target(name)
        for row in _final_workload(workload, told.workloads.get(ref), ref):
            yield dataclasses.replace(row, path=("workloads", name))
    if wanted.remediations is not None:
        for row in _remediations(wanted.remediations, told, context):
            yield dataclasses.replace(row, path=("remediations", *row.path))
    if wanted.escalations is not None:
        row = _equal("escalations", "", wanted.escalations, told.escalations)
        yield dataclasses.replace(row, path=("escalations",))


def _final_workload(
    wanted: cases.FinalWorkload, found: timeline.Workload | None, ref: model.Ref
) -> Iterator[Row]:
    if not wanted.exists or found is None:
        states = {True: "there", False: "gone"}
        yield _equal("finally", ref, states[wanted.exists], states[found is not None])
        return
    for field in ("image", "replicas", "ready"):
        if (value := getattr(wanted, field)) is not None:
            yield _equal(f"final {field}", ref, value, getattr(found, field))


def _remediations(
    wanted: tuple[cases.ExpectedRemediation, ...], told: timeline.Timeline, context: Context
) -> Iterator[Row]:
    if not wanted and not told.records:
        yield Row("remediations", "", NOTHING, NOTHING, passed=True)
    for number, (each, record) in enumerate(itertools.zip_longest(wanted, told.records)):
        found = NOTHING
        if record is not None:
            status = record.status
            found = f"{record.spec.action} {record.phase}: {status.reason}: {status.message}"
        text = " ".join(filter(None, (each.action, each.phase, each.reason))) if each else NOTHING
        target = record.target if record is not None else context.target(each.target)
        passed = each is not None and record is not None and _same(each, record, context)
        path = (number,) if each is not None else ()
        yield Row(f"remediation {number + 1}", str(target), text, found, passed, path)


def _same(wanted: cases.ExpectedRemediation, record: objects.Record, context: Context) -> bool:
    return (
        wanted.phase is record.phase
        and wanted.action in {None, record.spec.action}
        and wanted.reason in {None, record.status.reason}
        and (wanted.target is None or context.target(wanted.target) == record.target)
    )
