"""The lab is a real control plane whose metrics follow what is really running."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time
import types
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pytest

from lab import lifecycle, processes
from lab.cluster import Lab

pytestmark = pytest.mark.timeout(240)

T = TypeVar("T")
NOTHING: Mapping[str, str] = types.MappingProxyType({})
ROOT = pathlib.Path(__file__).parents[2]


def _deployment(
    namespace: str, image: str, replicas: int = 3, annotations: Mapping[str, str] = NOTHING
) -> str:
    notes = ", ".join(f'lab.prunella.dev/{key}: "{value}"' for key, value in annotations.items())
    return f"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {{name: checkout, namespace: {namespace}}}
        spec:
          replicas: {replicas}
          selector: {{matchLabels: {{app: checkout}}}}
          template:
            metadata: {{labels: {{app: checkout}}, annotations: {{{notes}}}}}
            spec: {{containers: [{{name: app, image: "shop.example/checkout:{image}"}}]}}
        """


def _roll_out(
    lab: Lab,
    namespace: str,
    image: str,
    replicas: int = 3,
    annotations: Mapping[str, str] = NOTHING,
) -> None:
    lab.apply(_deployment(namespace, image, replicas, annotations))
    _await_rollout(lab, namespace)


def _await_rollout(lab: Lab, namespace: str) -> None:
    lab.kubectl("-n", namespace, "rollout", "status", "deployment/checkout", "--timeout=60s")


def _eventually(ask: Callable[[], T], good: Callable[[T], bool], seconds: float = 60) -> T:
    """Ask until the answer is good; fail with the last answer."""
    deadline = time.monotonic() + seconds
    while not good(answer := ask()):
        if time.monotonic() > deadline:
            pytest.fail(f"after {seconds} s still {answer!r}")
        time.sleep(0.5)
    return answer


def _series(lab: Lab, promql: str) -> Callable[[], list[dict[str, Any]]]:
    return lambda: lab.query(promql)


def _number(lab: Lab, promql: str) -> Callable[[], float]:
    """The value of a query with one series; not a number while there is none."""

    def ask() -> float:
        found = lab.query(promql)
        return float(found[0]["value"][1]) if len(found) == 1 else float("nan")

    return ask


def test_deployment_becomes_ready_and_its_series_name_it(lab: Lab, namespace: str) -> None:
    """Given a lab, when a Deployment of 3 is applied, then 3 pods report under its name."""
    _roll_out(lab, namespace, "v1")

    found = _eventually(
        _series(lab, f'app_up{{namespace="{namespace}"}}'), lambda found: len(found) == 3
    )

    pods = {pod["metadata"]["name"] for pod in lab.get("-n", namespace, "pods")["items"]}
    assert pods == {each["metric"]["pod"] for each in found}
    assert {each["metric"]["deployment"] for each in found} == {"checkout"}


def test_healthy_release_has_no_error_series(lab: Lab, namespace: str) -> None:
    """Given a good image, when requests are counted, then no series of errors exists at all."""
    _roll_out(lab, namespace, "v1")
    requests = f'app_http_requests_total{{namespace="{namespace}"}}'

    _eventually(_series(lab, f"rate({requests}[15s]) > 0"), lambda found: len(found) == 3)

    assert {each["metric"]["code"] for each in lab.query(requests)} == {"200"}


def test_bad_release_fails_requests_until_it_is_rolled_back(lab: Lab, namespace: str) -> None:
    """Given a bad release, when it is undone, then the measured error ratio returns to none."""
    _roll_out(lab, namespace, "v1")
    _roll_out(lab, namespace, "v2-bad")
    rate = f'sum(rate(app_http_requests_total{{namespace="{namespace}"%s}}[15s]))'
    errors = rate % ', code="500"'
    ratio = _number(lab, f"{errors} / {rate % ''}")
    assert _eventually(ratio, lambda value: value > 0.25) == pytest.approx(0.3, abs=0.05)

    lab.kubectl("-n", namespace, "rollout", "undo", "deployment/checkout")
    _await_rollout(lab, namespace)

    _eventually(_series(lab, errors), lambda found: not found)


