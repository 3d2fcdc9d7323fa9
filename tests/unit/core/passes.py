"""Builders of passes: a snapshot of named workloads, a memory, and one run of the core."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Iterable, Mapping
from typing import Any

from prunella.actions import registry
from prunella.api import policy as policy_api
from prunella.core import model, objects
from prunella.core.decisions import step
from prunella.core.decisions.rules import Rules
from prunella.core.signals import compiled, detect
from tests.unit.core import builders, fixtures

START = step.Memory()


def since(ago: datetime.timedelta, *names: str, signal: str = "errors") -> step.Memory:
    """A memory in which the signal has been Unhealthy since ``ago`` for the named targets."""
    return step.Memory(
        {(signal, builders.ref(name)): builders.NOW - ago for name in names or ("checkout",)}
    )


def snapshot(
    targets: Mapping[str, float] | None = None,
    *,
    looked: Iterable[str] = (),
    readings: Mapping[str, detect.Reading] | None = None,
    **changes: Any,
) -> step.Snapshot:
    """Workloads by name with the value that ``errors`` has for each."""
    values = {"checkout": 0.5} if targets is None else targets
    whole = step.Snapshot(
        workloads=tuple(builders.workload(name) for name in values),
        readings=readings or {"errors": fixtures.reading(fixtures.by_deployment(**values))},
        owners={},
        records=(),
        live_states={
            builders.ref(name): model.LiveState(builders.workload(name)) for name in looked
        },
    )
    return dataclasses.replace(whole, **changes)


@functools.cache
def _compiled(key: objects.Key, spec: str) -> compiled.Policy:
    parsed = policy_api.RemediationPolicySpec.model_validate_json(spec)
    return compiled.compile_policy(key, parsed, {})


def config(policy: objects.Policy, **changes: Any) -> step.Config:
    """What a policy is judged by; ``changes`` are fields of ``step.Config``."""
    whole = step.Config(
        compiled=_compiled(policy.key, step.valid_spec(policy).model_dump_json()),
        rules=Rules(),
        actions=registry.all_actions(),
        detectors=fixtures.DETECTORS,
    )
    return dataclasses.replace(whole, **changes)


def run(
    snapshot: step.Snapshot,
    memory: step.Memory = START,
    policy: objects.Policy | None = None,
    now: datetime.datetime = builders.NOW,
    **changes: Any,
) -> step.Outcome:
    """One pass; ``changes`` are fields of ``step.Config``."""
    chosen = policy or builders.policy()
    return step.step(snapshot, memory, chosen, config(chosen, **changes), now)


def refused(outcome: step.Outcome, name: str = "checkout") -> str:
    """The reason why nothing is done to a target."""
    refusal = outcome.decisions[builders.ref(name)].refusal
    assert refusal is not None
    return refusal.reason
