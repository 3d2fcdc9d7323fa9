"""Rollouts: what of them the operator's account may write, on a real API server.

The account has been given too many rights, so that the admission policy alone stands between.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from lab import argo_rollouts
from lab.cluster import Lab
from tests.contract import worlds
from tests.e2e.chart import toolbox
from tests.e2e.chart.toolbox import op

pytestmark = pytest.mark.timeout(180)

SHOP = "guard-rollouts"
ROLLOUT = "rollouts.argoproj.io"
PAUSE = {"reason": "CanaryPauseStep", "startTime": "2026-03-01T12:00:00Z"}
STATUS = {"stableRS": "old", "currentPodHash": "new", "pauseConditions": [PAUSE]}


@pytest.fixture(scope="module")
def shop(release: Lab) -> Iterator[str]:
    """A namespace with a Rollout that waits, whose spec and status the account may patch."""
    argo_rollouts.install(release)
    release.kubectl("create", "namespace", SHOP)
    ref = worlds.model.Ref("Rollout", SHOP, "web")
    release.apply(json.dumps(worlds.rollout(ref, 4, "shop/web:v1")))
    told = json.dumps({"status": STATUS})
    how = ("--subresource=status", "--type=merge", "--patch", told)
    release.kubectl("-n", SHOP, "patch", ROLLOUT, "web", *how)
    rights = ("--verb=get,patch,delete", f"--resource={ROLLOUT},{ROLLOUT}/status")
    release.kubectl("-n", SHOP, "create", "role", "too-much", *rights)
    subject = f"--serviceaccount={toolbox.HOME}:{toolbox.ACCOUNT}"
    release.kubectl("-n", SHOP, "create", "rolebinding", "too-much", "--role=too-much", subject)
    yield SHOP
    release.kubectl("delete", "namespace", SHOP, "--wait=false")


def attempt(
    operator: toolbox.Kubectl, operations: list[toolbox.Document], subresource: str = ""
) -> toolbox.Done:
    """A patch by the operator's token, as a dry run."""
    how = ["--type=json", "--dry-run=server", "--patch", json.dumps(operations)]
    if subresource:
        how.append(f"--subresource={subresource}")
    return operator("-n", SHOP, "patch", ROLLOUT, "web", *how)


RESTART = [op("add", "/spec/restartAt", "2026-03-01T12:00:00Z")]
OFF: dict[str, tuple[list[toolbox.Document], str, str]] = {
    "abort": ([op("add", "/status/abort", True)], "status", "neither action abortRollout nor"),
    "promote": ([op("remove", "/status/pauseConditions")], "status", "neither action abortRollout"),
    "rollback": (
        [op("replace", "/spec/template/spec/containers/0/image", "evil:1")],
        "",
        "spec: the operator may change only restartAt",
    ),
    "scale": ([op("replace", "/spec/replicas", 9)], "", "may change only restartAt"),
    "labels": ([op("add", "/metadata/labels/a", "b")], "", "labels, owners or finalizers"),
    "annotations": ([op("add", "/metadata/annotations", {"a": "b"})], "", "only its own"),
}


@pytest.mark.parametrize("name", OFF)
def test_what_is_not_enabled_is_refused(operator: toolbox.Kubectl, shop: str, name: str) -> None:
    """Given restart alone enabled, the API server refuses what the other actions write."""
    assert shop
    operations, subresource, words = OFF[name]
    toolbox.assert_refused(attempt(operator, operations, subresource), words)


def test_what_is_enabled_is_written(operator: toolbox.Kubectl, shop: str) -> None:
    """Given restart enabled, its field may be written."""
    assert shop
    done = attempt(operator, RESTART)
    assert done.returncode == 0, done.stderr


def test_a_rollout_is_not_deleted(operator: toolbox.Kubectl, shop: str) -> None:
    """Given the right to, the admission policy still says no."""
    done = operator("-n", shop, "delete", ROLLOUT, "web", "--dry-run=server")
    toolbox.assert_refused(done, "creates and deletes no Rollouts")


@pytest.fixture(scope="module")
def enabled(release: Lab, shop: str, operator: toolbox.Kubectl) -> Iterator[str]:
    """The same, while the two actions are enabled."""
    _switch(release, on=True)
    abort = OFF["abort"]
    toolbox.eventually(lambda: attempt(operator, abort[0], abort[1]).returncode == 0)
    yield shop
    _switch(release, on=False)
    toolbox.eventually(lambda: attempt(operator, abort[0], abort[1]).returncode != 0)


def _switch(release: Lab, *, on: bool) -> None:
    values = [f"actions.{name}={str(on).lower()}" for name in ("abortRollout", "promote")]
    arguments = ("upgrade", toolbox.RELEASE, str(toolbox.CHART), "--namespace", toolbox.HOME)
    release.helm(*arguments, "--reuse-values", "--set", ",".join(values), "--wait")


TOLD: dict[str, tuple[list[toolbox.Document], str]] = {
    "abort": ([op("add", "/status/abort", True)], ""),
    "promote": ([op("remove", "/status/pauseConditions")], ""),
    "promote to the end": ([op("add", "/status/promoteFull", True)], ""),
    "abort taken back": ([op("add", "/status/abort", False)], "may only turn abort and promote"),
    "another pause": (
        [op("replace", "/status/pauseConditions/0/reason", "Other")],
        "the operator may only take them away",
    ),
    "another stable release": (
        [op("replace", "/status/stableRS", "new")],
        "status: the operator may change only abort, pauseConditions, promoteFull",
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_the_controller_is_told_no_more_than_that(
    operator: toolbox.Kubectl, enabled: str, name: str
) -> None:
    """Given both enabled, two switches may be turned on and pauses taken away, nothing else."""
    assert enabled
    operations, refusal = TOLD[name]
    done = attempt(operator, operations, "status")
    if refusal:
        toolbox.assert_refused(done, refusal)
    assert (refusal == "") == (done.returncode == 0), done.stderr


@pytest.mark.parametrize(
    ("rights", "refusal"),
    [
        pytest.param((), "lets the operator patch rollouts/status", id="without the right"),
        pytest.param((f"patch:{ROLLOUT}/status",), "", id="with the right"),
    ],
)
def test_authors_need_the_right_to_tell(
    release: Lab, shop: str, rights: tuple[str, ...], refusal: str
) -> None:
    """Given an author's own rights, when he lets a release be given up, he must be able to."""
    name = f"author-{len(rights)}"
    author: Callable[..., toolbox.Done] = toolbox.user(
        release, shop, name, toolbox.POLICIES, *rights
    )
    spec = {"target": {"kind": "Rollout", "name": "web"}, "steps": [{"abortRollout": {}}]}
    done = toolbox.create(author, toolbox.policy(shop, "Live", **spec), dry=True)
    if refusal:
        toolbox.assert_refused(done, refusal)
    assert (refusal == "") == (done.returncode == 0), done.stderr
