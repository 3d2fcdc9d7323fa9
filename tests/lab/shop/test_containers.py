"""What a kubelet says of containers that do not come up, or do not stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.shop.cluster import Shop

Change = Callable[[Shop], object]


def _container(where: str, name: str, **fields: Any) -> Change:
    return lambda shop: shop.change_container(where, name, **fields)


def _no_memory(shop: Shop) -> None:
    limits = {"limits": {"cpu": "250m", "memory": "40Mi"}}
    shop.change_container("core", "cart", resources=limits)


def _without(variable: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda env: [each for each in env if each["name"] != variable]


def _from(kind: str, name: str, key: str) -> dict[str, Any]:
    return {"name": "X", "valueFrom": {kind: {"name": name, "key": key}}}


WAITING = [
    pytest.param(
        _container("core", "cart", image="registry.example/shop/cart:2.0.0"),
        "ImagePullBackOff",
        "",
        id="a tag that does not exist",
    ),
    pytest.param(
        _container("core", "cart", image="registry.example/shop/card:1.4.2"),
        "ImagePullBackOff",
        "",
        id="an image that does not exist",
    ),
    pytest.param(
        _container("core", "cart", command=["/app/cartd"]),
        "CrashLoopBackOff",
        "StartError",
        id="a command that does not exist",
    ),
    pytest.param(
        _container("core", "cart", command=["sh", "-c", "echo bye; exit 3"]),
        "CrashLoopBackOff",
        "Error",
        id="a command that ends",
    ),
    pytest.param(
        _container("core", "cart", args=["--prot=9000"]),
        "CrashLoopBackOff",
        "Error",
        id="a flag that the program does not know",
    ),
    pytest.param(
        _container("core", "cart", env=_without("VALKEY_ADDR")),
        "CrashLoopBackOff",
        "Error",
        id="a variable that it needs",
    ),
    pytest.param(
        _container("core", "cart", env=lambda env: [*env, {"name": "PORT", "value": "http"}]),
        "CrashLoopBackOff",
        "Error",
        id="a port that is no number",
    ),
    pytest.param(
        _container("core", "cart", env=lambda env: [*env, _from("configMapKeyRef", "none", "x")]),
        "CreateContainerConfigError",
        "",
        id="a ConfigMap that does not exist",
    ),
    pytest.param(
        _container(
            "core", "cart", env=lambda env: [*env, _from("secretKeyRef", "valkey-client", "x")]
        ),
        "CreateContainerConfigError",
        "",
        id="a key that the Secret does not have",
    ),
    pytest.param(
        _container("core", "cart", securityContext={"runAsUser": 0}),
        "CreateContainerConfigError",
        "",
        id="root where root is forbidden",
    ),
    pytest.param(
        _container("core", "cart", image="registry.example/shop/cart:1.5.0-crash"),
        "CrashLoopBackOff",
        "Error",
        id="a release that crashes",
    ),
    pytest.param(
        _container(
            "core",
            "cart",
            startupProbe={"grpc": {"port": 9999}, "periodSeconds": 1, "failureThreshold": 2},
        ),
        "CrashLoopBackOff",
        "Error",
        id="a startup probe that can't succeed",
    ),
    pytest.param(
        _container("core", "cart", lifecycle={"postStart": {"exec": {"command": ["warm-up"]}}}),
        "CrashLoopBackOff",
        "Error",
        id="a hook that does not exist",
    ),
    pytest.param(_no_memory, "CrashLoopBackOff", "OOMKilled", id="a memory limit below need"),
    pytest.param(
        _container(
            "core",
            "cart",
            livenessProbe={"grpc": {"port": 9999}, "periodSeconds": 1, "failureThreshold": 1},
        ),
        "CrashLoopBackOff",
        "Error",
        id="a liveness probe of a port that nobody listens on",
    ),
]


@pytest.mark.parametrize(("change", "reason", "last"), WAITING)
def test_a_container_waits(shop: Shop, change: Change, reason: str, last: str) -> None:
    """The reason that the kubelet gives, and how the container ended before."""
    change(shop)
    shop.run(24)
    found = shop.container_of("core", "cart")

    assert found["state"]["waiting"]["reason"] == reason
    assert (found["lastState"].get("terminated") or {}).get("reason", "") == last
    assert not found["ready"]


def test_restarts_are_counted_and_come_ever_later(shop: Shop) -> None:
    """At once, then after 10, 20, 40 ... seconds."""
    shop.change_container("core", "cart", command=["sh", "-c", "exit 1"])
    counts = []
    for _ in range(4):
        shop.run(10)
        counts.append(shop.container_of("core", "cart")["restartCount"])
    shop.run(120)

    assert counts == [1, 2, 2, 3]
    assert shop.container_of("core", "cart")["restartCount"] == 5


def test_a_kill_for_memory_has_exit_code_137(shop: Shop) -> None:
    """As the kernel's signal 9 makes it."""
    _no_memory(shop)
    shop.run(10)

    last = shop.container_of("core", "cart")["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (137, "OOMKilled")


def test_a_leak_ends_in_a_kill_and_starts_again(shop: Shop) -> None:
    """Some seconds of 6 MiB each are enough for what the limit leaves."""
    shop.change_container("core", "cart", image="registry.example/shop/cart:1.5.0-leak")
    shop.run(40)

    found = shop.container_of("core", "cart")
    assert found["restartCount"] >= 1
    assert found["lastState"]["terminated"]["reason"] == "OOMKilled"


READINESS = [
    pytest.param({"httpGet": {"path": "/ready", "port": "http"}}, "statuscode: 404", id="path"),
    pytest.param({"httpGet": {"path": "/readyz", "port": 8081}}, "connection refused", id="port"),
    pytest.param({"httpGet": {"path": "/readyz", "port": "web"}}, "find port", id="port's name"),
    pytest.param(
        {"httpGet": {"path": "/readyz", "port": "http", "scheme": "HTTPS"}}, "HTTPS", id="scheme"
    ),
    pytest.param({"grpc": {"port": 8080}}, "failed to connect service", id="kind"),
    pytest.param({"exec": {"command": ["check"]}}, "not found in $PATH", id="command"),
]


@pytest.mark.parametrize(("probe", "message"), READINESS)
def test_a_wrong_readiness_probe(shop: Shop, probe: dict[str, Any], message: str) -> None:
    """The container runs, is never ready, and gets no requests; an Event tells why."""
    shop.change_container("core", "shipping", readinessProbe={**probe, "periodSeconds": 1})
    shop.run(15)
    found = shop.container_of("core", "shipping")
    said = [text for _, reason, text in shop.notes if reason == "Unhealthy"]

    assert "running" in found["state"]
    assert not found["ready"]
    assert message in said[-1]
    assert shop.success("checkout", "shipping") == 0


def test_a_probe_waits_only_so_long(shop: Shop) -> None:
    """A program that is too slow for the probe's timeout gets unready."""
    notes = {"chaos.lab.prunella.dev/delay": "3s"}
    workload = shop.get("Deployment", "core", "shipping")
    workload["metadata"]["annotations"] = notes
    shop.picture.put("Deployment", workload)
    shop.run(20)

    assert not shop.container_of("core", "shipping")["ready"]
    said = [text for _, reason, text in shop.notes if reason == "Unhealthy"]
    assert "context deadline exceeded" in said[-1]


def test_an_init_container_that_crashes_keeps_the_pod_pending(shop: Shop) -> None:
    """Its state is CrashLoopBackOff; the container behind it is PodInitializing."""
    init = [{"name": "init", "image": "busybox:1.37", "command": ["sh", "-c", "exit 1"]}]
    shop.change_pod("core", "quote", initContainers=init)
    shop.run(20)
    status = shop.pods("core", "quote")[0]["status"]

    assert status["phase"] == "Pending"
    waiting = status["initContainerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "CrashLoopBackOff"
    assert shop.container_of("core", "quote")["state"]["waiting"]["reason"] == "PodInitializing"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["sleep", "infinity"], id="sleeps"),
        pytest.param(
            ["sh", "-c", "until nc -z nowhere.shop-core 80; do sleep 1; done"], id="waits in vain"
        ),
    ],
)
def test_an_init_container_that_hangs(shop: Shop, command: list[str]) -> None:
    """It runs for ever; nothing behind it starts."""
    init = [{"name": "init", "image": "busybox:1.37", "command": command}]
    shop.change_pod("core", "quote", initContainers=init)
    shop.run(20)
    status = shop.pods("core", "quote")[0]["status"]

    assert "running" in status["initContainerStatuses"][0]["state"]
    assert status["phase"] == "Pending"


