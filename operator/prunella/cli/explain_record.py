"""One remediation told in full: why, values, guards, effects, verification, follow-ups."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

import yaml
from rich import console

from prunella.adapters.kubernetes import kinds, parse
from prunella.api import reasons
from prunella.api import remediation as remediation_api
from prunella.cli import kube, page, read, terminal
from prunella.cli.errors import CliError
from prunella.core import model, objects, pointers
from prunella.core.decisions import ledger, releases

MOST_LINES = 24
"""Lines of one changed value; the whole is in the JSON output."""

MEANING = {
    reasons.Phase.AWAITING_APPROVAL: "nothing was changed; it waits for a person's word",
    reasons.Phase.PENDING: "decided and recorded, not sent yet",
    reasons.Phase.ACTING: "sent; its rollout is under way",
    reasons.Phase.VERIFYING: "carried out; the signal is measured again",
    reasons.Phase.ADVISED: "advice: nothing was changed",
    reasons.Phase.DRY_RUN: "dry run: the API server was asked, nothing was changed",
    reasons.Phase.REJECTED: "a person has said no: nothing was changed",
    reasons.Phase.EXPIRED: "nobody has approved it in time: nothing was changed",
    reasons.Phase.SUCCEEDED: "carried out and proved by the signal",
    reasons.Phase.UNHELPFUL: "carried out, and the signal did not get better",
    reasons.Phase.UNPROVEN: "carried out, and no data could prove that it helped",
    reasons.Phase.FAILED: "it could not be carried out to its end",
    reasons.Phase.NOT_SENT: "never sent; it counts for no limit",
    reasons.Phase.SUPERSEDED: "overtaken by a later change",
    reasons.Phase.UNKNOWN: "nobody knows whether it was carried out; a person must look",
}


def as_json(cluster: kube.Cluster, name: str, out: console.Console) -> None:
    """The object as it is, and the names of the records that follow from it."""
    raw = read.named(cluster, kinds.RECORD, name)
    followed = [each.name for each in _following(cluster, name)]
    document = {"remediation": raw, "followedBy": followed}
    out.file.write(json.dumps(document, indent=2) + "\n")


def as_text(cluster: kube.Cluster, name: str, now: datetime.datetime, out: console.Console) -> None:
    """A page about one remediation."""
    try:
        record = parse.record(read.named(cluster, kinds.RECORD, name))
    except parse.Unreadable as error:
        raise CliError(
            f"remediation {name} is of another version of prunella ({error}); "
            "--output json shows it as it is"
        ) from error
    written = page.Page(out.width)
    _head(written, record, now)
    _why(written, record.spec)
    _guards(written, record.spec.guards)
    _effects(written, record)
    _fields(written, record)
    _run(written, record)
    _verification(written, record)
    _release(written, record)
    _follow_ups(written, record, _following(cluster, name))
    written.print(out)


def write_plan(written: page.Page, record: objects.Record) -> None:
    """Why, the values that were seen, and the effects with what undoes them."""
    _why(written, record.spec)
    _effects(written, record)


def _following(cluster: kube.Cluster, name: str) -> list[objects.Record]:
    found, _ = read.records(cluster, cluster.namespace)
    return [each for each in reversed(found) if each.spec.follows == name]


def _head(written: page.Page, record: objects.Record, now: datetime.datetime) -> None:
    spec, status = record.spec, record.status
    written.title(f"Remediation {record.namespace}/{record.name}", record.phase.value)
    step = "" if spec.action == ledger.REVERT else f", step {spec.step + 1}"
    written.say(f"{spec.action} of {record.target}, attempt {spec.attempt}{step}")
    written.fact("outcome", f"{MEANING[record.phase]}{_told(record)}")
    written.fact("policy", f"{record.policy}, generation {spec.policy.generation}")
    if spec.incident:
        written.fact("incident", f"{spec.incident} named it: `prunella why {spec.incident}`")
    written.fact("mode", spec.mode.value)
    ago = terminal.age(spec.decided_at, now)
    written.fact("decided", f"{terminal.moment(spec.decided_at)}, {ago} ago")
    _approval(written, record, now)
    times = (
        ("finished", status.finished_at),
        ("healthy again", status.cleared_at),
        ("person called", status.escalated_at),
    )
    written.fact("captured", status.capture)
    for label, when in times:
        if when is not None:
            written.fact(label, terminal.moment(when))


def _approval(written: page.Page, record: objects.Record, now: datetime.datetime) -> None:
    """Who has said what to it; until when it waits, while nobody has."""
    said, until = record.status.approval, record.spec.approval_expires_at
    if record.awaiting and until is not None:
        left = terminal.age(now, until)
        written.fact("waits until", f"{terminal.moment(until)}, {left} from now")
    if said is not None:
        because = f": {said.reason}" if said.reason else ""
        words = f"{said.verdict} by {said.by}, {terminal.moment(said.at)}{because}"
        written.fact("approval", words)


def _told(record: objects.Record) -> str:
    """The record's own words, unless they only repeat the phase."""
    status = record.status
    word = status.reason if status.reason != record.phase.value else ""
    told = ": ".join(part for part in (word, status.message) if part)
    return f". {told}" if told else ""


