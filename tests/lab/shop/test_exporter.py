"""What Prometheus scrapes of a shop."""

from __future__ import annotations

import re

from lab.shop.exporter import Exporter
from lab.shop.series import BUCKETS, Counter, Histogram, text_of
from tests.lab.shop.cluster import Shop

EDGE = "traces_service_graph_request"


def _record(shop: Shop, exporter: Exporter, seconds: int) -> str:
    for _ in range(seconds):
        exporter.record(shop.run(1))
    return exporter.page()


def _value(page: str, name: str, **labels: str) -> float:
    """The sum of all samples of a metric with these labels."""
    total = 0.0
    for line in page.splitlines():
        match = re.fullmatch(rf"{name}\{{(.*)\}} (\S+)", line)
        if match and all(f'{key}="{value}"' in match[1] for key, value in labels.items()):
            total += float(match[2])
    return total


def test_no_series_of_errors_before_the_first_error(shop: Shop) -> None:
    """Neither a failed counter nor a status code 500."""
    page = _record(shop, Exporter(), 20)

    assert f"{EDGE}_failed_total" not in page
    assert 'http_response_status_code="500"' not in page
    assert _value(page, f"{EDGE}_total", client="load-generator", server="frontend") > 300


def test_errors_are_counted_where_they_are_seen(shop: Shop) -> None:
    """A Service without endpoints: its callers fail, it sees no requests any more."""
    exporter = Exporter()
    shop.run(1)
    shop.delete("Service", "core", "cart")
    page = _record(shop, exporter, 20)

    assert _value(page, f"{EDGE}_failed_total", client="frontend", server="cart") > 50
    failed = {"server": "cart", "connection_type": "virtual_node"}
    assert _value(page, f"{EDGE}_total", **failed, server_k8s_namespace_name="shop-core") > 50
    http = "http_server_request_duration_seconds_count"
    assert _value(page, http, service_name="cart") == 0
    assert _value(page, http, service_name="frontend", http_response_status_code="500") > 50


def test_labels_name_both_sides(shop: Shop) -> None:
    """Service, namespace and workload of client and server, and what kind of call it is."""
    page = _record(shop, Exporter(), 5)
    both = {
        "client": "product-catalog",
        "client_k8s_namespace_name": "shop-core",
        "client_k8s_deployment_name": "product-catalog",
        "server": "postgres",
        "server_k8s_namespace_name": "shop-data",
        "server_k8s_deployment_name": "postgres",
        "connection_type": "database",
    }

    assert _value(page, f"{EDGE}_total", **both) > 50
    assert _value(page, f"{EDGE}_total", server="kafka", connection_type="messaging_system") > 5


def test_the_same_seed_counts_the_same() -> None:
    """Every part is seeded."""
    pages = []
    for _ in range(2):
        shop = Shop()
        shop.run(10)
        pages.append(_record(shop, Exporter(7), 20))

    assert pages[0] == pages[1]


def test_containers_and_nodes_are_measured(shop: Shop) -> None:
    """CAdvisor's and node_exporter's series; limits make periods that may be throttled."""
    page = _record(shop, Exporter(), 20)
    cart = {"namespace": "shop-core", "container": "cart"}

    used = _value(page, "container_cpu_usage_seconds_total", **cart)
    assert 0.5 < used < 10
    assert _value(page, "container_memory_working_set_bytes", **cart) == 2 * 70 * 2**20
    assert _value(page, "container_cpu_cfs_periods_total", **cart) == 2 * 20 * 10
    assert _value(page, "node_memory_MemTotal_bytes") == 4 * 4 * 2**30
    busy = _value(page, "node_cpu_seconds_total", mode="user")
    idle = _value(page, "node_cpu_seconds_total", mode="idle")
    assert round(busy + idle) == 4 * 2 * 20


def test_kills_for_memory_are_counted_once_each(shop: Shop) -> None:
    """As many as there were, for each container."""
    exporter = Exporter()
    limits = {"limits": {"cpu": "250m", "memory": "40Mi"}}
    shop.change_container("core", "cart", resources=limits)
    page = _record(shop, exporter, 6)

    assert _value(page, "container_oom_events_total", container="cart") == 4


def test_pools_show_how_full_they_are(shop: Shop) -> None:
    """Used and idle connections are the size of the pool together."""
    page = _record(shop, Exporter(), 3)
    pool = {"service_name": "cart", "db_client_connection_pool_name": "valkey"}

    size = _value(page, "db_client_connection_max", **pool)
    assert size == 2 * 32
    assert round(_value(page, "db_client_connection_count", **pool), 6) == size


def test_messages_wait_for_a_consumer_that_is_gone(shop: Shop) -> None:
    """The lag grows for it, not for the other."""
    shop.put({**shop.get("Deployment", "core", "accounting"), "spec": _none(shop)})
    page = _record(shop, Exporter(), 30)

    assert _value(page, "kafka_consumergroup_lag", consumergroup="accounting") > 30
    assert _value(page, "kafka_consumergroup_lag", consumergroup="fraud-detection") == 0


def _none(shop: Shop) -> dict[str, object]:
    return {**shop.get("Deployment", "core", "accounting")["spec"], "replicas": 0}


def test_series_of_a_pod_end_with_it(shop: Shop) -> None:
    """So that Prometheus sees them go."""
    exporter = Exporter()
    before = _record(shop, exporter, 3)
    old = shop.pods("core", "quote")[0]["metadata"]["name"]
    shop.change_container("core", "quote")
    after = _record(shop, exporter, 3)

    assert f'pod="{old}"' in before
    assert f'pod="{old}"' not in after


def test_histogram_is_cumulative() -> None:
    """Every bucket holds all below it; the last one is the count."""
    histogram = Histogram("h", 'a="b"')
    for seconds in (0.001, 0.005, 0.3, 99.0):
        histogram.observe(seconds)
    lines = list(histogram.lines())
    counts = [int(line.rsplit(" ", 1)[1]) for line in lines[: len(BUCKETS) + 1]]

    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (2, 4)
    assert lines[-2:] == ['h_sum{a="b"} 99.306', 'h_count{a="b"} 4']


def test_counter_does_not_exist_before_it_counts() -> None:
    """As in an SDK."""
    counter = Counter("c", 'a="b"')
    before = list(counter.lines())
    counter.value += 2

    assert (before, list(counter.lines())) == ([], ['c{a="b"} 2'])


def test_labels_are_escaped_and_empty_ones_left_out() -> None:
    """The text format's own rules."""
    assert text_of({"a": 'x"y\\', "b": "", "c": "1\n2"}) == 'a="x\\"y\\\\",c="1\\n2"'


def test_no_series_is_there_twice(shop: Shop) -> None:
    """Users who reach nobody have the same labels as those who do."""
    exporter = Exporter()
    shop.run(5)
    page = _record(shop, exporter, 5)
    assert page
    shop.delete("Ingress", "web", "shop")
    names = [line.rpartition(" ")[0] for line in _record(shop, exporter, 10).splitlines()]
    series = [name for name in names if not name.startswith("#")]

    assert len(series) == len(set(series))
