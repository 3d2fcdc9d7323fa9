"""A request is made once, is over in time, and brings an answer or the reason why not."""

from __future__ import annotations

import json
import os
import pathlib
import ssl
import subprocess
import time
from collections.abc import Iterator

import pytest

from prunella import settings
from prunella.adapters.prometheus import client, session
from prunella.api import reasons
from tests.adapters.prometheus import faultserver

ONE = faultserver.vector(({"pod": "a"}, "1"))
BODY = json.dumps(faultserver.success("vector", [])).encode()


def source(url: str, **fields: object) -> settings.Source:
    """A source with short timeouts."""
    short = {"connect_timeout_seconds": 0.3, "read_timeout_seconds": 0.3}
    return settings.Source.model_validate({"url": url, **short, **fields})


def ask(url: str, **fields: object) -> client.Reply:
    """Ask ``up`` with a client of its own."""
    with client.PrometheusClient(source(url, **fields)) as asking:
        reply: client.Reply = asking.custom_query("up")
        return reply


Doubt = reasons.Doubt
FAULTS = {
    "server error": (faultserver.send(b"oops", 500), Doubt.HTTP_ERROR, "HTTP 500"),
    "gateway": (
        faultserver.send(b"<h1>Bad Gateway</h1>", 502, "text/html"),
        Doubt.HTTP_ERROR,
        "HTTP 502",
    ),
    "unauthorized": (faultserver.send(b"", 401), Doubt.HTTP_ERROR, "HTTP 401"),
    "not found": (faultserver.send(b"404 page not found", 404), Doubt.HTTP_ERROR, "HTTP 404"),
    "redirect": (
        faultserver.send(b"", 302, Location="/elsewhere"),
        Doubt.HTTP_ERROR,
        "redirects are not followed",
    ),
    "no content": (faultserver.send(b"", 204), Doubt.HTTP_ERROR, "HTTP 204"),
    "html with 200": (
        faultserver.send(b"<html>Sign in</html>", 200, "text/html"),
        Doubt.NOT_JSON,
        "text/html",
    ),
    "empty body": (faultserver.send(b""), Doubt.NOT_JSON, "0 bytes"),
    "half of the JSON": (faultserver.send(BODY[:-5]), Doubt.NOT_JSON, "not an answer"),
    "a list": (faultserver.answer([1, 2]), Doubt.NOT_JSON, "not an answer"),
    "a number": (faultserver.answer(7), Doubt.NOT_JSON, "not an answer"),
    "JSON of somebody else": (faultserver.answer({"ok": True}), Doubt.NOT_JSON, "not an answer"),
    "data without a result": (
        faultserver.answer({"status": "success", "data": {}}),
        Doubt.NOT_JSON,
        "not an answer",
    ),
    "bare NaN": (
        faultserver.send(b'{"status":"success","data":{"result":NaN}}'),
        Doubt.NOT_JSON,
        "not an answer",
    ),
    "query refused": (
        faultserver.error("bad_data", "parse error at char 5", 400),
        Doubt.QUERY_REJECTED,
        "bad_data: parse error at char 5",
    ),
    "execution failed": (
        faultserver.error("execution", "many-to-many matching", 422),
        Doubt.QUERY_REJECTED,
        "many-to-many",
    ),
    "error with 200": (
        faultserver.error("bad_data", "no", 200),
        Doubt.QUERY_REJECTED,
        "bad_data: no",
    ),
    "timeout in the server": (
        faultserver.error("timeout", "query timed out", 503),
        Doubt.TIMEOUT,
        "query timed out",
    ),
    "internal error": (
        faultserver.error("internal", "head is broken", 500),
        Doubt.HTTP_ERROR,
        "head is broken",
    ),
    "no answer": (faultserver.silence, Doubt.TIMEOUT, "no answer from 127.0.0.1 in time"),
    "never ends": (faultserver.drip, Doubt.TIMEOUT, "did not end in time"),
    "cut off": (faultserver.cut_off, Doubt.UNREACHABLE, "can't reach 127.0.0.1"),
    "hung up": (faultserver.hang_up, Doubt.UNREACHABLE, "can't reach 127.0.0.1"),
    "another protocol": (faultserver.garbage, Doubt.UNREACHABLE, "can't reach 127.0.0.1"),
    "too large": (
        faultserver.send(b" " * 70_000),
        Doubt.BODY_TOO_LARGE,
        "larger than 65536 bytes",
    ),
    "too large in chunks": (
        faultserver.chunked(b" " * 70_000, 999),
        Doubt.BODY_TOO_LARGE,
        "larger than 65536 bytes",
    ),
    "small only while compressed": (
        faultserver.gzipped(b" " * 50_000_000),
        Doubt.BODY_TOO_LARGE,
        "larger than 65536 bytes",
    ),
}


