"""A bad commit is reverted on a real Git server.

Flux is the stand-in of `lab.flux`; with ``PRUNELLA_FLUX=controllers`` (`make test-flux`) it is
Flux's own controllers, on the same stories.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from lab import flux, git_server
from lab.git_server import git
from tests.e2e.harness import manifests
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(400)
pytest.importorskip("dulwich", reason="the extra git is not installed")
FLOOR_SECONDS = 240.0
"""From the merge of a bad release to Succeeded, at most."""
WATCHED_SECONDS = 60.0
"""How long all has been well before: a series is older than its first scrapes, as elsewhere."""
REAL_FLUX = os.environ.get("PRUNELLA_FLUX") == "controllers"


@dataclasses.dataclass(slots=True)
class Shop:
    """A repository on a server, a person's working copy, and what deploys it."""

    story: Story
    server: git_server.GitServer
    bare: pathlib.Path
    work: pathlib.Path
    kustomization: flux.Kustomization
    password: pathlib.Path

    def settings(self, **changes: Any) -> dict[str, Any]:
        """The administrator's word."""
        auth = {"username": self.server.access.user, "passwordFile": str(self.password)}
        entry = {"urlPrefix": self.server.url, "mode": "push", "basicAuth": auth, **changes}
        return {"repositories": [entry], "authorEmail": "prunella@shop.example"}

    def merge(self, tag: str, author: str = "Ada", *, broken: bool = False, **spec: Any) -> str:
        """Merge a release of checkout; returns the commit. A broken one Flux can not build."""
        document = manifests.workload("checkout", tag)
        document["spec"] |= spec
        path = self.work / "apps/checkout/deployment.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document))
        if broken:
            path.with_name("broken.yaml").write_text("kind: [")
        git(self.work, "add", "--all")
        who = {"NAME": author, "EMAIL": f"{author.lower()}@shop.example"}
        git(self.work, "commit", "--quiet", "--message", f"Release {tag}", author=who)
        git(self.work, "push", "--quiet", "origin", "HEAD:main")
        return git(self.work, "rev-parse", "HEAD")

    @property
    def head(self) -> str:
        """The branch's head on the server."""
        return git(self.bare, "rev-parse", "main")

    def applied(self, commit: str) -> bool:
        """Whether Flux has applied a commit."""
        return bool(self.kustomization.status.get("lastAppliedRevision") == f"main@sha1:{commit}")

    def deploy(self, commit: str) -> None:
        """Wait until a commit is applied."""
        self.story.wait(lambda: self.applied(commit), f"applied: {self.kustomization.problem}", 60)


@pytest.fixture
def shop(story: Story, tmp_path: pathlib.Path) -> Iterator[Shop]:
    """Given checkout:v1, deployed from Git and well."""
    if git_server.program() is None:
        pytest.skip("git is not installed")
    served = tmp_path / "served"
    served.mkdir()
    server = git_server.GitServer(served)
    bare, work = server.create("shop.git"), tmp_path / "work"
    git(tmp_path, "clone", "--quiet", str(bare), str(work))
    password = tmp_path / "password"
    password.write_text(server.access.password)
    deployed = _deployed(story, f"{server.url}shop.git", server.access, bare)
    told = Shop(story, server, bare, work, deployed, password)
    first = told.merge("v1")
    deployed.start()
    try:
        told.deploy(first)
        story.rolled_out("checkout")
        story.reported("checkout", below=0.01)
        yield told
    finally:
        deployed.close()
        server.close()


def _deployed(
    story: Story, url: str, access: git_server.Access, bare: pathlib.Path
) -> flux.Kustomization:
    """A Kustomization of the repository, and who carries it out."""
    what = (story.lab, story.namespace, url, "./apps/checkout", access)
    if REAL_FLUX:
        return flux.Kustomization(*what)
    flux.install(story.lab)
    return flux.StandIn(*what, bare=bare)


def test_a_bad_release_is_reverted_synced_and_proved(
    story: Story, shop: Shop, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """Given a bad release merged, then it is reverted in Git, applied by Flux, and healthy."""
    story.apply(manifests.policy("checkout", {"gitRevert": {}}, verify={"within": "60s"}))
    story.start_operator(git=shop.settings())
    time.sleep(WATCHED_SECONDS)
    began = time.monotonic()
    bad = shop.merge("v2-bad")
    shop.deploy(bad)

    record = story.phase("checkout", "Succeeded", FLOOR_SECONDS)

    took = time.monotonic() - began
    record_testsuite_property("seconds from bad merge to proof", round(took))
    (effect,), (status,) = record["spec"]["effects"], record["status"]["effects"]
    assert ("Push", bad, bad) == (
        effect["verb"],
        effect["git"]["revert"],
        effect["git"]["expectedHead"],
    )
    assert shop.head == status["commit"]
    assert "v1" == story.image("checkout")
    trailer = git(shop.bare, "log", "-1", "--format=%(trailers:key=Prunella-Remediation,valueonly)")
    assert f"{story.namespace}/{record['metadata']['name']}" == trailer
    assert [] == story.writes("checkout"), "the operator has written nothing in the cluster"
    log = story.operators[0].log.read_text()
    assert shop.server.access.password not in log + str(record)
    assert "a push to main" in story.prunella(
        "explain", f"remediation/{record['metadata']['name']}", "-n", story.namespace
    )


def test_a_conflicting_later_commit_escalates(story: Story, shop: Shop) -> None:
    """Given a later commit on the same file, then nothing is pushed and a person is called."""
    bad = shop.merge("v2-bad")
    shop.deploy(bad)
    later = shop.merge("v3", author="Bob", broken=True, minReadySeconds=1)
    story.wait(
        lambda: shop.kustomization.ready.get("reason") == "BuildFailed", "the build fails", 60
    )
    story.apply(manifests.policy("checkout", {"gitRevert": {}}))
    story.start_operator(git=shop.settings())

    message = story.refused("checkout", "LaterCommit")

    assert f'{later[:10]} "Release v3" of Bob has changed' in message
    story.wait(story.alerts, "a person is called", 60)
    assert later == shop.head
    assert [] == story.records("checkout")


def test_a_suspended_kustomization_is_left_to_a_person(story: Story, shop: Shop) -> None:
    """Given a sync that a person has suspended, then nothing is pushed."""
    bad = shop.merge("v2-bad")
    shop.deploy(bad)
    shop.kustomization.suspend(suspended=True)
    story.apply(manifests.policy("checkout", {"gitRevert": {}}))
    story.start_operator(git=shop.settings())

    story.refused("checkout", "SyncSuspended")

    assert bad == shop.head


def test_another_namespace_can_not_have_it_reverted(story: Story, shop: Shop) -> None:
    """Given a repository that is not this namespace's, then nothing is pushed."""
    bad = shop.merge("v2-bad")
    shop.deploy(bad)
    story.apply(manifests.policy("checkout", {"gitRevert": {}}))
    story.start_operator(git=shop.settings(allowedNamespaces=["web-*"]))

    message = story.refused("checkout", "NotAllowedByPolicy")

    assert f"for namespaces web-*, and this one is {story.namespace}" in message
    assert bad == shop.head
