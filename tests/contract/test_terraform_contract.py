"""Terraform runs: the plan is told, and nobody but a person applies it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from prunella import ports
from prunella.adapters.outward import terraform, webhooks
from prunella.core.decisions import started
from tests.contract import receivers, test_outward_contract

KEY, State = test_outward_contract.KEY, started.RunState
EFFECT = test_outward_contract.call("restart")


@pytest.fixture
def server() -> Iterator[receivers.Terraform]:
    """A workspace that applies by itself, if it is let."""
    made = receivers.Terraform()
    yield made
    made.close()


@pytest.fixture
def port(server: receivers.Terraform, tmp_path: pathlib.Path) -> Iterator[webhooks.Webhooks]:
    """The real adapter."""
    made = webhooks.Webhooks({"restart": test_outward_contract.endpoint(server, tmp_path)})
    yield made
    made.close()


PLAN = "2 to add, 1 to change"
STATES = (
    pytest.param("pending", State.RUNNING, "pending", id="in the queue"),
    pytest.param("planned", State.WAITING, f"planned, {PLAN}; apply or discard it", id="planned"),
    pytest.param("cost_estimated", State.WAITING, f"cost_estimated, {PLAN}", id="estimated"),
    pytest.param("policy_override", State.WAITING, f"policy_override, {PLAN}", id="policy"),
    pytest.param("applying", State.RUNNING, f"applying, {PLAN}", id="a person has applied it"),
    pytest.param("applied", State.SUCCEEDED, f"applied, {PLAN}", id="applied"),
    pytest.param("planned_and_finished", State.SUCCEEDED, "planned_and_finished", id="no change"),
    pytest.param("errored", State.FAILED, "errored", id="errored"),
    pytest.param("discarded", State.FAILED, "discarded", id="discarded"),
    pytest.param("canceled", State.FAILED, "canceled", id="canceled"),
    pytest.param("what is new there", State.RUNNING, "what is new there", id="unknown"),
)


@pytest.mark.parametrize(("status", "state", "words"), STATES)
async def test_it_is_followed_with_its_plan(
    server: receivers.Terraform,
    port: webhooks.Webhooks,
    status: str,
    state: started.RunState,
    words: str,
) -> None:
    """Whatever becomes of it, the only thing that is ever posted is the run."""
    await port.call(EFFECT, KEY, dry_run=False)
    server.status[KEY] = status
    run = await port.look(EFFECT, KEY, "run-1")
    assert run is not None
    assert (state, True) == (run.state, words in run.message), run.message
    assert f"{server.url}/app/acme/workspaces/shop-db/runs/run-1" == run.url
    assert ["/api/v2/runs"] == [each.path for each in server.asked if each.method == "POST"]


async def test_parameters_are_variables_of_the_run(
    server: receivers.Terraform, port: webhooks.Webhooks
) -> None:
    """In small letters, as texts of its language."""
    await port.call(EFFECT, KEY, dry_run=False)
    assert [{"key": "host", "value": '"db-1"'}] == server.variables


LITERALS = {
    "plain": ("db-1", '"db-1"'),
    "quotes and backslashes": ('a"b\\c', '"a\\"b\\\\c"'),
    "no template": ("${var.x} %{ if true }", '"$${var.x} %%{ if true }"'),
    "control characters": ("a\nb\x00", '"a\\u000ab\\u0000"'),
}


@pytest.mark.parametrize(("value", "expected"), LITERALS.values(), ids=LITERALS)
def test_a_value_is_a_text_and_no_expression(value: str, expected: str) -> None:
    """Nothing in it is evaluated: https://developer.hashicorp.com/terraform/language/expressions/strings."""
    assert expected == terraform.literal(value)


async def test_a_workspace_that_is_hidden_is_named(
    server: receivers.Terraform, tmp_path: pathlib.Path
) -> None:
    """Given a name that the token may not see, then nothing was sent."""
    listed = test_outward_contract.endpoint(server, tmp_path, job="acme/other")
    other = webhooks.Webhooks({"restart": listed})
    server.trouble = lambda _: receivers.NOT_FOUND
    receipt = await other.call(EFFECT, KEY, dry_run=False)
    other.close()
    told = "workspace acme/other is not there, or hidden (404)"
    assert (ports.Outcome.REFUSED, told, []) == (receipt.outcome, receipt.message, server.effects)