def test_a_volume_of_a_missing_config_map_is_not_mounted(shop: Shop) -> None:
    """The container waits to be created, and an Event says for what."""
    volumes = [{"name": "rates", "configMap": {"name": "no-rates"}}]
    shop.change_pod("core", "currency", volumes=volumes)
    shop.run(5)

    found = shop.container_of("core", "currency")
    assert found["state"]["waiting"]["reason"] == "ContainerCreating"
    assert any(reason == "FailedMount" and "no-rates" in text for _, reason, text in shop.notes)


def test_a_mount_elsewhere_is_a_file_that_is_missing(shop: Shop) -> None:
    """The program says which before it exits."""
    shop.change_container(
        "data", "flagd", volumeMounts=[{"name": "flags", "mountPath": "/etc/flags"}]
    )
    shop.run(10)

    last = shop.container_of("data", "flagd")["lastState"]["terminated"]
    assert "/etc/flagd/flags.json: no such file" in last["message"]


def test_a_readiness_gate_that_nobody_opens(shop: Shop) -> None:
    """All containers are ready, the pod is not."""
    shop.change_pod("core", "quote", readinessGates=[{"conditionType": "example.com/warm"}])
    shop.run(10)
    conditions = shop.pods("core", "quote")[0]["status"]["conditions"]
    states = {each["type"]: each["status"] for each in conditions}

    assert (states["ContainersReady"], states["Ready"]) == ("True", "False")


