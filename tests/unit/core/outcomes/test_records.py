"""A command as a frozen spec, and the phases that a record takes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import decide, ledger
from prunella.core.outcomes import records
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes

Phase = reasons.Phase


def command(**changes: Any) -> decide.Command:
    """A scale that was decided."""
    target = builders.workload()
    effect = builders.scale_effect(target)
    whole = decide.Command(
        name="name",
        attempt=3,
        workload=target,
        mode=policy_api.Mode.LIVE,
        step=1,
        action="scale",
        effects=(effect,),
        plan_hash="hash",
        decided_at=NOW,
        findings=(builders.finding(),),
        held_since=NOW - minutes(2),
        answers=(model.GuardAnswer("not_paused", None, "the operator is not paused"),),
    )
    return dataclasses.replace(whole, **changes)


def spec(**changes: Any) -> remediation.RemediationSpec:
    """The frozen spec of a command."""
    policy = builders.policy(generation=7)
    return records.to_spec(command(**changes), policy, {"errors": "value: errors"})


def test_a_spec_keeps_all_of_a_command() -> None:
    """Who, what, why, with which numbers: the ledger needs no other memory."""
    kept = spec()
    assert tuple(kept.policy.model_dump().values()) == ("checkout", "shop", "policy-uid", 7)
    assert tuple(kept.target.model_dump().values()) == (
        "Deployment",
        "shop",
        "checkout",
        "checkout-uid",
    )
    assert (
        kept.attempt,
        kept.step,
        kept.action,
        kept.follows,
        kept.decided_at,
        kept.plan_hash,
    ) == (3, 1, "scale", "", NOW, "hash")
    assert kept.reason == "errors: 0.5 is above 0.05"
    assert (
        remediation.Evidence(
            signal="errors",
            verdict="Unhealthy",
            message="0.5 is above 0.05",
            value=0.5,
            since=NOW - minutes(2),
            query="value: errors",
            mapped_by="deployment",
        )
        == kept.evidence[0]
    )
    assert (kept.guards[0].guard, kept.guards[0].passed) == ("not_paused", True)


def test_effects_come_back_from_the_ledger_as_they_went_in() -> None:
    """A frozen effect is the effect: verb, target, precondition, patch and inverse."""
    effects = (builders.scale_effect(), builders.effect(generation=None, patch=()))
    kept = spec(effects=effects).effects
    assert effects == tuple(objects.effect_from_spec(each) for each in kept)
    planned = ledger.plan_hash("uid", "scale", 1, effects)
    again = [objects.effect_from_spec(each) for each in kept]
    assert planned == ledger.plan_hash("uid", "scale", 1, again)


def test_a_follow_up_names_what_it_follows() -> None:
    """The chain of records can be read from the ledger."""
    kept = spec(follows=builders.record("first"))
    assert kept.follows == "first"
    assert kept.reason == "errors: 0.5 is above 0.05 after first did not help"


def test_long_texts_are_cut_to_what_the_api_takes() -> None:
    """A telemetry source's long message must not make the record invalid."""
    kept = spec(findings=tuple(builders.finding(message="x" * 5000) for _ in range(9)))
    assert (
        len(kept.reason),
        len(kept.evidence[0].message),
        len(kept.evidence),
    ) == (2048, 2048, 8)
    closed = records.closed(builders.record(), Phase.FAILED, "Word", "x" * 5000, NOW)
    assert len(closed.message) == 2048


@pytest.mark.parametrize("phase", Phase)
def test_a_first_status_is_finished_only_in_a_final_phase(phase: Phase) -> None:
    """Advice is over when it is written; a pending action is not."""
    status = records.first_status(phase, "message", NOW, 2)
    assert (NOW if phase.final else None) == status.finished_at
    assert [remediation.EffectStatus()] * 2 == status.effects


def test_closing_keeps_what_became_of_the_effects() -> None:
    """The end of a record takes nothing from its history."""
    sent = remediation.EffectStatus(sent_at=NOW - minutes(1), outcome="Effective", generation=5)
    record = builders.record(phase=Phase.VERIFYING, effect_statuses=[sent])
    status = records.closed(record, Phase.UNPROVEN, "PolicyDeleted", "gone", NOW)
    assert ([sent], Phase.UNPROVEN, "PolicyDeleted", "gone", NOW) == (
        status.effects,
        status.phase,
        status.reason,
        status.message,
        status.finished_at,
    )
