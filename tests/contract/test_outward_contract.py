"""The Outward port: one effect at the receiver, followed to its end, and nobody else is called.

The real adapter speaks to servers with the documented APIs; its simulated twin is held to the same.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import pathlib
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3

from prunella import outside_ports, ports
from prunella.adapters.outward import http, webhooks
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import faults as faults_module
from prunella.adapters.simulated import outward
from prunella.api import endpoints
from prunella.core import model
from prunella.core.decisions import started
from tests.contract import receivers

Outcome, State = ports.Outcome, started.RunState
KEY = "deployment-checkout-0123456789"
TARGET = {"kind": "Deployment", "namespace": "shop", "name": "checkout"}
START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


def call(name: str, namespace: str = "shop") -> model.Effect:
    """The effect of a webhook."""
    value = {"parameters": {"HOST": "db-1"}, "target": TARGET, started.DEADLINE: 900}
    operation = {"op": "add", "path": "", "value": value}
    target = model.Ref("Webhook", namespace, name)
    return model.Effect(model.Verb.CALL, target, "", "call it", patch=(operation,))


@dataclasses.dataclass
class World:
    """A receiver, and the port that calls it."""

    name: str
    outward: outside_ports.Outward
    effects: Callable[[], list[str]]
    end: Callable[[bool], Any]
    lose: Callable[[], None]
    refuse: Callable[[], None]

    async def send(self, key: str = KEY, *, dry_run: bool = False) -> ports.Receipt:
        """Call it."""
        return await self.outward.call(call(self.name), key, dry_run=dry_run)

    async def look(self, known: str = "", key: str = KEY) -> started.Run | None:
        """Look for it."""
        return await self.outward.look(call(self.name), key, known)


def endpoint(receiver: receivers.Receiver, tmp_path: pathlib.Path, **changes: Any) -> Any:
    """A receiver as an administrator lists it, its token in a file."""
    name, value = receiver.token
    path = tmp_path / "token"
    path.write_text(f"{value}\n")
    kind = next(kind for kind, each in receivers.ALL.items() if isinstance(receiver, each))
    document = {
        "kind": kind,
        "url": receiver.url,
        "job": receiver.job,
        "namespaces": ["shop"],
        "headerFiles": {name: str(path)},
        "timeoutSeconds": 2,
        **getattr(receiver, "extra", {}),
        **changes,
    }
    return endpoints.Endpoint.model_validate(document)


@pytest.fixture(params=receivers.ALL)
def receiver(request: pytest.FixtureRequest) -> Iterator[receivers.Receiver]:
    """A server of each kind."""
    found = receivers.ALL[request.param]()
    yield found
    found.close()


@pytest.fixture
def port(receiver: receivers.Receiver, tmp_path: pathlib.Path) -> Iterator[webhooks.Webhooks]:
    """The real adapter, with that server as its only endpoint."""
    made = webhooks.Webhooks({"restart": endpoint(receiver, tmp_path)})
    yield made
    made.close()


@pytest.fixture(params=[*receivers.ALL, "simulated"])
def world(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[World]:
    """Each system, and the twin of all."""
    if request.param == "simulated":
        yield simulated_world()
        return
    server = receivers.ALL[request.param]()
    real = webhooks.Webhooks({"restart": endpoint(server, tmp_path)})
    yield World(
        "restart",
        real,
        lambda: server.effects,
        lambda well: server.ended.update({KEY: well}),
        lambda: setattr(server, "loses", True),
        lambda: setattr(server, "trouble", lambda _: (400, {}, {"message": "no such job"})),
    )
    real.close()
    server.close()


def simulated_world() -> World:
    """The simulated twin; what ends badly is called broken."""
    clock, faults = clocks.VirtualClock(START), faults_module.Faults()
    twin = outward.SimulatedOutward(clock, faults)
    lost = ports.OutcomeUnknown("the connection broke")

    def end(well: bool) -> None:
        state = State.SUCCEEDED if well else State.FAILED
        twin.runs[KEY] = dataclasses.replace(twin.runs[KEY], state=state, log="the last line")

    return World(
        "restart",
        twin,
        lambda: list(twin.runs),
        end,
        lambda: faults.once(faults_module.Point.AFTER_SEND, lost),
        lambda: setattr(twin, "refuses", "no such job"),
    )


async def followed(world: World, receipt: ports.Receipt) -> started.Run:
    """What was started, by its id as soon as that is known."""
    assert receipt.run is not None
    found = await world.look(receipt.run.id)
    assert found is not None
    again = await world.look(found.id)
    assert again is not None
    return again


@pytest.mark.parametrize("well", [True, False], ids=["ends well", "fails"])
async def test_it_is_started_once_and_followed_to_its_end(world: World, *, well: bool) -> None:
    """Given a call, when the run has ended, then its state and the address for people are told."""
    receipt = await world.send()
    assert (Outcome.EFFECTIVE, [KEY]) == (receipt.outcome, world.effects())
    running = await followed(world, receipt)
    assert (State.RUNNING, KEY) == (running.state, running.mark)

    world.end(well)

    ended = await followed(world, receipt)
    assert (State.SUCCEEDED if well else State.FAILED) is ended.state
    assert [KEY] == world.effects()
    assert ended.url.startswith("http")
    assert "the last line" == ended.log.splitlines()[-1] if ended.log else not ended.log


async def test_a_dry_run_asks_nobody(world: World) -> None:
    """Given a dry run, then nothing arrives."""
    receipt = await world.send(dry_run=True)
    assert (Outcome.WOULD_SUCCEED, []) == (receipt.outcome, world.effects())


async def test_a_lost_answer_is_one_effect_that_is_found_by_its_key(world: World) -> None:
    """Given an answer that never came, then it is not sent again, and the key finds the run."""
    world.lose()
    receipt = await world.send()
    assert (Outcome.UNKNOWN, [KEY]) == (receipt.outcome, world.effects())

    found = await world.look()

    assert found is not None
    assert (KEY, [KEY]) == (found.mark, world.effects())


async def test_what_was_never_started_is_not_found(world: World) -> None:
    """Given another key, then there is no run of it."""
    await world.send()
    assert None is await world.look(key="deployment-checkout-9999999999")


async def test_a_refusal_has_no_effect(world: World) -> None:
    """Given a receiver that says no, then that is told in its words."""
    world.refuse()
    receipt = await world.send()
    assert (Outcome.REFUSED, []) == (receipt.outcome, world.effects())
    assert "no such job" in receipt.message


# What only a network can do.

Trouble = Callable[[receivers.Asked], receivers.Reply | None]
ELSEWHERE = {"Location": "http://169.254.169.254/latest/meta-data"}
TROUBLES: dict[str, tuple[Trouble, Outcome, str]] = {
    "the token is wrong": (
        lambda asked: (401, {}, {"message": f"not {asked.headers}"}),
        Outcome.REFUSED,
        "answered 401",
    ),
    "a redirect that was not processed": (
        lambda _: (307, ELSEWHERE, ""),
        Outcome.REFUSED,
        "answered 307, a redirect, which is not followed",
    ),
    "a redirect after the fact": (
        lambda _: (302, ELSEWHERE, ""),
        Outcome.UNKNOWN,
        "answered 302, a redirect, which is not followed",
    ),
    "a gateway that gave up": (lambda _: (504, {}, "timeout"), Outcome.UNKNOWN, "answered 504"),
}


@pytest.mark.parametrize(("trouble", "outcome", "words"), TROUBLES.values(), ids=TROUBLES)
async def test_what_may_have_been_done_is_never_called_refused(
    receiver: receivers.Receiver,
    port: webhooks.Webhooks,
    trouble: Trouble,
    outcome: Outcome,
    words: str,
) -> None:
    """A 4xx is a no; a 5xx may come after the fact. One request, and the secret in no text."""
    receiver.trouble = lambda asked: trouble(asked) if asked.method == "POST" else None
    receipt = await port.call(call("restart"), KEY, dry_run=False)
    posts = [asked for asked in receiver.asked if asked.method == "POST"]
    assert (outcome, True, 1) == (receipt.outcome, words in receipt.message, len(posts))
    secret = receiver.token[1].rpartition(" ")[2]
    assert secret in str(receiver.asked[0].headers)
    assert secret not in receipt.message


async def test_a_receiver_that_is_not_there_was_not_called(
    receiver: receivers.Receiver, port: webhooks.Webhooks
) -> None:
    """Given a port on which nobody listens, then nothing was sent."""
    receiver.close()
    receipt = await port.call(call("restart"), KEY, dry_run=False)
    assert (Outcome.REFUSED, True) == (receipt.outcome, "no connection" in receipt.message)


TLS_ERRORS = {
    "the certificate is not trusted": (
        ssl.SSLCertVerificationError(1, "certificate verify failed"),
        ports.ClusterError,
        "no connection",
    ),
    "a record that can't be read": (
        ssl.SSLError(1, "decryption failed or bad record mac"),
        ports.OutcomeUnknown,
        "sent, no answer came",
    ),
    "an end in the middle": (
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        ports.OutcomeUnknown,
        "sent, no answer came",
    ),
}


@pytest.mark.parametrize(("error", "expected", "words"), TLS_ERRORS.values(), ids=TLS_ERRORS)
def test_only_a_certificate_that_is_not_trusted_means_no_connection(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    error: ssl.SSLError,
    expected: type[ports.ClusterError],
    words: str,
) -> None:
    """Any other error of TLS may come while the answer is read."""
    receiver = receivers.Awx()
    web = http.Http(endpoint(receiver, tmp_path))

    def fail(*_: object, **__: object) -> None:
        raise urllib3.exceptions.SSLError(error)

    monkeypatch.setattr(urllib3.PoolManager, "request", fail)
    with pytest.raises(ports.ClusterError, match=words) as told:
        web.send("POST", "", KEY, b"", {})
    web.close()
    receiver.close()
    assert expected is told.type


async def test_the_key_is_in_a_header(
    receiver: receivers.Receiver, port: webhooks.Webhooks
) -> None:
    """Of every request that starts something."""
    await port.call(call("restart"), KEY, dry_run=False)
    sent = [each for each in receiver.asked if each.method == "POST"]
    assert [KEY] == [each.headers["idempotency-key"] for each in sent]


async def test_an_answer_that_is_not_as_documented_tells_nothing(
    receiver: receivers.Receiver, port: webhooks.Webhooks
) -> None:
    """Given nonsense where a run is looked for, then that is said, and it is no end."""
    receiver.trouble = lambda _: (200, {}, [7])
    if isinstance(receiver, receivers.GenericReceiver):
        found = await port.look(call("restart"), KEY, "1")
        assert found is not None
        assert State.RUNNING is found.state
        return
    with pytest.raises(ports.ClusterError, match="not as its API says"):
        await port.look(call("restart"), KEY, "1")


UNLISTED = {
    "no such endpoint": call("another"),
    "not for this namespace": call("restart", "blog"),
}


@pytest.mark.parametrize("effect", UNLISTED.values(), ids=UNLISTED)
async def test_only_what_is_listed_is_called(
    receiver: receivers.Receiver, port: webhooks.Webhooks, effect: model.Effect
) -> None:
    """Given another endpoint or namespace, as a forged record might have, then nobody is asked."""
    receipt = await port.call(effect, KEY, dry_run=False)
    assert (Outcome.REFUSED, []) == (receipt.outcome, receiver.asked)
    assert "is listed for namespace" in receipt.message


async def test_a_secret_that_can_not_be_read_shows_in_the_dry_run(tmp_path: pathlib.Path) -> None:
    """Given a file that is not there, then that is told before anything is recorded or sent."""
    receiver = receivers.Awx()
    listed = endpoint(receiver, tmp_path, headerFiles={"Authorization": "/nowhere/token"})
    port = webhooks.Webhooks({"restart": listed})
    receipt = await port.call(call("restart"), KEY, dry_run=True)
    port.close()
    receiver.close()
    told = "header Authorization: can't read /nowhere/token: No such file or directory"
    assert (Outcome.REFUSED, told) == (receipt.outcome, receipt.message)


BAD_HEADERS = {
    "a second line": "Bearer s3cr3t-token\nsecond-line",
    "a control character": "Bearer s3cr3t\x07-token",
    "no ASCII": "Bearer s3cr3t-tok\u00e9n",
    "nothing": "",
}


@pytest.mark.parametrize("content", BAD_HEADERS.values(), ids=BAD_HEADERS)
@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "for real"])
async def test_a_secret_that_is_no_header_is_refused_without_its_text(
    tmp_path: pathlib.Path, content: str, *, dry_run: bool
) -> None:
    """Given such a file, then only its name and the header's are told, before anything is sent."""
    receiver = receivers.Awx()
    path = tmp_path / "header"
    path.write_text(content)
    listed = endpoint(receiver, tmp_path, headerFiles={"Authorization": str(path)})
    port = webhooks.Webhooks({"restart": listed})
    receipt = await port.call(call("restart"), KEY, dry_run=dry_run)
    port.close()
    receiver.close()
    told = f"header Authorization: {path} is not one line of printable ASCII"
    assert (Outcome.REFUSED, told, []) == (receipt.outcome, receipt.message, receiver.asked)


