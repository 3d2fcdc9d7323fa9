"""The lab's configuration files, as data."""

from __future__ import annotations

import itertools
import json
import pathlib
import re
from typing import Any

import pytest
import yaml

from lab import config, layout

PORTS = config.Ports(
    api_server=20001,
    etcd=20002,
    etcd_peer=20003,
    controller_manager=20004,
    scheduler=20005,
    kwok=20006,
    prometheus=20007,
    alertmanager=20008,
    kube_state_metrics=20009,
    kube_state_metrics_self=20010,
    shop=20011,
    source_controller=20012,
    source_controller_files=20013,
    kustomize_controller=20014,
)
WHERE = layout.Layout("one", pathlib.Path("/labs/one"))
METRICS = pathlib.Path(config.__file__).parent / "manifests" / "metrics.yaml"


def _program(name: str) -> pathlib.Path:
    return pathlib.Path("/cache") / name


def _app_metrics() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(METRICS.read_text())["spec"]["metrics"]
    return found


def test_control_plane_uses_our_programs_and_every_given_port_locally() -> None:
    """No program is downloaded, no port is chosen by kwokctl, and nothing listens outside."""
    options = config.kwokctl(WHERE, PORTS, _program)["options"]

    programs = {value for key, value in options.items() if key.endswith("Binary")}
    names = (
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kwok",
    )
    assert {f"/cache/{name}" for name in names} == programs
    assert {*range(20001, 20007)} == {v for k, v in options.items() if k.endswith("Port")}
    assert options["bindAddress"] == "127.0.0.1"


def test_stage_kind_stays_off() -> None:
    """With the Stage kind on, kwok's own stages are off and nodes never become ready."""
    assert config.kwokctl(WHERE, PORTS, _program)["options"]["enableCRDs"] == ["Metric"]


def test_kwok_leaves_a_shops_nodes_to_the_shop() -> None:
    """Only nodes that kwokctl made are kwok's; without a shop all are."""
    patch = config.kwokctl(WHERE, PORTS, _program, shop=True)["componentsPatches"][0]
    arguments = {each["key"]: each["value"] for each in patch["extraArgs"]}

    assert "kwok-controller" == patch["name"]
    assert "false" == arguments["manage-all-nodes"]
    assert "kwok.x-k8s.io/node=fake" == arguments["manage-nodes-with-annotation-selector"]
    assert config.kwokctl(WHERE, PORTS, _program)["componentsPatches"] == []


def test_silent_node_of_a_shop_is_noticed_within_a_minute() -> None:
    """Kwokctl makes five times of what it is told: 40 s."""
    options = config.kwokctl(WHERE, PORTS, _program, shop=True)["options"]

    assert 5 * options["kubeControllerManagerNodeMonitorGracePeriodMilliseconds"] == 40_000


@pytest.mark.parametrize(
    ("command", "port"),
    [
        pytest.param(config.prometheus_command, 20007, id="prometheus"),
        pytest.param(config.alertmanager_command, 20008, id="alertmanager"),
    ],
)
def test_servers_listen_locally_and_name_their_folder(command: Any, port: int) -> None:
    """The folder on the command line is what a process is known by."""
    arguments = command(WHERE, PORTS, pathlib.Path("/cache/program"))

    assert f"--web.listen-address=127.0.0.1:{port}" in arguments
    assert any("=/labs/one/" in argument for argument in arguments)


def test_tests_can_stop_and_write_prometheus() -> None:
    """Tests reload Prometheus and delete series through its own API."""
    arguments = config.prometheus_command(WHERE, PORTS, pathlib.Path("prometheus"))

    assert {"--web.enable-lifecycle", "--web.enable-admin-api"} < set(arguments)


def test_scraping_every_5_seconds_from_what_kwok_announces() -> None:
    """Targets come from kwok's discovery endpoint, and pods' own labels win."""
    document = config.prometheus(PORTS)
    job = document["scrape_configs"][0]

    assert document["global"]["scrape_interval"] == "5s"
    assert job["http_sd_configs"][0]["url"] == "http://127.0.0.1:20006/discovery/prometheus"
    assert job["honor_labels"] is True


