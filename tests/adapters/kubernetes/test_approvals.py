"""Approvals of a real API: what is read, what counts for nothing, and how one is answered."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella import ports
from prunella.adapters.kubernetes import approvals, client, kinds, parse, parse_approval
from prunella.adapters.kubernetes import store as store_module
from prunella.api import approval as approval_api
from prunella.api import conditions
from tests.adapters.kubernetes.fake_server import Answer, FakeServer

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
PATH = "/apis/prunella.dev/v1alpha1/namespaces/shop/approvals/checkout-1"


def raw(version: str = "7", **changes: Any) -> dict[str, Any]:
    """An Approval as the API server shows it; ``changes`` replace parts of its spec."""
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "Approval",
        "metadata": {
            "name": "checkout-1",
            "namespace": "shop",
            "uid": "approval-uid",
            "resourceVersion": version,
            "creationTimestamp": "2026-03-01T11:59:00Z",
        },
        "spec": {
            "remediationUID": "record-uid",
            "planHash": "hash",
            "verdict": "Approve",
            "decidedBy": "ada",
            **changes,
        },
    }


UNREADABLE = {
    "no verdict": {"verdict": None},
    "another verdict": {"verdict": "Maybe"},
    "nobody": {"decidedBy": ""},
    "a field of another version": {"unknown": True},
}


@pytest.mark.parametrize("changes", UNREADABLE.values(), ids=UNREADABLE)
def test_what_can_not_be_read_approves_nothing(changes: dict[str, Any]) -> None:
    """An Approval that is not whole is none."""
    with pytest.raises(parse.Unreadable):
        parse_approval.approval(raw(**changes))


def test_a_time_of_creation_is_needed() -> None:
    """Who decided when is part of the decision."""
    document = raw()
    document["metadata"]["creationTimestamp"] = "yesterday"
    with pytest.raises(parse.Unreadable, match="creationTimestamp"):
        parse_approval.approval(document)


def test_a_strange_status_is_written_anew() -> None:
    """A status of another version does not hide the decision."""
    found = parse_approval.approval({**raw(), "status": {"strange": 1}})

    assert ("ada", "Approve", False) == (
        found.spec.decided_by,
        found.spec.verdict,
        found.answered,
    )


def stores() -> store_module.Stores:
    """Empty ones, whose changes nobody hears of."""
    return store_module.Stores(lambda *_: None)


READS = {
    "there": (Answer(body=raw()), "ada"),
    "gone": (Answer(404, {}), None),
    "unreadable": (Answer(body=raw(verdict="Maybe")), None),
}


@pytest.mark.parametrize(("answer", "by"), READS.values(), ids=READS)
async def test_one_is_read_as_it_is_now(
    server: FakeServer, api: client.KubeApi, answer: Answer, by: str | None
) -> None:
    """What is gone or can't be read is none."""
    server.rules[f"GET {PATH}"] = answer
    found = await approvals.KubernetesApprovals(api, stores()).read("shop", "checkout-1")

    assert by == (found.spec.decided_by if found is not None else None)


async def test_a_server_that_fails_is_an_error(server: FakeServer, api: client.KubeApi) -> None:
    """No answer is no decision, and no absence either."""
    server.rules[f"GET {PATH}"] = Answer(500, {"message": "etcd is slow"})
    with pytest.raises(ports.ClusterError):
        await approvals.KubernetesApprovals(api, stores()).read("shop", "checkout-1")


def condition() -> conditions.Condition:
    """What the operator says."""
    return conditions.condition(
        approval_api.ACCEPTED, status=True, reason="Approved", message="done", generation=1, now=NOW
    )


async def test_an_answer_is_a_status_under_the_version(
    server: FakeServer, api: client.KubeApi
) -> None:
    """The condition is written once, and the store knows of it."""
    known = stores()
    known.approvals.put(raw())
    status = {"conditions": [condition().model_dump(mode="json", by_alias=True)]}
    server.rules[f"PUT {PATH}/status"] = Answer(body={**raw("8"), "status": status})
    port = approvals.KubernetesApprovals(api, known)
    (found,) = port.all()

    await port.answer(found, condition())

    (request,) = server.requests
    assert ("approval-uid", "7") == (
        request.body["metadata"]["uid"],
        request.body["metadata"]["resourceVersion"],
    )
    assert ["Approved"] == [each["reason"] for each in request.body["status"]["conditions"]]
    assert [True] == [each.answered for each in port.all()]


async def test_an_answer_to_what_is_gone_is_no_error(
    server: FakeServer, api: client.KubeApi
) -> None:
    """An Approval that went with its record needs no answer."""
    known = stores()
    known.approvals.put(raw())
    port = approvals.KubernetesApprovals(api, known)

    await port.answer(*port.all(), condition())

    assert 1 == server.count("PUT")
    assert [] == list(port.all())


async def test_an_answer_that_lost_a_race_is_a_conflict(
    server: FakeServer, api: client.KubeApi
) -> None:
    """Somebody else has written: it is looked at again."""
    server.rules[f"PUT {PATH}/status"] = Answer(409, {"message": "modified"})
    port = approvals.KubernetesApprovals(api, stores())
    with pytest.raises(ports.Conflict):
        await port.answer(parse_approval.approval(raw()), condition())


def test_approvals_are_watched() -> None:
    """An Approval is acted on when it comes, not at the next list."""
    assert kinds.APPROVAL in kinds.WATCHED
