"""The stories' own lab, with the chart in it, and a stage for each story."""

from __future__ import annotations

import os
import pathlib
import uuid
from collections.abc import Generator, Iterator

import pytest
import yaml

from lab import cluster, flux_controllers
from lab.cluster import Lab
from prunella.cli import kube
from tests.e2e.harness import lease, release, storms
from tests.e2e.harness.nodes import ready_nodes
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import wait_until


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A lab beside the one of ``PRUNELLA_LAB``: a cluster can have only one guarded release."""
    name = f"{os.environ.get('PRUNELLA_LAB', 'test')}-stories"
    with lease.leased(name, _prepare) as found:
        yield found


def _prepare(lab: Lab) -> None:
    """The chart; and Flux's own controllers, where they carry the stories' Kustomizations out."""
    release.install(lab)
    if os.environ.get("PRUNELLA_FLUX") == "controllers":
        flux_controllers.start(lab)


@pytest.fixture(scope="session")
def account(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A kubeconfig with a token of the chart's ServiceAccount, in this worker's own folder."""
    arguments = ("--namespace", release.HOME, "create", "token", release.ACCOUNT, "--duration=2h")
    token = lab.kubectl(*arguments).stdout.strip()
    admin = yaml.safe_load(lab.kubeconfig.read_text())
    path = tmp_path_factory.mktemp("account") / "kubeconfig"
    path.write_text(yaml.safe_dump(cluster.with_token(admin, token, release.HOME)))
    return path


@pytest.fixture
def story(lab: Lab, account: pathlib.Path, tmp_path: pathlib.Path) -> Iterator[Story]:
    """A fresh namespace with everything to tell a story in it."""
    name = f"s-{uuid.uuid4().hex[:8]}"
    lab.kubectl("create", "namespace", name)
    api = kube.connect(lab.kubeconfig, None, name)
    stage = Story(lab, api, account, release.USERNAME, name, tmp_path)
    path = f"/api/v1/namespaces/{name}/serviceaccounts"
    wait_until(lambda: api.items(path), 30, f"namespace {name} has its service account")
    try:
        yield stage
    finally:
        stage.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, None, None]:
    """Show a failed story's policies, records and operator logs before its namespace is gone."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    stage = getattr(item, "funcargs", {}).get("story")
    if report.when == "call" and report.failed and isinstance(stage, Story):
        report.sections.append(("story", stage.tell()))


@pytest.fixture
def node(story: Story) -> Iterator[str]:
    """A node of the story's own, which no other story's pods run on."""
    made = storms.rack_node(f"{story.namespace}-n", story.namespace, story.namespace)
    with ready_nodes(story.lab, [made]) as names:
        yield names[0]
