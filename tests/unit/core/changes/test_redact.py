"""No credential is kept, and what is needed for a diagnosis is."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from prunella.core.changes import redact

RANDOM = "q8Zr3TnV0xKfL2mWb7Yc5GdHsJpA9uEe"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

SECRET = [
    pytest.param({"data": {"db_password": "hunter2"}}, "hunter2", id="a key's name"),
    pytest.param({"data": {"API-KEY": "abc"}}, "abc", id="an API key"),
    pytest.param({"data": {"port_token": 12345}}, "12345", id="a number"),
    pytest.param({"env": [{"name": "DB_PASS", "value": "hunter2"}]}, "hunter2", id="a variable"),
    pytest.param({"args": ["--password=hunter2"]}, "hunter2", id="an option with ="),
    pytest.param({"args": ["--password", "hunter2"]}, "hunter2", id="the argument after it"),
    pytest.param({"command": ["sh", "-c", "run --token hunter2"]}, "hunter2", id="in a command"),
    pytest.param({"data": {"url": "postgres://shop:hunter2@db/shop"}}, "hunter2", id="a URL"),
    pytest.param({"data": {"url": "redis://:hunter2@cache:6379"}}, "hunter2", id="no user"),
    pytest.param({"data": {"app.yaml": "db:\n  password: hunter2\n"}}, "hunter2", id="YAML"),
    pytest.param({"data": {"app.json": '{"clientSecret": "hunter2"}'}}, "hunter2", id="JSON"),
    pytest.param({"data": {"app.properties": "db.password=hunter2"}}, "hunter2", id="properties"),
    pytest.param({"data": {"x": JWT}}, JWT, id="a JWT"),
    pytest.param({"data": {"x": f"Bearer {RANDOM}"}}, RANDOM, id="a random word"),
    pytest.param({"data": {"x": "AKIAIOSFODNN7EXAMPLE"}}, "AKIA", id="an AWS key"),
    pytest.param(
        {"data": {"x": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"}}, "MIIE", id="a private key"
    ),
    pytest.param({"data": {"tls.key": "MIIE"}}, "MIIE", id="a key file"),
    pytest.param(
        {"annotations": {"example.com/x": "5f4dcc3b5aa765d61d8327deb882cf99"}}, "5f4d", id="hex"
    ),
]


@pytest.mark.parametrize(("content", "secret"), SECRET)
def test_what_looks_like_a_credential_is_a_hash(content: Any, secret: str) -> None:
    """By the name of its key or by its shape; a hash is in its place."""
    found = str(redact.redact(content, "u-1"))
    assert secret not in found
    assert redact.is_redacted(found)


KEPT = [
    pytest.param({"image": "shop/app@sha256:" + "ab12" * 16}, id="an image's digest"),
    pytest.param({"checksum/secret": "5f4dcc3b5aa765d61d8327deb882cf99"}, id="a checksum"),
    pytest.param(
        {"app.kubernetes.io/commit": "3b5aa765d61d8327deb882cf995f4dcc3b5aa765"}, id="git"
    ),
    pytest.param({"secretKeyRef": {"name": "db", "key": "password"}}, id="a reference"),
    pytest.param({"volumes": [{"secret": {"secretName": "db-credentials"}}]}, id="a volume"),
    pytest.param({"automountServiceAccountToken": False}, id="a switch"),
    pytest.param({"value": "cart.shop-core.svc.cluster.local:8080"}, id="an address"),
    pytest.param({"data": {"url": "postgres://db.shop-data:5432/shop"}}, id="a plain URL"),
    pytest.param({"uid": "0f8fad5b-d9cb-469f-a165-70867728950e"}, id="a UUID"),
    pytest.param({"data": {"tokenTtlSeconds": 3600}}, id="a token's life"),
    pytest.param({"data": {"level": "debug", "max_tokens": "100"}}, id="settings"),
    pytest.param({"args": ["--listen=:8080", "--config", "/etc/app/config.yaml"]}, id="options"),
    pytest.param({"args": ["--token-file=/var/run/token"]}, id="a file's path"),
    pytest.param({"value": "$(DB_PASSWORD)"}, id="a variable's name"),
    pytest.param({"path": "/api/v1/namespaces/shop/pods/checkout/log/long/path"}, id="a path"),
]


@pytest.mark.parametrize("content", KEPT)
def test_what_is_harmless_is_kept(content: Any) -> None:
    """Digests, references, addresses and switches are what a diagnosis lives on."""
    assert content == redact.redact(content, "u-1")


def test_the_rest_of_an_address_stays() -> None:
    """Of a URL with a password all but the password can be read."""
    found = redact.redact({"url": "postgres://shop:hunter2@db:5432/shop"}, "u-1")["url"]
    assert found.startswith("postgres://shop:sha256:")
    assert found.endswith("@db:5432/shop")


def test_a_hash_tells_a_change_and_nothing_across_objects() -> None:
    """Equal values of one object have equal hashes; those of two objects have not."""
    one, same, other, elsewhere = (
        redact.hashed(value, uid)
        for value, uid in (("a", "u-1"), ("a", "u-1"), ("b", "u-1"), ("a", "u-2"))
    )
    assert one == same
    assert len({one, other, elsewhere}) == 3


def test_without_values_only_the_shape_is_left() -> None:
    """Of a kind that others may not read neither names nor verbs are kept."""
    found = redact.without_values({"subjects": [{"name": "alice"}], "n": 1}, "u-1")
    assert set(found["subjects"][0]) == {"name"}
    assert "alice" not in str(found)
    assert found == redact.without_values({"subjects": [{"name": "alice"}], "n": 1}, "u-1")


TEXTS = strategies.text(max_size=60) | strategies.sampled_from(
    ["password: x", "--token", "a://b:c@d", RANDOM, JWT, "$(X)", "key=", "=", "sha256:"]
)
JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | TEXTS,
    lambda inner: (
        strategies.lists(inner) | strategies.dictionaries(strategies.text(max_size=4), inner)
    ),
)


@hypothesis.given(content=JSON)
@hypothesis.settings(max_examples=100, deadline=None)
def test_any_content_can_be_redacted(content: Any) -> None:
    """Whatever an object holds, its shape stays and a password in an address goes."""
    once = redact.redact(content, "u-1")
    assert type(once) is type(content)
    assert str(once).count("://b:c@") == 0


ADVERSARIAL = [
    "a",
    "eyJ",
    "sk-",
    "a.",
    "a:",
    "a=",
    "--a ",
    "a://",
    "://:",
    "A1b+",
    "/a",
    "password",
]


@pytest.mark.parametrize("text", ADVERSARIAL)
def test_a_long_text_is_read_in_time_that_grows_with_it(text: str) -> None:
    """No text of the allowed length makes a pattern try again and again (64,000 steps each)."""
    whole = text * (redact.MOST_SEARCHED // len(text))
    assert redact.redact({"data": {"x": whole}}, "u-1")["data"]["x"]