def _why(written: page.Page, spec: remediation_api.RemediationSpec) -> None:
    written.section("Why")
    written.say(spec.reason)
    written.section("Values", "as they were at the decision")
    for evidence in spec.evidence:
        written.fact(evidence.signal, f"{evidence.verdict}: {evidence.message}", column=14)
        value = f"{evidence.value:.6g}" if evidence.value is not None else ""
        since = terminal.moment(evidence.since) if evidence.since is not None else ""
        rows = (
            ("value", value),
            ("since", since),
            ("mapped by", evidence.mapped_by),
            ("query", evidence.query),
        )
        for label, words in rows:
            written.fact(label, words, indent=16, column=11)
    if not spec.evidence:
        written.say("no values are recorded: a revert follows from the record that it undoes")


def _guards(written: page.Page, guards: Sequence[remediation_api.GuardResult]) -> None:
    passed = sum(guard.passed for guard in guards)
    written.section("Guards", f"{passed} of {len(guards)} let it pass")
    for guard in guards:
        mark, style = ("✓", page.GOOD) if guard.passed else ("✗", page.BAD)
        said = f": {guard.message}" if guard.message else ""
        written.item(mark, f"{guard.guard.replace('_', ' ')}{said}", style=style)


def _effects(written: page.Page, record: objects.Record) -> None:
    effects = record.spec.effects
    written.section("Effects", "" if effects else "none")
    outcomes = list(record.status.effects)
    for index, effect in enumerate(effects):
        written.item(f"{index + 1}.", effect.summary)
        if effect.git is not None:
            _push(written, effect.git)
            _outcome(written, outcomes[index] if index < len(outcomes) else None)
            continue
        called = effect.verb == model.Verb.CALL.value
        what = f"{effect.verb} {effect.kind} {effect.namespace}/{effect.name}"
        written.fact(
            "request",
            f"{what}, only {needs(effect.precondition, called=called)}",
            indent=5,
            column=10,
        )
        for line in patch_lines(effect.patch):
            written.block([line], indent=15)
        undo = "" if effect.inverse else "nothing undoes it"
        written.fact("undo", undo, indent=5, column=10)
        if effect.inverse:
            written.fact("undo", "by", indent=5, column=10)
            written.block(patch_lines(effect.inverse), indent=15)
        _outcome(written, outcomes[index] if index < len(outcomes) else None)


def _push(written: page.Page, change: remediation_api.GitChange) -> None:
    """A commit that is reverted: where, on which head, and how a person undoes it."""
    how = "a request for" if change.request else "a push to"
    where = f"{how} {change.branch} of {change.repository}"
    written.fact("write", f"{where}, only at {change.expected_head}", indent=5, column=10)
    written.fact("reverts", change.revert, indent=5, column=10)
    written.block(change.files[:MOST_LINES], indent=15)
    undo = "nobody by itself: revert the revert in Git"
    written.fact("undo", undo, indent=5, column=10)


def needs(condition: remediation_api.Precondition, *, called: bool = False) -> str:
    """What must hold for an effect to be carried out; a creation needs but its name."""
    told = []
    if condition.uid:
        told.append(f"uid {condition.uid}")
    if condition.generation is not None:
        told.append(f"generation {condition.generation}")
    if condition.resource_version:
        told.append(f"version {condition.resource_version}")
    if called:
        return "once, with this record's name as its key"
    return f"with {', '.join(told)}" if told else "while its name is free"


def _outcome(written: page.Page, status: remediation_api.EffectStatus | None) -> None:
    if status is None or status.sent_at is None:
        outcome = status.outcome if status is not None else ""
        message = f": {status.message}" if status is not None and status.message else ""
        written.fact("sent", f"no{f', {outcome}' if outcome else ''}{message}", indent=5, column=10)
        return
    written.fact("sent", terminal.moment(status.sent_at), indent=5, column=10)
    said = f": {status.message}" if status.message else ""
    after = f" (generation {status.generation})" if status.generation is not None else ""
    told = status.outcome or "no answer is recorded"
    written.fact("outcome", f"{told}{said}{after}", indent=5, column=10)


