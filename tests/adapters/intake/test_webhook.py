"""The webhook takes every alert of what it accepts, and nothing of what it refuses."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from prunella import settings
from prunella.adapters.intake import payload, webhook
from tests.adapters.intake import bodies, conftest

BEARER = {"Authorization": f"Bearer {conftest.TOKEN}"}


def test_every_alert_of_a_batch_is_taken(make_hook: conftest.Make) -> None:
    """Firing and resolved ones of one body all come out, in their order."""
    hook = make_hook()
    answer = hook.webhook.take(
        bodies.body(
            bodies.alert("A"),
            bodies.alert("B", begins=-600, ends=-5, deployment="cart"),
            bodies.alert("C", pod="cart-0"),
        )
    )
    taken = hook.webhook.tell()
    assert (200, "3 taken, 0 repeated, 0 old") == (answer.status, answer.message)
    assert [("A", True), ("B", False), ("C", True)] == [(each.name, each.firing) for each in taken]
    ended = taken[1]
    assert bodies.START.timestamp() - 5 == pytest.approx(ended.ended_at)
    assert bodies.START.timestamp() - 600 == pytest.approx(ended.starts_at)
    assert (("deployment", "cart"), ("namespace", "shop")) == ended.labels
    assert "B is told" == ended.message
    assert [] == list(hook.webhook.tell())


REFUSED: list[Any] = [
    pytest.param(b"", 400, "the body: Invalid JSON", id="nothing"),
    pytest.param(b"{", 400, "Invalid JSON", id="half a body"),
    pytest.param(b"\xff\xfe", 400, "Invalid JSON", id="no text at all"),
    pytest.param(b"[]", 400, "the body: Input should be an object", id="a list"),
    pytest.param(b"[" * 100_000, 400, "recursion limit", id="a deep nest"),
    pytest.param(bodies.body(version="3"), 400, "version", id="an older version"),
    pytest.param(bodies.body(), 400, "alerts: List should have at least 1", id="no alert"),
    pytest.param(bodies.body({}), 400, "alerts.0.status: Field required", id="an empty alert"),
    pytest.param(
        bodies.body(bodies.alert(), truncatedAlerts=7), 422, "max_alerts: 0", id="truncated"
    ),
    pytest.param(
        bodies.body(bodies.alert(), truncatedAlerts="7"),
        400,
        "truncatedAlerts",
        id="a number as text",
    ),
    pytest.param(
        bodies.body({**bodies.alert(), "labels": {"alertname": 5}}),
        400,
        "alerts.0.labels.alertname: Input should be a valid string",
        id="a label that is a number",
    ),
    pytest.param(
        bodies.body({**bodies.alert(), "labels": {"namespace": "shop"}}),
        400,
        "no label alertname",
        id="no name",
    ),
    pytest.param(
        bodies.body({**bodies.alert(), "labels": {f"l{n}": "" for n in range(65)}}),
        400,
        "at most 64",
        id="too many labels",
    ),
    pytest.param(
        bodies.body({**bodies.alert(), "status": "pending"}), 400, "alerts.0.status", id="no status"
    ),
    pytest.param(
        bodies.body({**bodies.alert(), "startsAt": "yesterday"}), 400, "startsAt", id="no time"
    ),
    pytest.param(
        bodies.body({**bodies.alert(), "startsAt": 1_790_000_000}), 400, "startsAt", id="a number"
    ),
    pytest.param(
        bodies.body({**bodies.alert(), "startsAt": "2026-03-01T12:00:00"}),
        400,
        "startsAt",
        id="a time without a zone",
    ),
    pytest.param(
        bodies.body({**bodies.alert(), "startsAt": bodies.NEVER}), 400, "not a time", id="year 1"
    ),
    pytest.param(
        bodies.body({**bodies.alert(), "status": "resolved"}),
        400,
        "ends before it begins",
        id="resolved without an end",
    ),
    pytest.param(
        bodies.body(bodies.alert(), bodies.alert(begins=10, ends=5)),
        400,
        "ends before it begins",
        id="one of two is wrong",
    ),
    pytest.param(bodies.body(bodies.alert(begins=301)), 409, "replayed", id="from the future"),
    pytest.param(
        bodies.body(bodies.alert(begins=-9000, ends=-3601)), 409, "replayed", id="ended long ago"
    ),
]


@pytest.mark.parametrize(("body", "status", "message"), REFUSED)
def test_refused(make_hook: conftest.Make, body: bytes, status: int, message: str) -> None:
    """The answer says what is wrong, and nothing is taken."""
    hook = make_hook()
    answer = hook.webhook.take(body)
    assert status == answer.status
    assert message in answer.message
    assert [] == list(hook.webhook.tell())
    assert 200 == hook.webhook.take(bodies.body(bodies.alert())).status


def test_values_of_a_malformed_body_are_not_repeated(make_hook: conftest.Make) -> None:
    """An answer may be logged where others read it."""
    secret = {**bodies.alert(), "labels": {"alertname": ["hunter2"]}}
    assert "hunter2" not in make_hook().webhook.take(bodies.body(secret)).message


def test_repeats_are_harmless(make_hook: conftest.Make) -> None:
    """The same body again, as after a lost answer, is accepted and adds nothing."""
    hook, body = make_hook(), bodies.body(bodies.alert("A"), bodies.alert("B", ends=-1))
    hook.webhook.take(body)
    hook.webhook.tell()
    answer = hook.webhook.take(body)
    assert (200, "0 taken, 2 repeated, 0 old") == (answer.status, answer.message)
    assert [] == list(hook.webhook.tell())


async def test_a_repeat_after_a_while_is_a_sign_of_life(make_hook: conftest.Make) -> None:
    """An alert that goes on is passed on again, so that its incident does not go stale."""
    hook, body = make_hook(), bodies.body(bodies.alert())
    hook.webhook.take(body)
    hook.webhook.tell()
    await hook.clock.advance(600)
    assert "1 taken, 0 repeated, 0 old" == hook.webhook.take(body).message


def test_a_recorded_body_begins_nothing(make_hook: conftest.Make) -> None:
    """What is known to have ended does not begin by sending its beginning again."""
    hook, begin = make_hook(), bodies.body(bodies.alert(begins=-60))
    hook.webhook.take(begin)
    hook.webhook.take(bodies.body(bodies.alert(begins=-60, ends=-1)))
    hook.webhook.tell()
    answer = hook.webhook.take(begin)
    assert (409, []) == (answer.status, list(hook.webhook.tell()))
    assert "replayed: all 1 alerts are older" in answer.message


def test_an_earlier_firing_is_old_after_a_later_one(make_hook: conftest.Make) -> None:
    """The order of firings is that of their beginnings."""
    hook = make_hook()
    hook.webhook.take(bodies.body(bodies.alert(begins=-10)))
    assert 409 == hook.webhook.take(bodies.body(bodies.alert(begins=-60, ends=-20))).status


def test_old_ones_do_not_hold_up_news(make_hook: conftest.Make) -> None:
    """One old alert of a group is left out; the others are taken."""
    hook = make_hook()
    answer = hook.webhook.take(
        bodies.body(bodies.alert("A"), bodies.alert("B", begins=-9000, ends=-8000))
    )
    assert (200, "1 taken, 0 repeated, 1 old") == (answer.status, answer.message)


def test_full_queue(make_hook: conftest.Make) -> None:
    """A batch that does not fit is refused as a whole, and can be sent again."""
    hook = make_hook(queue=100)
    first = bodies.body(*(bodies.alert(pod=f"p{n}") for n in range(99)))
    second = bodies.body(bodies.alert("A"), bodies.alert("B"))
    assert 200 == hook.webhook.take(first).status
    answer = hook.webhook.take(second)
    assert (503, "full", 5) == (answer.status, answer.outcome, answer.retry_after)
    assert "room for 1 alerts, not for 2" in answer.message
    assert 99 == len(hook.webhook.tell())
    assert 200 == hook.webhook.take(second).status
    assert 2 == len(hook.webhook.tell())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def nearly(draw: st.DrawFn) -> bytes:
    """A valid body with one thing in it replaced, added or taken away."""
    message = bodies.message(bodies.alert("A"), bodies.alert("B", ends=-1))
    place: Any = draw(st.sampled_from([message, *message["alerts"]]))
    if draw(st.booleans()):
        place = draw(st.sampled_from([place, place.get("labels", place)]))
    key = draw(st.sampled_from(sorted(place)))
    if draw(st.booleans()):
        place[key] = draw(JSON)
    else:
        del place[key]
    try:
        return orjson.dumps(message)
    except TypeError:  # an integer that JSON of this library does not hold
        return b"{}"


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid body with bytes changed, cut off or doubled."""
    body = bytearray(bodies.body(bodies.alert("A"), bodies.alert("B", ends=-1)))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(0, len(body) - 1)))
        body[at : at + draw(st.integers(0, 40))] = draw(st.binary(max_size=8))
    return bytes(body)


