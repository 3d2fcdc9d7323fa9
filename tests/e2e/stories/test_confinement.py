"""A policy sees the series of its own namespace and no others, however its query asks."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import stays

pytestmark = pytest.mark.timeout(300)

SECRET, NAME = "731234", "vault"
"""A value and a workload that only the other namespace has."""
LIMIT = 100
PASSES_SECONDS = 12.0
LOAD = "max by (namespace, deployment) (app_load%s)"
OTHERS = LOAD % '{namespace="OTHER"}'
NAMELESS = 'max by (deployment) (app_load{namespace="OTHER"})'
QUERIES: dict[str, tuple[str, str]] = {
    "no-namespace": (LOAD % "", "Healthy"),
    "every-namespace": (LOAD % '{namespace=~".+"}', "Healthy"),
    "the-other": (OTHERS, "Unknown"),
    "the-other-by-pattern": (LOAD % '{namespace=~"OTH.R|OTHER"}', "Unknown"),
    "not-its-own": (LOAD % '{namespace!="OWN"}', "Unknown"),
    "without-a-name": (
        'max by (namespace, deployment) ({__name__=~"app_loa.", namespace="OTHER"})',
        "Unknown",
    ),
    "renamed": (f'label_replace({OTHERS}, "namespace", "OWN", "", "")', "Unknown"),
    "renamed-without-a-namespace": (
        f'label_replace({NAMELESS}, "namespace", "OWN", "", "")',
        "Unknown",
    ),
    "in-a-subquery": (f"max_over_time({OTHERS}[1m:5s])", "Unknown"),
    "in-the-past": (LOAD % '{namespace="OTHER"} offset 5s', "Unknown"),
    "joined": (f"{LOAD % ''} * on (deployment) group_left () {OTHERS}", "Unknown"),
    "or": (f"{LOAD % ''} or {OTHERS}", "Healthy"),
    "the-other-first": (f"{OTHERS} or {LOAD % ''}", "Healthy"),
    "recorded": ('app_cpu_saturation{namespace="OTHER"}', "Unknown"),
}
"""Each query with the verdict that the namespace's own series, of a load of 1, give."""


def _policy(name: str, query: str, **spec: Any) -> Document:
    signal = {
        "name": "load",
        "prometheus": {"query": query},
        "threshold": {"above": LIMIT},
        "for": "0s",
    }
    return manifests.policy(name, {"restart": {}}, signal=signal, target={"name": "web"}, **spec)


def _shop(name: str, load: str) -> Document:
    return manifests.workload(name, "v1", replicas=1, pods={"load": load})


@pytest.fixture
def other(story: Story) -> Iterator[Story]:
    """A second namespace, with a workload of the same name and one of its own, both over limits."""
    name = f"{story.namespace}-other"
    story.lab.kubectl("create", "namespace", name)
    stage = dataclasses.replace(story, namespace=name, operators=[])
    story.wait(
        lambda: story.api.items(f"/api/v1/namespaces/{name}/serviceaccounts"), f"{name} is usable"
    )
    stage.run(_shop("web", f"{SECRET}"), _shop(NAME, SECRET))
    yield stage
    story.lab.kubectl("delete", "namespace", name, "--wait=false")


def test_series_of_another_namespace_appear_nowhere(story: Story, other: Story) -> None:
    """Given queries that reach for a sick namespace, when asked in a sound one, then none do."""
    story.run(_shop("web", "1"))
    policies = {
        name: _policy(name, query.replace("OTHER", other.namespace).replace("OWN", story.namespace))
        for name, (query, _) in QUERIES.items()
    }
    ratio = {"bad": OTHERS.replace("OTHER", other.namespace), "total": LOAD % "", "minimum": 0}
    signal = {"name": "r", "ratio": ratio, "threshold": {"above": 0.5}, "for": "0s"}
    policies["ratio"] = manifests.policy(
        "ratio", {"restart": {}}, signal=signal, target={"name": "web"}
    )
    operator = story.start_operator(namespaces=[story.namespace, other.namespace])
    story.apply(*policies.values())
    other.apply(_policy("seen", LOAD % "", mode="Advise"))

    expected = {name: verdict for name, (_, verdict) in QUERIES.items()} | {"ratio": "Healthy"}
    for name, verdict in expected.items():
        story.wait(functools.partial(_is, story, name, verdict), f"{name} is {verdict}", 60)
    other.wait(lambda: SECRET in json.dumps(other.status("seen")), "who may see it does", 60)
    stays(lambda: not story.records(), PASSES_SECONDS, "nothing is done in the sound namespace")

    shown = {
        "statuses": json.dumps([story.status(name) for name in policies]),
        "events": json.dumps(story.events()),
        "log": "\n".join(
            line for line in operator.log.read_text().splitlines() if _is_about(story, line)
        ),
        "metrics": "\n".join(
            line
            for line in operator.probe("metrics")[1].splitlines()
            if f'namespace="{story.namespace}"' in line
        ),
    }
    told = [(w, where) for where, text in shown.items() for w in (SECRET, NAME) if w in text]
    assert told == []
    assert (story.generation("web"), other.generation("web")) == (1, 1)
    assert story.writes("web") + other.writes("web") + other.writes(NAME) == []


def _is(story: Story, policy: str, verdict: str) -> bool:
    counts = story.status(policy).get("targets", {})
    return bool(counts.get(verdict.lower()) == counts.get("selected") == 1)


def _is_about(story: Story, line: str) -> bool:
    """Whether a log line is about the sound namespace, whose name the other's begins with."""
    return story.namespace in line.replace(f"{story.namespace}-other", "")