@pytest.mark.parametrize(("behaviour", "reason", "words"), FAULTS.values(), ids=FAULTS)
def test_faults(behaviour: faultserver.Behaviour, reason: reasons.Doubt, words: str) -> None:
    """Each fault has its reason, and is not tried again."""
    started = time.monotonic()
    with faultserver.serve(behaviour) as server:
        with pytest.raises(session.AskError, match=words) as caught:
            ask(server.url, max_body_bytes=65536)

        assert reason == caught.value.reason
        assert len(server.requests) == 1
    assert time.monotonic() - started < 3


def test_nobody_listens() -> None:
    """A refused connection is told from a slow one."""
    with faultserver.closed_port() as url, pytest.raises(session.AskError) as caught:
        ask(url)

    assert caught.value.reason == Doubt.UNREACHABLE
    assert "refused" in str(caught.value)


def test_no_connection_in_time() -> None:
    """The time to connect has a limit of its own."""
    started = time.monotonic()
    with faultserver.full_backlog() as url, pytest.raises(session.AskError) as caught:
        ask(url, read_timeout_seconds=30)

    assert caught.value.reason == Doubt.TIMEOUT
    assert "no connection to 127.0.0.1" in str(caught.value)
    assert time.monotonic() - started < 3


def test_an_unusable_url() -> None:
    """A wrong setting is a Failure like any other, not a crash."""
    with pytest.raises(session.AskError) as caught:
        ask("ftp://somewhere")

    assert caught.value.reason == Doubt.UNREACHABLE


def test_credentials_in_the_url_are_not_repeated() -> None:
    """Messages end in conditions that many may read."""
    with faultserver.closed_port() as url, pytest.raises(session.AskError) as caught:
        ask(url.replace("//", "//user:secret@"))

    assert "secret" not in str(caught.value)


GOOD = {
    "plain": faultserver.send(BODY),
    "chunked": faultserver.chunked(BODY, 7),
    "compressed": faultserver.gzipped(BODY),
}


@pytest.mark.parametrize("behaviour", GOOD.values(), ids=GOOD)
def test_an_answer_arrives_whole(behaviour: faultserver.Behaviour) -> None:
    """However it is sent."""
    with faultserver.serve(behaviour) as server:
        assert client.Reply("vector", []) == ask(server.url)


TEXTS = {
    "list": (["a", "b"], ("a", "b")),
    "empty": ([], ()),
    "another form is not lost": ("a", ("a",)),
    "nor is this": ({"a": 1}, ("{'a': 1}",)),
}


@pytest.mark.parametrize(("warnings", "expected"), TEXTS.values(), ids=TEXTS)
def test_warnings_and_infos_come_along(warnings: object, expected: tuple[str, ...]) -> None:
    """They are what says that an answer is partial."""
    behaviour = faultserver.vector(warnings=warnings, infos=["metric might not be a counter"])
    with faultserver.serve(behaviour) as server:
        reply = ask(server.url)

    assert expected == reply.warnings
    assert reply.infos == ("metric might not be a counter",)


def test_the_request() -> None:
    """A form is posted, so that long queries fit, with the limits for the server to keep."""
    with faultserver.serve(ONE) as server:
        url = f"{server.url}/prometheus/"
        with client.PrometheusClient(source(url, max_series=10, headers={"X-Org": "a"})) as asking:
            asking.custom_query("up{a='b&c'}", {"time": "5.000"})
            asking.custom_query_range("up", 1, 2.5, "15s")

    first, second = server.requests
    assert (first.method, first.path) == ("POST", "/prometheus/api/v1/query")
    expected = {"query": "up{a='b&c'}", "time": "5.000", "timeout": "0.3s", "limit": "11"}
    assert expected == first.form
    assert first.headers["x-org"] == "a"
    assert second.path == "/prometheus/api/v1/query_range"
    span = {"start": "1.000", "end": "2.500", "step": "15s"}
    assert span.items() <= second.form.items()
    assert first.connection == second.connection