@hypothesis_settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=2000), nearly(), damaged(), JSON.map(repr).map(str.encode)))
def test_any_body_is_taken_whole_or_leaves_no_trace(body: bytes) -> None:
    """Whatever is posted: 200 and all of its alerts, or a clear 4xx and nothing."""
    wanted = settings.Webhook(enabled=False)
    hook = conftest.hook_of(wanted)
    answer = hook.webhook.take(body)
    taken = hook.webhook.tell()
    if answer.status == 200:
        told = payload.read(body, webhook.NAME, bodies.START.timestamp()).alerts
        assert taken
        assert len(told) >= len(taken)
        return
    assert 400 <= answer.status < 500
    assert answer.message
    assert len(answer.message) < 1000
    assert ([], 0) == (list(taken), len(hook.webhook._memory._newest))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="none"),
        pytest.param("Bearer wrong-wrong-wrong-wrong", id="wrong"),
        pytest.param(f"Basic {conftest.TOKEN}", id="another scheme"),
        pytest.param("Bearer", id="empty"),
        pytest.param(f"Bearer {conftest.TOKEN}x", id="longer"),
        pytest.param(f"Bearer {conftest.TOKEN[:-1]}", id="shorter"),
        pytest.param("Bearer gr\u00fcn-gr\u00fcn-gr\u00fcn", id="not ASCII"),
    ],
)
async def test_unauthorized(listen: conftest.Listen, header: str | None) -> None:
    """Without the token nothing is read, and nothing is kept."""
    async with listen() as hook, aiohttp.ClientSession() as session:
        headers = {} if header is None else {"Authorization": header}
        async with session.post(
            hook.url, data=bodies.body(bodies.alert()), headers=headers
        ) as answer:
            assert 401 == answer.status
            assert 'Bearer realm="prunella"' == answer.headers["WWW-Authenticate"]
            assert {"error": "the bearer token is missing or wrong"} == await answer.json()
        assert ({"unauthorized": 1}, []) == (hook.outcomes(), list(hook.webhook.tell()))


