"""Requests to AWS are signed: the signature is computed again from what a server received."""

from __future__ import annotations

import datetime
import pathlib

import pytest
import requests

from prunella import settings
from prunella.adapters.prometheus import auth_aws, client, cloud_auth, session
from prunella.api import reasons
from tests.adapters.prometheus import faultserver, sigv4

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ROLE = "arn:aws:iam::123456789012:role/prunella"
ONE = faultserver.vector(({"pod": "a"}, "1"))
QUERY = 'sum by (pod) (rate(http_requests_total{code=~"5..",path="/a b&c=ü"}[5m]))'


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Static keys in the environment, and nothing else that the chain could find or ask."""
    for name in ("SESSION_TOKEN", "PROFILE", "ROLE_ARN", "WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("FULL", "RELATIVE"):
        monkeypatch.delenv(f"AWS_CONTAINER_CREDENTIALS_{name}_URI", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv(auth_aws.STS_URL_VARIABLE, raising=False)
    cloud_auth._sig_v4.cache_clear()


def source(url: str, **sig_v4: str) -> settings.Source:
    """A source of Amazon's kind."""
    return settings.Source.model_validate(
        {"url": url, "sigV4": {"region": "eu-central-1", **sig_v4}}
    )


def signature_of(request: faultserver.Request, secret: str = SECRET) -> str:
    """The signature that a request should bear."""
    return sigv4.sign(request.method, request.path, request.headers, request.body, secret)


