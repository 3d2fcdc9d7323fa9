"""Rollouts of Argo Rollouts on the wire: read, watched where they are, told by their status."""

from __future__ import annotations

import datetime
import logging
from typing import Any

import pytest

from prunella import handlers, ports
from prunella.adapters.kubernetes import (
    client,
    cluster,
    kinds,
    owners,
    parse,
    parse_revisions,
    relist,
    store,
)
from prunella.core import model, objects
from tests.adapters.kubernetes import builders, test_handlers
from tests.adapters.kubernetes.builders import Raw
from tests.adapters.kubernetes.fake_server import Answer, FakeServer

WEB = model.Ref("Rollout", "shop", "web")
PATH = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web"
LIST = "/apis/argoproj.io/v1alpha1/rollouts"
HASH = "rollouts-pod-template-hash"


def rollout(status: Raw | None = None, **changes: Any) -> Raw:
    """A Rollout; the generation that its controller has seen is text."""
    return builders.workload({"observedGeneration": "2", **(status or {})}, **changes)


def replica_set(number: str, image: str) -> Raw:
    """One of its ReplicaSets."""
    name = f"web-{number}aa"
    return {
        "metadata": builders.meta(
            name,
            annotations={"rollout.argoproj.io/revision": number},
            ownerReferences=builders.owned_by("Rollout", "web", api="argoproj.io/v1alpha1"),
        ),
        "spec": {"template": builders.template(image, **{HASH: f"{number}aa"})},
    }


def test_a_rollout_is_read() -> None:
    """Its counts, its template and how far its release is."""
    status = {"replicas": 3, "updatedReplicas": 1, "availableReplicas": 3, "stableRS": "a"}
    found = parse.workload("Rollout", rollout({**status, "currentPodHash": "b"}))
    assert (3, 1, 3, 3) == (found.replicas, found.updated, found.available, found.total)
    assert found.generation == found.observed_generation == 2
    assert found.delivery is not None
    assert (True, "web-uid") == (found.delivery.under_way, found.uid)


@pytest.mark.parametrize(
    ("written", "expected"), [("7", 7), ("", 0), (None, 0)], ids=["a number", "empty", "no text"]
)
def test_the_generation_seen_is_text(written: str | None, expected: int) -> None:
    """What is no number is no generation: then the status is about an older spec."""
    found = parse.workload("Rollout", rollout({"observedGeneration": written}))
    assert expected == found.observed_generation


def test_the_template_of_another_workload_is_not_there() -> None:
    """With workloadRef the Rollout has neither a template nor a selector of its own."""
    raw = rollout(spec={"workloadRef": {"kind": "Deployment", "name": "web"}})
    del raw["spec"]["template"], raw["spec"]["selector"]
    found = parse.workload("Rollout", raw)
    assert ({}, {}) == (found.template, found.selector)
    assert found.delivery is not None
    assert "Deployment/web" == found.delivery.template_of


def test_a_reference_without_a_kind_is_read() -> None:
    """The API server takes it; the controller of Argo Rollouts does not."""
    found = parse.workload("Rollout", rollout(spec={"workloadRef": {"name": "web"}}))
    assert found.delivery is not None
    assert "/web" == found.delivery.template_of


MALFORMED = rollout(spec={"strategy": {"canary": {"maxSurge": "some"}}})


async def test_a_look_at_what_cannot_be_read_is_an_error(
    server: FakeServer, api: client.KubeApi
) -> None:
    """It says which object, and what is wrong."""
    server.rules[f"GET {PATH}"] = Answer(200, MALFORMED)
    port = cluster.KubernetesCluster(api, store.Stores(lambda *_: None), "prunella")
    with pytest.raises(ports.ClusterError, match=r"Rollout/web can't be read: ValueError.*some"):
        await port.live_state(WEB)


@pytest.mark.parametrize(
    ("dry_run", "expected"),
    [
        pytest.param(True, ports.Outcome.REFUSED, id="before anything is written"),
        pytest.param(False, ports.Outcome.UNKNOWN, id="it is written, with what result is open"),
    ],
)
async def test_an_answer_that_cannot_be_read(
    server: FakeServer, api: client.KubeApi, dry_run: bool, expected: ports.Outcome
) -> None:
    """No error leaves the send."""
    server.rules[f"PATCH {PATH}/status"] = Answer(200, MALFORMED)
    port = cluster.KubernetesCluster(api, store.Stores(lambda *_: None), "prunella")
    tested = ({"op": "test", "path": "/status/abort", "value": None},)
    patch = (*tested, {"op": "add", "path": "/status/abort", "value": True})
    effect = model.Effect(
        verb=model.Verb.PATCH, target=WEB, uid="web-uid", generation=2, patch=patch, summary=""
    )
    receipt = await port.send(effect, "r-1", dry_run=dry_run)
    assert expected is receipt.outcome
    assert "Rollout/web can't be read" in receipt.message


def test_its_revisions_are_its_replica_sets() -> None:
    """By their own annotation, without the label that only they bear."""
    owner = parse.workload("Rollout", rollout(spec={"template": builders.template("shop/web:v2")}))
    sets = [replica_set("1", "shop/web:v1"), replica_set("2", "shop/web:v2")]
    found = parse_revisions.deployment_revisions(sets, owner)
    assert [(2, True), (1, False)] == [(each.number, each.current) for each in found]
    assert builders.template("shop/web:v1") == found[1].template
    assert datetime.datetime.fromisoformat(builders.CREATED) == found[1].created


