"""`prunella approve` and `prunella reject`: what is shown first, and what is written."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from prunella.cli import kube
from tests.cli import conftest, fakes

APPROVALS = f"{fakes.GROUP}/namespaces/shop/approvals"
SCALE_BACK = '[{"op": "replace", "path": "/spec/replicas", "value": 3}]'
APPROVAL = f"{APPROVALS}/checkout-1"
SHOWN = (
    "rollback of Deployment/checkout, attempt 1, step 1",
    "2026-03-01 13:00:05 UTC, 50m from now",
    "errors: 0.312 is above 0.05",
    "Roll back Deployment/checkout from revision 4 to revision 3",
    "nothing undoes it",
    "Blast radius",
    "3 of 4 available, 1 on a node that does not answer",
    "1 of 4 targets in flight, 1 may be",
    "5 Healthy samples in a row within 2m",
    "it stays, and a person is called",
)


def question(**status: Any) -> kube.Object:
    """A rollback that waits for approval."""
    spec = fakes.record_spec(
        mode="Approve",
        approvalExpiresAt="2026-03-01T13:00:05Z",
        before={"wanted": 4, "available": 3, "lost": 1},
    )
    spec["guards"].append(
        {
            "guard": "not_too_many_unavailable",
            "passed": True,
            "message": "1 of 4 targets in flight, 1 may be",
        }
    )
    waits = {"phase": "AwaitingApproval", "reason": "AwaitingApproval", "message": "waits"}
    return fakes.record("checkout-1", spec=spec, status={**waits, **status})


def shop(record: kube.Object | None = None, **options: Any) -> fakes.FakeCluster:
    """A policy of mode Approve, and its question."""
    verify = {"within": "2m", "samples": 5, "otherwise": "Escalate"}
    spec = {**fakes.spec(), "mode": "Approve", "verify": verify}
    return fakes.cluster(fakes.policy(spec=spec), record or question(), **options)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the user types."""

    def type_(words: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(words))

    return type_


@pytest.mark.parametrize("name", ["shop/checkout-1", "checkout-1", "remediation/checkout-1"])
def test_approve_writes_the_plan_and_the_user(run: conftest.Run, name: str) -> None:
    """The Approval names UID, hash, verdict, user and reason; it is owned by the record."""
    cluster = shop()

    result = run("approve", name, "--yes", "--reason", "seen in staging", cluster=cluster)

    written = cluster.objects[APPROVAL]
    assert {
        "remediationUID": "checkout-1-uid",
        "planHash": "0123456789abcdef",
        "verdict": "Approve",
        "decidedBy": "alice@example.com",
        "reason": "seen in staging",
    } == written["spec"]
    (owner,) = written["metadata"]["ownerReferences"]
    assert ("Remediation", "checkout-1-uid") == (owner["kind"], owner["uid"])
    assert 0 == result.code
    assert "Approved by alice@example.com." in result.out


@pytest.mark.parametrize("words", SHOWN)
def test_all_that_matters_is_shown_first(run: conftest.Run, words: str) -> None:
    """Plan, evidence, what undoes it, blast radius, proof and expiry are on the page."""
    result = run("approve", "shop/checkout-1", "--yes", cluster=shop())

    assert words in result.out


OTHERWISE = {
    "Revert, undoable": ("Revert", "scale", "it is undone without another question; the next step"),
    "Revert, a rollback": ("Revert", "rollback", "it stays; the next step"),
    "Continue": ("Continue", "scale", "it stays; the next step"),
    "Escalate": ("Escalate", "scale", "it stays, and a person is called"),
}


@pytest.mark.parametrize(("wanted", "action", "words"), OTHERWISE.values(), ids=OTHERWISE.keys())
def test_what_follows_when_it_does_not_help(
    run: conftest.Run, wanted: str, action: str, words: str
) -> None:
    """The page promises only what will be done."""
    record = question()
    record["spec"]["action"] = action
    record["spec"]["effects"][0]["inverse"] = SCALE_BACK
    spec = {**fakes.spec(), "mode": "Approve", "verify": {"otherwise": wanted}}
    cluster = fakes.cluster(fakes.policy(spec=spec), record)

    result = run("approve", "shop/checkout-1", "--yes", cluster=cluster)

    assert words in " ".join(result.out.split())


def test_what_undoes_it_is_shown(run: conftest.Run) -> None:
    """An effect with an inverse shows it."""
    record = question()
    record["spec"]["effects"][0]["inverse"] = SCALE_BACK

    result = run("approve", "shop/checkout-1", "--yes", cluster=shop(record))

    assert "replace /spec/replicas = 3" in result.out
    assert "nothing undoes it" not in result.out


@pytest.mark.parametrize(
    ("words", "code", "written"),
    [
        pytest.param("y\n", 0, True, id="yes"),
        pytest.param("n\n", 1, False, id="no"),
        pytest.param("\n", 1, False, id="nothing is no"),
    ],
)
def test_nothing_is_decided_without_a_yes(
    run: conftest.Run, typed: Any, words: str, code: int, written: bool
) -> None:
    """Only a typed yes decides."""
    cluster = shop()
    typed(words)

    result = run("approve", "shop/checkout-1", cluster=cluster)

    assert (code, written) == (result.code, APPROVAL in cluster.objects)
    assert "Approve this plan?" in result.out


