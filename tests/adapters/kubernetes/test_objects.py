"""Policies, ledger and re-lists: what is written under which precondition, and what is kept."""

from __future__ import annotations

from typing import Any

import pytest

from prunella import ports
from prunella.adapters.kubernetes import client, kinds, ledger, parse, policies, relist, store
from prunella.api import policy_status
from prunella.api import remediation as remediation_api
from prunella.core import objects
from tests.adapters.kubernetes import builders
from tests.adapters.kubernetes.fake_server import Answer, FakeServer

RECORDS = "/apis/prunella.dev/v1alpha1/namespaces/shop/remediations"
POLICIES = "/apis/prunella.dev/v1alpha1/namespaces/shop/remediationpolicies"
KEY = objects.Key("shop", "checkout")
STATUS = policy_status.RemediationPolicyStatus(observed_generation=2)


@pytest.fixture
def stores() -> store.Stores:
    """Empty stores."""
    return store.Stores(lambda *_: None)


async def test_record_is_known_when_create_returns(
    server: FakeServer, api: client.KubeApi, stores: store.Stores
) -> None:
    """An own write is in the store before any watch event of it comes."""
    port = ledger.KubernetesLedger(api, stores)
    server.rules[f"POST {RECORDS}"] = Answer(201, builders.record())
    spec = parse.record(builders.record()).spec

    record = await port.create("shop", "web-1", spec)

    body = server.requests[0].body
    assert [record] == list(port.records())
    labels = {"policy": "checkout", "target": "web", "action": "restart", "phase": "Pending"}
    expected = {f"prunella.dev/{key}": value for key, value in labels.items()}
    assert {"namespace": "shop", "name": "web-1", "labels": expected} == body["metadata"]
    assert spec == remediation_api.RemediationSpec.model_validate(body["spec"])


async def test_update_is_conditional(
    server: FakeServer, api: client.KubeApi, stores: store.Stores
) -> None:
    """A status is written under UID and resourceVersion, to the status alone."""
    port = ledger.KubernetesLedger(api, stores)
    record = parse.record(builders.record())
    answer = builders.record(resourceVersion="11", status={"phase": "Acting"})
    server.rules[f"PUT {RECORDS}/web-1/status"] = Answer(200, answer)

    updated = await port.update(record, remediation_api.RemediationStatus())

    metadata = server.requests[0].body["metadata"]
    assert ("10", "web-1-uid") == (metadata["resourceVersion"], metadata["uid"])
    assert ("11", [updated]) == (updated.resource_version, list(port.records()))


LEDGER_ERRORS: dict[str, tuple[Answer, type[Exception]]] = {
    "taken or changed": (Answer(409, {"message": "m"}), ports.Conflict),
    "forbidden": (Answer(403, {"message": "m"}), ports.ClusterError),
    "invalid": (Answer(422, {"message": "m"}), ports.ClusterError),
    "answer lost": (Answer(fault="close"), ports.OutcomeUnknown),
    "server error": (Answer(503, {"message": "m"}), ports.OutcomeUnknown),
    "answer of another kind": (
        Answer(200, {**builders.record(), "spec": {}}),
        ports.OutcomeUnknown,
    ),
}


@pytest.mark.parametrize("call", ["create", "update"])
@pytest.mark.parametrize("case", LEDGER_ERRORS)
async def test_failed_write_leaves_the_store(
    server: FakeServer, api: client.KubeApi, stores: store.Stores, case: str, call: str
) -> None:
    """What was not surely written is not taken for written, and is asked for once."""
    answer, expected = LEDGER_ERRORS[case]
    port = ledger.KubernetesLedger(api, stores)
    record = parse.record(builders.record())
    server.rules |= {f"POST {RECORDS}": answer, f"PUT {RECORDS}/web-1/status": answer}

    writing = (
        port.create("shop", "web-1", record.spec)
        if call == "create"
        else port.update(record, remediation_api.RemediationStatus())
    )
    with pytest.raises(ports.ClusterError) as error:
        await writing

    assert expected is type(error.value)
    assert ([], 1) == (list(port.records()), len(server.requests))


@pytest.mark.parametrize(
    ("answer", "left", "fails"),
    [
        (Answer(200, {"status": "Success"}), [], False),
        (Answer(404, {"message": "m"}), [], False),
        (Answer(409, {"message": "m"}), ["web-1"], True),
        (Answer(fault="close"), ["web-1"], True),
    ],
    ids=["deleted", "gone already", "another by now", "answer lost"],
)
async def test_delete(
    server: FakeServer,
    api: client.KubeApi,
    stores: store.Stores,
    answer: Answer,
    left: list[str],
    fails: bool,
) -> None:
    """A record is deleted under its UID, once; what is in doubt stays known."""
    port = ledger.KubernetesLedger(api, stores)
    stores.records.put(builders.record())
    record = next(iter(port.records()))
    server.rules[f"DELETE {RECORDS}/web-1"] = answer

    if fails:
        with pytest.raises(ports.ClusterError):
            await port.delete(record)
    else:
        await port.delete(record)

    assert left == [each.name for each in port.records()]
    assert {"preconditions": {"uid": "web-1-uid"}} == server.requests[0].body
    assert 1 == len(server.requests)


