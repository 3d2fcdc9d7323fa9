"""Tokens of clouds reach the source, are renewed, and their libraries are optional."""

from __future__ import annotations

import datetime
import json
import pathlib
import sys
import time
from collections.abc import Iterator

import pytest
from azure import identity
from azure.core import exceptions as azure_exceptions
from azure.core.credentials import AccessToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import exceptions as google_exceptions
from requests import auth

import prunella.adapters.prometheus
from prunella import settings
from prunella.adapters import clock
from prunella.adapters.prometheus import (
    auth_entra,
    auth_google,
    client,
    cloud_auth,
    metrics,
    renewal,
    session,
)
from prunella.api import reasons
from tests.adapters.prometheus import faultserver

ONE = faultserver.vector(({"pod": "a"}, "1"))
ENTRA, GOOGLE = settings.Entra(), settings.Google()


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """What signs is kept for the process: not so between tests."""
    for kept in (cloud_auth._sig_v4, cloud_auth._entra, cloud_auth._google):
        kept.cache_clear()
    yield
    for kept in (cloud_auth._sig_v4, cloud_auth._entra, cloud_auth._google):
        kept.cache_clear()


class FakeEntra:
    """A credential whose tokens, one after the other, last for so many seconds."""

    def __init__(self, *lasts: float, error: Exception | None = None) -> None:
        self.lasts = list(lasts)
        self.error = error
        self.scopes: list[tuple[str, ...]] = []

    def get_token(self, *scopes: str) -> AccessToken:
        """The next token."""
        self.scopes.append(scopes)
        if self.error is not None:
            raise self.error
        ends = time.time() + self.lasts.pop(0)
        return AccessToken(f"entra-{len(self.scopes)}", int(ends))


class FakeGoogle:
    """Credentials whose tokens, one after the other, last for so many seconds."""

    def __init__(self, *lasts: float | None, error: Exception | None = None) -> None:
        self.lasts = list(lasts)
        self.error = error
        self.refreshed = 0
        self.expiry: datetime.datetime | None = None

    def refresh(self, _request: object) -> None:
        """Get the next token."""
        self.refreshed += 1
        if self.error is not None:
            raise self.error
        lasts = self.lasts.pop(0)
        if lasts is not None:
            ends = datetime.datetime.fromtimestamp(time.time() + lasts, datetime.UTC)
            self.expiry = ends.replace(tzinfo=None)

    def apply(self, headers: dict[str, str]) -> None:
        """As the library does: the name of the header in small letters."""
        headers["authorization"] = f"Bearer google-{self.refreshed}"


def entra(*lasts: float, error: Exception | None = None) -> auth.AuthBase:
    """What adds tokens of a fake credential of Entra."""
    return auth_entra.open_auth(ENTRA, FakeEntra(*lasts, error=error))


def google(*lasts: float | None, error: Exception | None = None) -> auth.AuthBase:
    """What adds tokens of fake credentials of Google."""
    return auth_google.open_auth(GOOGLE, lambda: FakeGoogle(*lasts, error=error))


def ask(auth_: auth.AuthBase, times: int) -> list[str]:
    """The tokens that a source was shown by a client that asks some times."""
    with (
        faultserver.serve(ONE) as server,
        client.PrometheusClient(settings.Source(url=server.url)) as asking,
    ):
        asking._session.auth = auth_
        for _ in range(times):
            asking.custom_query("up")
    return [request.headers["authorization"] for request in server.requests]


LONG, ENDED = 3600.0, -1.0
TOKENS = {
    "entra, kept while good": (entra(LONG), ["entra-1", "entra-1"]),
    "entra, renewed when ended": (entra(ENDED, LONG), ["entra-1", "entra-2", "entra-2"]),
    "google, kept while good": (google(LONG), ["google-1", "google-1"]),
    "google, renewed when ended": (google(ENDED, LONG), ["google-1", "google-2", "google-2"]),
    "google, without an end": (google(None), ["google-1", "google-1"]),
}


@pytest.mark.parametrize(("auth_", "expected"), TOKENS.values(), ids=TOKENS)
def test_tokens_are_sent_and_renewed(auth_: auth.AuthBase, expected: list[str]) -> None:
    """A token serves while it is good; one that has ended is not sent again."""
    assert [f"Bearer {each}" for each in expected] == ask(auth_, len(expected))


FAULTS = {
    "entra has no credentials": (
        entra(error=azure_exceptions.ClientAuthenticationError(message="tried all")),
        "no credentials from Microsoft Entra.*tried all",
    ),
    "entra can't be reached": (
        entra(error=azure_exceptions.ServiceRequestError("no route")),
        "Microsoft Entra.*no route",
    ),
    "google has no credentials": (
        google(error=google_exceptions.DefaultCredentialsError("none found")),
        "no credentials from Google.*none found",
    ),
    "google refuses": (google(error=google_exceptions.RefreshError("bad key")), "Google.*bad key"),
}


@pytest.mark.parametrize(("auth_", "words"), FAULTS.values(), ids=FAULTS)
def test_without_a_token_nothing_is_asked(auth_: auth.AuthBase, words: str) -> None:
    """A fault of the issuer is a doubt like that of the source, told in one line."""
    with faultserver.serve(ONE) as server:
        with client.PrometheusClient(settings.Source(url=server.url)) as asking:
            asking._session.auth = auth_
            with pytest.raises(session.AskError, match=words) as caught:
                asking.custom_query("up")

        assert server.requests == []
    assert reasons.Doubt.UNREACHABLE == caught.value.reason


