"""What waits for a person's word, the page to decide by, and the Approval that says it."""

from __future__ import annotations

import datetime
from http import HTTPStatus

from rich import console

from prunella.adapters.kubernetes import kinds, parse, parse_approval
from prunella.api import approval as approval_api
from prunella.api import policy as policy_api
from prunella.cli import explain, explain_record, kube, overview, page, read, switches, terminal
from prunella.cli.errors import CliError
from prunella.core import objects
from prunella.core.decisions import undoing

RADIUS = ("not_too_many_unavailable", "not_too_many_unhealthy", "disruption_budgets_allow")
"""The guards whose numbers say how much is at stake."""
MOST_REASON = 2048
_NEXT = "the next step asks, or a person is called if there is none"


def show_waiting(
    cluster: kube.Cluster, scope: str | None, now: datetime.datetime, out: console.Console
) -> None:
    """A table of what waits in a namespace, or in all (None)."""
    found = [record for record in read.records(cluster, scope)[0] if record.awaiting]
    written = page.Page(out.width)
    if found:
        rows = [overview.waiting_row(record, now) for record in found]
        written.table(overview.WAITING_COLUMNS, rows)
    else:
        where = "in any namespace" if scope is None else f"in namespace {scope}; -A looks in all"
        written.say(f"Nothing waits for approval {where}", indent=0)
    written.print(out)


def waiting(cluster: kube.Cluster, name: str, now: datetime.datetime) -> objects.Record:
    """The record of that name, if it waits for a word. Raises CliError when it does not."""
    namespace, _, own = name.rpartition("/")
    if not namespace or namespace.lower() in explain.RECORD:
        namespace = cluster.namespace
    try:
        raw = cluster.request("GET", kinds.RECORD.path(namespace, own))
        record = parse.record(raw)
    except parse.Unreadable as error:
        raise CliError(f"{own} is of another version of prunella: {error}") from error
    except kube.KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND and str(error) != kube.CRDS_MISSING:
            message = f"no Remediation {own} in namespace {namespace}"
            raise CliError(f"{message}; `prunella approve -A` shows what waits", code=1) from error
        raise
    if not record.awaiting:
        told = record.status.message or record.status.reason
        raise CliError(f"{own} is {record.phase}, it waits for no decision: {told}", code=1)
    until = record.spec.approval_expires_at
    if until is None or now >= until:
        when = terminal.moment(until) if until is not None else "before now"
        raise CliError(f"{own} has expired: {when}; it is not done any more", code=1)
    return record


def show(
    cluster: kube.Cluster, record: objects.Record, now: datetime.datetime, out: console.Console
) -> None:
    """All that a person should know before deciding."""
    spec = record.spec
    written = page.Page(out.width)
    written.title(f"Remediation {record.namespace}/{record.name}", record.phase.value)
    written.say(f"{spec.action} of {record.target}, attempt {spec.attempt}, step {spec.step + 1}")
    written.fact("policy", f"{record.policy}, generation {spec.policy.generation}")
    ago = terminal.age(spec.decided_at, now)
    written.fact("asked", f"{terminal.moment(spec.decided_at)}, {ago} ago")
    if spec.approval_expires_at is not None:
        left = terminal.age(now, spec.approval_expires_at)
        written.fact("expires", f"{terminal.moment(spec.approval_expires_at)}, {left} from now")
    explain_record.write_plan(written, record)
    _blast_radius(written, record)
    _afterwards(written, record, _policy(cluster, record))
    written.print(out)


def say(
    cluster: kube.Cluster, record: objects.Record, verdict: approval_api.Verdict, reason: str
) -> str:
    """Create the Approval, once; returns what to tell the user. Raises CliError."""
    if len(reason) > MOST_REASON:
        raise CliError(f"--reason has {len(reason)} characters, at most {MOST_REASON} are kept")
    who = switches.author(cluster)
    spec = approval_api.ApprovalSpec(
        remediation_uid=record.uid,
        plan_hash=record.spec.plan_hash,
        verdict=verdict,
        decided_by=who,
        reason=reason,
    )
    body = {
        "apiVersion": kinds.APPROVAL.api_version,
        "kind": kinds.APPROVAL.name,
        "metadata": {
            "name": record.name,
            "namespace": record.namespace,
            # It goes when its record does.
            "ownerReferences": [
                {
                    "apiVersion": kinds.RECORD.api_version,
                    "kind": kinds.RECORD.name,
                    "name": record.name,
                    "uid": record.uid,
                }
            ],
        },
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    try:
        cluster.request("POST", kinds.APPROVAL.path(record.namespace), body)
    except kube.KubeError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        raise CliError(_decided(cluster, record), code=1) from error
    shows = f"`prunella explain remediation/{record.name} -n {record.namespace}`"
    if verdict is approval_api.Verdict.REJECT:
        return f"Rejected by {who}. It is not asked again until {record.target} was Healthy once."
    return (
        f"Approved by {who}. The operator plans it again, and does it if the plan is the same and "
        f"all guards let it pass: {shows} tells what became of it."
    )


def _decided(cluster: kube.Cluster, record: objects.Record) -> str:
    """Who was faster."""
    try:
        raw = cluster.request("GET", kinds.APPROVAL.path(record.namespace, record.name))
        found = parse_approval.approval(raw)
    except (kube.KubeError, parse.Unreadable):
        return f"{record.name} was decided by somebody else meanwhile; nothing was changed"
    spec = found.spec
    because = f": {spec.reason}" if spec.reason else ""
    return f"{record.name} was decided before: {spec.verdict} by {spec.decided_by}{because}"


def _policy(cluster: kube.Cluster, record: objects.Record) -> objects.Policy | None:
    """The policy, if one may read it."""
    path = kinds.POLICY.path(record.policy.namespace, record.policy.name)
    try:
        return parse.policy(cluster.request("GET", path))
    except kube.KubeError:
        return None


def _blast_radius(written: page.Page, record: objects.Record) -> None:
    spec = record.spec
    others = sorted(str(ref) for ref in record.touched - {record.target})
    effects = f"{len(spec.effects)} effect{'s' if len(spec.effects) != 1 else ''}"
    written.section("Blast radius", f"{effects} on {record.target}")
    if spec.before is not None:
        before = f"{spec.before.available} of {spec.before.wanted} available"
        lost = f", {spec.before.lost} on a node that does not answer" if spec.before.lost else ""
        written.fact("pods", f"{before}{lost}")
    written.fact("also written", ", ".join(others))
    for guard in spec.guards:
        if guard.guard in RADIUS and guard.message:
            written.fact("", guard.message)


def _afterwards(written: page.Page, record: objects.Record, policy: objects.Policy | None) -> None:
    written.section("If it is approved")
    written.say("planned again on fresh state, with all guards; done once, if the plan is the same")
    if policy is None or policy.spec is None:
        return
    verify = policy.spec.verify
    proof = f"{verify.samples} Healthy samples in a row within {verify.within}"
    written.fact("proved by", proof)
    written.fact("otherwise", _otherwise(record, verify.otherwise))


def _otherwise(record: objects.Record, wanted: policy_api.Otherwise) -> str:
    """What follows when it did not help: no promise is made of what nothing undoes."""
    if wanted is policy_api.Otherwise.ESCALATE:
        return "it stays, and a person is called"
    undoable = record.spec.action != undoing.ROLLBACK and any(
        e.inverse for e in record.spec.effects
    )
    if wanted is policy_api.Otherwise.REVERT and undoable:
        return f"it is undone without another question; {_NEXT}"
    return f"it stays; {_NEXT}"