def test_a_node_short_of_memory_evicts_who_takes_too_much(shop: Shop) -> None:
    """Without limits the greedy program takes the node's memory, and is evicted."""
    shop.change_container("web", "recommendation", resources={})
    shop.run(120)

    evicted = {name: s for name, s in shop.statuses.items() if s.get("reason") == "Evicted"}
    assert evicted
    assert all(name.startswith("recommendation") for name in evicted)
    assert any(use.pressure_until > shop.now for use in shop.plane.step(shop.now).nodes.values())


def test_a_pod_that_is_deleted_drains_before_it_goes(shop: Shop) -> None:
    """It is there for a moment, so that its endpoints can go first."""
    pod = shop.pods("core", "quote")[0]
    pod["metadata"]["deletionTimestamp"] = "now"
    shop.picture.put("Pod", pod)
    shop.run(1)
    there = len(shop.pods("core", "quote"))
    shop.run(3)

    assert (there, len(shop.pods("core", "quote"))) == (2, 1)


def test_a_job_ends_well_and_stays_so(shop: Shop) -> None:
    """RestartPolicy Never: Succeeded, and never written again."""
    pod = shop.pods("core", "quote")[0]
    job = {
        **pod,
        "metadata": {**pod["metadata"], "name": "job", "uid": "job", "labels": {}},
        "spec": {
            "nodeName": "shop-node-1",
            "restartPolicy": "Never",
            "containers": [{"name": "job", "image": "busybox:1.37", "command": ["true"]}],
        },
        "status": {"phase": "Pending"},
    }
    shop.picture.put("Pod", job)
    shop.run(5)

    assert shop.statuses["job"]["phase"] == "Succeeded"
