"""`prunella incidents`, `why` and `confirm`: tables, pages, words, and what may not be done."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from prunella.cli import kube
from tests.cli import conftest, fakes

GOLDEN = pathlib.Path(__file__).parent / "golden"
NAME = "inc-5a0a3361b7"
HOME = "prunella-system"
CHECKOUT = {"kind": "Deployment", "namespace": "shop", "name": "checkout"}
CART = {"kind": "Deployment", "namespace": "shop", "name": "cart"}


def path(name: str = NAME, namespace: str = "shop") -> str:
    """Path of an incident."""
    return f"{fakes.GROUP}/namespaces/{namespace}/incidents/{name}"


def incident(name: str = NAME, namespace: str = "shop", **parts: Any) -> kube.Object:
    """An open incident of checkout and cart; ``parts`` replace fields of its status."""
    status: dict[str, Any] = {
        "state": "Open",
        "severity": "Critical",
        "title": "HighErrorRate on Deployment/checkout and 1 more in shop (12 alerts)",
        "startedAt": "2026-03-01T12:07:00Z",
        "namedAt": "2026-03-01T12:07:12Z",
        "alerts": 12,
        "objects": 2,
        "suspects": [
            {
                "object": CHECKOUT,
                "causeKind": "Release",
                "field": "spec.template.spec.containers[name=app].image",
                "change": "deployment-checkout-1a2b",
                "changedAt": "2026-03-01T12:06:20Z",
                "summary": "Deployment checkout: image v1 -> v2, 40 s before, by kubectl-set",
                "score": 0.93,
                "confidence": "High",
                "evidence": [{"kind": "change", "message": "it was changed 40 s before"}],
            },
            {"object": CART, "summary": "cart waits", "score": 0.2, "confidence": "Low"},
        ],
        "suspect": "Deployment/checkout image",
        "ruledOut": ["Deployment quote: replicas 2 -> 3: that takes nothing from anybody"],
        "members": [
            {
                "object": CHECKOUT,
                "name": "HighErrorRate",
                "first": "2026-03-01T12:07:00Z",
                "count": 11,
                "firing": 10,
                "message": "31 % of requests fail",
                "why": "it began first; Deployment/checkout is itself the likely cause",
            },
            {"object": CART, "name": "HighLatency", "first": "2026-03-01T12:07:30Z"},
        ],
        "timeline": [
            {"at": "2026-03-01T12:06:20Z", "kind": "Change", "message": "image v1 -> v2"},
            {"at": "2026-03-01T12:07:05Z", "kind": "State", "message": "opened"},
        ],
        "remediations": ["shop/deployment-checkout-1"],
        **parts,
    }
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "Incident",
        "metadata": {"name": name, "namespace": namespace, "uid": name},
        "spec": {"openedAt": "2026-03-01T12:07:05Z", "mirror": parts.get("mirror", False)},
        "status": {key: value for key, value in status.items() if key != "mirror"},
    }


def cluster(*objects: kube.Object, **options: Any) -> fakes.FakeCluster:
    """A cluster that holds these incidents."""
    named = {path(o["metadata"]["name"], o["metadata"]["namespace"]): o for o in objects}
    return fakes.FakeCluster(named, **options)


def over(**parts: Any) -> kube.Object:
    """An incident that is over."""
    return incident("inc-0000000000", state="Resolved", suspects=[], suspect="", **parts)


def test_open_incidents_come_first(run: conftest.Run) -> None:
    """A table that fits the terminal: what, how bad, how many, how old, who is suspected."""
    result = run("incidents", cluster=cluster(over(), incident()))
    lines = result.out.splitlines()
    assert ["NAME", NAME, "inc-0000000000"] == [each.split()[0] for each in lines[:3]]
    assert lines[1].split() == [
        *(NAME, "Open", "Critical", "12", "3m", "Deployment/checkout", "image", "(High)"),
    ]
    assert max(map(len, lines)) <= 100


def test_why_tells_all(run: conftest.Run) -> None:
    """Symptoms, suspects with evidence, what was ruled out, what happened and was done."""
    result = run("why", NAME, cluster=cluster(incident()))
    assert result.out == (GOLDEN / "why.txt").read_text()


@pytest.mark.parametrize("what", ["checkout", "Deployment/cart", f"incident/{NAME}", f"inc/{NAME}"])
def test_a_workload_stands_for_its_incident(run: conftest.Run, what: str) -> None:
    """By what is sick or suspected, with or without its kind."""
    assert f"Incident shop/{NAME}" in run("why", what, cluster=cluster(incident())).out


@pytest.mark.parametrize("what", ["mail", "StatefulSet/cart", "inc-1111111111"])
def test_what_there_is_nothing_about(run: conftest.Run, what: str) -> None:
    """It says so, and where to look."""
    result = run("why", what, cluster=cluster(incident()))
    assert 1 == result.code
    assert "`prunella incidents -A` shows what there is" in result.err


def test_who_may_reads_the_whole_and_others_their_mirror(run: conftest.Run) -> None:
    """The operator's namespace is tried; without rights there the mirror is shown."""
    both = (incident(mirror=True, title="only mine"), incident(namespace=HOME, title="all of it"))
    assert "all of it" in run("why", NAME, cluster=cluster(*both)).out
    closed = {("GET", path(namespace=HOME)): kube.KubeError("not allowed", 403)}
    told = run("why", NAME, cluster=cluster(*both, answers=closed)).out
    assert "only mine" in told
    assert "what is outside is not shown" in told


CONFIRMED, REJECTED = "prunella.dev/confirmed", "prunella.dev/rejected"
BY = " at 2026-03-01T12:10:00Z by alice@example.com"
FIRST, SECOND = "Deployment/shop/checkout", "Deployment/shop/cart"
WORDS = [
    pytest.param([], {CONFIRMED: FIRST + BY}, id="the first"),
    pytest.param(["2"], {CONFIRMED: SECOND + BY}, id="by number"),
    pytest.param(["cart"], {CONFIRMED: SECOND + BY}, id="by name"),
    pytest.param(["Deployment/cart", "--reject"], {REJECTED: SECOND + BY}, id="not this one"),
    pytest.param(["--reject"], {REJECTED: f"{SECOND},{FIRST}{BY}"}, id="none of them"),
]


@pytest.mark.parametrize(("arguments", "expected"), WORDS)
def test_a_word_is_an_annotation(
    run: conftest.Run, arguments: list[str], expected: dict[str, str]
) -> None:
    """Who said it and when is in it."""
    found = cluster(incident())
    result = run("confirm", NAME, *arguments, cluster=found)
    assert (0, expected) == (result.code, found.objects[path()]["metadata"]["annotations"])


def test_a_word_can_be_taken_back(run: conftest.Run) -> None:
    """Confirmed after it was rejected: the rejection is gone."""
    found = cluster(incident())
    run("confirm", NAME, "--reject", cluster=found)
    run("confirm", NAME, cluster=found)
    assert found.objects[path()]["metadata"]["annotations"] == {
        CONFIRMED: FIRST + BY,
        REJECTED: SECOND + BY,
    }


def test_who_is_no_suspect_is_not_judged(run: conftest.Run) -> None:
    """The suspects are listed."""
    result = run("confirm", NAME, "mail", cluster=cluster(incident()))
    assert 2 == result.code
    assert "these are: Deployment/checkout, Deployment/cart" in result.err


def test_json_is_the_objects(run: conftest.Run) -> None:
    """For programs."""
    (document,) = json.loads(run("incidents", "-o", "json", cluster=cluster(incident())).out)
    assert (NAME, 12) == (document["name"], document["status"]["alerts"])
