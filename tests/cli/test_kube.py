"""The way to a cluster: kubeconfigs, pages, and errors that say what to do."""

from __future__ import annotations

import http.server
import json
import pathlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from kubernetes import config

from prunella.cli import kube

RECORDS = f"{kube.OWN_GROUP}/namespaces/shop/remediations"


def write_config(path: pathlib.Path, server: str) -> pathlib.Path:
    """A kubeconfig of two contexts to one server; the second names a namespace."""
    contexts = [
        {"name": "one", "context": {"cluster": "c", "user": "u"}},
        {"name": "two", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
    ]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret-token"}}],
        "contexts": contexts,
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture(autouse=True)
def _no_cluster_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """The developer's own cluster is never asked."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


Answer = tuple[int, str]


class Server:
    """Answers by path with what a test wrote; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, str | None, Any]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                token = self.headers.get("Authorization")
                outer.asked.append((self.command, self.path, token, body))
                status, text = outer.answers[self.path]
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base's names

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on this machine."""
    built = Server()
    thread = threading.Thread(target=built.http.serve_forever, args=(0.01,))
    thread.start()
    yield built
    built.http.shutdown()
    built.http.server_close()
    thread.join()


@pytest.fixture
def cluster(server: Server, tmp_path: pathlib.Path) -> kube.ApiServer:
    """A connection to that server."""
    return kube.connect(write_config(tmp_path / "config", server.url), None, None)


NAMESPACES = {
    "the option": ("two", "bank", "bank"),
    "the context": ("two", None, "shop"),
    "a context without": ("one", None, "default"),
    "the current context": (None, None, "default"),
}


@pytest.mark.parametrize("name", NAMESPACES)
def test_the_namespace_is_that_of_option_or_context(name: str, tmp_path: pathlib.Path) -> None:
    """The same order as kubectl's: -n, then the context, then default."""
    context, option, expected = NAMESPACES[name]
    written = write_config(tmp_path / "config", "http://127.0.0.1:1")

    assert expected == kube.connect(written, context, option).namespace


def _missing(folder: pathlib.Path) -> tuple[pathlib.Path | None, str | None]:
    return folder / "missing", None


def _unset(_: pathlib.Path) -> tuple[pathlib.Path | None, str | None]:
    return None, None


def _other_context(folder: pathlib.Path) -> tuple[pathlib.Path | None, str | None]:
    return write_config(folder / "config", "http://127.0.0.1:1"), "three"


def _not_yaml(folder: pathlib.Path) -> tuple[pathlib.Path | None, str | None]:
    (folder / "config").write_text("{")
    return folder / "config", None


@pytest.mark.parametrize("make", [_missing, _unset, _other_context, _not_yaml])
def test_no_usable_kubeconfig_is_one_line(
    make: Callable[[pathlib.Path], tuple[pathlib.Path | None, str | None]], tmp_path: pathlib.Path
) -> None:
    """Whatever is wrong with the kubeconfig, the options that mend it are named."""
    written, context = make(tmp_path)

    with pytest.raises(kube.KubeError) as error:
        kube.connect(written, context, None)

    assert str(error.value).startswith("no way to a cluster by ")
    assert str(error.value).endswith("Give --kubeconfig FILE and --context NAME")
    assert "\n" not in str(error.value)


def test_a_pods_own_account_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the operator's pod the commands need no kubeconfig."""
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    asked: list[object] = []
    monkeypatch.setattr(config, "load_incluster_config", lambda **options: asked.append(options))

    assert "default" == kube.connect(None, None, None).namespace
    assert 1 == len(asked)


def test_requests_carry_token_and_body(server: Server, cluster: kube.ApiServer) -> None:
    """A request reaches the server as the user of the kubeconfig."""
    server.answers["/api/v1/things"] = (201, '{"made": true}')

    answer = cluster.request("POST", "/api/v1/things", {"kind": "Thing"})

    assert {"made": True} == answer
    expected = ("POST", "/api/v1/things", "Bearer secret-token", {"kind": "Thing"})
    assert [expected] == server.asked


def test_lists_are_read_in_pages(server: Server, cluster: kube.ApiServer) -> None:
    """A long list is followed to its end."""
    first = {"metadata": {"continue": "more"}, "items": [{"n": 1}, {"n": 2}]}
    server.answers[f"{RECORDS}?limit=500"] = (200, json.dumps(first))
    server.answers[f"{RECORDS}?limit=500&continue=more"] = (
        200,
        json.dumps({"metadata": {}, "items": [{"n": 3}]}),
    )

    assert [{"n": 1}, {"n": 2}, {"n": 3}] == cluster.items(RECORDS)


def test_a_refused_connection_names_the_server(tmp_path: pathlib.Path) -> None:
    """A cluster that is down is named with its address, once, without a stack of causes."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        down = kube.connect(write_config(tmp_path / "config", url), None, None)

        with pytest.raises(kube.KubeError) as error:
            down.items(RECORDS)

    assert f"can't reach {url}: connection refused; is it up?" == str(error.value)
    assert error.value.status is None


STATUS = {"kind": "Status", "message": "what the server said"}
NAMED = {**STATUS, "details": {"name": "x", "kind": "remediations"}}
REFUSALS = {
    "no such object": (404, json.dumps(NAMED), "what the server said"),
    "no such kind": (404, "404 page not found", kube.CRDS_MISSING),
    "no such kind, as Status": (404, json.dumps(STATUS), kube.CRDS_MISSING),
    "unknown user": (
        401,
        json.dumps(STATUS),
        "GET PATH: the API server does not know you (401): log in again",
    ),
    "not allowed": (
        403,
        json.dumps(STATUS),
        "not allowed: what the server said; ask for a Role that has this verb",
    ),
    "conflict": (409, json.dumps(STATUS), "what the server said"),
    "no message": (500, "{}", "status 500"),
    "a login page": (
        200,
        "<html>",
        "GET PATH: status 200 and no JSON: is this a Kubernetes API server?",
    ),
    "a gateway": (
        502,
        "bad gateway",
        "GET PATH: status 502 and no JSON: is this a Kubernetes API server?",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_say_what_to_do(server: Server, cluster: kube.ApiServer, name: str) -> None:
    """Each answer that is no success becomes one line, with the status beside it."""
    status, body, expected = REFUSALS[name]
    path = f"{RECORDS}/x"
    server.answers[path] = (status, body)

    with pytest.raises(kube.KubeError) as error:
        cluster.request("GET", path)

    assert expected.replace("PATH", f"{server.url}{path}") == str(error.value)
    assert status == error.value.status
