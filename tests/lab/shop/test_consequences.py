"""One change to one object, and what becomes of the shop's calls and pods.

Each case starts from a shop that sells; what it changes is what a person could with kubectl.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.shop.cluster import Shop, policy

Change = Callable[[Shop], object]
SELLS = 0.985
"""The least success of a shop that nobody has broken."""


def _merge(kind: str, where: str, name: str, *path: str, value: Any) -> Change:
    def change(shop: Shop) -> None:
        found = shop.get(kind, where, name)
        part: Any = found
        for step in path[:-1]:
            part = part[int(step) if step.isdigit() else step]
        part[path[-1]] = value
        shop.put(found)

    return change


def _container(where: str, name: str, **fields: Any) -> Change:
    return lambda shop: shop.change_container(where, name, **fields)


def _variable(where: str, name: str, variable: str, value: str | None) -> Change:
    """Set an environment variable, or take it away."""

    def edit(env: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rest = [each for each in env if each["name"] != variable]
        return rest if value is None else [*rest, {"name": variable, "value": value}]

    return _container(where, name, env=edit)


def _tag(name: str, tag: str, where: str = "core") -> Change:
    return _container(where, name, image=f"registry.example/shop/{name}:{tag}")


def _annotate(kind: str, where: str, name: str, **chaos: str) -> Change:
    def change(shop: Shop) -> None:
        found = shop.get(kind, where, name)
        notes = found["metadata"].setdefault("annotations", {})
        notes.update({f"chaos.lab.prunella.dev/{key}": value for key, value in chaos.items()})
        shop.picture.put(kind, found)

    return change


def _flag(name: str, variant: str) -> Change:
    def change(shop: Shop) -> None:
        found = shop.get("ConfigMap", "data", "flags")
        text = found["data"]["flags.json"]
        head, mark, tail = text.partition(f'"{name}"')
        tail = tail.replace('"defaultVariant": "off"', f'"defaultVariant": "{variant}"', 1)
        found["data"]["flags.json"] = head + mark + tail
        shop.put(found)

    return change


def _deny(where: str, name: str, *types: str) -> Change:
    spec = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": name}},
        "policyTypes": list(types),
    }
    return lambda shop: shop.picture.put("NetworkPolicy", policy(spec, f"shop-{where}", "deny"))


def _credentials(shop: Shop) -> None:
    secret = shop.get("Secret", "core", "postgres-client")
    secret["stringData"] = {**secret["data"], "password": "b2xk"}
    shop.put(secret)
    shop.change_container("core", "product-catalog")


def _egress_without_dns(shop: Shop) -> None:
    spec = {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"namespaceSelector": {}}], "ports": [{"port": 8080}]}],
    }
    shop.picture.put("NetworkPolicy", policy(spec, "shop-web", "egress"))


def _lossy_rack(shop: Shop) -> None:
    name = shop.pods("data", "valkey")[0]["spec"]["nodeName"]
    _annotate("Node", "", name, loss="0.4")(shop)


def test_a_shop_that_nobody_broke_sells(shop: Shop) -> None:
    """No call fails but the few that are late, and every pod is ready."""
    second = shop.run(5)
    lowest = min(edge.success for edge in second.graphs[0].edges())

    assert lowest > SELLS
    assert {"Running"} == {status["phase"] for status in shop.statuses.values()}
    assert all(c["ready"] for s in shop.statuses.values() for c in s["containerStatuses"])


FAILS = [
    pytest.param(
        _merge("Service", "core", "cart", "spec", "selector", value={"app": "carts"}),
        ("frontend", "cart"),
        id="a selector that selects nothing",
    ),
    pytest.param(
        _merge("Service", "core", "cart", "spec", "ports", "0", "targetPort", value=9999),
        ("frontend", "cart"),
        id="a target port that nobody listens on",
    ),
    pytest.param(
        _merge("Service", "core", "cart", "spec", "ports", "0", "targetPort", value="web"),
        ("frontend", "cart"),
        id="a target port's name that no container has",
    ),
    pytest.param(
        _merge("Service", "core", "cart", "spec", "ports", "0", "port", value=8081),
        ("frontend", "cart"),
        id="a port that callers do not call",
    ),
    pytest.param(
        _merge("Service", "core", "cart", "spec", "ports", "0", "protocol", value="UDP"),
        ("frontend", "cart"),
        id="a protocol that callers do not speak",
    ),
    pytest.param(
        _merge(
            "Service",
            "core",
            "cart",
            "spec",
            "selector",
            value={"app.kubernetes.io/name": "currency"},
        ),
        ("frontend", "cart"),
        id="a selector that selects another program",
    ),
    pytest.param(
        lambda shop: shop.delete("Service", "core", "cart"),
        ("frontend", "cart"),
        id="a Service that was deleted",
    ),
    pytest.param(_deny("core", "cart", "Ingress"), ("frontend", "cart"), id="ingress denied"),
    pytest.param(_deny("core", "checkout", "Egress"), ("checkout", "payment"), id="egress denied"),
    pytest.param(
        _variable("core", "cart", "VALKEY_ADDR", "valkey.shop-data.svc.cluster.local:6380"),
        ("cart", "valkey"),
        id="an address with a wrong port",
    ),
    pytest.param(
        _variable("core", "cart", "VALKEY_ADDR", "valkey:6379"),
        ("cart", "valkey"),
        id="an address of another namespace's Service",
    ),
    pytest.param(
        lambda shop: shop.change_pod("core", "shipping", dnsPolicy="Default"),
        ("shipping", "quote"),
        id="a DNS policy without the cluster's names",
    ),
    pytest.param(_credentials, ("product-catalog", "postgres"), id="credentials of yesterday"),
    pytest.param(
        _merge("Ingress", "web", "shop", "spec", "rules", value=[{"host": "other.example"}]),
        ("load-generator", "frontend"),
        id="an Ingress for another host",
    ),
    pytest.param(
        lambda shop: shop.delete("Ingress", "web", "shop"),
        ("load-generator", "frontend"),
        id="an Ingress that was deleted",
    ),
    pytest.param(
        _egress_without_dns, ("frontend", "cart"), id="an egress policy that forgets the names"
    ),
    pytest.param(
        _container("core", "cart", ports=[{"name": "rpc", "containerPort": 8080}]),
        ("frontend", "cart"),
        id="a container port under another name than the Service's",
    ),
    pytest.param(
        _variable("core", "cart", "PORT", "9090"), ("frontend", "cart"), id="another port"
    ),
    pytest.param(
        _variable("web", "frontend", "CALL_TIMEOUT_MS", "5"),
        ("frontend", "checkout"),
        id="a timeout that is too short",
    ),
    pytest.param(
        _variable("data", "valkey", "VALKEY_MAX_CLIENTS", "8"),
        ("cart", "valkey"),
        id="too few connections taken",
    ),
    pytest.param(_lossy_rack, ("cart", "valkey"), id="a rack that loses packets"),
    pytest.param(_flag("cartFailure", "on"), ("frontend", "cart"), id="a flag that fails it"),
    pytest.param(_tag("payment", "1.5.0-errors"), ("checkout", "payment"), id="a bad release"),
    pytest.param(
        _annotate("Deployment", "core", "payment", errors="0.5"),
        ("checkout", "payment"),
        id="chaos: errors",
    ),
    pytest.param(
        _annotate("Deployment", "core", "payment", loss="0.4"),
        ("checkout", "payment"),
        id="chaos: loss",
    ),
]


@pytest.mark.parametrize(("change", "edge"), FAILS)
def test_calls_fail(shop: Shop, change: Change, edge: tuple[str, str]) -> None:
    """The calls of the part that was broken fail, and errors travel up to the users."""
    change(shop)
    shop.run(20)

    assert shop.success(*edge) < 0.8
    assert shop.success("load-generator", "frontend") < SELLS - 0.01


def test_a_consumer_that_fails_is_nobody_elses_trouble(shop: Shop) -> None:
    """Accounting reads from the queue: its errors travel to no user."""
    _variable("core", "accounting", "DB_NAME", "orders")(shop)
    shop.run(20)

    assert shop.success("accounting", "postgres") == 0
    assert shop.success("load-generator", "frontend") > SELLS


def test_the_first_failure_ends_a_request(shop: Shop) -> None:
    """Checkout asks the cart first: nobody is charged when there is none."""
    before = sum(each.rate for each in shop.edges("checkout", "payment"))
    shop.delete("Service", "core", "cart")
    shop.run(30)

    assert before > 1
    assert sum(each.rate for each in shop.edges("checkout", "payment")) < 0.1 * before


def test_calls_that_are_not_needed_cost_no_user_anything(shop: Shop) -> None:
    """Checkout goes on when no mail can be sent."""
    shop.delete("Service", "core", "email")
    shop.run(10)

    assert shop.success("checkout", "email") == 0
    assert shop.success("load-generator", "frontend") > SELLS


SLOW = [
    pytest.param(
        _tag("product-catalog", "1.5.0-slow"),
        ("product-catalog", "postgres"),
        id="a release that asks the database too often",
    ),
    pytest.param(
        _variable("core", "product-catalog", "DB_POOL_SIZE", "1"),
        ("product-catalog", "postgres"),
        id="a pool with too few connections",
    ),
    pytest.param(_tag("payment", "1.5.0-delay"), ("checkout", "payment"), id="a slow release"),
    pytest.param(
        _annotate("Deployment", "core", "payment", delay="800ms"),
        ("checkout", "payment"),
        id="chaos: delay",
    ),
    pytest.param(
        _annotate("Deployment", "core", "payment", cpu="0.16"),
        ("checkout", "payment"),
        id="chaos: CPU",
    ),
    pytest.param(
        _container(
            "web",
            "frontend",
            resources={"limits": {"cpu": "150m", "memory": "160Mi"}},
        ),
        ("load-generator", "frontend"),
        id="a CPU limit below need",
    ),
    pytest.param(_flag("imageSlowLoad", "1sec"), ("frontend", "image-provider"), id="a slow flag"),
]


@pytest.mark.parametrize(("change", "edge"), SLOW)
def test_calls_get_slow(shop: Shop, change: Change, edge: tuple[str, str]) -> None:
    """Time goes up where it is spent, and with everyone who waits for it."""
    before, users = shop.latency(*edge), shop.latency("load-generator", "frontend")
    change(shop)
    shop.run(20)

    assert shop.latency(*edge) > 2 * before
    assert shop.latency("load-generator", "frontend") > 1.1 * users


def test_a_slow_release_loads_what_others_use_too(shop: Shop) -> None:
    """The database is slower for accounting, which has not changed."""
    before = shop.latency("accounting", "postgres")
    _tag("product-catalog", "1.5.0-slow")(shop)
    shop.run(20)

    assert shop.latency("accounting", "postgres") > 3 * before


def test_an_overloaded_store_does_not_swing_each_second(shop: Shop) -> None:
    """Queues and callers follow over seconds, so good and bad times last some."""
    _tag("product-catalog", "1.5.0-slow")(shop)
    shop.run(20)
    good = []
    for _ in range(30):
        shop.run(1)
        good.append(shop.success("load-generator", "frontend") > 0.6)

    assert not all(good)
    assert sum(a != b for a, b in itertools.pairwise(good)) < 10


def test_a_change_of_configuration_waits_for_a_restart(shop: Shop) -> None:
    """Variables are read when a container starts, so an edited ConfigMap does nothing yet."""
    limit = {"max-connections": "12"}
    _merge("ConfigMap", "data", "postgres-config", "data", value=limit)(shop)
    shop.run(10)
    before = shop.success("product-catalog", "postgres")
    shop.change_container("data", "postgres")
    shop.run(20)

    assert before > SELLS
    assert shop.success("product-catalog", "postgres") < 0.5


def test_undone_is_healed(shop: Shop) -> None:
    """Nothing stays behind when the selector is right again."""
    right = shop.get("Service", "core", "cart")
    _merge("Service", "core", "cart", "spec", "selector", value={"app": "carts"})(shop)
    shop.run(10)
    shop.put(right)
    shop.run(10)

    assert shop.success("load-generator", "frontend") > SELLS


def test_too_few_replicas_for_the_load(shop: Shop) -> None:
    """One frontend cannot carry what three do."""
    workload = shop.get("Deployment", "web", "frontend")
    workload["spec"]["replicas"] = 1
    shop.put(workload)
    shop.run(20)

    assert shop.success("load-generator", "frontend") < 0.9


def test_a_program_without_limits_slows_its_neighbours(shop: Shop) -> None:
    """Who shares its node waits longer for the CPU; most requests still succeed."""
    before = shop.latency("load-generator", "frontend")
    shop.change_container("web", "recommendation", resources={"requests": {"cpu": "100m"}})
    shop.run(20)

    assert shop.latency("load-generator", "frontend") > 1.5 * before
    assert shop.success("load-generator", "frontend") > 0.5


def test_a_file_of_flags_that_is_no_json_switches_all_off(shop: Shop) -> None:
    """Even those that were on."""
    _flag("paymentFailure", "100%")(shop)
    shop.run(5)
    before = shop.success("checkout", "payment")
    _merge("ConfigMap", "data", "flags", "data", "flags.json", value="{")(shop)
    shop.run(5)

    assert before == 0
    assert shop.success("checkout", "payment") > SELLS


def test_flags_of_a_service_that_does_not_reach_flagd_are_off(shop: Shop) -> None:
    """It takes its defaults then."""
    _flag("paymentFailure", "100%")(shop)
    shop.delete("Service", "data", "flagd")
    shop.run(10)

    assert shop.success("checkout", "payment") > SELLS


def test_a_node_without_power_takes_its_pods_along(shop: Shop) -> None:
    """Calls to them time out until somebody takes them out of the endpoints."""
    name = shop.pods("data", "valkey")[0]["spec"]["nodeName"]
    node = shop.get("Node", "", name)
    node["metadata"]["annotations"]["chaos.lab.prunella.dev/node"] = "down"
    shop.picture.put("Node", node)
    shop.run(5)

    assert shop.success("cart", "valkey") == 0
    assert next(shop.edges("cart", "valkey")).failure_latency > 1