def test_redirects_take_no_credentials_along(tmp_path: pathlib.Path) -> None:
    """Nothing at all is asked of the place that a redirect names."""
    token = tmp_path / "token"
    token.write_text("secret")
    with faultserver.serve(ONE) as other:
        moved = faultserver.send(b"", 307, Location=f"{other.url}/api/v1/query")
        with faultserver.serve(moved) as server, pytest.raises(session.AskError):
            ask(server.url, bearer_token_file=token)

        assert other.requests == []


def test_the_environment_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """No proxy and no .netrc come between the operator and its source."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with faultserver.serve(ONE) as server, faultserver.closed_port() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)

        assert ask(server.url).result_type == "vector"
        assert "authorization" not in server.requests[0].headers


def replace(path: pathlib.Path, text: str) -> None:
    """Write a file as kubelet does: a new one takes its place."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def test_a_bearer_token_is_read_again_when_it_changes(tmp_path: pathlib.Path) -> None:
    """Tokens are short-lived; as long as the file is the same, so is the connection."""
    token = tmp_path / "token"
    token.write_text("one\n")
    with faultserver.serve(ONE) as server:
        asked = source(server.url, bearer_token_file=token)
        clients = session.PerThread(client.access(asked), lambda: client.PrometheusClient(asked))
        first = clients.get()
        first.custom_query("up")
        assert first is clients.get()
        replace(token, "second")
        clients.get().custom_query("up")
        assert first is not clients.get()
        clients.close()

    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer one", "Bearer second"]


def test_basic_auth_with_a_password_from_a_file(tmp_path: pathlib.Path) -> None:
    """User and password go into the usual header."""
    password = tmp_path / "password"
    password.write_text("secret\n")
    auth = {"username": "prunella", "password_file": password}
    with faultserver.serve(ONE) as server:
        ask(server.url, basic_auth=auth)

    assert server.requests[0].headers["authorization"] == "Basic cHJ1bmVsbGE6c2VjcmV0"


def test_missing_credentials(tmp_path: pathlib.Path) -> None:
    """Without its token nothing is asked, and the message names the file."""
    with faultserver.serve(ONE) as server:
        with pytest.raises(session.AskError, match=r"credentials in .*/absent") as caught:
            ask(server.url, bearer_token_file=tmp_path / "absent")

        assert server.requests == []
    assert caught.value.reason == Doubt.UNREACHABLE


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a CA, and certificates that it signed for a server and a client."""
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for name in ("ca", "other"):
        names = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"]
        openssl("req", "-x509", "-days", "2", *curve, *names)
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", "csr", "-subj", f"/CN={name}")
        signer = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        openssl("x509", "-req", "-in", "csr", *signer, "-extfile", "san", "-out", f"{name}.crt")
    return folder


@pytest.fixture
def tls_server(pki: pathlib.Path) -> Iterator[faultserver.Server]:
    """A server that wants a certificate of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server.crt", pki / "server.key")
    context.load_verify_locations(pki / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    with faultserver.serve(ONE, context) as server:
        yield server


def test_mutual_tls(tls_server: faultserver.Server, pki: pathlib.Path) -> None:
    """Server and client show each other their certificates."""
    tls = {"cert_file": pki / "client.crt", "key_file": pki / "client.key"}

    assert ask(tls_server.url, tls={**tls, "ca_file": pki / "ca.crt"}).result_type == "vector"
    assert ask(tls_server.url, tls={**tls, "insecure_skip_verify": True}).result_type == "vector"


TLS_FAULTS = {
    "unknown authority": {"ca_file": "other.crt", "cert_file": "client.crt"},
    "authorities of the system": {"cert_file": "client.crt"},
    "no certificate of ours": {"ca_file": "ca.crt"},
    "no such file": {"ca_file": "absent.crt", "cert_file": "client.crt"},
}


@pytest.mark.parametrize("files", TLS_FAULTS.values(), ids=TLS_FAULTS)
def test_tls_faults(
    tls_server: faultserver.Server, pki: pathlib.Path, files: dict[str, str]
) -> None:
    """Without trust in both directions nothing is asked."""
    tls: dict[str, object] = {name: pki / file for name, file in files.items()}
    if "cert_file" in files:
        tls["key_file"] = pki / "client.key"
    with pytest.raises(session.AskError) as caught:
        ask(tls_server.url, tls=tls)

    assert caught.value.reason == Doubt.UNREACHABLE
    assert tls_server.requests == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_token(tmp_path: pathlib.Path) -> None:
    """A file without the right to read it is as good as absent."""
    token = tmp_path / "token"
    token.touch(0o000)
    with pytest.raises(session.AskError, match="credentials in"):
        ask("http://127.0.0.1:1", bearer_token_file=token)
