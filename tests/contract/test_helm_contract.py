"""helmRollback with Helm itself: what the Job runs, by its account's rights, on a real API server.

The lab has no kubelet that runs containers, so the test runs the container's command, with its
variables, and a kubeconfig of the chart's ServiceAccount.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import datetime
import gzip
import json
import os
import pathlib
import subprocess
from typing import Any

import pytest
import yaml

from lab import binaries
from lab.cluster import Lab
from prunella.actions import helm_rollback, revert
from prunella.api import offers, remediation
from prunella.core import model
from prunella.core.decisions import action, helm
from tests.contract.worlds import LabWorld
from tests.unit.actions import manifests
from tests.unit.core import builders

pytestmark = pytest.mark.timeout(240)

CHART = pathlib.Path(__file__).parents[2] / "charts" / "prunella"
IMAGE = f"alpine/helm@sha256:{'0' * 64}"
TEMPLATE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "shop/app:{{ .Values.tag }}"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "only-{{ .Values.tag }}"}
{{ .Values.extra }}
"""
HOOK = """---
apiVersion: v1
kind: ConfigMap
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
"""
ACCOUNT = """---
apiVersion: v1
kind: ServiceAccount
metadata: {name: another}
"""


@dataclasses.dataclass
class Shop:
    """A namespace with a Helm release, and the account that may roll it back."""

    lab: Lab
    world: LabWorld
    folder: pathlib.Path
    template: Any
    account: pathlib.Path

    @property
    def namespace(self) -> str:
        """Where it is."""
        return self.world.namespace

    def release(self, tag: str, extra: str = "") -> None:
        """Let somebody install or upgrade the release."""
        values = self.folder / "values.yaml"
        values.write_text(yaml.safe_dump({"tag": tag, "extra": extra}))
        where = ("--namespace", self.namespace, "--values", str(values))
        self.lab.helm("upgrade", "--install", "web", str(self.folder / "web"), *where)

    def history(self) -> list[tuple[int, str, str]]:
        """Revision, status and description of all that Helm keeps."""
        told = self.lab.helm("history", "web", "-n", self.namespace, "-o", "json").stdout
        return [(e["revision"], e["status"], e["description"]) for e in json.loads(told)]

    def names(self, kind: str) -> set[str]:
        """The objects of a kind."""
        found = self.lab.get("--namespace", self.namespace, kind)["items"]
        return {each["metadata"]["name"] for each in found} - {"kube-root-ca.crt", "default"}

    def image(self) -> str:
        """The image in the pod template."""
        found = self.lab.get("--namespace", self.namespace, "deployment", "web")
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    async def rolled_out(self, ref: model.Ref) -> model.LiveState:
        """The workload, once its controller has a ReplicaSet of the newest template."""
        for _ in range(120):
            found = await self.world.cluster.live_state(ref)
            if found is not None and any(each.current for each in found.revisions):
                return found
            await asyncio.sleep(0.5)
        raise AssertionError(f"{ref} has no current revision after a minute")

    async def planned(self, **params: Any) -> action.Plan:
        """What the operator plans, by what it sees of the workload."""
        ref = model.Ref("Deployment", self.namespace, "web")
        live_state = await self.rolled_out(ref)
        now = max(each.created for each in live_state.revisions) + datetime.timedelta(seconds=5)
        step = {"helmRollback": params}
        request = manifests.request(live_state, step, now=now, record="deployment-web-1")
        for _ in range(2):
            plan = helm_rollback.HelmRollback(self.template).plan(request)
            if isinstance(plan, action.Plan):
                return plan
            assert isinstance(plan, tuple), plan
            known = {need.at: model.Verdict.HEALTHY for need in plan if need.at is not None}
            request = dataclasses.replace(request, verdicts_at=known)
        raise AssertionError("it asks again for what was told")

    def run(self, effect: model.Effect, **env: str) -> tuple[int, str]:
        """Run a Job's container as the kubelet would; exit code and log."""
        (container,) = effect.manifest["spec"]["template"]["spec"]["containers"]
        given = {each["name"]: each["value"].replace("$$", "$") for each in container["env"]}
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        own = {"TMPDIR": str(scratch), "KUBECONFIG": str(self.account)}
        path = f"{binaries.locate('helm').parent}:{os.environ['PATH']}"
        done = subprocess.run(  # noqa: S603 - the chart's own script
            [*container["command"], *container["args"]],
            env={"PATH": path, **own, **given, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


def offered(namespace: str, **given: Any) -> list[dict[str, Any]]:
    """The chart's manifests with the action enabled for a namespace."""
    values = {
        "actions": {"helmRollback": True},
        "helmRollback": {"image": IMAGE, "namespaces": [namespace], **given},
    }
    command = [str(binaries.locate("helm")), "template", "prunella", str(CHART)]
    told = subprocess.run(  # noqa: S603 - our own command
        [*command, "--kube-version", "1.35", "--values", "-"],
        input=yaml.safe_dump(values),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [each for each in yaml.safe_load_all(told) if each]


def set_up(lab: Lab, world: LabWorld, folder: pathlib.Path, **given: Any) -> Shop:
    """The account as the chart makes it, and a chart of one workload."""
    documents = offered(world.namespace, **given)
    own = [each for each in documents if each["metadata"].get("namespace") == world.namespace]
    assert ["ServiceAccount", "Role", "RoleBinding"] == [each["kind"] for each in own]
    lab.apply(yaml.safe_dump_all(own))
    (settings,) = [
        yaml.safe_load(text)
        for each in documents
        if each["kind"] == "ConfigMap"
        for text in each["data"].values()
    ]
    template = offers.Offers.model_validate(settings["offered"]).helm_rollback
    web = folder / "web" / "templates"
    web.mkdir(parents=True)
    (web / "web.yaml").write_text(TEMPLATE)
    (folder / "web" / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 0.1.0\n")
    account = lab.token_kubeconfig("prunella-helm", world.namespace)
    return Shop(lab, world, folder, template, account)


@pytest.fixture
def shop(lab: Lab, lab_world: LabWorld, tmp_path: pathlib.Path) -> Shop:
    """A release in its second revision, which has taken an object away and made another."""
    found = set_up(lab, lab_world, tmp_path)
    found.release("v1")
    found.release("v2")
    return found


def record(effect: model.Effect, log: str) -> Any:
    """The record of a Job that has ended."""
    run = remediation.RunStatus(state="Succeeded", log=log)
    return builders.record(action="helmRollback", effects=[effect], run=run)


async def test_back_and_forward_again(shop: Shop) -> None:
    """Helm makes a revision of each; objects come back and go; a second run of a Job refuses."""
    (effect,) = (await shop.planned()).effects
    code, log = shop.run(manifests.kept(effect))
    assert (0, "made revision 3 of web as revision 1 was, after revision 2") == (
        code,
        log.strip().splitlines()[-1].removeprefix("prunella: "),
    )
    assert ("shop/app:v1", {"only-v1"}) == (shop.image(), shop.names("configmap"))
    assert [
        (1, "superseded", "Install complete"),
        (2, "superseded", "Upgrade complete"),
        (3, "deployed", "Rollback to 1"),
    ] == shop.history()
    code, again = shop.run(manifests.kept(effect))
    assert (3, "prunella: refused: web: revision 3 is a rollback itself") == (code, again.strip())

    live_state = await shop.world.cluster.live_state(model.Ref("Deployment", shop.namespace, "web"))
    assert live_state is not None
    follows = record(manifests.kept(effect), log)
    request = manifests.request(live_state, follows=follows, record="deployment-web-2")
    plan = revert.Revert().plan(request)
    assert isinstance(plan, action.Plan), plan
    code, log = shop.run(manifests.kept(plan.effects[0]))
    assert 0 == code, log
    assert ("shop/app:v2", {"only-v2"}) == (shop.image(), shop.names("configmap"))
    assert (4, "deployed", "Rollback to 2") == shop.history()[-1]


async def test_a_release_in_between_is_left_alone(shop: Shop) -> None:
    """On the way back its revision is another; on the way forward, too."""
    (effect,) = (await shop.planned()).effects
    _, log = shop.run(manifests.kept(effect))
    shop.release("v3")
    made = helm.made(record(effect, log))
    assert helm.Made(3, 2) == made
    forward = helm_rollback.forward_again(
        manifests.request(
            model.LiveState(builders.workload()), follows=record(effect, log), record="web-2"
        ),
        manifests.kept(effect),
    )
    assert isinstance(forward, model.Effect)
    code, log = shop.run(forward)
    assert (3, "shop/app:v3", 4) == (code, shop.image(), len(shop.history()))
    assert "revision 4 is not revision 3, which was made" in log


@pytest.mark.parametrize(
    ("extra", "params", "message"),
    [
        pytest.param(HOOK, {}, "has hooks, and allowHooks is not set", id="hooks"),
        pytest.param(
            ACCOUNT,
            {},
            "holds a ServiceAccount, which helmRollback.kinds does not list",
            id="kinds",
        ),
    ],
)
async def test_what_a_revision_holds_is_looked_through(
    shop: Shop, extra: str, params: Any, message: str
) -> None:
    """Before anything is written."""
    shop.release("v3", extra)
    (effect,) = (await shop.planned(**params)).effects
    code, log = shop.run(manifests.kept(effect))
    assert (3, "shop/app:v3", 3) == (code, shop.image(), len(shop.history())), log
    assert message in log


async def test_another_helm_is_at_work(shop: Shop) -> None:
    """A pending revision is left to who has made it, or to a person."""
    where = ("--namespace", shop.namespace, "secret", "sh.helm.release.v1.web.v2")
    secret = shop.lab.get(*where)
    stored = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    release = json.loads(gzip.decompress(stored))
    release["info"]["status"] = "pending-upgrade"
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    patch = {
        "data": {"release": base64.b64encode(packed).decode()},
        "metadata": {"labels": {"status": "pending-upgrade"}},
    }
    shop.lab.kubectl("patch", *where, "--patch", json.dumps(patch))
    (effect,) = (await shop.planned()).effects
    code, log = shop.run(manifests.kept(effect))
    assert (3, "shop/app:v2", 2) == (code, shop.image(), len(shop.history())), log
    assert "revision 2 is pending-upgrade: another Helm is at work" in log


async def test_the_history_keeps_its_limit(
    lab: Lab, lab_world: LabWorld, tmp_path: pathlib.Path
) -> None:
    """As many revisions as the administrators say, the oldest goes first."""
    shop = set_up(lab, lab_world, tmp_path, historyMax=2)
    for tag in ("v1", "v2", "v3"):
        shop.release(tag)
    (effect,) = (await shop.planned()).effects
    code, log = shop.run(manifests.kept(effect))
    assert 0 == code, log
    assert [3, 4] == [number for number, *_ in shop.history()]
    assert "shop/app:v2" == shop.image()


async def test_the_account_can_do_no_more(shop: Shop) -> None:
    """Its rights are those of the Role, in this namespace alone; without one Helm stops."""
    config = ("--kubeconfig", str(shop.account))

    def may(verb: str, what: str, namespace: str) -> str:
        asked = ("auth", "can-i", verb, what, "--namespace", namespace)
        return shop.lab.kubectl(*config, *asked, check=False).stdout.strip()

    own, other = shop.namespace, "default"
    assert ["yes", "yes", "no", "no", "no", "no"] == [
        may("patch", "deployments.apps", own),
        may("list", "secrets", own),
        may("list", "secrets", other),
        may("create", "rolebindings.rbac.authorization.k8s.io", own),
        may("create", "pods", own),
        may("patch", "deployments.apps", other),
    ]
    shop.release("v3", ACCOUNT)
    shop.release("v4")
    (effect,) = (await shop.planned()).effects
    code, log = shop.run(manifests.kept(effect), KINDS="Deployment.apps ConfigMap ServiceAccount")
    assert (1, (5, "failed")) == (code, shop.history()[-1][:2]), log
    assert 'cannot create resource "serviceaccounts"' in log or "forbidden" in log
    assert "another" not in shop.names("serviceaccount")
    assert helm.Made(5, 4) == helm.made(record(effect, log))
