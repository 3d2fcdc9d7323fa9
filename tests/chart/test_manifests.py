"""The operator's pod is restricted, reachable only where it must be, and alone."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from lab import binaries

Document = dict[str, Any]
Render = Callable[..., list[Document]]


def _only(documents: list[Document], kind: str) -> Document:
    [found] = [document for document in documents if document["kind"] == kind]
    return found


def _pod(documents: list[Document]) -> Document:
    pod: Document = _only(documents, "Deployment")["spec"]["template"]["spec"]
    return pod


def _container(documents: list[Document]) -> Document:
    [container] = _pod(documents)["containers"]
    found: Document = container
    return found


def test_there_is_never_a_second_operator(render: Render) -> None:
    """One replica, and the old one is gone before the new one starts."""
    spec = _only(render(), "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_more_replicas_are_replaced_one_by_one_and_spread(render: Render) -> None:
    """A new pod is ready before an old one goes, and a node or zone is not all of them."""
    deployment = _only(render(replicas=3), "Deployment")["spec"]
    spread = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert (deployment["replicas"], deployment["strategy"]) == (
        3,
        {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
    )
    assert [each["topologyKey"] for each in spread] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]


@pytest.mark.parametrize(
    ("values", "elects"),
    [
        pytest.param({}, False, id="one replica: as it was"),
        pytest.param({"leaderElection": {"enabled": True}}, True, id="one that elects itself"),
        pytest.param({"replicas": 2}, True, id="two can't do without"),
    ],
)
def test_a_lease_is_there_where_a_leader_is_elected(
    render: Render, values: Document, elects: bool
) -> None:
    """It comes without a spec, which the replicas write; the pod's name is their identity."""
    documents = render(**values)
    found = [each for each in documents if each["kind"] == "Lease"]
    leases = [each for each in found if each["metadata"]["name"] != "prunella-disruptions"]
    names = [each["name"] for each in _container(documents).get("env", [])]
    assert [("spec" in each, each["metadata"]["name"]) for each in leases] == (
        [(False, "prunella")] if elects else []
    )
    assert names == (["PRUNELLA_IDENTITY"] if elects else [])


def test_pod_is_restricted(render: Render) -> None:
    """The pod has nothing that the restricted Pod Security Standard forbids, and less."""
    pod, container = _pod(render()), _container(render())
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}