def test_leak_grows_with_age_and_rollback_brings_memory_down(lab: Lab, namespace: str) -> None:
    """Given a leaking release, when it is undone, then memory is back at what it was."""
    memory = _number(lab, f'max(app_memory_bytes{{namespace="{namespace}"}})')
    _roll_out(lab, namespace, "v1")
    assert _eventually(memory, lambda value: value > 0) == 50e6
    _roll_out(lab, namespace, "v2-leak")
    _eventually(memory, lambda value: value > 60e6)

    lab.kubectl("-n", namespace, "rollout", "undo", "deployment/checkout")
    _await_rollout(lab, namespace)

    _eventually(memory, lambda value: value == 50e6, seconds=20)


def test_saturation_falls_as_replicas_are_added(lab: Lab, namespace: str) -> None:
    """Given a load of 3 pods' worth on 2, when it is scaled to 4, then saturation is 0.75."""
    saturation = _number(lab, f'app_cpu_saturation{{namespace="{namespace}"}}')
    _roll_out(lab, namespace, "v1", replicas=2, annotations={"load": "3"})
    _eventually(saturation, lambda value: value == 1.5)

    lab.kubectl("-n", namespace, "scale", "deployment/checkout", "--replicas=4")

    _eventually(saturation, lambda value: value == 0.75)


@pytest.mark.parametrize(
    ("image", "annotations", "values"),
    [
        pytest.param("v1", {"metrics": "nan"}, {"NaN"}, id="nan"),
        pytest.param("v1", {"metrics": "none"}, set(), id="none"),
        pytest.param("v1-mute", {}, set(), id="mute"),
        pytest.param("v1", {"metrics": "frozen", "rps": "2"}, {"120"}, id="frozen"),
    ],
)
def test_pods_can_report_nothing_useful(
    lab: Lab, namespace: str, image: str, annotations: dict[str, str], values: set[str]
) -> None:
    """Given pods told to report badly, when they are scraped, then exactly that is stored."""
    good = _deployment(namespace, "v1").replace("checkout", "control")
    lab.apply(good)
    _roll_out(lab, namespace, image, annotations=annotations)
    counted = f'app_http_requests_total{{namespace="{namespace}", deployment="%s"}}'
    _eventually(_series(lab, counted % "control"), lambda found: len(found) == 3)
    _eventually(_series(lab, counted % "checkout"), lambda found: bool(found) == bool(values))

    found = lab.query(counted % "checkout")

    assert {each["value"][1] for each in found} == values


def test_stopped_and_frozen_prometheus(lab: Lab, namespace: str) -> None:
    """Given samples, when Prometheus stops it answers nothing, frozen it answers old ones."""
    _roll_out(lab, namespace, "v1")
    age = _number(lab, f'time() - min(timestamp(app_up{{namespace="{namespace}"}}))')
    _eventually(age, lambda value: value < 6)

    lab.stop_prometheus()
    try:
        with pytest.raises(OSError, match="refused"):
            lab.query("up")
        lab.start_prometheus(scrape=False)
        assert _eventually(age, lambda value: value > 12) < 60
    finally:
        lab.thaw_metrics()

    _eventually(age, lambda value: value < 6)


def test_audit_log_holds_a_patch_with_its_body_and_outcome(lab: Lab, namespace: str) -> None:
    """Given the audit log, when a Deployment is patched twice, then both outcomes are in it."""
    _roll_out(lab, namespace, "v1")
    patch = ("-n", namespace, "patch", "deployment", "checkout", "--type=json", "-p")
    test = '{"op": "test", "path": "/spec/replicas", "value": 3}'
    change = '{"op": "replace", "path": "/spec/replicas", "value": 2}'
    for _ in range(2):
        lab.kubectl(*patch, f"[{test}, {change}]", check=False)

    def patches() -> list[dict[str, Any]]:
        return [
            event
            for event in lab.audit_events()
            if event.get("objectRef", {}).get("namespace") == namespace
            and isinstance(event.get("requestObject"), list)
        ]

    found = _eventually(patches, lambda found: len(found) == 2)
    assert [event["responseStatus"]["code"] for event in found] == [200, 422]
    assert found[0]["requestObject"][1]["value"] == 2