def test_no_terminal_is_no_yes(run: conftest.Run, typed: Any) -> None:
    """At the end of the input nothing was decided."""
    cluster = shop()
    typed("")

    result = run("approve", "shop/checkout-1", cluster=cluster)

    assert (1, False) == (result.code, APPROVAL in cluster.objects)


def test_reject_writes_a_rejection(run: conftest.Run) -> None:
    """The verdict is Reject, and the user reads until when it is not asked again."""
    cluster = shop()

    result = run("reject", "shop/checkout-1", "--yes", "--reason", "a load test", cluster=cluster)

    spec = cluster.objects[APPROVAL]["spec"]
    assert ("Reject", "a load test") == (spec["verdict"], spec["reason"])
    assert "Rejected by alice@example.com." in result.out


REFUSED = {
    "done": (
        question(phase="Succeeded", message="proved"),
        "checkout-1 is Succeeded, it waits for no decision: proved",
    ),
    "expired": (
        {**question(), "spec": {**question()["spec"], "approvalExpiresAt": "2026-03-01T12:09:00Z"}},
        "checkout-1 has expired: 2026-03-01 12:09:00 UTC; it is not done any more",
    ),
    "unknown": (
        fakes.record("checkout-2"),
        "no Remediation checkout-1 in namespace shop; `prunella approve -A` shows what waits",
    ),
}


@pytest.mark.parametrize(("record", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_wait_is_not_decided(
    run: conftest.Run, record: kube.Object, message: str
) -> None:
    """The user reads why, nothing is written."""
    cluster = shop(record)

    result = run("approve", "shop/checkout-1", "--yes", cluster=cluster)

    assert (1, f"error: {message}\n") == (result.code, result.err)
    assert APPROVAL not in cluster.objects


def test_a_second_decision_tells_who_was_first(run: conftest.Run) -> None:
    """One plan, one decision."""
    cluster = shop()
    run("reject", "shop/checkout-1", "--yes", "--reason", "no", cluster=cluster)
    cluster.objects[APPROVAL]["metadata"] |= {
        "uid": "approval-uid",
        "resourceVersion": "7",
        "creationTimestamp": "2026-03-01T12:10:00Z",
    }

    result = run("approve", "shop/checkout-1", "--yes", cluster=cluster)

    message = "checkout-1 was decided before: Reject by alice@example.com: no"
    assert (1, f"error: {message}\n") == (result.code, result.err)


def test_without_the_right_the_server_says_so(run: conftest.Run) -> None:
    """The refusal of the API server is the user's answer."""
    denied = kube.KubeError('not allowed: approvals.prunella.dev is forbidden: User "eve"', 403)

    cluster = shop(answers={("POST", APPROVALS): denied})
    result = run("approve", "shop/checkout-1", "--yes", cluster=cluster)

    assert 2 == result.code
    assert "approvals.prunella.dev is forbidden" in result.err


def test_a_policy_that_may_not_be_read_is_left_out(run: conftest.Run) -> None:
    """Approvers may have no right to read policies: the rest is shown."""
    denied = kube.KubeError("not allowed", 403)
    answers = {("GET", fakes.policy_path("checkout")): denied}

    result = run("approve", "shop/checkout-1", "--yes", cluster=shop(answers=answers))

    assert (0, False) == (result.code, "samples in a row" in result.out)


def test_without_a_name_what_waits_is_listed(run: conftest.Run) -> None:
    """How long each is open yet, and the name to approve."""
    result = run("approve", cluster=shop())

    assert [
        "LEFT  POLICY         ACTION    TARGET               REMEDIATION",
        "50m   shop/checkout  rollback  Deployment/checkout  shop/checkout-1",
    ] == result.out.splitlines()


def test_nothing_waits(run: conftest.Run) -> None:
    """An empty list says where it looked."""
    result = run("approve", cluster=fakes.cluster())

    assert "Nothing waits for approval in namespace shop; -A looks in all\n" == result.out


def test_status_shows_what_waits(run: conftest.Run) -> None:
    """The overview has a section for what waits."""
    result = run("status", cluster=shop())

    assert "Waiting for approval" in result.out
    assert "shop/checkout-1" in result.out


def test_explain_tells_until_when_it_waits(run: conftest.Run) -> None:
    """The page of a question says when it expires."""
    result = run("explain", "remediation/checkout-1", cluster=shop())

    assert "waits until       2026-03-01 13:00:05 UTC, 50m from now" in result.out


def test_explain_tells_who_approved(run: conftest.Run) -> None:
    """The page of an approved action names the person."""
    said = {
        "by": "ada",
        "at": "2026-03-01T12:05:00Z",
        "verdict": "Approve",
        "reason": "seen in staging",
    }
    record = question(**{**fakes.succeeded_status(), "approval": said})

    result = run("explain", "remediation/checkout-1", cluster=shop(record))

    assert "approval          Approve by ada, 2026-03-01 12:05:00 UTC: seen" in result.out
