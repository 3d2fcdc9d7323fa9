"""Who changed an object, by managedFields."""

from __future__ import annotations

import pytest

from prunella.core.changes import author, diff
from tests.unit.core.changes import objects

IMAGE: diff.Path = (
    "spec", "template", "spec", "containers", diff.Element("name", "app"), "image",
)  # fmt: skip
PORT: diff.Path = ("spec", "ports", diff.Element("name", "http"), "targetPort")
BY_PORT = {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:targetPort": {}}}}}
LABEL: diff.Path = ("metadata", "labels", "team")
LABELS = {"f:metadata": {"f:labels": {"f:team": {}}}}

CASES = [
    pytest.param([objects.manager("kubectl-set", "11:00:00")], IMAGE, "kubectl-set", id="owner"),
    pytest.param(
        [objects.manager("helm", "10:00:00"), objects.manager("kubectl-edit", "11:00:00")],
        IMAGE,
        "kubectl-edit",
        id="the newest of two owners",
    ),
    pytest.param(
        [objects.manager("argocd", "10:00:00"), objects.manager("robot", "11:00:00", LABELS)],
        IMAGE,
        "argocd",
        id="who writes other fields is not it",
    ),
    pytest.param(
        [objects.manager("kubectl-patch", "11:00:00", BY_PORT)],
        PORT,
        "kubectl-patch",
        id="an element by another key",
    ),
    pytest.param(
        [objects.manager("a", "10:00:00"), objects.manager("b", "11:00:00")],
        LABEL,
        "b",
        id="a removed field: who wrote last",
    ),
    pytest.param(
        [objects.manager("a", "10:00:00"), objects.manager("k", "11:00:00", {}, "status")],
        ("spec", "gone"),
        "k",
        id="whoever owns all",
    ),
    pytest.param([], IMAGE, "", id="nobody"),
]


@pytest.mark.parametrize(("managed", "path", "expected"), CASES)
def test_author(managed: list[objects.Manifest], path: diff.Path, expected: str) -> None:
    """The newest of the managers that own a changed field."""
    assert expected == author.author(managed, [path]).manager


def test_the_creator_wrote_first() -> None:
    """Not the autoscaler, of whose write no time is kept."""
    managed = [
        objects.manager("hpa", None, {}, "scale"),
        objects.manager("helm", "10:00:00"),
        objects.manager("kubectl-edit", "11:00:00"),
    ]
    assert "helm" == author.creator(managed).manager