async def test_what_the_library_says_of_a_bad_header_is_not_told(tmp_path: pathlib.Path) -> None:
    """Given a header that was changed after it was looked at, then its text is in no message."""
    receiver = receivers.Awx()
    web = http.Http(endpoint(receiver, tmp_path))
    with pytest.raises(ports.ClusterError, match="can't be sent: ValueError") as told:
        web.send("POST", "", KEY, b"", {"X-Other": "s3cr3t\nsecond-line"})
    web.close()
    receiver.close()
    assert ("s3cr3t" in str(told.value), []) == (False, receiver.asked)


async def test_a_generic_receiver_may_ask_for_a_signature(tmp_path: pathlib.Path) -> None:
    """The HMAC of the body with the secret of the file, as GitHub signs its webhooks."""
    receiver = receivers.GenericReceiver()
    (tmp_path / "hmac").write_text("shared\n")
    listed = endpoint(receiver, tmp_path, hmacSecretFile=str(tmp_path / "hmac"), poll=None)
    port = webhooks.Webhooks({"restart": listed})
    receipt = await port.call(call("restart"), KEY, dry_run=False)
    port.close()
    receiver.close()
    (asked,) = receiver.asked
    expected = hmac.new(b"shared", asked.body, hashlib.sha256).hexdigest()
    assert f"sha256={expected}" == asked.headers[http.SIGNATURE.lower()]
    assert {"HOST": "db-1"} == asked.json["parameters"]
    assert receipt.run is not None
    assert State.SUCCEEDED is receipt.run.state


