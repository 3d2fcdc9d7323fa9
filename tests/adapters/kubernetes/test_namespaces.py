"""The labels of a Namespace: what can't be told for sure is an error, never "no labels"."""

from __future__ import annotations

from typing import Any

import pytest

from prunella import ports
from prunella.adapters.kubernetes import client, cluster, store
from tests.adapters.kubernetes.fake_server import Answer, FakeServer

PATH = "GET /api/v1/namespaces/shop"
LABELS = {"prunella.dev/max-mode": "Approve"}


def made(api: client.KubeApi) -> cluster.KubernetesCluster:
    """A cluster that has seen nothing."""
    return cluster.KubernetesCluster(api, store.Stores(lambda *_: None), "prunella-system")


READ: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "labels": ({"name": "shop", "labels": LABELS}, LABELS),
    "none": ({"name": "shop"}, {}),
    "null": ({"name": "shop", "labels": None}, {}),
}


@pytest.mark.parametrize(("meta", "expected"), READ.values(), ids=READ)
async def test_labels_are_read(
    server: FakeServer, api: client.KubeApi, meta: dict[str, Any], expected: dict[str, str]
) -> None:
    """A Namespace without labels has none."""
    server.rules[PATH] = Answer(200, {"metadata": meta})

    assert expected == await made(api).namespace_labels("shop")


ERRORS = {
    "not there": Answer(404, {"kind": "Status", "message": "not found"}),
    "forbidden": Answer(403, {"kind": "Status", "message": "forbidden"}),
    "another object": Answer(200, {"metadata": {"name": "bank"}}),
    "no object": Answer(200, []),
    "no answer": Answer(fault="close"),
}


@pytest.mark.parametrize("answer", ERRORS.values(), ids=ERRORS)
async def test_doubt_is_an_error(server: FakeServer, api: client.KubeApi, answer: Answer) -> None:
    """Whoever can't read the ceiling must not think that there is none."""
    server.rules[PATH] = answer

    with pytest.raises(ports.ClusterError):
        await made(api).namespace_labels("shop")
