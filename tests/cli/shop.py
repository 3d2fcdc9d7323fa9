"""A small shop behind an API server, with a Prometheus and an Alertmanager of the test's own."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from prunella.cli import kube
from tests.cli import fakes
from tests.unit.core.incidents import cluster as manifests

ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
SELF_ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments/{}",
    "Service": "/api/v1/namespaces/{}/services/{}",
    "Pod": "/api/v1/namespaces/{}/pods/{}",
    "Node": "/api/v1/nodes/{1}",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps/{}",
    "Namespace": "/api/v1/namespaces/{1}",
}
KINDS = {"Deployment": "deployments", "Service": "services", "Pod": "pods", "Node": "nodes"}


class Cluster(fakes.FakeCluster):
    """Objects, and who may do what: ``denied`` holds "verb plural" or "list PATH"."""

    def __init__(self, objects: dict[str, kube.Object], namespace: str = "shop") -> None:
        super().__init__(objects, namespace=namespace)
        self.denied: set[str] = set()
        self.reviewed: list[str] = []
        self.no_reviews_of_others = False

    def request(
        self, method: str, path: str, body: kube.Object | None = None, content_type: str = kube.JSON
    ) -> kube.Object:
        """Answer reviews by ``denied``."""
        if path == kube.OWN_GROUP:
            return {}
        if path not in {ACCESS, SELF_ACCESS}:
            return super().request(method, path, body, content_type)
        assert body is not None
        if path == ACCESS and self.no_reviews_of_others:
            raise kube.KubeError("not allowed", 403)
        asked = body["spec"]["resourceAttributes"]
        right = f"{asked['verb']} {asked['resource']}"
        self.reviewed.append(f"{body['spec'].get('user', 'self')} {right}")
        return {"status": {"allowed": right not in self.denied}}

    def items(self, path: str) -> list[kube.Object]:
        """A list, unless it is denied."""
        if f"list {path}" in self.denied:
            raise kube.KubeError(f"not allowed: {path}", 403)
        plural = path.rpartition("/")[2]
        if f"/{plural}/" not in "".join(self.objects) and plural == "nodes":
            return []
        return super().items(path)


def of(*objects: tuple[Any, Any], policies: list[kube.Object] | None = None) -> Cluster:
    """A cluster that holds these manifests."""
    found = {}
    for ref, raw in objects:
        raw.setdefault("metadata", {}).setdefault("namespace", ref.namespace)
        found[PATHS[ref.kind].format(ref.namespace, ref.name)] = raw
    for policy in policies or []:
        found[fakes.policy_path(policy["metadata"]["name"])] = policy
    return Cluster(found)


def deployment(name: str, env: dict[str, str] | None = None, **labels: str) -> tuple[Any, Any]:
    """A Deployment of two replicas, with label ``app`` and a tier."""
    ref, raw = manifests.workload(f"Deployment/shop/{name}", env=env, replicas=2)
    own = {"app": name, "prunella.dev/tier": "standard", **labels}
    raw["metadata"] |= {"labels": own, "uid": f"{name}-uid", "generation": 1}
    raw["spec"]["selector"] = {"matchLabels": {"app": name}}
    raw["status"] = {"observedGeneration": 1, "replicas": 2, "availableReplicas": 2}
    return ref, raw


def operator(settings: dict[str, Any]) -> list[tuple[Any, Any]]:
    """The operator's Deployment and its ConfigMap, as the chart makes them."""
    labels = {"app.kubernetes.io/name": "prunella"}
    ref, raw = manifests.workload("Deployment/prunella-system/prunella")
    raw["metadata"]["labels"] = labels
    raw["spec"]["template"]["spec"]["serviceAccountName"] = "prunella"
    config, text = manifests.other(
        "ConfigMap/prunella-system/prunella", data={"settings.yaml": yaml.safe_dump(settings)}
    )
    text["metadata"]["labels"] = labels
    return [(ref, raw), (config, text)]


Answers = Callable[[str, dict[str, str]], Any]
"""The ``data`` for a path and its parameters; None is 404."""


@contextlib.contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """A server of JSON; gives its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            self._answer(answers(path, dict(urllib.parse.parse_qsl(query))))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(answers(self.path, dict(urllib.parse.parse_qsl(body))))

        def _answer(self, document: Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def vector(*series: tuple[dict[str, str], float]) -> dict[str, Any]:
    """The answer to a query."""
    result = [{"metric": labels, "value": [1.5, str(value)]} for labels, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def scalar(value: float) -> dict[str, Any]:
    """The answer to ``time()``."""
    return {"status": "success", "data": {"resultType": "scalar", "result": [1.5, str(value)]}}