def _fields(written: page.Page, record: objects.Record) -> None:
    """Whose the fields are meanwhile: what server-side apply would report."""
    patched = any(effect.verb == model.Verb.PATCH.value for effect in record.spec.effects)
    if not patched or record.sent_at is None or record.phase.final:
        return
    manager = objects.FIELD_MANAGER
    written.section("Fields")
    written.say(
        f"the field manager {manager} owns what was written until this ends; until then "
        f'`kubectl apply --server-side` of another value is a conflict with "{manager}"'
    )


def patch_lines(patch: str) -> list[str]:
    """A JSON patch as people read it: one line per operation, larger values as YAML."""
    lines: list[str] = []
    for operation in json.loads(patch or "[]"):
        names = pointers.parts(str(operation["path"]))
        path = "".join(f"/{name}" for name in names) or "the whole object"
        lines.extend(_operation(str(operation["op"]), path, operation))
    return lines


def _operation(verb: str, path: str, operation: dict[str, Any]) -> list[str]:
    if "value" not in operation:
        return [f"{verb} {path}"]
    value = operation["value"]
    if not isinstance(value, dict | list) or not value:
        return [f"{verb} {path} = {json.dumps(value)}"]
    told = yaml.safe_dump(value, sort_keys=False, default_flow_style=False, width=80).splitlines()
    hidden = len(told) - MOST_LINES
    if hidden > 0:
        told = [*told[:MOST_LINES], f"... {hidden} more lines, in --output json"]
    return [f"{verb} {path} =", *(f"  {line}" for line in told)]


def _run(written: page.Page, record: objects.Record) -> None:
    """What was started outside the target: how far it has come, and what it wrote last."""
    run = record.status.run
    if run is None:
        return
    written.section("Run", run.state)
    written.fact("ended", terminal.moment(run.ended_at) if run.ended_at else "not yet")
    written.fact("called there", run.id)
    written.fact("look at", run.url)
    written.fact("said", run.message)
    if run.log:
        written.fact("log", "its last lines; what looks like a credential is left out")
        written.block(run.log.splitlines(), indent=4)


def _verification(written: page.Page, record: objects.Record) -> None:
    written.section("Verification")
    proof = record.status.verification
    if proof is None:
        nothing = "none is due" if record.phase.final else "it begins when the effects are sent"
        written.say(nothing)
        return
    if proof.synced_at is not None:
        written.fact("synced", terminal.moment(proof.synced_at))
    rollout = proof.rollout_complete_at
    written.fact("rollout complete", terminal.moment(rollout) if rollout else "not yet")
    written.fact("pods before", _pods(record.spec.before))
    if proof.counts_from is not None:
        words = f"{terminal.moment(proof.counts_from)}; older samples still see the time before"
        written.fact("counts from", words)
    if proof.deadline is not None:
        written.fact("deadline", terminal.moment(proof.deadline))
    written.fact("healthy samples", f"{proof.healthy_samples} in a row")
    written.fact("last seen", proof.message)


def _pods(before: remediation_api.PodsBefore | None) -> str:
    """What the rollout is compared with: a rollout that brings up less is stuck."""
    if before is None:
        return ""
    lost = f", {before.lost} on a node that did not answer" if before.lost else ""
    return f"{before.available} of {before.wanted} were available{lost}"


def _release(written: page.Page, record: objects.Record) -> None:
    """What follows for the release that a proved rollback has left."""
    if not releases.condemns(record):
        return
    until = record.finished_or_decided_at + releases.CONDEMNED_FOR
    written.section("Release", "condemned: it was rolled back, and then the target was Healthy")
    written.fact("until", f"{terminal.moment(until)}, or until `{_resume(record)}`")
    written.fact("meanwhile", "nothing rolls back to it; when it comes again it is acted on sooner")


def _resume(record: objects.Record) -> str:
    return f"prunella resume {record.policy.name} -n {record.policy.namespace}"


def _follow_ups(
    written: page.Page, record: objects.Record, following: Sequence[objects.Record]
) -> None:
    follows = record.spec.follows
    written.section("Follow-ups", "" if follows or following else "none")
    if follows:
        undoes = record.spec.action == ledger.REVERT
        told = f"undoes {follows}" if undoes else f"follows {follows}, which did not help"
        written.item("<", told)
    for each in following:
        written.item(">", f"{each.name}: {each.spec.action}, {each.phase.value}")