def test_token_has_only_the_rights_of_its_service_account(lab: Lab, namespace: str) -> None:
    """Given a service account without rights, when its token is used, then RBAC refuses."""
    lab.kubectl("-n", namespace, "create", "serviceaccount", "nobody")
    kubeconfig = lab.token_kubeconfig("nobody", namespace)

    done = lab.kubectl("get", "deployments", kubeconfig=kubeconfig, check=False)

    assert done.returncode != 0
    assert f"system:serviceaccount:{namespace}:nobody" in done.stderr


def test_helm_reaches_the_lab(lab: Lab) -> None:
    """Given helm from the cache, when it lists releases, then the API server answers."""
    assert "NAMESPACE" in lab.helm("list", "--all-namespaces").stdout


def test_admission_policies_are_enforced(lab: Lab, namespace: str) -> None:
    """Given a ValidatingAdmissionPolicy, when an object breaks it, then it is refused."""
    policy = f"""
        apiVersion: admissionregistration.k8s.io/v1
        kind: ValidatingAdmissionPolicy
        metadata: {{name: {namespace}}}
        spec:
          matchConstraints:
            namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}
            resourceRules:
              - apiGroups: [""]
                apiVersions: [v1]
                operations: [CREATE]
                resources: [configmaps]
          validations: [{{expression: "false", message: not here}}]
        ---
        apiVersion: admissionregistration.k8s.io/v1
        kind: ValidatingAdmissionPolicyBinding
        metadata: {{name: {namespace}}}
        spec: {{policyName: {namespace}, validationActions: [Deny]}}
        """
    lab.apply(textwrap.dedent(policy))
    create = ("-n", namespace, "create", "configmap", "x", "--dry-run=server")
    try:
        refused = _eventually(
            lambda: lab.kubectl(*create, check=False), lambda done: done.returncode != 0
        )
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            lab.kubectl("delete", kind, namespace)

    assert "not here" in refused.stderr


def test_second_up_is_quick_and_changes_nothing(lab: Lab) -> None:
    """Given a lab that is up, when up runs again, then it is there within two seconds."""
    before = lab.layout.state.read_bytes()
    started = time.monotonic()

    assert lifecycle.up(lab.name) == lab

    assert time.monotonic() - started < 2
    assert before == lab.layout.state.read_bytes()


def test_two_labs_side_by_side(lab: Lab) -> None:
    """Given one lab, when another is started and taken down, then the first is not touched."""
    other = lifecycle.up(f"{lab.name}-b", nodes=1)
    try:
        assert len(other.get("nodes")["items"]) == 1
        assert len(lab.get("nodes")["items"]) == 3
    finally:
        lifecycle.down(other.name)

    assert not other.layout.folder.exists()
    assert processes.owned(other.layout.folder) == {}
    assert lifecycle.status(lab.name).is_up


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
@pytest.mark.parametrize("program", ["kwokctl", "kube-apiserver", "prometheus"])
def test_interrupted_start_leaves_nothing(
    program: str, number: signal.Signals, tmp_path: pathlib.Path
) -> None:
    """Given a start, when it is interrupted as a program appears, then nothing of it is left."""
    folder = tmp_path / "labs" / "brief"
    command = [sys.executable, "-m", "lab", "up", "--name", "brief"]
    environment = {**os.environ, "PRUNELLA_LAB_DIR": str(folder.parent)}
    start = subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    while program not in processes.owned(folder).values():
        assert start.poll() is None, "the start was over before it could be interrupted"
        time.sleep(0.02)
    start.send_signal(number)

    _, said = start.communicate(timeout=60)

    assert start.returncode == 128 + number
    assert "clearing lab brief away" in said
    assert processes.owned(folder) == {}
    assert not folder.parent.exists()
