"""Three replicas, and a leader that is killed, hung and cut off: one writer, all the time."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import yaml

from tests.e2e.harness import manifests, release
from tests.e2e.harness.network import Cable
from tests.e2e.harness.running import Operator
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

REPLICAS = 3
MOST_SECONDS = 60.0
"""Far more than promised: other stories run on the same cores."""
LEASES = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}


@dataclasses.dataclass(frozen=True)
class Replica:
    """One of the replicas, and its way to the API server."""

    name: str
    operator: Operator
    cable: Cable

    def leads(self) -> bool:
        """Whether it says so itself."""
        return "\nprunella_leader 1.0" in self.operator.probe("metrics")[1]

    def evaluated(self) -> int:
        """How often it was elected and has then evaluated all policies."""
        return self.operator.log.read_text().count("all policies were evaluated")


@pytest.fixture
def replicas(story: Story) -> Iterator[list[Replica]]:
    """Three replicas with a Lease of the story's own, and the right to it."""
    rights(story)
    with contextlib.ExitStack() as stack:
        made = []
        for number in range(REPLICAS):
            cable = stack.enter_context(contextlib.closing(Cable(story.lab.api_server_url)))
            name = f"replica-{number}"
            path = cable.kubeconfig(story.account, story.folder / f"{name}.yaml")
            operator = story.operator(
                operatorName=story.namespace,
                leaderElection={"enabled": True, "identity": name},
                logFormat="text",
            )
            operator.use(path)
            operator.start(wait=False)
            made.append(Replica(name, operator, cable))
        yield made


def rights(story: Story) -> None:
    """What the chart gives for its own Lease."""
    named = {"metadata": {"name": story.namespace, "namespace": release.HOME}}
    group = "rbac.authorization.k8s.io"
    rules = [{**LEASES, "verbs": ["get", "create", "patch"]}]
    subject = {"kind": "ServiceAccount", "name": release.ACCOUNT, "namespace": release.HOME}
    reference = {"apiGroup": group, "kind": "Role", "name": story.namespace}
    version = {"apiVersion": f"{group}/v1"}
    for each in (
        {**version, "kind": "Role", **named, "rules": rules},
        {
            **version,
            "kind": "RoleBinding",
            **named,
            "subjects": [subject],
            "roleRef": reference,
        },
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **named},
    ):
        story.lab.apply(yaml.safe_dump(each))


def leader(replicas: list[Replica], but: Replica | None = None) -> Replica:
    """Who leads and has evaluated everything."""

    def found() -> Replica | None:
        for each in replicas:
            if each is not but and each.leads() and each.evaluated():
                return each
        return None

    made = wait_until(found, MOST_SECONDS, "somebody leads")
    assert made is not None
    return made


def struck(
    replicas: list[Replica], strike: Callable[[Replica], None], mend: Callable[[Replica], None]
) -> float:
    """Strike the leader; the seconds until another has evaluated everything."""
    old = leader(replicas)
    began = time.monotonic()
    strike(old)
    leader(replicas, but=old)
    seconds = time.monotonic() - began
    mend(old)
    # A leader that has lost its Lease ends; then the kubelet starts it again.
    assert old.operator.wait_dead(MOST_SECONDS) != 0
    old.operator.start(wait=False)
    return seconds


def test_one_writer_whatever_happens_to_the_leader(story: Story, replicas: list[Replica]) -> None:
    """Given news all the time, when the leader is killed, hung, cut off, then one writes at a time.

    A hung leader that goes on, and one whose network is mended, send nothing more and end.
    """
    story.run(manifests.workload("checkout", "v1"))
    story.apply(manifests.policy("checkout", {"restart": {}}))
    for each in replicas:
        each.operator.wait_ready()
    with news(story):
        took = {
            "killed": struck(replicas, lambda it: it.operator.kill(), lambda _: None),
            "hung": struck(
                replicas,
                lambda it: it.operator.send(signal.SIGSTOP),
                lambda it: it.operator.send(signal.SIGCONT),
            ),
            "cut off": struck(replicas, lambda it: it.cable.cut(), lambda it: it.cable.mend()),
        }
        old = leader(replicas)
        began = time.monotonic()
        code, stopping = old.operator.stop()
        leader(replicas, but=old)
        took["asked to stop"] = time.monotonic() - began
        story.wait(lambda: len(turns(story)) >= 5, "the last leader writes, too", 60)
    shown = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
    sys.stdout.write(f"\nfailover: {shown}; it ended after {stopping:.1f} s\n")
    assert code == 0
    spans = turns(story)
    assert len(spans) == 5, spans
    for before, after in itertools.pairwise(spans):
        assert before.last <= after.first, (before, after)


@contextlib.contextmanager
def news(story: Story) -> Iterator[None]:
    """Something changes twice a second, and the journal is written."""
    ended = threading.Event()

    def tell() -> None:
        for number in itertools.count():
            if ended.wait(0.5):
                return
            story.apply(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": f"news-{number % 20}"},
                    "data": {"number": str(number)},
                }
            )

    teller = threading.Thread(target=tell)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


@dataclasses.dataclass
class Turn:
    """A time in which one replica wrote and no other."""

    agent: str
    first: datetime.datetime
    last: datetime.datetime
    count: int = 1


def turns(story: Story) -> list[Turn]:
    """Who wrote from when until when, by the API server's audit log."""
    found: list[Turn] = []
    for event in sorted(story.written(), key=lambda each: each["requestReceivedTimestamp"]):
        began = datetime.datetime.fromisoformat(event["requestReceivedTimestamp"])
        ended = datetime.datetime.fromisoformat(event["stageTimestamp"])
        if found and found[-1].agent == event["userAgent"]:
            found[-1].last = max(found[-1].last, ended)
            found[-1].count += 1
        else:
            found.append(Turn(event["userAgent"], began, ended))
    return found