async def test_token_is_read_again(listen: conftest.Listen, token_file: pathlib.Path) -> None:
    """A rotated token is good at once, the old one no more; an empty file lets nobody in."""

    def rewrite(text: str | None) -> None:
        token_file.unlink() if text is None else token_file.write_text(text)

    async with listen() as hook, aiohttp.ClientSession() as session:

        async def post(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            body = bodies.body(bodies.alert())
            async with session.post(hook.url, data=body, headers=headers) as answer:
                return answer.status

        assert 200 == await post(conftest.TOKEN)
        rewrite("another-token-of-ours")
        assert [401, 200] == [await post(conftest.TOKEN), await post("another-token-of-ours")]
        rewrite("")
        assert 401 == await post("")
        rewrite(None)
        assert 401 == await post("another-token-of-ours")


OVERSIZED = bodies.body(bodies.alert(text="x" * 1000), groupKey="g" * 5000)


@pytest.mark.parametrize("chunked", [False, True])
async def test_oversized(listen: conftest.Listen, chunked: bool) -> None:
    """A body over the limit is refused, also when its length is not told before."""

    async def pieces() -> Any:
        for start in range(0, len(OVERSIZED), 512):
            yield OVERSIZED[start : start + 512]

    async with listen(max_body_bytes=2048) as hook, aiohttp.ClientSession() as session:
        data = pieces() if chunked else OVERSIZED
        async with session.post(hook.url, data=data, headers=BEARER) as answer:
            assert 413 == answer.status
            assert "larger than 2048 bytes" in (await answer.json())["error"]
        assert ({"oversized": 1}, []) == (hook.outcomes(), list(hook.webhook.tell()))


async def test_rate_limit(listen: conftest.Listen) -> None:
    """Who is known and too fast is asked to come again; Alertmanager repeats only after 5xx."""
    async with listen(requests_per_second=0.001, burst=2) as hook:
        async with aiohttp.ClientSession() as session:
            statuses = []
            for number in range(3):
                body = bodies.body(bodies.alert(pod=f"p{number}"))
                async with session.post(hook.url, data=body, headers=BEARER) as answer:
                    statuses.append(answer.status)
            assert [200, 200, 503] == statuses
            assert 900 < int(answer.headers["Retry-After"]) <= 1000
        assert {"accepted": 2, "rate_limited": 1} == hook.outcomes()


async def test_guessing_is_slowed_down(listen: conftest.Listen) -> None:
    """Strangers get few tries, and take none from those who are known."""
    limits = {"requests_per_second": 10, "burst": 10}
    async with listen(**limits) as hook, aiohttp.ClientSession() as session:
        statuses = []
        for number in range(4):
            headers = {"Authorization": f"Bearer guess-number-{number}-of-many"}
            async with session.post(hook.url, data=b"", headers=headers) as answer:
                statuses.append(answer.status)
        assert [401, 429, 429, 429] == statuses
        body = bodies.body(bodies.alert())
        async with session.post(hook.url, data=body, headers=BEARER) as answer:
            assert 200 == answer.status


@pytest.mark.parametrize(
    ("method", "path", "content_type", "status"),
    [
        pytest.param("GET", "", "application/json", 405, id="another method"),
        pytest.param("POST", "/other", "application/json", 404, id="another path"),
        pytest.param("POST", "", "text/html", 415, id="another type"),
    ],
)
async def test_other_requests(
    listen: conftest.Listen, method: str, path: str, content_type: str, status: int
) -> None:
    """What is not meant for the webhook is answered in the same form."""
    async with listen() as hook, aiohttp.ClientSession() as session:
        headers = {**BEARER, "Content-Type": content_type}
        async with session.request(
            method, hook.url + path, data=bodies.body(bodies.alert()), headers=headers
        ) as answer:
            assert status == answer.status
            assert "error" in await answer.json()
        assert [] == list(hook.webhook.tell())


async def test_a_dripping_body_ends(
    listen: conftest.Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender that never ends its body does not hold a place for ever."""
    monkeypatch.setattr(webhook, "_BODY_SECONDS", 0.05)

    async def drip() -> Any:
        yield b"{"
        await asyncio.sleep(5)

    async with listen() as hook, aiohttp.ClientSession() as session:
        async with session.post(hook.url, data=drip(), headers=BEARER) as answer:
            assert 408 == answer.status
        assert {"slow": 1} == hook.outcomes()


def test_an_open_webhook_is_refused() -> None:
    """Settings without any credentials are no settings."""
    with pytest.raises(ValueError, match=r"enabled without bearerTokenFile or tls\.clientCaFile"):
        settings.Webhook(enabled=True)
