"""What the actions of policies were worth: as a table, as a page about one policy, as JSON."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence

from rich import console

from prunella.actions import registry
from prunella.adapters.kubernetes import kinds, parse
from prunella.api import trust
from prunella.cli import kube, overview, page, terminal
from prunella.cli import read as reading
from prunella.core import objects
from prunella.core.decisions.trust import ladder

COUNTS = {
    "NEEDED": "needed",
    "NEEDLESS": "needless",
    "APPROVED": "approved",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
    "HELPED": "effective",
    "NOT BETTER": "not_better",
    "REVERTED": "reverted",
    "UNSETTLED": "unsettled",
}
"""Headings of the counts, and the fields of a score that stand below them."""
COLUMNS = ("ACTION", "RISK", "ACTS AS", *COUNTS, "EARNED")
TABLE = ("NAMESPACE", "POLICY", "MODE", *COLUMNS)
NONE = "-"


def read(cluster: kube.Cluster, scope: str | None, name: str | None) -> list[objects.Policy]:
    """One policy, or those of a namespace, or (None) of all. Raises CliError, KubeError."""
    if name is not None:
        kind, _, bare = name.rpartition("/")
        of_cluster = kind == "crempol"
        raw = reading.named(cluster, kinds.CLUSTER_POLICY if of_cluster else kinds.POLICY, bare)
        return [parse.policy(raw)]
    found = [parse.policy(each) for each in cluster.items(kinds.POLICY.path(scope))]
    if scope is None:
        found += reading.of_cluster(cluster)
    return sorted(found, key=lambda policy: policy.key)


def as_json(found: Sequence[objects.Policy], out: console.Console) -> None:
    """The scoreboards as in the custom resources."""
    documents = [
        {
            "namespace": policy.key.namespace,
            "name": policy.key.name,
            "mode": policy.spec.mode if policy.spec is not None else None,
            "effectiveMode": policy.status.effective_mode,
            "modeLimitedBy": policy.status.mode_limited_by,
            "trust": _board(policy).model_dump(mode="json", by_alias=True),
        }
        for policy in found
    ]
    out.file.write(json.dumps(documents, indent=2) + "\n")


def as_table(found: Sequence[objects.Policy], scope: str | None, out: console.Console) -> None:
    """A line for each action of each policy, then whoever was demoted."""
    written = page.Page(out.width)
    if not found:
        where = "in any namespace" if scope is None else f"in namespace {scope}; -A looks in all"
        written.say(f"No remediationpolicies.prunella.dev {where}", indent=0)
    else:
        written.table(TABLE, [row for policy in found for row in _rows(policy)])
    for policy in found:
        demoted = _board(policy).demoted
        if demoted is not None:
            written.section(str(policy.key))
            written.say(f"Demoted: {demoted.message}")
    written.print(out)


def _rows(policy: objects.Policy) -> list[tuple[str, ...]]:
    head = (policy.key.namespace, policy.key.name, overview.mode(policy))
    return [(*head, *row) for row in _actions(policy)] or [(*head, *[NONE] * len(COLUMNS))]


def _actions(policy: objects.Policy) -> list[tuple[str, ...]]:
    """A row for each action of the steps, and for all others that were counted."""
    modes = {each.action: each.mode for each in policy.status.modes}
    scores = _board(policy).scores
    steps = [step.action for step in policy.spec.steps] if policy.spec is not None else []
    names = dict.fromkeys([*steps, *(score.action for score in scores)])
    known = registry.all_actions()
    rows = []
    for name in names:
        risk = known[name].risk.value if name in known else NONE
        head = (name, risk, modes.get(name, policy.status.effective_mode) or NONE)
        score = ladder.total(name, scores)
        if score is None:
            rows.append((*head, *["0"] * len(COUNTS), NONE))
        else:
            counts = (str(getattr(score, field)) for field in COUNTS.values())
            rows.append((*head, *counts, ladder.earned(score).mode))
    return rows


def as_page(policy: objects.Policy, now: datetime.datetime, out: console.Console) -> None:
    """One policy: how far it may go and why, the counts, the recommendation, the newest."""
    board, status = _board(policy), policy.status
    written = page.Page(out.width)
    kind = kinds.POLICY if policy.key.namespace else kinds.CLUSTER_POLICY
    written.title(f"Trust in {kind.name} {policy.key}", board.recommended)
    written.fact("mode", overview.mode(policy))
    for each in status.modes:
        if each.limited_by:
            written.fact(f"{each.action} acts as", f"{each.mode}: {each.limited_by}")
    if board.demoted is not None:
        ago = terminal.age(board.demoted.since, now)
        written.fact("demoted", f"{ago} ago: {board.demoted.message}")
    written.fact("supports", board.recommended)
    written.fact("because", board.recommendation or "nothing was counted yet")
    written.section("Actions", "of the last 180 days")
    written.table(COLUMNS, _actions(policy))
    if board.recent:
        written.section("Newest", "`prunella explain remediation/NAME`")
        rows = [_recent(each, now) for each in reversed(board.recent)]
        written.table(("AGE", "OUTCOME", "REMEDIATION"), rows)
    written.print(out)


def _recent(judged: trust.Judged, now: datetime.datetime) -> tuple[str, str, str]:
    return terminal.age(judged.at, now), judged.outcome, judged.remediation


def _board(policy: objects.Policy) -> trust.Trust:
    return policy.status.trust or trust.Trust()
