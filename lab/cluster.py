"""A handle on one lab, for tests and demos: its endpoints and what can be done with it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import yaml

from lab import binaries, config, layout, processes
from lab.binaries import LabError
from lab.layout import Layout

MANIFESTS = pathlib.Path(__file__).parent / "manifests"


@dataclasses.dataclass(frozen=True, slots=True)
class Lab:
    """A lab's endpoints; make it with `Lab.load`."""

    layout: Layout
    ports: config.Ports

    @classmethod
    def load(cls, name: str | None = None) -> Lab:
        """The lab of that name (or of ``PRUNELLA_LAB``); LabError when it is not up."""
        where = layout.locate(name)
        try:
            state = json.loads(where.state.read_text())
            return cls(where, config.Ports(**state["ports"]))
        except FileNotFoundError:
            raise LabError(
                f"lab {where.name} is not up: run `python -m lab up --name {where.name}`"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(
                f"{where.state} cannot be read ({error}): "
                f"run `python -m lab down --name {where.name}`, then `up`"
            ) from None

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.layout.name

    @property
    def kubeconfig(self) -> pathlib.Path:
        """The administrator's kubeconfig."""
        return self.layout.kubeconfig

    @property
    def audit_log(self) -> pathlib.Path:
        """The API server's audit log, one JSON object a line."""
        return self.layout.audit_log

    @property
    def api_server_url(self) -> str:
        """Where kube-apiserver listens."""
        return f"https://{config.LOCALHOST}:{self.ports.api_server}"

    @property
    def prometheus_url(self) -> str:
        """Where Prometheus listens."""
        return f"http://{config.LOCALHOST}:{self.ports.prometheus}"

    @property
    def alertmanager_url(self) -> str:
        """Where Alertmanager listens."""
        return f"http://{config.LOCALHOST}:{self.ports.alertmanager}"

    def endpoints(self) -> dict[str, Any]:
        """What ``lab.json`` and ``status`` tell about where things are."""
        return {
            "name": self.name,
            "folder": str(self.layout.folder),
            "kubeconfig": str(self.kubeconfig),
            "api_server_url": self.api_server_url,
            "prometheus_url": self.prometheus_url,
            "alertmanager_url": self.alertmanager_url,
            "audit_log": str(self.audit_log),
            "ports": dataclasses.asdict(self.ports),
        }

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - the name that subprocess.run has for it
        kubeconfig: pathlib.Path | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator, or with another kubeconfig; LabError when it fails."""
        chosen = kubeconfig or self.kubeconfig
        command = ["kubectl", f"--kubeconfig={chosen}", *arguments]
        return processes.run(command, stdin=input, check=check)

    def get(self, *arguments: str) -> dict[str, Any]:
        """The object (or List) that ``kubectl get ARGUMENTS -o json`` prints."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)
        return found

    def apply(self, manifest: str | pathlib.Path) -> str:
        """Apply YAML text, or a file, on the server side; returns what kubectl says."""
        text = manifest.read_text() if isinstance(manifest, pathlib.Path) else manifest
        return self.kubectl("apply", "--server-side", "--filename", "-", input=text).stdout

    def await_crds(self, *names: str, within: float = 60.0) -> None:
        """Wait until custom resources are served; LabError names those that are not in time.

        `kubectl wait` fails at once for one that has no conditions yet.
        """
        deadline = time.monotonic() + within
        while missing := [name for name in names if not self._is_established(name)]:
            if time.monotonic() > deadline:
                raise LabError(f"not served after {within:.0f} s: {', '.join(missing)}")
            time.sleep(0.1)

    def _is_established(self, crd: str) -> bool:
        conditions = self.get("crd", crd).get("status", {}).get("conditions") or ()
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    def helm(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run helm as administrator, with its own cache and settings; LabError when it fails."""
        folders = {
            f"HELM_{kind.upper()}_HOME": str(self.layout.helm / kind)
            for kind in ("cache", "config", "data")
        }
        command = [str(binaries.locate("helm")), f"--kubeconfig={self.kubeconfig}", *arguments]
        return processes.run(command, check=check, **folders)

    def token_kubeconfig(
        self, service_account: str, namespace: str, duration: str = "2h"
    ) -> pathlib.Path:
        """A kubeconfig that holds a fresh token of a service account and nothing else."""
        arguments = ("create", "token", service_account, f"--duration={duration}")
        token = self.kubectl("--namespace", namespace, *arguments).stdout.strip()
        admin = yaml.safe_load(self.kubeconfig.read_text())
        document = with_token(admin, token, namespace)
        self.layout.tokens.mkdir(mode=0o700, exist_ok=True)
        path = self.layout.tokens / f"{namespace}-{service_account}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))
        return path

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """Every record of the audit log, oldest first, from rotated files too."""
        current = self.audit_log
        rotated = sorted(current.parent.glob(f"{current.stem}-*{current.suffix}"))
        for path in [*rotated, current]:
            with path.open() as lines:
                yield from (json.loads(line) for line in lines if line.endswith("\n"))

    def query(self, promql: str, at: float | None = None) -> list[dict[str, Any]]:
        """The result of an instant query: series with ``metric`` and ``value`` [time, text]."""
        form = {"query": promql, **({} if at is None else {"time": str(at)})}
        body = urllib.parse.urlencode(form).encode()
        answer = json.loads(processes.fetch(f"{self.prometheus_url}/api/v1/query", data=body))
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that Alertmanager holds now."""
        url = f"{self.alertmanager_url}/api/v2/alerts"
        found: list[dict[str, Any]] = json.loads(processes.fetch(url))
        return found

    def stop_prometheus(self) -> None:
        """End Prometheus in good order; its data stays."""
        processes.end(self.layout.folder, "prometheus")

    def start_prometheus(self, *, scrape: bool = True, wait: bool = True) -> None:
        """Start Prometheus on its old port and data, if it does not run.

        Without ``scrape`` it answers queries and takes no new samples: the ones that it has
        grow old without a staleness marker, as when an exporter hangs.
        """
        folder = self.layout.prometheus
        document = config.prometheus(self.ports, scrape=scrape)
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        program = binaries.locate("prometheus")
        self._start("prometheus", config.prometheus_command(self.layout, self.ports, program))
        if wait:
            processes.wait_for(f"{self.prometheus_url}/-/ready", folder / "prometheus.log")

    def freeze_metrics(self) -> None:
        """Let every series grow old from now on, until `thaw_metrics`."""
        self.stop_prometheus()
        self.start_prometheus(scrape=False)

    def thaw_metrics(self) -> None:
        """Scrape again, and start Prometheus if it was stopped."""
        self.stop_prometheus()
        self.start_prometheus()

    def start_alertmanager(self, *, wait: bool = True) -> None:
        """Start Alertmanager on its old port, if it does not run."""
        program = binaries.locate("alertmanager")
        self._start("alertmanager", config.alertmanager_command(self.layout, self.ports, program))
        if wait:
            log = self.layout.alertmanager / "alertmanager.log"
            processes.wait_for(f"{self.alertmanager_url}/-/ready", log)

    def wait_ready(self) -> None:
        """Wait until Prometheus and Alertmanager say that they are ready."""
        where = self.layout
        processes.wait_for(f"{self.prometheus_url}/-/ready", where.prometheus / "prometheus.log")
        log = where.alertmanager / "alertmanager.log"
        processes.wait_for(f"{self.alertmanager_url}/-/ready", log)

    def _start(self, program: str, command: list[str]) -> None:
        if program not in processes.owned(self.layout.folder).values():
            processes.start(command, self.layout.folder / program / f"{program}.log")


def with_token(admin: dict[str, Any], token: str, namespace: str) -> dict[str, Any]:
    """The cluster of an administrator's kubeconfig, with a token in place of his certificate."""
    current = next(each for each in admin["contexts"] if each["name"] == admin["current-context"])
    cluster = next(
        each for each in admin["clusters"] if each["name"] == current["context"]["cluster"]
    )
    context = {"cluster": cluster["name"], "user": "token", "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [{"name": "token", "user": {"token": token}}],
        "contexts": [{"name": "token", "context": context}],
        "current-context": "token",
    }
