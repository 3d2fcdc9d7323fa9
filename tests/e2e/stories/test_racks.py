"""One switch of a rack drops packets: a real Alertmanager's 400 alerts become one incident."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.e2e.harness import storms
from tests.e2e.harness.alertmanager import OwnAlertmanager
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.nodes import ready_nodes
from tests.e2e.harness.story import Story
from tests.e2e.stories.test_incidents import open_incidents, service

pytestmark = pytest.mark.timeout(300)

RACKS, NODES_EACH, SERVICES, ALERTS = 3, 3, 40, 400


def callees(number: int) -> list[int]:
    """Each service calls two others, as a tree."""
    return [each for each in (2 * number + 1, 2 * number + 2) if each < SERVICES]


def rack(story: Story, number: int) -> str:
    """The name of a rack of this story alone: others stand in the same lab."""
    return f"{story.namespace}-r{number}"


@pytest.fixture
def nodes(story: Story) -> Iterator[list[Document]]:
    """Nine nodes in three racks, which no other story's pods run on."""
    made = [
        storms.rack_node(f"{story.namespace}-{place}-{number}", rack(story, place), story.namespace)
        for place in range(RACKS)
        for number in range(NODES_EACH)
    ]
    with ready_nodes(story.lab, made):
        yield made


@pytest.fixture
def alertmanager(story: Story) -> Iterator[OwnAlertmanager]:
    """An Alertmanager of the story's own: alerts of nodes are everybody's."""
    made = OwnAlertmanager(story.folder / "alertmanager")
    made.start("http://127.0.0.1:9/nobody")
    yield made
    made.stop()


def run_fleet(story: Story) -> list[Document]:
    """Run 40 services with two pods each on the racks; returns their pods."""
    fleet = storms.fleet(SERVICES, "0badc0de")
    for number, each in enumerate(fleet):
        storms.in_pool(each, story.namespace)
        each["spec"]["template"]["spec"]["containers"][0]["env"] = [
            {"name": f"UPSTREAM_{callee}_ADDR", "value": f"svc-{callee:02d}:8080"}
            for callee in callees(number)
        ]
    story.apply(*fleet, *(service(each["metadata"]["name"]) for each in fleet))
    for each in fleet:
        story.rolled_out(each["metadata"]["name"])
    return story.api.items(f"/api/v1/namespaces/{story.namespace}/pods")


def calling(
    story: Story, nodes: list[Document], pods: list[Document], place: str
) -> list[Document]:
    """Workloads without pods in a rack that call one that has some there."""
    inside = {n["metadata"]["name"] for n in nodes if n["metadata"]["labels"][storms.RACK] == place}
    there = {p["metadata"]["labels"]["app"] for p in pods if p["spec"]["nodeName"] in inside}
    names = (
        f"svc-{number:02d}"
        for number in range(SERVICES)
        if there & {f"svc-{each:02d}" for each in callees(number)}
    )
    return [
        {"metadata": {"namespace": story.namespace, "name": name}}
        for name in names
        if name not in there
    ]


def start(story: Story, alertmanager: OwnAlertmanager) -> None:
    """Start an operator that has looked around before anything happens."""
    operator = story.start_operator(
        operatorNamespace=story.namespace,
        alertmanager={"url": alertmanager.url},
        journal={"enabled": True},
    )
    story.wait(
        lambda: "prunella_incident_round_seconds_count" in operator.probe("metrics")[1],
        "a round of incidents has ended",
    )


def counted(found: list[Document]) -> int:
    """How many alerts they hold."""
    return sum(each["status"]["alerts"] for each in found)


def test_alerts_of_a_rack_are_one_incident_that_names_the_rack(
    story: Story, nodes: list[Document], alertmanager: OwnAlertmanager
) -> None:
    """Given 40 services on three racks, when 400 alerts of one fire, then the rack is suspected."""
    pods = run_fleet(story)
    start(story, alertmanager)
    callers = calling(story, nodes, pods, rack(story, 1))
    alerts = storms.of_racks(nodes, pods, [rack(story, 1)], ALERTS, time.time() - 5, callers)
    assert ALERTS == len(alerts)
    alertmanager.post(alerts)

    def whole() -> bool:
        found = open_incidents(story)
        named = all(each["status"].get("suspects") for each in found)
        return named and [ALERTS] == [each["status"]["alerts"] for each in found]

    story.wait(whole, f"one open incident with a suspect holds {ALERTS} alerts", 120)

    (incident,) = open_incidents(story)
    status = incident["status"]
    first = status["suspects"][0]
    name = incident["metadata"]["name"]
    (story.folder / "why.txt").write_text(story.prunella("why", name, "-n", story.namespace))
    assert (ALERTS, "Open") == (status["alerts"], status["state"])
    assert ("Rack", rack(story, 1)) == (first["object"]["kind"], first["object"]["name"])
    assert ("Node", "Medium") == (first["causeKind"], first["confidence"])
    assert "3 of 3 nodes and " in first["summary"]
    # Nodes of other stories stand elsewhere, too.
    assert re.search(r", 0 of \d+ nodes and 0 of ", first["summary"]), first["summary"]


def test_alerts_of_all_racks_name_no_rack(
    story: Story, nodes: list[Document], alertmanager: OwnAlertmanager
) -> None:
    """Given the same services, when 400 alerts of all racks fire, then no rack is suspected."""
    pods = run_fleet(story)
    start(story, alertmanager)
    racks = [rack(story, number) for number in range(RACKS)]
    alertmanager.post(storms.of_racks(nodes, pods, racks, ALERTS, time.time() - 5))

    story.wait(lambda: counted(open_incidents(story)) >= ALERTS, f"{ALERTS} alerts are told", 120)
    time.sleep(15)
    suspects = [each for one in open_incidents(story) for each in one["status"].get("suspects", [])]
    assert [] == [each for each in suspects if each["object"]["kind"] == "Rack"]
