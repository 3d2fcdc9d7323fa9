"""What calls of systems outside may take: time in all, bytes, and a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import socketserver
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from requests import auth

from prunella import ports
from prunella.adapters.outward import http, signing, webhooks
from prunella.api import endpoints
from tests.contract import receivers, test_outward_contract

Outcome = ports.Outcome
KEY, call = test_outward_contract.KEY, test_outward_contract.call


class Server(socketserver.ThreadingTCPServer):
    """One that does not wait for those who hang up."""

    daemon_threads = True
    block_on_close = False


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], endpoints.Endpoint]]:
    """Makes a receiver that goes on and on after the beginning of an answer."""
    with contextlib.ExitStack() as servers:

        def made(begin: bytes) -> endpoints.Endpoint:
            class Handler(socketserver.StreamRequestHandler):
                def handle(self) -> None:
                    with contextlib.suppress(OSError):
                        self.wfile.write(begin)
                        for _ in range(500):
                            self.wfile.write(b"x")
                            time.sleep(0.01)

            server = servers.enter_context(Server(("127.0.0.1", 0), Handler))
            servers.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            return listed(f"http://127.0.0.1:{server.server_address[1]}")

        yield made


def listed(url: str) -> endpoints.Endpoint:
    """A generic receiver that has a second for each request."""
    document = {"url": url, "namespaces": ["shop"], "timeoutSeconds": 1}
    return endpoints.Endpoint.model_validate(document)


DRIPPED = {
    "headers": (b"HTTP/1.1 200 OK\r\nX-A: ", Outcome.UNKNOWN, "has not answered within 3 s"),
    "a body": (b"HTTP/1.1 200 OK\r\n\r\n", Outcome.UNKNOWN, "sent, but the answer did not end"),
    "a refusal": (b"HTTP/1.1 404 Not Found\r\n\r\n", Outcome.REFUSED, "answered 404"),
}


@pytest.mark.parametrize(("begin", "outcome", "words"), DRIPPED.values(), ids=DRIPPED)
async def test_an_answer_without_end_is_not_waited_for(
    dripping: Callable[[bytes], endpoints.Endpoint], begin: bytes, outcome: Outcome, words: str
) -> None:
    """Given a receiver that drips, then a call of it is over, and others are not held up."""
    other = receivers.GenericReceiver()
    other.trouble = lambda _: (200, {}, {})
    port = webhooks.Webhooks({"slow": dripping(begin), "well": listed(other.url)}, threads=1)
    slow, well = await asyncio.gather(
        port.call(call("slow"), KEY, dry_run=False), port.call(call("well"), KEY, dry_run=False)
    )
    port.close()
    other.close()
    assert (outcome, True) == (slow.outcome, words in slow.message), slow.message
    assert Outcome.EFFECTIVE is well.outcome


async def test_a_receiver_that_drips_is_asked_again(
    dripping: Callable[[bytes], endpoints.Endpoint],
) -> None:
    """Given a call that was broken off, then its thread is free for the next one at once."""
    port = webhooks.Webhooks({"slow": dripping(b"HTTP/1.1 200 OK\r\nX-A: ")}, threads=1)
    await port.call(call("slow"), KEY, dry_run=False)
    again = await port.call(call("slow"), "another", dry_run=True)
    port.close()
    assert Outcome.WOULD_SUCCEED is again.outcome, again.message


class Late(auth.AuthBase):
    """A signer whose issuer of credentials takes its time."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign nothing."""
        time.sleep(3.5)
        return request


async def test_nothing_is_sent_when_its_caller_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given credentials that come after the time of the call, then it was surely not sent."""
    receiver = receivers.GenericReceiver()
    monkeypatch.setattr(signing, "signer", lambda _: Late())
    port = webhooks.Webhooks({"restart": listed(receiver.url)})
    receipt = await port.call(call("restart"), KEY, dry_run=False)
    port.close()
    receiver.close()
    assert (Outcome.REFUSED, []) == (receipt.outcome, receiver.asked)
    assert "not sent: what came before it took all the time" in receipt.message


AUTHORITIES = {
    "no file": (None, "can't read"),
    "no certificate": ("hello", "has no certificate in PEM"),
}


@pytest.mark.parametrize(("content", "words"), AUTHORITIES.values(), ids=AUTHORITIES)
@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_ca_file_that_is_none_is_named_before_anything_is_sent(
    tmp_path: pathlib.Path, content: str | None, words: str, *, dry_run: bool
) -> None:
    """Also by a dry run; nobody is left to look for what was never asked."""
    path = tmp_path / "ca.crt"
    if content is not None:
        path.write_text(content)
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        url = f"https://127.0.0.1:{server.server_address[1]}"
        endpoint = listed(url).model_copy(update={"ca_file": path})
        port = webhooks.Webhooks({"restart": endpoint})
        receipt = await port.call(call("restart"), KEY, dry_run=dry_run)
        port.close()
    assert (Outcome.REFUSED, True) == (receipt.outcome, words in receipt.message), receipt.message
    assert f"caFile: {'' if content else words + ' '}{path}" in receipt.message


async def test_what_waits_for_a_thread_in_vain_was_not_sent(
    dripping: Callable[[bytes], endpoints.Endpoint],
) -> None:
    """Given a receiver that holds its only thread, then a second call is known to be not sent."""
    slow = dripping(b"HTTP/1.1 200 OK\r\nX-A: ")
    port = webhooks.Webhooks({"slow": slow}, threads=1)
    _, second = await asyncio.gather(
        port.call(call("slow"), KEY, dry_run=False),
        port.call(call("slow"), "another", dry_run=False),
    )
    port.close()
    told = ("was not asked: it still owes answers", "not sent: what came before it took all")
    assert Outcome.REFUSED is second.outcome
    assert any(each in second.message for each in told), second.message


def test_an_answer_that_is_too_large_is_none() -> None:
    """Given more than a MiB, then what was sent is unknown, and a half answer is not believed."""
    receiver = receivers.GenericReceiver()
    receiver.trouble = lambda _: (200, {}, "x" * (http.MOST_BYTES + 1))
    web = http.Http(listed(receiver.url))
    with pytest.raises(ports.OutcomeUnknown, match="larger than 1048576 bytes"):
        web.send("POST", "", KEY, b"", {})
    with pytest.raises(ports.ClusterError, match="larger than 1048576 bytes"):
        web.get("/state")
    web.close()
    receiver.close()


async def test_the_log_of_jenkins_is_read_from_its_end() -> None:
    """Given a log of more than a MiB, then no more than the end of it is sent."""
    receiver = receivers.Jenkins()
    receiver.effects.append(KEY)
    receiver.ended[KEY] = True
    name, value = receiver.token
    document = {
        "kind": "jenkins",
        "url": receiver.url,
        "job": receiver.job,
        "namespaces": ["shop"],
        "headers": {name: value},
    }
    port = webhooks.Webhooks({"restart": endpoints.Endpoint.model_validate(document)})
    run = await port.look(call("restart"), KEY, "build/1")
    port.close()
    receiver.close()
    assert run is not None
    assert receivers.LONG_LOG[-16_384:] == run.log