FORM = {"content-type": "application/x-www-form-urlencoded"}
VECTORS = {
    "get-vanilla": (
        ("GET", "/", {}, b""),
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "get-vanilla-query-order-key-case": (
        ("GET", "/?Param2=value2&Param1=value1", {}, b""),
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "post-vanilla": (
        ("POST", "/", {}, b""),
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "post-x-www-form-urlencoded": (
        ("POST", "/", FORM, b"Param1=value1"),
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
}
"""AWS' published test suite of Signature Version 4: its requests by name, and their signatures."""


@pytest.mark.parametrize(("request_", "expected"), VECTORS.values(), ids=VECTORS)
def test_published_requests_get_their_published_signatures(
    monkeypatch: pytest.MonkeyPatch,
    request_: tuple[str, str, dict[str, str], bytes],
    expected: str,
) -> None:
    """By what signs our requests, and by the recomputation of these tests."""
    method, path, given, body = request_
    moment = datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.UTC)
    plain = auth_aws._sign
    dated = lambda unsigned, config: plain(unsigned, config.replace(date=moment))  # noqa: E731
    monkeypatch.setattr(auth_aws, "_sign", dated)
    keys = auth_aws.awscrt.auth.AwsCredentialsProvider.new_static(KEY, SECRET)
    url = f"https://example.amazonaws.com{path}"
    prepared = requests.Request(method, url, headers=given, data=body).prepare()

    auth_aws.SigV4Auth("us-east-1", "service", lambda: keys)(prepared)

    headers = {name.lower(): str(value) for name, value in prepared.headers.items()}
    assert expected == sigv4.read(headers["authorization"]).signature
    assert expected == sigv4.sign(method, path, headers, body, SECRET)


PATHS = {
    "workspace": "/workspaces/ws-1a2b",
    "encoded path": "/workspaces/ws%201%2Fx",
    "none": "",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_query_is_signed_with_its_body(path: str) -> None:
    """Host, type and body are under the signature; instant and range queries alike."""
    with (
        faultserver.serve(ONE) as server,
        client.PrometheusClient(source(f"{server.url}{path}")) as asking,
    ):
        asking.custom_query(QUERY)
        asking.custom_query_range(QUERY, 1, 2.5, "15s")

    assert len(server.requests) == 2
    for request in server.requests:
        signature = sigv4.read(request.headers["authorization"])
        day = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")  # noqa: TID251
        assert (KEY, f"{day}/eu-central-1/aps/aws4_request") == (signature.key, signature.scope)
        assert signature.headers == ("content-type", "host", "x-amz-date")
        assert signature_of(request) == signature.signature
        assert request.form["query"] == QUERY


TAMPERED = {
    "body": {"body": b"query=up"},
    "path": {"path": "/workspaces/other/api/v1/query"},
    "method": {"method": "GET"},
}


@pytest.mark.parametrize("changed", TAMPERED.values(), ids=TAMPERED)
def test_a_signature_is_of_one_request_only(changed: dict[str, object]) -> None:
    """Whoever changes a request on its way makes its signature wrong."""
    with (
        faultserver.serve(ONE) as server,
        client.PrometheusClient(source(server.url)) as asking,
    ):
        asking.custom_query("up")
    [request] = server.requests
    parts = {"method": request.method, "path": request.path, "body": request.body, **changed}

    again = sigv4.sign(**parts, headers=request.headers, secret=SECRET)  # type: ignore[arg-type]
    assert again != sigv4.read(request.headers["authorization"]).signature


def test_another_service_and_a_session_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary keys bring their token, which is signed too."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "temporary")
    with (
        faultserver.serve(ONE) as server,
        client.PrometheusClient(source(server.url, service="es")) as asking,
    ):
        asking.custom_query("up")
    [request] = server.requests
    signature = sigv4.read(request.headers["authorization"])

    assert signature.scope.endswith("/eu-central-1/es/aws4_request")
    assert "x-amz-security-token" in signature.headers
    assert request.headers["x-amz-security-token"] == "temporary"
    assert signature_of(request) == signature.signature


HOSTS = {
    "usual port of https": ("https://example.com:443/a", "example.com"),
    "usual port of http": ("http://example.com:80/a", "example.com"),
    "port of the other scheme": ("http://example.com:443/a", "example.com:443"),
    "a port of its own": ("https://example.com:9443/a", "example.com:9443"),
    "with a user": ("https://user:word@example.com/a", "example.com"),
    "address": ("https://[::1]:9443/a", "[::1]:9443"),
}


@pytest.mark.parametrize(("url", "expected"), HOSTS.values(), ids=HOSTS)
def test_the_host_is_signed_as_it_is_sent(url: str, expected: str) -> None:
    """A port that is usual is left out, as servers expect it."""
    request = requests.Request("POST", url, data={"query": "up"}).prepare()
    auth_aws.open_auth(settings.SigV4(region="us-east-1"))(request)

    assert expected == request.headers["Host"]
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    signature = sigv4.sign("POST", "/a", headers, b"query=up", SECRET)
    assert signature == sigv4.read(headers["authorization"]).signature


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the chain finds nothing, nothing is asked, and the message says what is missing."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with (
        faultserver.serve(ONE) as server,
        client.PrometheusClient(source(server.url)) as asking,
        pytest.raises(session.AskError, match="no credentials from AWS") as caught,
    ):
        asking.custom_query("up")

    assert reasons.Doubt.UNREACHABLE == caught.value.reason
    assert server.requests == []


def assumed(key: str, ends: datetime.datetime) -> faultserver.Behaviour:
    """Answer as STS does to AssumeRole."""
    return faultserver.send(
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        "<AssumeRoleResult><Credentials>"
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret-of-{key}</SecretAccessKey>"
        f"<SessionToken>token-of-{key}</SessionToken>"
        f"<Expiration>{ends:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>".encode(),
        kind="text/xml",
    )


def test_a_role_is_assumed_once_and_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain's keys sign the request for the role, the role's keys sign the queries."""
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)  # noqa: TID251
    with faultserver.serve(assumed("ASIAROLE", ends)) as sts, faultserver.serve(ONE) as server:
        monkeypatch.setenv(auth_aws.STS_URL_VARIABLE, sts.url)
        for _ in range(2):  # as two threads would
            with client.PrometheusClient(source(server.url, roleArn=ROLE)) as asking:
                asking.custom_query("up")

    [asked] = sts.requests
    by_chain = sigv4.read(asked.headers["authorization"])
    assert (asked.form["Action"], asked.form["RoleArn"]) == ("AssumeRole", ROLE)
    assert (KEY, signature_of(asked)) == (by_chain.key, by_chain.signature)
    assert by_chain.scope.endswith("/eu-central-1/sts/aws4_request")
    for request in server.requests:
        signature = sigv4.read(request.headers["authorization"])
        assert signature.key == "ASIAROLE"
        assert request.headers["x-amz-security-token"] == "token-of-ASIAROLE"
        assert signature_of(request, "secret-of-ASIAROLE") == signature.signature


REFUSED = {
    "forbidden": (faultserver.send(b"<Error>AccessDenied</Error>", 403), "role.*AccessDenied"),
    "not XML": (faultserver.send(b"<html"), "without credentials"),
    "other XML": (faultserver.send(b"<html/>"), "without credentials"),
    "too long": (faultserver.send(b" " * 70_000), "larger than"),
    "hung up": (faultserver.hang_up, "can't reach 127.0.0.1"),
}


@pytest.mark.parametrize(("behaviour", "words"), REFUSED.values(), ids=REFUSED)
def test_a_role_that_can_not_be_assumed(
    monkeypatch: pytest.MonkeyPatch, behaviour: faultserver.Behaviour, words: str
) -> None:
    """Without the role nothing is asked with lesser credentials instead."""
    with faultserver.serve(behaviour) as sts, faultserver.serve(ONE) as server:
        monkeypatch.setenv(auth_aws.STS_URL_VARIABLE, sts.url)
        with (
            client.PrometheusClient(source(server.url, roleArn=ROLE)) as asking,
            pytest.raises(session.AskError, match=words),
        ):
            asking.custom_query("up")

        assert server.requests == []


REGIONS = {
    "eu-central-1": "https://sts.eu-central-1.amazonaws.com/",
    "cn-north-1": "https://sts.cn-north-1.amazonaws.com.cn/",
}


@pytest.mark.parametrize(("region", "expected"), REGIONS.items(), ids=REGIONS)
def test_the_sts_of_the_region(region: str, expected: str) -> None:
    """STS is asked in the source's own region."""
    role = auth_aws.Role(ROLE, region, None)

    assert expected == role._access.url
