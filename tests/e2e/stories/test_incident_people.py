"""Incidents on a real API server: who sees and may say what, and an operator that is killed."""

from __future__ import annotations

import json
import pathlib
import subprocess
from collections.abc import Iterator

import pytest
import yaml

from lab import cluster
from tests.e2e.harness import manifests
from tests.e2e.harness.running import PROGRAM
from tests.e2e.harness.story import Story
from tests.e2e.stories.test_incidents import (
    alert,
    calling,
    end,
    incidents,
    post,
    service,
    status,
)

pytestmark = pytest.mark.timeout(400)

SETTINGS = {"quietSeconds": 10}


@pytest.fixture
def neighbour(story: Story) -> Iterator[str]:
    """A second namespace with a database that the story's workloads call."""
    name = f"{story.namespace}-hidden"
    story.lab.kubectl("create", "namespace", name)
    database = yaml.safe_dump_all(
        {**each, "metadata": {**each["metadata"], "namespace": name}}
        for each in (service("vault"), manifests.workload("vault", "v1"))
    )
    story.lab.kubectl("apply", "--filename", "-", input=database)
    yield name
    story.lab.kubectl("delete", "namespace", name, "--wait=false")


def user(story: Story, name: str) -> pathlib.Path:
    """A kubeconfig of a user with the role edit in the story's namespace."""
    account = f"--serviceaccount={story.namespace}:{name}"
    story.lab.kubectl("-n", story.namespace, "create", "serviceaccount", name)
    story.lab.kubectl(
        *("-n", story.namespace, "create", "rolebinding", name, "--clusterrole=edit", account)
    )
    token = story.lab.kubectl("-n", story.namespace, "create", "token", name).stdout.strip()
    admin = yaml.safe_load(story.lab.kubeconfig.read_text())
    path = story.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(cluster.with_token(admin, token, story.namespace)))
    return path


def test_a_namespace_user_learns_nothing_of_other_namespaces(story: Story, neighbour: str) -> None:
    """Given a cause elsewhere, when a user asks, then neither incident nor `why` tells of it.

    His word on what is his counts; that on what is not, or anything else, is refused.
    """
    story.run(calling("web", "vault", neighbour))
    story.start_operator(namespaces=[story.namespace, neighbour], incidents=SETTINGS)
    elsewhere = {**alert(story, "DiskFull", "vault")}
    elsewhere["labels"] = {**elsewhere["labels"], "namespace": neighbour}
    fired = [elsewhere, alert(story, "HighErrorRate", "web", pod="a")]
    post(story, fired)
    story.wait(lambda: incidents(story, "prunella-system"), "an incident of both", 60)
    shown = status(story, alerts=1)
    editor = user(story, "editor")

    (mirror,) = incidents(story)
    name = mirror["metadata"]["name"]
    seen = subprocess.run(  # noqa: S603
        [str(PROGRAM), "why", name, f"--kubeconfig={editor}"],
        capture_output=True,
        text=True,
        check=False,
    )
    whole = incidents(story, "prunella-system")
    assert mirror["spec"]["mirror"]
    assert 0 == seen.returncode, seen.stderr
    for text in (seen.stdout, json.dumps(mirror), json.dumps(shown)):
        assert "vault" not in text
        assert neighbour not in text
    assert "vault" in json.dumps(whole)
    denied = story.lab.kubectl(
        *("-n", story.namespace, "annotate", f"incident/{name}", "note=mine"),
        kubeconfig=editor,
        check=False,
    )
    assert "only prunella.dev/confirmed and prunella.dev/rejected are changed" in denied.stderr
    forged = story.lab.kubectl(
        *("-n", story.namespace, "patch", f"incident/{name}", "--type=merge"),
        *("--patch", '{"spec": {"mirror": false}}'),
        kubeconfig=editor,
        check=False,
    )
    assert "is never changed afterwards" in forged.stderr
    said = f"prunella.dev/rejected=Deployment/{story.namespace}/web at now by editor"
    story.lab.kubectl(
        *("-n", story.namespace, "annotate", f"incident/{name}", said), kubeconfig=editor
    )
    end(story, fired)


def test_an_operator_killed_in_a_storm(story: Story) -> None:
    """Given a storm, when the operator is killed twice, then all is counted, and once."""
    names = [f"w-{number}" for number in range(6)]
    story.apply(service("hub"), manifests.workload("hub", "v1", replicas=1))
    story.apply(*(calling(each, "hub", story.namespace) for each in names))
    story.rolled_out("hub")
    operator = story.start_operator(
        operatorNamespace=story.namespace, incidents=SETTINGS, journal={"enabled": True}
    )
    story.wait(lambda: story.lab.alerts() is not None, "Alertmanager answers", 10)
    fired = [alert(story, "HighErrorRate", "hub", pod=f"h{n}") for n in range(30)]
    post(story, fired)
    status(story, alerts=30)
    first = incidents(story)[0]["metadata"]["name"]
    operator.kill()
    more = [alert(story, "HighErrorRate", each, pod=f"p{n}") for each in names for n in range(20)]
    post(story, more)
    operator.start()
    story.wait(lambda: len(incidents(story)) >= 1, "incidents", 30)
    operator.kill()
    operator.start()

    def settled() -> bool:
        found = incidents(story)
        open_ones = [e for e in found if e.get("status", {}).get("state") == "Open"]
        return sum(e["status"]["alerts"] for e in open_ones) == len(fired + more)

    story.wait(settled, "all alerts are counted once", 90)
    found = incidents(story)
    assert first in [each["metadata"]["name"] for each in found]
    sick = [m["object"]["name"] for e in found for m in e["status"]["members"]]
    assert sorted(["hub", *names]) == sorted(sick)
    end(story, fired + more)
    story.wait(
        lambda: {e["status"]["state"] for e in incidents(story)} <= {"Resolved", "Merged"},
        "all is over",
        120,
    )
