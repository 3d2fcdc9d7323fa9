"""The intake's port: TLS with clients' certificates, renewed without a moment of deafness."""

from __future__ import annotations

import contextlib
import pathlib
import ssl
import subprocess
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from prunella import leadership as leaderships
from prunella import settings
from prunella.adapters.intake import server
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import telemetry
from tests.adapters.intake import bodies

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def openssl(folder: pathlib.Path, *arguments: str) -> None:
    """Run openssl in a folder."""
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607


def authority(folder: pathlib.Path, name: str) -> None:
    """A new authority: ``name.crt`` and ``name.key``."""
    names = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"]
    openssl(folder, "req", "-x509", "-days", "2", *CURVE, *names)


def certificate(folder: pathlib.Path, name: str, signer: str) -> None:
    """A certificate for 127.0.0.1 that an authority signed."""
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    key = ["-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"]
    openssl(folder, "req", *CURVE, *key)
    signed_by = ["-CA", f"{signer}.crt", "-CAkey", f"{signer}.key", "-CAcreateserial", "-days", "2"]
    signed = ["-in", f"{name}.csr", "-extfile", "san", "-out", f"{name}.crt"]
    openssl(folder, "x509", "-req", *signed_by, *signed)


@pytest.fixture
def pki(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two authorities; a server and a client of the first, a stranger of the second."""
    for name in ("ca", "other"):
        authority(tmp_path, name)
    for name, signer in (("server", "ca"), ("client", "ca"), ("stranger", "other")):
        certificate(tmp_path, name, signer)
    return tmp_path


@contextlib.asynccontextmanager
async def listening(
    pki: pathlib.Path, leadership: leaderships.Leadership = leaderships.ALONE
) -> AsyncIterator[server.Server]:
    """A server that lets only clients of the first authority in."""

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    wanted = settings.Webhook.model_validate(
        {
            "enabled": True,
            "host": "127.0.0.1",
            "port": 0,
            "tls": {
                "cert_file": pki / "server.crt",
                "key_file": pki / "server.key",
                "client_ca_file": pki / "ca.crt",
            },
        }
    )
    clock = clocks.VirtualClock(bodies.START)
    counted = telemetry.RecordingTelemetry()
    made = server.Server(wanted, {"/hello": hello}, clock, counted, leadership=leadership)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def say_hello(port: int, pki: pathlib.Path, client: str | None, ca: str = "ca") -> str:
    """What a client with a certificate, or without one, is answered."""
    context = ssl.create_default_context(cafile=str(pki / f"{ca}.crt"))
    if client is not None:
        context.load_cert_chain(pki / f"{client}.crt", pki / f"{client}.key")
    connector = aiohttp.TCPConnector(ssl=context, force_close=True)
    try:
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(f"https://127.0.0.1:{port}/hello") as answer,
        ):
            return await answer.text()
    except (aiohttp.ClientError, ConnectionError) as error:
        return type(error).__name__


async def test_only_known_clients_are_let_in(pki: pathlib.Path) -> None:
    """A certificate of the authority opens; a stranger's, and none, do not."""
    async with listening(pki) as made:
        assert "hello" == await say_hello(made.port, pki, "client")
        assert "hello" != await say_hello(made.port, pki, "stranger")
        assert "hello" != await say_hello(made.port, pki, None)


async def test_changed_certificates_are_taken_up(pki: pathlib.Path) -> None:
    """A new certificate and a new authority are in force on the same port; the old are not."""
    async with listening(pki) as made:
        port = made.port
        assert "hello" == await say_hello(port, pki, "client")
        certificate(pki, "server", "other")
        for ending in ("crt", "key"):
            (pki / f"ca.{ending}").rename(pki / f"old.{ending}")
            (pki / f"ca.{ending}").write_bytes((pki / f"other.{ending}").read_bytes())
        await made.reload()
        assert port == made.port
        assert "hello" == await say_hello(port, pki, "stranger", "other")
        assert "hello" != await say_hello(port, pki, "client", "other")


async def test_a_broken_certificate_is_not_taken_up(
    pki: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is half written leaves the old one in force, and the log says so."""
    async with listening(pki) as made:
        (pki / "server.crt").write_text("-----BEGIN")
        await made.reload()
        assert "can't be used" in caplog.text
        assert "hello" == await say_hello(made.port, pki, "client")


async def test_a_certificate_that_is_missing_at_start_is_told(pki: pathlib.Path) -> None:
    """The operator ends with the reason, not with a port that nobody can use."""
    (pki / "server.key").unlink()
    with pytest.raises(OSError, match="No such file"):
        async with listening(pki):
            pass


class Following(leaderships.Alone):
    """Another replica leads."""

    leading = False


async def test_a_follower_sends_who_tells_to_another_replica(pki: pathlib.Path) -> None:
    """It takes nothing in that it would not act on; who tells tries again."""
    async with listening(pki, Following()) as made:
        answer = await say_hello(made.port, pki, "client")
    assert answer == '{"error":"this replica follows: another one leads"}'