async def test_read_is_live(server: FakeServer, api: client.KubeApi, stores: store.Stores) -> None:
    """A policy is read from the API server, and the store learns of it."""
    port = policies.KubernetesPolicies(api, stores)
    server.rules[f"GET {POLICIES}/checkout"] = [
        Answer(200, builders.policy()),
        Answer(404, {"message": "m"}),
        Answer(403, {"message": "m"}),
    ]

    found = await port.read(KEY)
    gone = await port.read(KEY)
    with pytest.raises(ports.ClusterError):
        await port.read(KEY)

    assert found is not None
    assert ([found], None) == (list(port.all()), gone)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200, builders.policy(resourceVersion="11")), None),
        (Answer(409, {"message": "m"}), None),
        (Answer(404, {"message": "m"}), None),
        (Answer(403, {"message": "m"}), ports.ClusterError),
        (Answer(fault="close"), ports.OutcomeUnknown),
    ],
    ids=["written", "lost race", "gone", "forbidden", "answer lost"],
)
async def test_write_status(
    server: FakeServer,
    api: client.KubeApi,
    stores: store.Stores,
    answer: Answer,
    expected: type[Exception] | None,
) -> None:
    """A status is written under the version that was read; losing a race is no error."""
    port = policies.KubernetesPolicies(api, stores)
    server.rules[f"PUT {POLICIES}/checkout/status"] = answer
    policy = parse.policy(builders.policy())

    if expected is None:
        await port.write_status(policy, STATUS)
    else:
        with pytest.raises(expected):
            await port.write_status(policy, STATUS)

    body = server.requests[0].body
    assert ("10", "checkout-uid") == (body["metadata"]["resourceVersion"], body["metadata"]["uid"])
    assert STATUS == policy_status.RemediationPolicyStatus.model_validate(body["status"])


def serve_lists(server: FakeServer, namespace: str | None, **items: list[Any]) -> None:
    """Answer the lists of a namespace; what is not named is empty."""
    for kind in kinds.WATCHED:
        found = items.get(kind.plural, [])
        server.rules[f"GET {kind.path(namespace)}"] = Answer(200, builders.listed(*found))


@pytest.mark.parametrize("namespaces", [(), ("shop", "bank")], ids=["cluster", "two namespaces"])
async def test_relist(
    server: FakeServer, api: client.KubeApi, stores: store.Stores, namespaces: tuple[str, ...]
) -> None:
    """Each kind is listed once for the cluster, or once for each namespace, and brought in line."""
    stores.policies.put(builders.policy("lost", uid="lost"))
    stores.policies.put(builders.policy("lost", uid="far", namespace="bank"))
    for namespace in namespaces or (None,):
        own = namespace in (None, "shop")
        serve_lists(
            server,
            namespace,
            remediationpolicies=[builders.policy()] * own,
            deployments=[builders.workload()] * own,
        )

    await relist.relist(api, stores, namespaces)

    assert [KEY] == [policy.key for policy in stores.policies.all()]
    assert ["web"] == [w.ref.name for w in stores.workloads["Deployment"].all()]
    asked = len(kinds.WATCHED) * len(namespaces or (None,))
    assert asked + 1 == len(server.requests), "and once for Rollouts, which are not there"


async def test_list_that_took_too_long_is_begun_again(
    server: FakeServer, api: client.KubeApi, stores: store.Stores
) -> None:
    """A list that expired between two pages is not taken for a whole one."""
    stores.policies.put(builders.policy("second"))
    server.rules[f"GET {POLICIES}"] = [
        Answer(200, builders.listed(builders.policy("first"), follow="next")),
        Answer(410, {"message": "too old"}),
        Answer(200, builders.listed(builders.policy("first"), builders.policy("second"))),
    ]

    await relist.relist_kind(api, stores, kinds.POLICY, "shop")

    assert {"first", "second"} == {policy.key.name for policy in stores.policies.all()}
    assert ["next", None] == [r.query.get("continue") for r in server.requests[1:]]


async def test_list_that_failed_takes_nothing_away(
    server: FakeServer, api: client.KubeApi, stores: store.Stores
) -> None:
    """Half a list says nothing about what it did not show."""
    stores.policies.put(builders.policy("second"))
    server.rules[f"GET {POLICIES}"] = [
        Answer(200, builders.listed(builders.policy("first"), follow="next")),
        Answer(500, {"message": "no"}),
    ]

    with pytest.raises(ports.ClusterError):
        await relist.relist_kind(api, stores, kinds.POLICY, "shop")

    assert {"first", "second"} == {policy.key.name for policy in stores.policies.all()}
