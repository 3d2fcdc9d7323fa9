"""AWS Lambda, and receivers behind a signature of AWS: each request is signed, one effect each."""

from __future__ import annotations

import base64
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from prunella import ports
from prunella import settings as settings_module
from prunella.adapters.outward import webhooks, wired
from prunella.adapters.prometheus import cloud_auth
from prunella.api import endpoints
from prunella.core.decisions import started
from tests.adapters.kubernetes import fake_server
from tests.adapters.prometheus import sigv4, test_cloud_auth
from tests.contract import receivers, test_outward_contract

pytest.importorskip("awscrt", reason="the extra aws is not installed")

KEY, Outcome, State = test_outward_contract.KEY, ports.Outcome, started.RunState
EFFECT = test_outward_contract.call("restart")
KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "temporary-s3cr3t"  # noqa: S105 - of a server that ends with the test


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Temporary keys in the environment, and nothing else that the chain could find or ask."""
    for name in ("PROFILE", "ROLE_ARN", "WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("FULL", "RELATIVE"):
        monkeypatch.delenv(f"AWS_CONTAINER_CREDENTIALS_{name}_URI", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    cloud_auth._sig_v4.cache_clear()


def proved(asked: receivers.Asked, target: str) -> bool:
    """Whether the signature is that of this request."""
    given = sigv4.read(asked.headers["authorization"])
    own = {name for name in asked.headers if name.startswith("x-amz-")}
    assert own <= set(given.headers), "all of AWS' own headers are signed"
    expected = sigv4.sign(asked.method, target, asked.headers, asked.body, SECRET)
    return (KEY_ID, expected) == (given.key, given.signature)


class Lambda(receivers.Receiver):
    """https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html."""

    fails = False
    path = "/2015-03-31/functions/restart-db/invocations"

    def checked(self, asked: receivers.Asked) -> receivers.Reply:
        """What AWS says to whoever has signed."""
        target = f"{asked.path}?Qualifier={asked.query['Qualifier']}"
        if not proved(asked, target):
            return 403, {}, {"message": "The request signature we calculated does not match"}
        assert (self.path, "live") == (asked.path, asked.query["Qualifier"])
        assert "RequestResponse" == asked.headers["x-amz-invocation-type"]
        self.effects.append(asked.json["remediation"])
        log = base64.b64encode(b"START\nthe last line\n").decode()
        headers = {"X-Amzn-RequestId": "request-1"}
        if "Tail" == asked.headers["x-amz-log-type"]:
            headers["X-Amz-Log-Result"] = log
        if self.fails:
            headers["X-Amz-Function-Error"] = "Unhandled"
            return 200, headers, {"errorMessage": "no such database", "errorType": "KeyError"}
        return 200, headers, {"message": "restarted"}


@pytest.fixture
def function() -> Iterator[Lambda]:
    """The function restart-db."""
    made = Lambda()
    yield made
    made.close()


def port(receiver: receivers.Receiver, **changes: Any) -> webhooks.Webhooks:
    """The real adapter, as an administrator lists the function."""
    document = {
        "kind": "awsLambda",
        "url": receiver.url,
        "job": "restart-db:live",
        "namespaces": ["shop"],
        "timeoutSeconds": 2,
        "sigV4": {"region": "eu-central-1"},
        **changes,
    }
    return webhooks.Webhooks({"restart": endpoints.Endpoint.model_validate(document)})


ENDS = (
    pytest.param(False, State.SUCCEEDED, "restarted", id="well"),
    pytest.param(True, State.FAILED, "Unhandled: no such database", id="badly"),
)


@pytest.mark.parametrize(("fails", "state", "words"), ENDS)
async def test_its_answer_is_its_end(
    function: Lambda, state: started.RunState, words: str, *, fails: bool
) -> None:
    """A function that fails has a status of 200: a header tells it, another the log."""
    function.fails = fails
    made = port(function)
    receipt = await made.call(EFFECT, KEY, dry_run=False)
    made.close()
    assert (Outcome.EFFECTIVE, [KEY]) == (receipt.outcome, function.effects)
    assert receipt.run is not None
    assert (state, words, "request-1") == (receipt.run.state, receipt.run.message, receipt.run.id)
    assert "START\nthe last line\n" == receipt.run.log
    (asked,) = function.asked
    assert {"HOST": "db-1"} == asked.json["parameters"]
    day = asked.headers["x-amz-date"][:8]
    scope = f"{day}/eu-central-1/lambda/aws4_request"
    assert scope == sigv4.read(asked.headers["authorization"]).scope


async def test_a_lost_answer_is_one_effect_and_a_persons(function: Lambda) -> None:
    """Nothing there knows the key: it is not sent again, and nobody claims to know."""
    function.loses = True
    made = port(function)
    receipt = await made.call(EFFECT, KEY, dry_run=False)
    found = await made.look(EFFECT, KEY, "")
    made.close()
    assert (Outcome.UNKNOWN, None, [KEY]) == (receipt.outcome, found, function.effects)


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "other keys": ({"AWS_SECRET_ACCESS_KEY": "another"}, "does not match"),
    "no keys": ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "can't be signed"),
}


@pytest.mark.parametrize(("environment", "words"), REFUSED.values(), ids=REFUSED)
async def test_who_can_not_prove_it_is_refused(
    function: Lambda, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], words: str
) -> None:
    """Nothing was done, and no secret is in the words."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = port(function)
    receipt = await made.call(EFFECT, KEY, dry_run=False)
    made.close()
    assert (Outcome.REFUSED, True) == (receipt.outcome, words in receipt.message), receipt.message
    assert ([], False) == (function.effects, TOKEN in receipt.message)