def test_frozen_prometheus_scrapes_and_records_nothing() -> None:
    """Neither a scrape nor a rule may write a new sample while metrics are frozen."""
    document = config.prometheus(PORTS, scrape=False)

    kinds = ("scrape_configs", "scrape_config_files", "rule_files")
    assert [[], [], []] == [document[kind] for kind in kinds]


@pytest.mark.parametrize(
    ("kind", "generate_name", "expected"),
    [
        pytest.param("deployment", "checkout-6c58d5fd-", {"deployment": "checkout"}, id="plain"),
        pytest.param("deployment", "my-cart-f7cfb6-", {"deployment": "my-cart"}, id="dashes"),
        pytest.param("statefulset", "my-db-", {"statefulset": "my-db"}, id="statefulset"),
        pytest.param("daemonset", "my-agent-", {"daemonset": "my-agent"}, id="daemonset"),
        pytest.param("", "bare-", {}, id="no-controller"),
    ],
)
def test_pods_series_carry_their_workload(
    kind: str, generate_name: str, expected: dict[str, str]
) -> None:
    """A pod's generated name, less the suffix that its controller adds, names the workload."""
    relabelings = config.prometheus(PORTS)["scrape_configs"][0]["metric_relabel_configs"]
    found = {
        each["target_label"]: match[1]
        for each in relabelings
        if each.get("source_labels") == ["lab_kind", "lab_generate_name"]
        and (match := re.fullmatch(each["regex"], f"{kind};{generate_name}"))
    }

    assert expected == found


def test_helper_labels_never_reach_prometheus() -> None:
    """Every label that only serves relabelling matches the rule that removes it."""
    rules = config.prometheus(PORTS)["scrape_configs"][0]["metric_relabel_configs"]
    dropped = next(each["regex"] for each in rules if each.get("action") == "labeldrop")
    labels = {label["name"] for metric in _app_metrics() for label in metric["labels"]}

    kept = {name for name in labels if not re.fullmatch(dropped, name)}
    assert {"namespace", "pod", "code"} == kept


def test_every_metric_can_be_silenced_and_mapped() -> None:
    """A series without these labels could be neither mapped to a workload nor left out."""
    needed = {"namespace", "pod", "lab_generate_name", "lab_kind", "lab_drop"}
    for metric in _app_metrics():
        assert needed <= {label["name"] for label in metric["labels"]}, metric["name"]


def test_alertmanager_sends_nothing() -> None:
    """Its only receiver has a name and no way to send."""
    document = config.alertmanager()

    assert document["receivers"] == [{"name": "none"}]
    assert document["route"]["receiver"] == "none"


def test_audit_records_whole_writes_of_workloads_and_of_our_kinds() -> None:
    """The proof of at most one write per record needs the requests' bodies."""
    rule = config.audit_policy()["rules"][0]
    resources = {
        f"{each['group']}/{kind}" for each in rule["resources"] for kind in each["resources"]
    }

    assert rule["level"] == "Request"
    assert {"patch", "create"} < set(rule["verbs"])
    expected = {"apps/deployments", "apps/deployments/scale", "/pods/eviction", "prunella.dev/*"}
    assert expected <= resources


def test_documents_are_plain_data() -> None:
    """Each document survives JSON, so it can be written as YAML without tags."""
    documents = (
        config.kwokctl(WHERE, PORTS, _program),
        config.audit_policy(),
        config.prometheus(PORTS),
        config.rules(),
        config.alertmanager(),
    )
    for document in documents:
        assert document == json.loads(json.dumps(document))


def test_paths_of_two_labs_never_meet() -> None:
    """Two labs side by side share no file."""
    names = [name for name, each in vars(layout.Layout).items() if isinstance(each, property)]
    other = layout.Layout("two", pathlib.Path("/labs/two"))

    assert names
    for mine, yours in itertools.product(names, names):
        assert getattr(WHERE, mine) != getattr(other, yours)
