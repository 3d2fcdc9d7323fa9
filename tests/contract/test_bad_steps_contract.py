"""What can't be meant a real API server refuses by field, of each action."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import yaml

from lab.cluster import Lab
from prunella.api import steps
from tests.cli.bad_steps import BAD


def policy(action: str, step: dict[str, Any]) -> dict[str, Any]:
    """A policy named after the action of its only step."""
    threshold: dict[str, Any] = {"name": "errors", "threshold": {"above": 1}}
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": action.lower(), "namespace": "default"},
        "spec": {
            "target": {"name": "checkout"},
            "signals": [{**threshold, "prometheus": {"query": "errors"}}],
            "steps": [{action: step}],
        },
    }


@functools.cache
def told(lab: Lab) -> str:
    """The API server's words about all of them, and about one that is good."""
    whole = [policy(action, BAD[action].step) for action in steps.ACTIONS]
    whole.append({**policy("good", {}), "spec": policy("restart", {})["spec"]})
    arguments = ("create", "--dry-run=server", "--filename=-")
    done = lab.kubectl(*arguments, input=yaml.safe_dump_all(whole), check=False)
    return f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("action", steps.ACTIONS)
def test_a_step_that_can_not_be_meant_is_refused(lab: Lab, action: str) -> None:
    """The message names the field; the same object with a good step is taken."""
    answers = told(lab)
    assert "remediationpolicy.prunella.dev/good created (server dry run)" in answers
    assert f"{action.lower()} created" not in answers
    assert BAD[action].server in answers