async def test_what_a_receiver_repeats_of_a_proof_is_not_told(function: Lambda) -> None:
    """Given an error that has the request's headers, then neither token nor signature is shown."""
    function.trouble = lambda asked: (403, {}, asked.headers)
    made = port(function)
    receipt = await made.call(EFFECT, KEY, dry_run=False)
    made.close()
    (asked,) = function.asked
    signature = sigv4.read(asked.headers["authorization"]).signature
    assert (Outcome.REFUSED, True) == (receipt.outcome, "answered 403" in receipt.message)
    assert [] == [each for each in (TOKEN, signature) if each in receipt.message]


async def test_a_header_that_can_not_be_signed_was_not_sent(function: Lambda) -> None:
    """Given a value that no header may have, then that is told without it."""
    made = port(function, headers={"X-Team": " s3cret"})
    receipt = await made.call(EFFECT, KEY, dry_run=False)
    made.close()
    assert (Outcome.REFUSED, []) == (receipt.outcome, function.asked)
    assert "the request can't be signed: InvalidHeader" == receipt.message


async def test_a_dry_run_sees_whether_it_could_be_signed(
    function: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given no keys, then that is told before anything is recorded; nobody is asked."""
    made = port(function)
    well = await made.call(EFFECT, KEY, dry_run=True)
    made.close()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    cloud_auth._sig_v4.cache_clear()
    made = port(function)
    badly = await made.call(EFFECT, KEY, dry_run=True)
    made.close()
    assert [Outcome.WOULD_SUCCEED, Outcome.REFUSED] == [well.outcome, badly.outcome]
    assert ("can't be signed" in badly.message, []) == (True, function.asked)


def test_a_missing_extra_is_named_at_start(
    function: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an error of the settings, with what to install."""
    test_cloud_auth.hide(monkeypatch, "awscrt", "auth_aws")
    listed = {
        "kind": "awsLambda",
        "url": function.url,
        "job": "restart-db",
        "namespaces": ["shop"],
        "sigV4": {"region": "eu-central-1"},
    }
    offered = {"endpoints": {"restart": listed}}
    given = settings_module.Settings.model_validate({"offered": offered})
    api = fake_server.api_of(function.url)
    words = r"offered.endpoints: sigV4 needs the extra 'aws', .*pip install 'prunella\[aws\]'"
    with pytest.raises(settings_module.SettingsError, match=words):
        wired.wire(given, api)
    api.close()


async def test_the_url_of_a_function_is_a_generic_receiver_that_is_signed() -> None:
    """So that one which keeps the key can be followed, and found after a lost answer."""

    class Url(receivers.GenericReceiver):
        def checked(self, asked: receivers.Asked) -> receivers.Reply:
            return self.answer(asked) if proved(asked, asked.path) else receivers.NOT_FOUND

    receiver = Url()
    made = port(receiver, kind="generic", job="", poll={"path": "/state/{key}"})
    receiver.loses = True
    receipt = await made.call(EFFECT, KEY, dry_run=False)
    run = await made.look(EFFECT, KEY, "")
    made.close()
    receiver.close()
    assert (Outcome.UNKNOWN, [KEY]) == (receipt.outcome, receiver.effects)
    assert run is not None
    assert State.RUNNING is run.state
