"""The stores: nothing older replaces anything newer, and every loss is noticed."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from prunella.adapters.kubernetes import store
from prunella.core import objects
from tests.adapters.kubernetes import builders
from tests.adapters.kubernetes.builders import Raw

Changes = list[tuple[str, str, str]]


@pytest.fixture
def changes() -> Changes:
    """The changes that were told."""
    return []


@pytest.fixture
def stores(changes: Changes) -> store.Stores:
    """Empty stores."""
    return store.Stores(lambda *change: changes.append(change), {"kube-system"})


def at(version: int, name: str = "checkout", uid: str = "u", generation: int = 1) -> Raw:
    """A policy at a resourceVersion."""
    return builders.policy(name, uid=uid, generation=generation, resourceVersion=str(version))


def event(kind: str | None, raw: Raw) -> Raw:
    """A watch event."""
    return {"type": kind, "object": raw}


def known(stores: store.Stores) -> dict[str, str]:
    """Names and resourceVersions of the known policies."""
    return {policy.key.name: policy.resource_version for policy in stores.policies.all()}


SEQUENCES: dict[str, tuple[list[Raw], dict[str, str]]] = {
    "listed at the start": ([event(None, at(1))], {"checkout": "1"}),
    "changed": ([event("ADDED", at(1)), event("MODIFIED", at(2))], {"checkout": "2"}),
    "old news": ([event("MODIFIED", at(9)), event("MODIFIED", at(3))], {"checkout": "9"}),
    "numbers, not letters": (
        [event("ADDED", at(9)), event("MODIFIED", at(10))],
        {"checkout": "10"},
    ),
    "deleted": ([event("ADDED", at(1)), event("DELETED", at(2))], {}),
    "deleted unseen": ([event("DELETED", at(2))], {}),
    "old news of the dead": ([event("DELETED", at(2)), event("MODIFIED", at(1))], {}),
    "born again": (
        [event("ADDED", at(1)), event("DELETED", at(2)), event("ADDED", at(3, uid="v"))],
        {"checkout": "3"},
    ),
    "late death of the former": (
        [event("ADDED", at(3, uid="v")), event("DELETED", at(2, uid="u"))],
        {"checkout": "3"},
    ),
}


@pytest.mark.parametrize("case", SEQUENCES)
def test_events(stores: store.Stores, case: str) -> None:
    """Events in any order lead to what the cluster holds."""
    events, expected = SEQUENCES[case]

    for each in events:
        stores.apply("RemediationPolicy", each)

    assert expected == known(stores)


LISTS: dict[str, tuple[list[Raw], list[Raw], int, dict[str, str]]] = {
    "the same": ([at(1)], [at(1)], 5, {"checkout": "1"}),
    "a change was lost": ([at(1)], [at(2)], 5, {"checkout": "2"}),
    "a deletion was lost": ([at(1), at(2, "other")], [at(1)], 5, {"checkout": "1"}),
    "a creation was lost": ([at(1)], [at(1), at(2, "other")], 5, {"checkout": "1", "other": "2"}),
    "a replacement was lost": ([at(1, uid="u")], [at(4, uid="v")], 5, {"checkout": "4"}),
    "changed after the list": ([at(7)], [at(2)], 5, {"checkout": "7"}),
    "created after the list": ([at(1), at(7, "new")], [at(1)], 5, {"checkout": "1", "new": "7"}),
    "all gone": ([at(1), at(2, "other")], [], 5, {}),
}


@pytest.mark.parametrize("case", LISTS)
def test_replace(stores: store.Stores, case: str) -> None:
    """A list repairs what was lost, and takes back nothing that is newer than it."""
    before, listed, version, expected = LISTS[case]
    for raw in before:
        stores.policies.put(raw)

    stores.policies.replace(listed, str(version))

    assert expected == known(stores)


def test_deleted_while_the_list_was_on_its_way(stores: store.Stores) -> None:
    """A list that was taken before a deletion does not bring the object back."""
    stores.policies.put(at(1))
    stores.apply("RemediationPolicy", event("DELETED", at(6)))

    stores.policies.replace([at(1)], "5")

    assert {} == known(stores)


def test_list_of_a_namespace_says_nothing_about_others(stores: store.Stores) -> None:
    """Only objects of the listed namespace can be missing from the list."""
    stores.policies.put(at(1))
    stores.policies.put(builders.policy("far", namespace="bank", uid="w"))

    stores.policies.replace([], "50", "shop")

    assert ["far"] == [policy.key.name for policy in stores.policies.all()]
    assert [] == stores.policies.of("shop")


TOLD: dict[str, tuple[Callable[[], Raw], bool]] = {
    "the spec": (lambda: at(2, generation=2), True),
    "only the status": (lambda: {**at(2), "status": {"observedGeneration": 1}}, False),
    "an annotation": (
        lambda: builders.policy(
            uid="u", generation=1, resourceVersion="2", annotations={"prunella.dev/resumed": "now"}
        ),
        True,
    ),
    "nothing": (lambda: at(1), False),
}


@pytest.mark.parametrize("case", TOLD)
def test_changes_of_policies_are_told(stores: store.Stores, changes: Changes, case: str) -> None:
    """A change by people is told; our own status is not, or each would lead to the next."""
    changed, told = TOLD[case]
    stores.policies.put(at(1))
    changes.clear()

    stores.policies.put(changed())

    assert [("RemediationPolicy", "shop", "checkout")] * told == changes


def test_deletions_found_by_a_list_are_told(stores: store.Stores, changes: Changes) -> None:
    """What vanished without an event is told as if there had been one."""
    stores.policies.put(at(1))
    changes.clear()

    stores.policies.replace([], "5")

    assert [("RemediationPolicy", "shop", "checkout")] == changes


def test_workloads_of_closed_namespaces_are_not_kept(stores: store.Stores) -> None:
    """System workloads take no memory; a policy there is kept, to be told why it is refused."""
    stores.apply("Deployment", event("ADDED", builders.workload(namespace="kube-system")))
    stores.apply("Deployment", event("ADDED", builders.workload()))
    stores.apply("RemediationPolicy", event("ADDED", builders.policy(namespace="kube-system")))

    assert ["shop"] == [w.ref.namespace for w in stores.workloads["Deployment"].all()]
    assert ["kube-system"] == [policy.key.namespace for policy in stores.policies.all()]


def test_kinds_are_kept_apart(stores: store.Stores) -> None:
    """A StatefulSet is no Deployment of the same name."""
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        stores.apply(kind, event("ADDED", builders.workload(uid=kind)))
    stores.apply("CronJob", event("ADDED", builders.cron_job()))
    stores.apply("Rollout", event("ADDED", builders.workload(uid="Rollout")))

    found = {kind: each.get("shop", "web") for kind, each in stores.workloads.items()}
    assert {kind: kind for kind in found} == {k: w.ref.kind for k, w in found.items() if w}


def test_unreadable_record_is_logged_and_left_out(
    stores: store.Stores, caplog: pytest.LogCaptureFixture
) -> None:
    """A record that is none of ours stops nothing; its name stays taken at the API server."""
    with caplog.at_level(logging.ERROR):
        stores.apply("Remediation", event("ADDED", {**builders.record(), "spec": {"a": 1}}))
    stores.apply("Remediation", event("ADDED", builders.record("web-2")))

    assert ["web-2"] == [record.name for record in stores.records.all()]
    assert "Remediation shop/web-1 can't be read" in caplog.text


def rollout(version: int, **spec: object) -> Raw:
    """A Rollout at a resourceVersion."""
    return builders.workload(spec=spec, resourceVersion=str(version))


NOT_READ = [
    pytest.param({"strategy": {"canary": {"maxSurge": "12.5%"}}}, id="part of a percent"),
    pytest.param({"strategy": {"canary": {"maxUnavailable": "some"}}}, id="no number"),
    pytest.param({"restartAt": "soon"}, id="no time"),
    pytest.param({"workloadRef": "web"}, id="no reference"),
]


@pytest.mark.parametrize("spec", NOT_READ)
def test_a_rollout_that_cannot_be_read_stops_nothing(
    stores: store.Stores, changes: Changes, caplog: pytest.LogCaptureFixture, spec: Raw
) -> None:
    """It is as if it were gone, is told once, and is back as soon as it can be read."""
    held = stores.of_kind("Rollout")
    held.put(rollout(1))
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            held.replace([rollout(2, **spec)], "5")
    held.put(rollout(1))

    assert [] == held.all()
    assert [("Rollout", "shop", "web")] * 2 == changes
    assert ["Rollout shop/web can't be read"] == [text[:30] for text in caplog.messages]

    held.put(rollout(3))
    assert ["3"] == [each.resource_version for each in held.all()]


def test_another_version_that_cannot_be_read_is_told_again(
    stores: store.Stores, caplog: pytest.LogCaptureFixture
) -> None:
    """What is wrong may be something else by now."""
    with caplog.at_level(logging.ERROR):
        for version, limit in ((1, "some"), (2, "many")):
            spec = {"canary": {"maxSurge": limit}}
            stores.of_kind("Rollout").put(rollout(version, strategy=spec))
    assert [True, True] == [
        limit in text for limit, text in zip(("some", "many"), caplog.messages, strict=True)
    ]


def test_a_record_that_cannot_be_read_any_more_stays(stores: store.Stores) -> None:
    """Budgets and waits are counted from it: it is not forgotten."""
    stores.records.put(builders.record())
    broken = builders.record()
    broken["metadata"]["resourceVersion"] = "99"
    stores.records.put({**broken, "spec": {"a": 1}})
    assert ["web-1"] == [record.name for record in stores.records.all()]


def test_reading_does_not_hand_out_the_store(stores: store.Stores) -> None:
    """A list that was read does not change under its reader."""
    stores.policies.put(at(1))
    read = stores.policies.all()

    stores.policies.replace([], "5")

    assert [objects.Key("shop", "checkout")] == [policy.key for policy in read]


def test_deletion_while_an_object_is_parsed() -> None:
    """An object that is deleted by another thread just then does not come back."""

    def parse_slowly(raw: Raw) -> str:
        slow.remove("shop", "checkout", "u")
        return str(raw["metadata"]["name"])

    slow: store.Store[str] = store.Store("Any", parse_slowly, lambda *_: None, str)

    slow.put(at(1))

    assert [] == slow.all()
