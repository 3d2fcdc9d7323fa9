"""The client: what each answer, and each missing answer, becomes."""

from __future__ import annotations

import asyncio
import pathlib
import socket

import pytest

import prunella
from prunella import ports
from prunella.adapters.kubernetes import client, credentials
from tests.adapters.kubernetes import builders, fake_server
from tests.adapters.kubernetes.fake_server import Answer, FakeServer

PATH = "/api/v1/namespaces/shop/pods/web-0"


async def test_request_returns_status_and_json(server: FakeServer, api: client.KubeApi) -> None:
    """Query, body and headers arrive as they were given; the answer comes back parsed."""
    server.rules[f"PATCH {PATH}"] = Answer(200, {"metadata": {"name": "web-0"}})
    operations = [{"op": "test", "path": "/metadata/uid", "value": "u"}]

    answer = await api.request(
        "PATCH", PATH, {"dryRun": "All"}, operations, client.JSON_PATCH, mutating=True
    )

    request = server.requests[0]
    assert (200, {"metadata": {"name": "web-0"}}) == answer
    assert ({"dryRun": "All"}, operations) == (request.query, request.body)
    assert client.JSON_PATCH == request.headers["Content-Type"]
    assert f"prunella/{prunella.__version__}" == request.headers["User-Agent"]


@pytest.mark.parametrize(
    ("answer", "mutating", "expected", "status"),
    [
        pytest.param(Answer(403, {"message": "no"}), True, ports.ClusterError, 403, id="403"),
        pytest.param(Answer(404, {"message": "no"}), False, ports.ClusterError, 404, id="404"),
        pytest.param(Answer(409, {"message": "no"}), True, ports.Conflict, 409, id="409"),
        pytest.param(Answer(422, {"message": "no"}), True, ports.ClusterError, 422, id="422"),
        pytest.param(Answer(429, {"message": "no"}), True, ports.ClusterError, 429, id="429"),
        pytest.param(Answer(500, {"message": "no"}), True, ports.OutcomeUnknown, 500, id="500"),
        pytest.param(Answer(504, b"<html>"), True, ports.OutcomeUnknown, 504, id="504 html"),
        pytest.param(Answer(500, {"message": "no"}), False, ports.ClusterError, 500, id="GET 500"),
        pytest.param(Answer(302, b""), True, ports.ClusterError, 302, id="redirect"),
        pytest.param(Answer(200, b"<html>"), True, ports.OutcomeUnknown, None, id="html with 200"),
        pytest.param(Answer(200, b"<html>"), False, ports.ClusterError, None, id="GET html"),
        pytest.param(Answer(fault="close"), True, ports.OutcomeUnknown, None, id="reset"),
        pytest.param(Answer(fault="close"), False, ports.ClusterError, None, id="GET reset"),
        pytest.param(Answer(fault="hang"), True, ports.OutcomeUnknown, None, id="timeout"),
        pytest.param(Answer(fault="hang"), False, ports.ClusterError, None, id="GET timeout"),
        pytest.param(
            Answer(200, {}, "truncate"), True, ports.OutcomeUnknown, None, id="half an answer"
        ),
    ],
)
async def test_errors(
    server: FakeServer,
    answer: Answer,
    mutating: bool,
    expected: type[Exception],
    status: int | None,
) -> None:
    """A refusal is a refusal; a write without a believable answer is Unknown and sent once."""
    api = fake_server.api_of(server.url, timeout=(1, 0.2))
    method = "POST" if mutating else "GET"
    server.rules[f"{method} {PATH}"] = answer

    with pytest.raises(ports.ClusterError) as error:
        await api.request(method, PATH, mutating=mutating)

    api.close()
    assert (expected, status) == (type(error.value), error.value.status)
    if mutating:
        assert 1 == server.count(method)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_writes_are_never_repeated(
    server: FakeServer, api: client.KubeApi, method: str
) -> None:
    """A write whose connection broke reaches the server once, whatever its method."""
    server.rules[f"{method} {PATH}"] = Answer(fault="close")

    with pytest.raises(ports.OutcomeUnknown):
        await api.request(method, PATH, body=[], mutating=True)

    assert 1 == server.count(method)


async def test_broken_read_is_repeated_once(server: FakeServer, api: client.KubeApi) -> None:
    """A read over a connection that the server had closed is asked once more."""
    server.rules[f"GET {PATH}"] = [Answer(fault="close"), Answer(200, {"a": 1})]

    assert (200, {"a": 1}) == await api.request("GET", PATH, mutating=False)