def test_the_owner_of_a_pod() -> None:
    """The label of its pods tells a Rollout's ReplicaSet from a Deployment's."""
    pod = builders.pod("web-1aa-x", builders.owned_by("ReplicaSet", "web-1aa"))
    pod["metadata"]["labels"][HASH] = "1aa"
    assert owners.owner("shop", pod) == WEB


@pytest.mark.parametrize("own", [True, False], ids=["a selector", "the selector of another"])
async def test_a_close_look(server: FakeServer, api: client.KubeApi, *, own: bool) -> None:
    """Its pods are those of its ReplicaSets, also where its selector is another workload's."""
    raw = rollout()
    if not own:
        del raw["spec"]["selector"]
    pods = [
        builders.pod("web-1aa-x", builders.owned_by("ReplicaSet", "web-1aa")),
        builders.pod("api-1aa-x", builders.owned_by("ReplicaSet", "api-1aa")),
    ]
    server.rules[f"GET {PATH}"] = Answer(200, raw)
    for path, items in {
        "/apis/apps/v1/namespaces/shop/replicasets": [replica_set("1", "shop/web:v1")],
        "/api/v1/namespaces/shop/pods": pods,
        "/apis/policy/v1/namespaces/shop/poddisruptionbudgets": [],
        "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers": [],
    }.items():
        server.rules[f"GET {path}"] = Answer(200, builders.listed(*items))
    server.rules["GET /apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects"] = Answer(404, {})
    port = cluster.KubernetesCluster(api, store.Stores(lambda *_: None), "prunella-system")

    found = await port.live_state(WEB)

    assert found is not None
    assert (["web-1aa-x"], [1]) == (
        [p.name for p in found.pods],
        [r.number for r in found.revisions],
    )
    asked = {r.query["labelSelector"] for r in server.requests if "labelSelector" in r.query}
    assert {"app=web" if own else HASH} == asked


ABORT = (
    {"op": "test", "path": "/status/abort", "value": None},
    {"op": "add", "path": "/status/abort", "value": True},
)
RESTART = ({"op": "add", "path": "/spec/restartAt", "value": "2026-03-01T12:00:00Z"},)


@pytest.mark.parametrize(
    ("patch", "path", "marked"),
    [
        pytest.param(ABORT, f"{PATH}/status", False, id="what tells the controller"),
        pytest.param(RESTART, PATH, True, id="what changes the spec"),
    ],
)
async def test_where_a_patch_goes(
    server: FakeServer, api: client.KubeApi, patch: Any, path: str, *, marked: bool
) -> None:
    """The status is a subresource, where no annotation can be written."""
    effect = model.Effect(model.Verb.PATCH, WEB, "web-uid", "s", generation=2, patch=patch)
    stores = store.Stores(lambda *_: None)
    stores.workloads["Rollout"].put(rollout(annotations={"a": "b"}))
    answer = rollout({"abort": True}, resourceVersion="11")
    server.rules[f"PATCH {path}"] = Answer(200, answer)
    port = cluster.KubernetesCluster(api, stores, "prunella-system")

    receipt = await port.send(effect, "r-1", dry_run=False)

    assert ports.Outcome.EFFECTIVE is receipt.outcome
    (request,) = server.requests
    paths = [each["path"] for each in request.body]
    assert marked == (f"/metadata/annotations/{objects.MARK.replace('/', '~1')}" in paths)
    (seen,) = stores.workloads["Rollout"].all()
    assert seen.delivery is not None
    assert seen.delivery.aborted


@pytest.mark.parametrize(
    ("status", "expected"), [(200, True), (404, False), (403, False)], ids=["there", "none", "no"]
)
async def test_only_some_clusters_have_rollouts(
    server: FakeServer,
    api: client.KubeApi,
    status: int,
    expected: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where they are not, or may not be read, all else goes on, and nobody is warned."""
    stores = store.Stores(lambda *_: None)
    body = builders.listed(rollout()) if status == 200 else {"message": "no"}
    server.rules[f"GET {LIST}"] = Answer(status, body)
    with caplog.at_level(logging.INFO):
        found = await relist.relist_if_there(api, stores, kinds.ROLLOUT)
    assert (expected, expected) == (found, bool(stores.workloads["Rollout"].all()))
    assert [] == caplog.records


async def test_an_api_server_that_does_not_answer_is_an_error(
    server: FakeServer, api: client.KubeApi
) -> None:
    """Nobody knows then whether there are any."""
    server.rules[f"GET {LIST}"] = Answer(503, {"message": "etcd"})
    with pytest.raises(ports.ClusterError, match="etcd"):
        await relist.relist_if_there(api, store.Stores(lambda *_: None), kinds.ROLLOUT)


async def test_they_are_watched_beside_the_others() -> None:
    """A handler of their own, which hands the raw event on."""
    events: list[tuple[str, Any]] = []
    registry = test_handlers.registry(events)
    handlers.watch_kind(registry, kinds.ROLLOUT, lambda *event: events.append(event))
    added = registry._watching.get_all_handlers()[-1]
    await added.fn(event={"type": None, "object": added.id}, patch=None)
    assert [("Rollout", {"type": None, "object": "store-rollouts"})] == events
