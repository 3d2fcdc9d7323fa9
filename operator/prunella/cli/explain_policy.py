"""One policy told in full: what it watches, what it sees, what it may do, what it did."""

from __future__ import annotations

import datetime
import json

from rich import console

from prunella.adapters.kubernetes import kinds, parse
from prunella.api import policy as policy_api
from prunella.api import policy_status
from prunella.cli import explain_signals, explain_windows, kube, overview, page, read, terminal
from prunella.core import objects
from prunella.core.decisions import shares

MOST_RECORDS = 5


def as_json(
    cluster: kube.Cluster, name: str, out: console.Console, kind: kinds.Kind = kinds.POLICY
) -> None:
    """The object as it is, and the names of its records, newest first."""
    raw = read.named(cluster, kind, name)
    records = [each.name for each in _records(cluster, parse.policy(raw).key)]
    out.file.write(json.dumps({"policy": raw, "remediations": records}, indent=2) + "\n")


def as_text(
    cluster: kube.Cluster,
    name: str,
    now: datetime.datetime,
    out: console.Console,
    kind: kinds.Kind = kinds.POLICY,
) -> None:
    """A page about one policy."""
    policy = parse.policy(read.named(cluster, kind, name))
    ready = overview.ready_condition(policy)
    written = page.Page(out.width)
    written.title(f"{kind.name} {policy.key}", ready.reason if ready else "NotSeenYet")
    if policy.spec is None:
        written.section("Invalid", "the operator does nothing until this is mended")
        written.say(policy.problem)
    else:
        _head(written, policy.spec)
        explain_windows.write(written, policy.spec.windows, now)
        _trust(written, policy.status)
    _state(written, policy, now)
    if policy.spec is not None:
        explain_signals.write(written, policy.spec)
        _steps(written, policy.spec)
        _limits(written, policy.spec, policy.status.targets.selected)
    _remediations(written, _records(cluster, policy.key), now)
    written.print(out)


def _records(cluster: kube.Cluster, key: objects.Key) -> list[objects.Record]:
    """Those of a policy on nodes are in the operator's namespace, whichever that is."""
    found, _ = read.records(cluster, key.namespace or None)
    return [each for each in found if each.policy == key]


def _head(written: page.Page, spec: policy_api.RemediationPolicySpec) -> None:
    does = {
        policy_api.Mode.ADVISE: "says what it would do",
        policy_api.Mode.DRY_RUN: "asks the API server whether it could, and changes nothing",
        policy_api.Mode.APPROVE: "asks a person, and acts when that person says yes",
        policy_api.Mode.LIVE: "acts",
    }
    suspended = "; suspended: starts nothing" if spec.suspend else ""
    written.fact("mode", f"{spec.mode}: {does[spec.mode]}{suspended}")
    if spec.mode is policy_api.Mode.APPROVE:
        written.fact("asks", f"for {spec.approval_expires_after}, each step by itself")
    written.fact("targets", _target(spec.target))
    if spec.trigger is not None:
        wanted = spec.trigger.incident
        change = f", changed within {wanted.change_within}" if wanted.change_within else ""
        written.fact(
            "acts",
            f"only when an open incident names the target first: {', '.join(wanted.cause_kind)}, "
            f"confidence {wanted.confidence} or more{change}; the signals prove that it helped",
        )
    by_rules = spec.evaluation is policy_api.Evaluation.RULES
    how = "; baselines and burn rates by recording rules" if by_rules else ""
    written.fact("evaluated", f"every {spec.interval}{how}")


def _trust(written: page.Page, status: policy_status.RemediationPolicyStatus) -> None:
    """The mode that counts where it is not the spec's, and what the record supports."""
    for each in status.modes:
        if each.limited_by:
            written.fact(f"{each.action} acts as", f"{each.mode}: {each.limited_by}")
    if status.trust is not None and status.trust.recommended:
        told = status.trust
        written.fact("trust", f"{told.recommended}: {told.recommendation}")