async def test_jenkins_waits_in_its_queue() -> None:
    """The item of the queue is looked at, then the build; one that is taken out has failed."""
    receiver = receivers.Jenkins()
    states: list[dict[str, Any]] = [{"why": "waits for an executor"}, {"cancelled": True}]

    def queue(asked: receivers.Asked) -> receivers.Reply | None:
        return (200, {}, states[0]) if asked.path.startswith("/queue/item/") else None

    receiver.trouble = queue
    listed = endpoints.Endpoint.model_validate(
        {"kind": "jenkins", "url": receiver.url, "job": "restart", "namespaces": ["*"]}
    )
    port = webhooks.Webhooks({"restart": listed})
    waiting = await port.look(call("restart"), KEY, "queue/1")
    del states[0]
    cancelled = await port.look(call("restart"), KEY, "queue/1")
    port.close()
    receiver.close()
    assert waiting is not None
    assert cancelled is not None
    assert (State.RUNNING, "waits for an executor") == (waiting.state, waiting.message)
    assert State.FAILED is cancelled.state


async def test_a_signature_that_a_receiver_repeats_is_not_told(tmp_path: pathlib.Path) -> None:
    """Who reads records could send the same again with it."""
    receiver = receivers.GenericReceiver()
    name = http.SIGNATURE.lower()
    receiver.trouble = lambda asked: (400, {}, asked.headers[name].removeprefix("sha256="))
    (tmp_path / "hmac").write_text("shared")
    listed = endpoint(receiver, tmp_path, hmacSecretFile=str(tmp_path / "hmac"))
    port = webhooks.Webhooks({"restart": listed})
    receipt = await port.call(call("restart"), KEY, dry_run=False)
    port.close()
    receiver.close()
    (asked,) = receiver.asked
    signature = asked.headers[name].removeprefix("sha256=")
    assert ("answered 400: " in receipt.message, signature in receipt.message) == (True, False)


async def test_what_a_receiver_says_is_told_without_credentials(tmp_path: pathlib.Path) -> None:
    """Nor what a terminal would obey: a Remediation is read by many."""
    receiver = receivers.GenericReceiver()
    receiver.trouble = lambda _: (400, {}, "\x1b[31mno database, password=hunter2")
    port = webhooks.Webhooks({"restart": endpoint(receiver, tmp_path)})
    receipt = await port.call(call("restart"), KEY, dry_run=False)
    port.close()
    receiver.close()
    told = receipt.message.partition("answered 400: ")[2]
    assert "[31mno database, password=[redacted]" == told