def test_entra_is_asked_for_the_scope() -> None:
    """The scope of Azure Monitor by default, another where the source says so."""
    credential = FakeEntra(LONG, LONG)
    ask(auth_entra.open_auth(ENTRA, credential), 1)
    ask(auth_entra.open_auth(settings.Entra(scope="api://mine/.default"), credential), 1)

    expected = [("https://prometheus.monitor.azure.com/.default",), ("api://mine/.default",)]
    assert expected == credential.scopes


CLIENT_IDS = {
    "left to the environment": (None, {}),
    "chosen": ("1234", {"managed_identity_client_id": "1234"}),
}


@pytest.mark.parametrize(("client_id", "expected"), CLIENT_IDS.values(), ids=CLIENT_IDS)
def test_entras_default_chain(
    monkeypatch: pytest.MonkeyPatch, client_id: str | None, expected: dict[str, str]
) -> None:
    """The library's chain is told which identity, and not to wait for ever."""
    given: dict[str, object] = {}

    def chain(**options: object) -> FakeEntra:
        given.update(options)
        return FakeEntra(LONG)

    monkeypatch.setattr(identity, "DefaultAzureCredential", chain)
    ask(auth_entra.open_auth(settings.Entra(client_id=client_id)), 1)

    bounds = {
        "connection_timeout": renewal.ISSUER_SECONDS,
        "read_timeout": renewal.ISSUER_SECONDS,
        "retry_total": 1,
    }
    assert {**expected, **bounds} == given


def test_entras_chain_is_misnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong word in the environment is told at start, as what it is."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "nonsense")
    sources = {"azure": settings.Source(entra=ENTRA)}

    with pytest.raises(settings.SettingsError, match=r"source 'azure': .*AZURE_TOKEN_CREDENTIALS"):
        cloud_auth.check(sources)


def test_googles_own_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """A service account's key is used as the library does: signed, exchanged, renewed."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    issued = faultserver.answer(
        {"access_token": "issued", "token_type": "Bearer", "expires_in": 3600}
    )
    with faultserver.serve(issued) as issuer, faultserver.serve(ONE) as server:
        account = {
            "type": "service_account",
            "project_id": "shop",
            "private_key_id": "1",
            "private_key": pem.decode(),
            "client_email": "prunella@shop.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{issuer.url}/token",
        }
        (tmp_path / "key.json").write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
        wanted = {"url": server.url, "google": {"quotaProject": "billing"}}
        with client.PrometheusClient(settings.Source.model_validate(wanted)) as asking:
            asking.custom_query("up")
            asking.custom_query("up")

    assert [each.form["grant_type"] for each in issuer.requests] == [
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    ]
    for request in server.requests:
        assert request.headers["authorization"] == "Bearer issued"
        assert request.headers["x-goog-user-project"] == "billing"


EXTRAS = {
    "aws": ({"sigV4": {"region": "eu-central-1"}}, "awscrt", "auth_aws"),
    "azure": ({"entra": {}}, "azure.identity", "auth_entra"),
    "google": ({"google": {}}, "google.auth", "auth_google"),
}


def hide(monkeypatch: pytest.MonkeyPatch, library: str, module: str) -> None:
    """Let a library not be installed, and what needs it not be imported yet."""
    package = prunella.adapters.prometheus
    monkeypatch.setitem(sys.modules, library, None)
    if library == "azure.identity":
        monkeypatch.delattr(sys.modules["azure"], "identity")
    monkeypatch.delitem(sys.modules, f"{package.__name__}.{module}", raising=False)
    monkeypatch.delattr(package, module, raising=False)


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, extra: str) -> None:
    """At start it is an error of the settings, at a query a doubt; both say what to install."""
    fields, library, module = EXTRAS[extra]
    hide(monkeypatch, library, module)
    source = settings.Source.model_validate(fields)
    words = rf"needs the extra '{extra}', .*pip install 'prunella\[{extra}\]'"

    with pytest.raises(settings.SettingsError, match=rf"source 'managed': .*{words}"):
        metrics.PrometheusMetrics({"managed": source}, clock.RealClock())
    with pytest.raises(session.AskError, match=words) as caught:
        client.PrometheusClient(source)
    assert reasons.Doubt.UNREACHABLE == caught.value.reason


def test_no_extra_is_missed_by_sources_that_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain source works without any of the clouds' libraries."""
    for _, library, module in EXTRAS.values():
        hide(monkeypatch, library, module)
    with faultserver.serve(ONE) as server:
        plain = settings.Source(url=server.url)
        cloud_auth.check({"default": plain})
        with client.PrometheusClient(plain) as asking:
            asking.custom_query("up")

    assert "authorization" not in server.requests[0].headers


def test_threads_share_what_signs() -> None:
    """A token is asked for once, not once by each thread; other settings have another."""
    first, same, other = (
        cloud_auth.opener(settings.Source(entra=settings.Entra(client_id=name)))
        for name in ("a", "a", "b")
    )
    assert first is not None
    assert same is not None
    assert other is not None

    assert first() is same()
    assert first() is not other()