def _target(target: policy_api.Target) -> str:
    if target.name is not None or target.selector is None:
        return f"{target.kind}/{target.name}"
    terms = [f"{key}={value}" for key, value in target.selector.match_labels.items()]
    for term in target.selector.match_expressions:
        values = f" ({', '.join(term.values)})" if term.values else ""
        terms.append(f"{term.key} {term.operator}{values}")
    return f"each {target.kind} with {', '.join(terms)}"


def _state(written: page.Page, policy: objects.Policy, now: datetime.datetime) -> None:
    status = policy.status
    stale = bool(status.conditions) and status.observed_generation < policy.generation
    written.section("State", "of an older generation of the spec" if stale else "")
    for each in status.conditions:
        words = f"{each.status} {each.reason}{': ' if each.message else ''}{each.message}"
        written.fact(each.type, words)
    if not status.conditions:
        written.say("the operator has not written a status: is it running, does it watch here?")
    if status.latch is not None:
        when = terminal.moment(status.latch.since)
        written.fact("Latched", f"since {when}: {status.latch.message}")
    for entry in status.unattended:
        written.fact("Left alone", overview.left_alone(entry, now))
    resumed = policy.annotations.get(objects.RESUMED, "")
    written.fact("Last resumed", resumed)
    counts = status.targets
    written.section(
        "Targets",
        f"{counts.selected} selected: {counts.healthy} healthy, {counts.unhealthy} unhealthy, "
        f"{counts.unknown} unknown; {counts.in_flight} in flight",
    )
    for target in status.sick:
        overview.write_sick(written, target, now)


def _steps(written: page.Page, spec: policy_api.RemediationPolicySpec) -> None:
    written.section("Steps", "tried in order, each verified before the next")
    for index, step in enumerate(spec.steps):
        params = step.params.model_dump(mode="json", by_alias=True, exclude_none=True)
        told = ", ".join(f"{k} {value}" for k, value in params.items() if value is not False)
        written.item(f"{index + 1}.", f"{step.action}{': ' if told else ''}{told}")


def _limits(written: page.Page, spec: policy_api.RemediationPolicySpec, targets: int) -> None:
    guards, verify = spec.guards, spec.verify
    written.section("Limits")
    written.fact("cooldown", f"{guards.cooldown} between two actions")
    written.fact("per hour", f"at most {guards.max_per_hour} actions")
    written.fact("per day", f"at most {guards.max_same_remedy_per_day} times the same to a target")
    written.fact("in flight", f"at most {guards.max_unavailable} of the targets")
    most = shares.unavailable_allowance(guards.max_unavailable, targets)
    if 0 < targets < shares.SMALLEST_SET and isinstance(guards.max_unavailable, str):
        written.fact("", f"of {targets}: {shares.told(guards.max_unavailable, targets, most)}")
    written.fact("stops", f"when more than {guards.stop_when_unhealthy} of the targets are sick")
    if 0 < targets < shares.SMALLEST_SET:
        written.fact("", _judged_with(targets))
    written.fact("calls", f"a person when nothing is done for {spec.escalate_after}")
    proof = f"{verify.samples} Healthy samples in a row within {verify.within}"
    written.fact("verified by", f"{proof}; otherwise {verify.otherwise}")


def _judged_with(targets: int) -> str:
    least = shares.SMALLEST_SET
    return (
        f"fewer than {least} targets (here {targets}) are judged with those of the namespace's "
        f"other policies, and not at all where both are fewer than {least}: then all may be sick"
    )


def _remediations(
    written: page.Page, records: list[objects.Record], now: datetime.datetime
) -> None:
    written.section("Remediations", f"{len(records)}, the newest first" if records else "none yet")
    for record in records[:MOST_RECORDS]:
        ago = terminal.age(record.spec.decided_at, now)
        told = f"{record.phase.value} {ago} ago: {record.spec.action} of {record.target}"
        written.item("-", f"{told}, {record.name}")
