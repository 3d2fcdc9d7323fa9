"""What a story is told with: a namespace, operators, and eyes that are not theirs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import time
from collections.abc import Callable
from typing import Any

import yaml

from lab.cluster import Lab
from prunella.cli import kube
from tests.e2e.harness import manifests
from tests.e2e.harness.faults import Fault, FaultProxy
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.prometheus import OwnPrometheus
from tests.e2e.harness.running import PROGRAM, Operator
from tests.e2e.harness.waiting import wait_until

OWN = "/apis/prunella.dev/v1alpha1"
STRATEGIC = "application/strategic-merge-patch+json"
ROLLOUT_SECONDS = 60.0
MOMENT = 6.0
ROOM = {"max": 600, "percent": 10_000}
"""Stories beside this one take units of the same Lease."""


_GROUPS = {"", "apps", "argoproj.io", "autoscaling", "batch", "policy"}
"""API groups of what the operator may write in a story, beside its own."""


@dataclasses.dataclass(slots=True)
class Story:
    """One test's stage. Close it at the end: processes are ended, the namespace is deleted."""

    lab: Lab
    api: kube.ApiServer
    account: pathlib.Path
    """A kubeconfig with a token of the chart's ServiceAccount."""
    username: str
    namespace: str
    folder: pathlib.Path
    operators: list[Operator] = dataclasses.field(default_factory=list)
    _closers: contextlib.ExitStack = dataclasses.field(default_factory=contextlib.ExitStack)

    def close(self) -> None:
        """End what the story started."""
        for operator in self.operators:
            operator.kill()
        self._closers.close()
        self.api.request("DELETE", f"/api/v1/namespaces/{self.namespace}")

    # What a person does

    def apply(self, *documents: Document, manager: str = "kubectl") -> None:
        """Server-side apply in the story's namespace."""
        text = yaml.safe_dump_all(documents)
        self.lab.kubectl(
            *("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}"),
            *("--namespace", self.namespace, "--filename", "-"),
            input=text,
        )

    def run(self, *workloads: Document, manager: str = "kubectl") -> None:
        """Apply workloads and wait until they are rolled out and report."""
        self.apply(*workloads, manager=manager)
        for each in workloads:
            self.rolled_out(each["metadata"]["name"], each["kind"])

    def release(self, name: str, tag: str, kind: str = "Deployment") -> None:
        """Set another image, and wait until it is rolled out."""
        container = {"name": "app", "image": manifests.image(name, tag)}
        template = {"template": {"spec": {"containers": [container]}}}
        self.patch(self._workload(name, kind), {"spec": template}, STRATEGIC)
        self.rolled_out(name, kind)

    def annotate_pods(self, name: str, count: int = 100, **notes: str | None) -> list[str]:
        """Set the lab's annotations on pods themselves, to be lost with them; returns the pods."""
        changed = []
        for pod in self.pods(name)[:count]:
            path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}"
            annotations = {f"{manifests.LAB}/{key}": value for key, value in notes.items()}
            self.patch(path, {"metadata": {"annotations": annotations}})
            changed.append(pod["metadata"]["name"])
        return changed

    def patch(self, path: str, change: Document, content_type: str = kube.MERGE_PATCH) -> None:
        """Patch an object by its path."""
        self.api.request("PATCH", path, change, content_type)

    def edit_policy(self, name: str, **spec: Any) -> None:
        """Change fields of a policy's spec."""
        self.patch(self._own("remediationpolicies", name), {"spec": spec})

    def delete_policy(self, name: str) -> None:
        """Delete a policy."""
        self.api.request("DELETE", self._own("remediationpolicies", name))

    def prunella(self, *arguments: str) -> str:
        """What a `prunella` command prints for an administrator of this namespace."""
        files = [f"--kubeconfig={self.lab.kubeconfig}"]
        done = subprocess.run(  # noqa: S603
            [str(PROGRAM), *arguments, *files], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    # What runs beside

    def operator(self, **settings: Any) -> Operator:
        """A new operator of this namespace, not started; ``settings`` are added to its file."""
        own = {
            "namespaces": [self.namespace],
            "sources": {"default": {"url": self.lab.prometheus_url}},
            "alertmanager": {"url": self.lab.alertmanager_url},
            "limits": {"actionsPerNamespacePerHour": 60, "actionsPerClusterPerHour": 600},
            "disruption": {"namespace": ROOM, "cluster": ROOM},
            "relistSeconds": 30,
            "trust": {"allowHighRiskLive": True},
        }
        folder = self.folder / f"operator-{len(self.operators)}"
        made = Operator(folder, self.account, {**own, **settings})
        self.operators.append(made)
        return made

    def start_operator(self, **settings: Any) -> Operator:
        """A new operator, started and ready."""
        made = self.operator(**settings)
        made.start()
        return made

    def proxy(self, fault: Fault = Fault.NONE) -> FaultProxy:
        """A proxy before the lab's Prometheus."""
        return self._closers.enter_context(FaultProxy(self.lab.prometheus_url, fault))

    def own_prometheus(self) -> OwnPrometheus:
        """A Prometheus of this story's own, not started."""
        made = OwnPrometheus(self.lab, self.folder / "prometheus")
        self._closers.callback(made.stop)
        return made

    # What can be seen

    def workload(self, name: str, kind: str = "Deployment") -> Document:
        """A workload as it is now."""
        return self.api.request("GET", self._workload(name, kind))

    def image(self, name: str, kind: str = "Deployment") -> str:
        """The tag that a workload's pod template has."""
        containers = self.workload(name, kind)["spec"]["template"]["spec"]["containers"]
        return str(containers[0]["image"]).rpartition(":")[2]

    def replicas(self, name: str) -> int:
        """The replicas that a Deployment should have."""
        return int(self.workload(name)["spec"]["replicas"])

    def generation(self, name: str, kind: str = "Deployment") -> int:
        """The generation of a workload's spec."""
        return int(self.workload(name, kind)["metadata"]["generation"])

    def pods(self, name: str) -> list[Document]:
        """The pods of a workload that are not being deleted."""
        found = self._labelled(f"/api/v1/namespaces/{self.namespace}/pods", name)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def pod_uids(self, name: str) -> set[str]:
        """The UIDs of a workload's pods."""
        return {pod["metadata"]["uid"] for pod in self.pods(name)}

    def replica_sets(self, name: str) -> list[Document]:
        """The ReplicaSets of a Deployment."""
        return self._labelled(f"/apis/apps/v1/namespaces/{self.namespace}/replicasets", name)

    def records(self, policy: str | None = None) -> list[Document]:
        """The Remediations, oldest first, of one policy or of all."""
        found = self.api.items(self._own("remediations"))
        own = [r for r in found if policy in {None, r["spec"]["policy"]["name"]}]
        return sorted(own, key=lambda each: (each["spec"]["decidedAt"], each["spec"]["attempt"]))

    def phases(self, policy: str) -> list[str]:
        """The phases of a policy's Remediations, oldest first."""
        return [each.get("status", {}).get("phase", "") for each in self.records(policy)]

    def status(self, policy: str) -> Document:
        """A policy's status; empty while there is none."""
        found: Document = self.api.request("GET", self._own("remediationpolicies", policy))
        status: Document = found.get("status", {})
        return status

    def condition(self, policy: str, kind: str = "Ready") -> Document:
        """One condition of a policy; empty while there is none."""
        conditions = self.status(policy).get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {})

    def sick(self, policy: str, target: str | None = None) -> Document:
        """What a policy's status says of a target that is not Healthy; empty when it is."""
        wanted = target or policy
        shown = self.status(policy).get("sick", [])
        return next((each for each in shown if each["name"] == wanted), {})

    def events(self) -> list[Document]:
        """The Events of the namespace."""
        return self.api.items(f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events")

    def alerts(self) -> list[Document]:
        """The alerts about this namespace that Alertmanager holds."""
        found = self.lab.alerts()
        return [each for each in found if each["labels"].get("namespace") == self.namespace]

    def requests(self, name: str) -> list[Document]:
        """What the operator asked to change of a workload or pod, dry runs too (audit log)."""
        return [
            event
            for event in self._audit()
            if event["user"]["username"] == self.username
            and event["verb"] not in {"get", "list", "watch"}
            and event["objectRef"].get("name") == name
            and event["objectRef"].get("apiGroup", "") in _GROUPS
        ]

    def writes(self, name: str) -> list[Document]:
        """The operator's successful writes to a workload or pod, no dry runs (audit log).

        That it gives its fields back, which changes no value, is not counted.
        """
        return [
            event
            for event in self.requests(name)
            if "dryRun=All" not in event["requestURI"]
            and event["responseStatus"]["code"] < 300
            and not _gives_back(event)
        ]

    def written(self) -> list[Document]:
        """All that operators wrote in the namespace, refused or not (audit log)."""
        return [
            event
            for event in self._audit()
            if event["user"]["username"] == self.username
            and event["verb"] not in {"get", "list", "watch"}
        ]

    def value(self, promql: str, at: float | None = None) -> float | None:
        """The value of a query with one series, asked by the story itself."""
        found = self.lab.query(promql, at)
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def error_ratio(
        self, name: str, window: str = "15s", *, kind: str = "deployment", ago: float = 0.0
    ) -> float | None:
        """The share of failed requests, measured some seconds ago; None without a measurement."""
        labels = f'namespace="{self.namespace}", {kind}="{name}"'
        at = time.time() - ago
        total = self.value(f"sum(rate(app_http_requests_total{{{labels}}}[{window}]))", at)
        failed = f'{labels}, code=~"5.."'
        bad = self.value(f"sum(rate(app_http_requests_total{{{failed}}}[{window}]))", at)
        return (bad or 0.0) / total if total else None

    # Waiting

    def wait(self, predicate: Callable[[], Any], describe: str, timeout: float = 120.0) -> Any:
        """Wait until something is true; when it is not, say what and show everything."""
        return wait_until(predicate, timeout, lambda: f"{describe}\n{self.tell()}")

    def rolled_out(self, name: str, kind: str = "Deployment") -> None:
        """Wait until a workload is rolled out and all its pods are ready."""

        def done() -> bool:
            found = self.workload(name, kind)
            status, wanted = found.get("status", {}), found["spec"].get("replicas")
            if status.get("observedGeneration") != found["metadata"]["generation"]:
                return False
            if kind == "DaemonSet":
                wanted = status.get("desiredNumberScheduled") or -1
                pairs = ("updatedNumberScheduled", "numberAvailable")
            else:
                pairs = ("updatedReplicas", "availableReplicas")
                if status.get("replicas", 0) != wanted:
                    return False
            return all(status.get(each, 0) == wanted for each in pairs)

        self.wait(done, f"{kind} {name} is rolled out", ROLLOUT_SECONDS)

    def reported(
        self, name: str, above: float = 0.0, below: float = 1.1, kind: str = "deployment"
    ) -> None:
        """Wait until the error ratio lies between two values, now and a moment ago.

        A rollback asks what was measured just before the next release: by then it must be known.
        """

        def measured() -> bool:
            ratios = [self.error_ratio(name, kind=kind, ago=ago) for ago in (0.0, MOMENT)]
            return all(ratio is not None and above <= ratio < below for ratio in ratios)

        self.wait(measured, f"{above} <= error ratio of {name} < {below}", 60)

    def phase(self, policy: str, phase: str, timeout: float = 150.0) -> Document:
        """Wait until the newest Remediation of a policy has a phase; returns it."""

        def newest() -> Document | None:
            found = self.records(policy)[-1:]
            return next((r for r in found if r.get("status", {}).get("phase") == phase), None)

        found: Document = self.wait(newest, f"a Remediation of {policy} is {phase}", timeout)
        return found

    def refused(self, policy: str, reason: str, timeout: float = 90.0) -> str:
        """Wait until a policy's status refuses its target for a reason; returns its words."""

        def told() -> Document | None:
            sick = self.sick(policy)
            return sick if sick.get("refused") == reason else None

        found: Document = self.wait(told, f"{policy} is refused: {reason}", timeout)
        return str(found["refusal"])

    def becomes(self, policy: str, reason: str, kind: str = "Ready", timeout: float = 90.0) -> str:
        """Wait until a condition of a policy has a reason; returns its message."""

        def told() -> Document | None:
            condition = self.condition(policy, kind)
            return condition if condition.get("reason") == reason else None

        found: Document = self.wait(told, f"{kind} of {policy} has the reason {reason}", timeout)
        return str(found.get("message", ""))

    def tell(self) -> str:
        """Everything about policies, records and operators, for who must find out what failed."""
        policies = self.api.items(self._own("remediationpolicies"))
        shown = {
            "policies": {p["metadata"]["name"]: p.get("status") for p in policies},
            "records": {
                r["metadata"]["name"]: {
                    "policy": r["spec"]["policy"]["name"],
                    "action": r["spec"]["action"],
                    "decidedAt": r["spec"]["decidedAt"],
                    "effects": [each["summary"] for each in r["spec"].get("effects", [])],
                    "status": r.get("status"),
                }
                for r in self.records()
            },
        }
        logs = "\n".join(f"--- {each.log}\n{each.tail()}" for each in self.operators)
        return f"{yaml.safe_dump(shown, sort_keys=False, width=140)}\n{logs}"

    # Paths

    def _workload(self, name: str, kind: str) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/{manifests.KINDS[kind]}/{name}"

    def _own(self, plural: str, name: str = "") -> str:
        path = f"{OWN}/namespaces/{self.namespace}/{plural}"
        return f"{path}/{name}" if name else path

    def _labelled(self, path: str, name: str) -> list[Document]:
        """The objects of a list that belong to a workload."""
        found = self.api.items(path)
        return [each for each in found if each["metadata"].get("labels", {}).get("app") == name]

    def _audit(self) -> list[Document]:
        """The audit records of this namespace; only their lines are parsed."""
        current = self.lab.audit_log
        rotated = sorted(current.parent.glob(f"{current.stem}-*{current.suffix}"))
        wanted = f'"namespace":"{self.namespace}"'
        found = []
        for path in [*rotated, current]:
            with path.open() as lines:
                found += [json.loads(each) for each in lines if wanted in each]
        return found


def _gives_back(event: Document) -> bool:
    """Whether a patch changes nothing but managedFields."""
    patch = event.get("requestObject")
    changes = [each for each in patch if each["op"] != "test"] if isinstance(patch, list) else []
    return bool(changes) and all(
        each["path"].startswith("/metadata/managedFields/") for each in changes
    )
