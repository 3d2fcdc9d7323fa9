"""Certificates: the operator's token asks for the next one, and writes nothing else of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab import stand_ins
from lab.cluster import Lab
from prunella.cli import kube
from tests.e2e.chart import toolbox
from tests.e2e.chart.toolbox import op

pytestmark = pytest.mark.timeout(180)

READY = {"type": "Ready", "status": "True", "reason": "Ready", "message": "up to date"}
ASKED = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "by x"}
STATUS = {
    "notBefore": "2025-11-01T09:00:00Z",
    "notAfter": "2026-01-07T09:00:00Z",
    "revision": 2,
    "conditions": [READY],
}
ONLY = "the operator may write only the condition Issuing of certificates"
AT = "/status/conditions"


@pytest.fixture(scope="module")
def account(release: Lab, shop: str) -> kube.ApiServer:
    """The API server, as the operator's account reaches it."""
    return kube.connect(release.token_kubeconfig(toolbox.ACCOUNT, toolbox.HOME), None, shop)


@pytest.fixture(scope="module")
def certified(release: Lab, shop: str, account: kube.ApiServer) -> Iterator[str]:
    """The shop with a Certificate, while the action that has it issued is enabled."""
    stand_ins.install(release, stand_ins.CERTIFICATES)
    document = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "web", "namespace": shop},
        "spec": {"secretName": "web"},
    }
    made = toolbox.create(release, document)
    assert made.returncode == 0, made.stderr
    told = ("--subresource=status", "--type=merge", "--patch", json.dumps({"status": STATUS}))
    release.kubectl("-n", shop, "patch", "certificate", "web", *told)
    _switch(release, on=True)
    try:
        toolbox.await_policy(release, ONLY, present=True)
        toolbox.eventually(lambda: ONLY in asks(account, shop, *REFUSED["revision"]))
        yield shop
    finally:
        _switch(release, on=False)
        toolbox.await_policy(release, ONLY, present=False)
        release.kubectl("-n", shop, "delete", "certificate", "web")


def _switch(release: Lab, *, on: bool) -> None:
    release.helm(
        *("upgrade", toolbox.RELEASE, str(toolbox.CHART), "--namespace", toolbox.HOME),
        *("--reuse-values", "--wait", "--set", f"actions.renewCertificate={json.dumps(on)}"),
    )


def asks(account: kube.ApiServer, namespace: str, *operations: toolbox.Document) -> str:
    """Why one JSON patch of the status is refused, tried and not kept; empty: it is not.

    kubectl would read the subresource first, which the account has no right to.
    """
    path = f"/apis/cert-manager.io/v1/namespaces/{namespace}/certificates/web/status?dryRun=All"
    patch: Any = list(operations)
    try:
        account.request("PATCH", path, patch, "application/json-patch+json")
    except kube.KubeError as error:
        return str(error)
    return ""


def test_the_next_one_is_asked_for(account: kube.ApiServer, certified: str) -> None:
    """Given the action enabled, the operator's token may write the condition."""
    assert "" == asks(account, certified, op("add", f"{AT}/1", ASKED))


REFUSED = {
    "revision": (op("replace", "/status/revision", 3), op("add", f"{AT}/1", ASKED)),
    "the end": (
        op("replace", "/status/notAfter", "2036-01-07T09:00:00Z"),
        op("add", f"{AT}/1", ASKED),
    ),
    "another condition": (
        op("replace", f"{AT}/0/status", "False"),
        op("add", f"{AT}/1", ASKED),
    ),
    "fewer conditions": (op("replace", AT, [ASKED]),),
    "another reason": (op("add", f"{AT}/1", {**ASKED, "reason": "Renewing"}),),
    "an end of issuing": (op("add", f"{AT}/1", {**ASKED, "status": "False"}),),
    "nothing is asked": (op("replace", f"{AT}/0/message", "x"),),
    "no status": (op("remove", "/status"),),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_else_of_the_status_is_written(
    account: kube.ApiServer, certified: str, name: str
) -> None:
    """Given the action enabled, all else of the status is refused by the API server."""
    assert ONLY in asks(account, certified, *REFUSED[name])


def test_the_spec_is_out_of_reach(operator: toolbox.Kubectl, certified: str) -> None:
    """Given the action enabled, the token has no right to the Certificate itself."""
    done = toolbox.patch(operator, "certificate", certified, op("add", "/spec/duration", "1h"))
    toolbox.assert_refused(done, 'cannot patch resource "certificates"')


def test_the_guard_passes_the_type_checker(release: Lab, certified: str) -> None:
    """Given the policy, when the API server checks its types, it warns of nothing."""
    assert certified
    checks = {
        policy["metadata"]["name"]: policy["status"].get("typeChecking", {})
        for policy in toolbox.policies(release)
    }
    assert checks[f"{toolbox.ACCOUNT}-certificates"] == {}
