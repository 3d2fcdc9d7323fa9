"""What a lab runs beside its control plane when asked for."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import pytest
import yaml

from lab import addons, binaries, config, processes
from lab.binaries import LabError
from lab.cluster import Lab
from lab.layout import Layout


@pytest.fixture
def lab(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab that was never started, on a machine where every program is built."""
    monkeypatch.setattr(binaries, "locate", lambda name: tmp_path / "cache" / name)
    names = config.Ports.__dataclass_fields__
    ports = config.Ports(**{name: 20000 + index for index, name in enumerate(names)})
    return Lab(Layout("one", tmp_path / "one"), ports)


class Programs:
    """Stands for the programs of a lab: what was started, and which addresses were asked."""

    def __init__(self, *, answers: bool = True) -> None:
        self.started: list[list[str]] = []
        self.running: dict[int, str] = {}
        self.asked: list[str] = []
        self._answers = answers

    def start(self, command: list[str], _log: pathlib.Path, **_environment: str) -> None:
        """Remember a start."""
        self.started.append(command)

    def fetch(self, url: str, **_options: Any) -> bytes:
        """Remember a request; refused when the programs are dead."""
        self.asked.append(url)
        if not self._answers:
            raise ConnectionRefusedError(111, "Connection refused")
        return b""

    def install(self, patch: pytest.MonkeyPatch) -> Programs:
        """Take the place of the real ones."""
        patch.setattr(processes, "start", self.start)
        patch.setattr(processes, "owned", lambda _folder: self.running)
        patch.setattr(processes, "fetch", self.fetch)
        patch.setattr(processes, "wait_for", lambda url, _log: self.asked.append(url))
        return self


@pytest.fixture
def programs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Programs that answer, and the folders that a started lab has."""
    lab.layout.prometheus.mkdir(parents=True)
    lab.layout.alertmanager.mkdir(parents=True)
    return Programs().install(monkeypatch)


def _job(lab: Lab, name: str) -> dict[str, Any]:
    document = yaml.safe_load((lab.layout.prometheus / "jobs" / f"{name}.yaml").read_text())
    (found,) = document["scrape_configs"]
    return dict(found)


@pytest.mark.parametrize(
    ("start", "name", "port"),
    [
        pytest.param(
            addons.start_kube_state_metrics, "kube-state-metrics", "kube_state_metrics", id="ksm"
        ),
        pytest.param(addons.start_shop, "shop", "shop", id="shop"),
    ],
)
def test_addon_is_started_and_scraped_with_its_own_labels(
    start: Any, name: str, port: str, lab: Lab, programs: Programs
) -> None:
    """Its job has one local target, and namespace and pod are those of what it tells about."""
    start(lab)

    found = _job(lab, name)
    assert (name, True) == (found["job_name"], found["honor_labels"])
    assert found["static_configs"] == [{"targets": [f"127.0.0.1:{getattr(lab.ports, port)}"]}]
    assert len(programs.started) == 1
    assert f"{lab.prometheus_url}/-/reload" in programs.asked


def test_addon_that_runs_is_not_started_twice(lab: Lab, programs: Programs) -> None:
    """Asking again only makes sure of the scraping."""
    programs.running = {7: "kube-state-metrics"}

    addons.start_kube_state_metrics(lab)

    assert programs.started == []


def test_shop_brings_its_alert_rules(
    lab: Lab, programs: Programs, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule files are copied beside Prometheus' configuration, which takes ``alerts/*.yaml``."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "pods.yaml").write_text("groups: []\n")
    monkeypatch.setattr(addons, "SHOP_RULES", tmp_path / "rules")

    addons.start_shop(lab)

    assert programs.started
    assert (lab.layout.prometheus / "alerts" / "pods.yaml").read_text() == "groups: []\n"
    assert "alerts/*.yaml" in config.prometheus(lab.ports)["rule_files"]
    assert "jobs/*.yaml" in config.prometheus(lab.ports)["scrape_config_files"]


def test_addons_listen_locally_and_belong_to_their_lab(lab: Lab) -> None:
    """`lab down` ends them: each names the lab's folder on its command line."""
    state_metrics = addons.kube_state_metrics_command(lab)
    shop = addons.shop_command(lab)

    assert {"--host=127.0.0.1", "--telemetry-host=127.0.0.1"} < set(state_metrics)
    assert f"127.0.0.1:{lab.ports.shop}" in shop
    found = [(1, tuple(state_metrics)), (2, tuple(shop))]
    assert processes.owned(lab.layout.folder, found) == {1: "kube-state-metrics", 2: "shop"}


def test_only_the_data_plane_is_a_program_of_the_lab(lab: Lab) -> None:
    """Another command of the same module, such as one a person runs, is not ended with the lab."""
    command = (sys.executable, "-m", "lab.shop", "apply", "--kubeconfig", str(lab.kubeconfig))

    assert processes.owned(lab.layout.folder, [(1, command)]) == {}


def test_alerts_are_posted_in_groups_with_what_is_resolved(lab: Lab, programs: Programs) -> None:
    """Groups are by namespace and alert; a token is read by Alertmanager from its file."""
    addons.send_alerts(lab, "http://127.0.0.1:1/alerts", pathlib.Path("/secret/token"))

    document = yaml.safe_load((lab.layout.alertmanager / "alertmanager.yaml").read_text())
    (webhook,) = document["receivers"][0]["webhook_configs"]
    assert document["route"]["group_by"] == ["namespace", "alertname"]
    assert (webhook["url"], webhook["send_resolved"]) == ("http://127.0.0.1:1/alerts", True)
    assert webhook["http_config"]["authorization"]["credentials_file"] == "/secret/token"
    assert programs.asked == [f"{lab.alertmanager_url}/-/reload"]


def test_alerts_can_be_sent_nowhere_again(lab: Lab, programs: Programs) -> None:
    """Without an address the lab's own configuration comes back."""
    addons.send_alerts(lab, "http://127.0.0.1:1/alerts")
    addons.send_alerts(lab, None)

    document = yaml.safe_load((lab.layout.alertmanager / "alertmanager.yaml").read_text())
    assert config.alertmanager() == document
    assert len(programs.asked) == 2


def test_refused_configuration_is_an_error_that_names_the_program(
    lab: Lab, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule file with a mistake would otherwise go unnoticed."""
    del programs
    Programs(answers=False).install(monkeypatch)

    with pytest.raises(LabError, match="prometheus did not take its new configuration"):
        addons.load_rules(lab, [])