@pytest.mark.parametrize("mutating", [True, False], ids=["write", "read"])
async def test_refused_connection_changed_nothing(mutating: bool) -> None:
    """Where no connection came about, even a write is known to have done nothing."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        api = fake_server.api_of(f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(ports.ClusterError) as error:
            await api.request("POST", PATH, mutating=mutating)

    api.close()
    assert ports.ClusterError is type(error.value)
    assert error.value.status is None


async def test_request_that_found_no_thread_was_not_sent(server: FakeServer) -> None:
    """A request that waited in vain for a thread never reaches the server; one sent may have."""
    given = credentials.explicit(fake_server.configuration(server.url))
    api = client.KubeApi(given, threads=1, timeout=(1, 0.4), deadline=0.1)
    server.rules[f"POST {PATH}"] = Answer(fault="hang")

    results = await asyncio.gather(
        *(api.request("POST", PATH, mutating=True) for _ in range(2)), return_exceptions=True
    )

    api.close()
    assert [ports.OutcomeUnknown, ports.ClusterError] == [type(result) for result in results]
    assert 1 == server.count("POST")


async def test_effect_is_sent_soon_or_never(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a request that hangs it is given up unsent, though others would still wait."""
    monkeypatch.setattr(client, "PROMPT_SECONDS", 0.1)
    given = credentials.explicit(fake_server.configuration(server.url))
    api = client.KubeApi(given, threads=1, timeout=(1, 0.4), deadline=5.0)
    server.rules[f"POST {PATH}"] = Answer(fault="hang")

    results = await asyncio.gather(
        *(api.effect("POST", PATH, {}, {}) for _ in range(2)),
        return_exceptions=True,
    )

    api.close()
    assert [ports.OutcomeUnknown, ports.ClusterError] == [type(result) for result in results]
    assert "no free thread for 0.1 s" in str(results[1])
    assert 1 == server.count("POST")


async def test_closed_client_sends_nothing(server: FakeServer) -> None:
    """After the end of the process' work a request is an error like others."""
    api = fake_server.api_of(server.url)
    api.close()

    with pytest.raises(ports.ClusterError, match="closed"):
        await api.request("POST", PATH, mutating=True)

    assert 0 == len(server.requests)


async def test_pages_follow_the_continue_token(server: FakeServer, api: client.KubeApi) -> None:
    """A long list is read in pages of 500 to its end."""
    pages = [
        Answer(200, builders.listed({"a": 1}, follow="next")),
        Answer(200, builders.listed({"a": 2})),
    ]
    server.rules["GET /api/v1/pods"] = pages

    found = await api.items("/api/v1/pods", {"labelSelector": "app=web"})

    assert [{"a": 1}, {"a": 2}] == found
    assert [
        {"labelSelector": "app=web", "limit": "500"},
        {"labelSelector": "app=web", "limit": "500", "continue": "next"},
    ] == [request.query for request in server.requests]


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: one
contexts:
- {{name: one, context: {{cluster: c, user: u}}}}
- {{name: two, context: {{cluster: other, user: u}}}}
clusters:
- {{name: c, cluster: {{server: "{url}"}}}}
- {{name: other, cluster: {{server: "http://127.0.0.1:1"}}}}
users:
- {{name: u, user: {{tokenFile: "{token}"}}}}
"""


def kubeconfig(folder: pathlib.Path, url: str) -> pathlib.Path:
    """A kubeconfig with two contexts, whose user has a token file."""
    token = folder / "token"
    token.write_text("first")
    path = folder / "config"
    path.write_text(KUBECONFIG.format(url=url, token=token))
    return path


async def test_rotated_token_is_read_again(
    server: FakeServer, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a 401 the credentials are loaded anew, and the next request goes out with them."""
    monkeypatch.setattr(credentials, "RELOAD_SECONDS", 0.0)
    given = credentials.Credentials(kubeconfig=kubeconfig(tmp_path, server.url))
    given.configuration.proxy = None
    api = client.KubeApi(given, threads=1)
    server.rules[f"GET {PATH}"] = [Answer(401, {"message": "expired"}), Answer(200, {})]
    (tmp_path / "token").write_text("second")

    with pytest.raises(ports.ClusterError):
        await api.request("GET", PATH, mutating=False)
    await api.request("GET", PATH, mutating=False)

    api.close()
    assert ["Bearer first", "Bearer second"] == [
        request.headers["authorization"] for request in server.requests
    ]


def test_kopf_gets_the_same_access(tmp_path: pathlib.Path) -> None:
    """Server, scheme and token of the chosen context are handed to Kopf."""
    path = kubeconfig(tmp_path, "http://127.0.0.1:2")

    first = credentials.Credentials(kubeconfig=path).connection()
    second = credentials.Credentials(kubeconfig=path, context="two").connection()

    assert ("http://127.0.0.1:2", "Bearer", "first") == (first.server, first.scheme, first.token)
    assert "http://127.0.0.1:1" == second.server


def test_service_account_in_kopf_s_words() -> None:
    """The token of a service account, as the official client keeps it, fits Kopf's header."""
    configuration = fake_server.configuration("http://127.0.0.1:1")
    configuration.api_key["BearerToken"] = "bearer secret\n"

    found = credentials.explicit(configuration).connection()

    assert {"Authorization": "Bearer secret"} == found.as_http_headers()


def test_missing_kubeconfig_is_said(tmp_path: pathlib.Path) -> None:
    """Without any access the error names what was looked for."""
    with pytest.raises(credentials.NoCluster, match="nothing-here"):
        credentials.Credentials(kubeconfig=tmp_path / "nothing-here").load()