def test_token_is_short_lived_and_the_only_one(render: Render) -> None:
    """No token is mounted but a projected one that ends within the hour."""
    pod = _pod(render())
    assert (
        pod["automountServiceAccountToken"],
        _only(render(), "ServiceAccount")["automountServiceAccountToken"],
    ) == (False, False)
    tokens = [
        source["serviceAccountToken"]
        for volume in pod["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    ]
    assert tokens == [{"path": "token", "expirationSeconds": 3600}]


def test_only_tmp_can_be_written(render: Render) -> None:
    """All mounts are read-only but an empty /tmp."""
    mounts = _container(render(credentials=[{"name": "prometheus", "secretName": "s"}]))
    writable = [each["mountPath"] for each in mounts["volumeMounts"] if not each.get("readOnly")]
    assert writable == ["/tmp"]  # noqa: S108 - a path in the pod


def test_credentials_are_mounted_by_name(render: Render) -> None:
    """A listed Secret becomes files below /etc/prunella/credentials."""
    documents = render(credentials=[{"name": "prometheus", "secretName": "prometheus-token"}])
    mount = _container(documents)["volumeMounts"][-1]
    volume = _pod(documents)["volumes"][-1]
    assert mount["mountPath"] == "/etc/prunella/credentials/prometheus"
    assert (mount["name"], "prometheus-token") == (volume["name"], volume["secret"]["secretName"])


def test_probes_and_service_use_the_settings_port(render: Render) -> None:
    """Probes, Service and settings agree on where the operator listens."""
    documents = render()
    container = _container(documents)
    settings = yaml.safe_load(_only(documents, "ConfigMap")["data"]["settings.yaml"])
    assert [{"name": "http", "containerPort": settings["httpPort"], "protocol": "TCP"}] == (
        container["ports"]
    )
    assert (
        container["livenessProbe"]["httpGet"]["path"],
        container["readinessProbe"]["httpGet"]["path"],
    ) == ("/healthz", "/readyz")
    assert container["args"] == ["--config", "/etc/prunella/settings.yaml"]


def test_changed_settings_make_a_new_pod(render: Render) -> None:
    """The pod template carries a checksum of the settings."""
    before, after = render(), render(namespaces=["shop"])
    assert _annotations(before) == _annotations(render())
    assert _annotations(before) != _annotations(after)


def _annotations(documents: list[Document]) -> Document:
    found: Document = _only(documents, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    return found


IMAGES = {
    "default": ({}, "ghcr.io/prunella/prunella:0.1.0"),
    "tag": ({"tag": "1.2.3"}, "ghcr.io/prunella/prunella:1.2.3"),
    "digest wins": (
        {"tag": "1.2.3", "digest": "sha256:" + "0" * 64},
        "ghcr.io/prunella/prunella@sha256:" + "0" * 64,
    ),
}


INTAKE = {"webhook": {"enabled": True, "port": 9443, "bearerTokenFile": "/token"}}


def test_the_intake_is_closed_unless_it_is_wanted(render: Render) -> None:
    """Without it no port is open; with it the port is the same in pod, Service and policy."""
    closed, wanted = render(), render(intake=INTAKE)
    ports = [
        [
            [each["name"] for each in _container(documents)["ports"]],
            [each["name"] for each in _only(documents, "Service")["spec"]["ports"]],
            [
                each["ports"][0]["port"]
                for each in _only(documents, "NetworkPolicy")["spec"]["ingress"]
            ],
        ]
        for documents in (closed, wanted)
    ]
    assert [[["http"]] * 3, [["http", "intake"]] * 3] == ports
    assert 9443 == _container(wanted)["ports"][1]["containerPort"]
    assert 9443 == _only(wanted, "Service")["spec"]["ports"][1]["port"]


def test_who_may_post_can_be_narrowed(render: Render) -> None:
    """By default it is the monitoring namespace; an empty list is every pod of the cluster."""
    narrow = [{"podSelector": {"matchLabels": {"app": "alertmanager"}}}]
    documents = [
        render(intake=INTAKE, networkPolicy={"intakeFrom": peers}) for peers in (narrow, [])
    ]
    rules = [_only(each, "NetworkPolicy")["spec"]["ingress"][1]["from"] for each in documents]
    assert [narrow, [{"namespaceSelector": {}}]] == rules


@pytest.mark.parametrize("name", IMAGES)
def test_image_is_named_by_tag_or_digest(render: Render, name: str) -> None:
    """The digest wins over the tag, the tag over the chart's appVersion."""
    image, expected = IMAGES[name]
    assert expected == _container(render(image=image))["image"]


def _ports(rule: Document) -> list[int | str]:
    return sorted({port["port"] for port in rule["ports"]}, key=str)


def test_network_is_closed_but_for_what_is_needed(render: Render) -> None:
    """Both directions are denied by default; four destinations are open."""
    policy = _only(render(alertmanager={"url": "http://am:9093"}), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [_ports(rule) for rule in policy["ingress"]] == [["http"]]
    assert [_ports(rule) for rule in policy["egress"]] == [[53], [443, 6443], [9090], [9093]]


def test_the_way_of_traces_is_open_only_where_they_are_sent(render: Render) -> None:
    """An endpoint opens one more destination."""
    tracing = {"endpoint": "http://otel-collector.monitoring.svc:4318/v1/traces"}
    policy = _only(render(tracing=tracing), "NetworkPolicy")["spec"]
    assert [_ports(rule) for rule in policy["egress"]] == [[53], [443, 6443], [9090], [4318]]


CLOUDS: dict[str, Document] = {
    "amazon": {"sigV4": {"region": "eu-central-1"}},
    "azure": {"entra": {}},
    "google": {"google": {}},
}


@pytest.mark.parametrize("name", CLOUDS)
def test_the_metadata_server_is_open_only_to_who_needs_it(render: Render, name: str) -> None:
    """A source with credentials of a cloud opens one more destination, and no others do."""
    sources = {"managed": {"url": "https://p", **CLOUDS[name]}}
    policy = _only(render(sources=sources), "NetworkPolicy")["spec"]
    assert [_ports(rule) for rule in policy["egress"]] == [[53], [443, 6443], [9090], [80, 988]]
    assert policy["egress"][3]["to"][0] == {"ipBlock": {"cidr": "169.254.169.254/32"}}


@pytest.mark.parametrize("enabled", [True, False])
def test_an_endpoint_of_a_cloud_opens_it_with_its_action(render: Render, *, enabled: bool) -> None:
    """A function that is invoked needs credentials as a source does."""
    function = {
        "kind": "awsLambda",
        "url": "https://lambda.eu-central-1.amazonaws.com",
        "job": "restart-db",
        "namespaces": ["shop"],
        "sigV4": {"region": "eu-central-1"},
    }
    offered = {"endpoints": {"restart-db": function}}
    documents = render(offered=offered, actions={"webhook": enabled})
    ports = [_ports(rule) for rule in _only(documents, "NetworkPolicy")["spec"]["egress"]]
    assert enabled is ([80, 988] in ports)


def test_an_identity_of_a_cloud(render: Render) -> None:
    """What the clouds' webhooks look at, and what their libraries read, can all be set."""
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/prunella"}
    documents = render(
        serviceAccount={"annotations": role},
        podLabels={"azure.workload.identity/use": "true"},
        env={"GOOGLE_APPLICATION_CREDENTIALS": "/etc/prunella/credentials/google/key.json"},
    )
    metadata = _only(documents, "Deployment")["spec"]["template"]["metadata"]
    assert role == _only(documents, "ServiceAccount")["metadata"]["annotations"]
    assert metadata["labels"]["azure.workload.identity/use"] == "true"
    assert _container(documents)["env"] == [
        {
            "name": "GOOGLE_APPLICATION_CREDENTIALS",
            "value": "/etc/prunella/credentials/google/key.json",
        }
    ]


DUMPS: dict[str, tuple[bool, list[int], list[int]]] = {
    "asked for": (True, [6060], [6060]),
    "of no port": (True, [], []),
    "of nobody": (False, [6060], []),
}


@pytest.mark.parametrize(("captures", "given", "expected"), DUMPS.values(), ids=DUMPS)
def test_the_way_to_pods_is_open_only_for_dumps(
    render: Render, given: list[int], expected: list[int], *, captures: bool
) -> None:
    """In all namespaces, on the ports that the administrator names, and on none by default."""
    values = {"captures": {"ports": given}}
    documents = render(offered={"captures": captures}, networkPolicy=values)
    rules = _only(documents, "NetworkPolicy")["spec"]["egress"][3:]
    assert ([expected] if expected else []) == [_ports(rule) for rule in rules]
    assert all([{"namespaceSelector": {}}] == rule["to"] for rule in rules)


def test_network_can_be_narrowed(render: Render) -> None:
    """Without an Alertmanager nothing is open to it; the API server can have addresses."""
    values = {"apiServer": {"cidrs": ["10.96.0.1/32"], "ports": [443]}, "metricsFrom": []}
    policy = _only(render(networkPolicy=values), "NetworkPolicy")["spec"]
    assert [_ports(rule) for rule in policy["egress"]] == [[53], [443], [9090]]
    assert policy["egress"][1]["to"] == [{"ipBlock": {"cidr": "10.96.0.1/32"}}]
    assert policy["ingress"][0]["from"] == [{"namespaceSelector": {}}]


def test_selectors_agree(render: Render) -> None:
    """Service, NetworkPolicy, PDB and ServiceMonitor all find the operator's pod."""
    documents = render(serviceMonitor={"enabled": True})
    deployment = _only(documents, "Deployment")["spec"]
    wanted = deployment["selector"]["matchLabels"]
    assert wanted.items() <= deployment["template"]["metadata"]["labels"].items()
    assert wanted == _only(documents, "Service")["spec"]["selector"]
    assert wanted == _only(documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    assert wanted == _only(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert wanted == _only(documents, "ServiceMonitor")["spec"]["selector"]["matchLabels"]


OPTIONAL = {
    "networkPolicy": "NetworkPolicy",
    "podDisruptionBudget": "PodDisruptionBudget",
    "serviceMonitor": "ServiceMonitor",
    "prometheusRule": "PrometheusRule",
    "admissionPolicies": "ValidatingAdmissionPolicy",
}


@pytest.mark.parametrize("value", OPTIONAL)
def test_optional_parts_follow_their_switch(render: Render, value: str) -> None:
    """What has an `enabled` is there when it is true and gone when it is false."""
    kinds = {
        enabled: {document["kind"] for document in render(**{value: {"enabled": enabled}})}
        for enabled in (True, False)
    }
    assert OPTIONAL[value] in kinds[True]
    assert OPTIONAL[value] not in kinds[False]


def test_chart_carries_the_generated_crds() -> None:
    """The chart's copies of the custom resource definitions are byte for byte those of crds/."""
    root = pathlib.Path(__file__).parents[2]
    generated = {path.name: path.read_text() for path in (root / "crds").glob("*.yaml")}
    carried = {
        path.name: path.read_text() for path in (root / "charts/prunella/crds").glob("*.yaml")
    }
    assert generated == carried
    assert generated != {}


def test_alerts_are_valid_and_documented(render: Render, tmp_path: pathlib.Path) -> None:
    """Promtool accepts the rules, and docs/metrics.md names every metric that they use."""
    documents = render(prometheusRule={"enabled": True, "alertLabels": {"team": "platform"}})
    spec = _only(documents, "PrometheusRule")["spec"]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(spec))
    command = [_promtool(), "check", "rules", str(path)]
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rules = spec["groups"][0]["rules"]
    assert {"platform"} == {rule["labels"]["team"] for rule in rules}
    reference = (pathlib.Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    assert [rule["alert"] for rule in rules if f"`{rule['alert']}`" not in reference] == []


def _promtool() -> str:
    try:
        return str(binaries.locate("promtool"))
    except binaries.LabError as error:
        if (found := shutil.which("promtool")) is None:
            pytest.skip(str(error))
        return found


def test_no_admission_policy_asks_for_more_rights_than_it_may_cost(render: Render) -> None:
    """A check of a right costs 350,000 of the 10,000,000 that one policy may; then all is denied.

    https://github.com/kubernetes/apiserver/blob/master/pkg/apis/cel/config.go
    """
    found = [each for each in render() if each["kind"] == "ValidatingAdmissionPolicy"]
    asked = {each["metadata"]["name"]: str(each["spec"]).count(".check(") for each in found}

    assert any(asked.values())
    assert {} == {name: count for name, count in asked.items() if count > 20}
