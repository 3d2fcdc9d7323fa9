"""A command as a frozen spec, and the phases that a record takes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.api import reasons, remediation, types
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


LONG = "a-workload-whose-name-is-as-long-as-names-of-objects-may-well-be.in-production"


@pytest.mark.parametrize("value", [LONG, "a" * 64, f"{'a' * 51}.-b{'c' * 30}", "v1." * 30 + "x"])
def test_a_long_name_is_cut_to_a_label_and_told_apart(value: str) -> None:
    """At most 63 characters, of the label's alphabet, another for another name."""
    made = records.label_value(value)
    assert (
        made == types.LabelSelector.model_validate({"matchLabels": {"a": made}}).match_labels["a"]
    )
    assert made[:40].rstrip("-._") == value[:40].rstrip("-._")
    assert made != records.label_value(f"{value}x")


def test_a_record_bears_policy_target_action_and_phase() -> None:
    """What fits stands as it is."""
    expected = {
        "prunella.dev/policy": "checkout",
        "prunella.dev/target": "checkout",
        "prunella.dev/action": "scale",
        "prunella.dev/phase": "Verifying",
    }
    assert expected == records.labels(spec(), Phase.VERIFYING)
    assert "a" * 63 == records.label_value("a" * 63)


MISLABELLED: dict[str, tuple[dict[str, str], bool]] = {
    "none, as before an upgrade": ({}, True),
    "of its phase": ({"phase": "Succeeded"}, False),
    "of an earlier phase": ({"phase": "Verifying"}, True),
    "one more of a person's": ({"phase": "Succeeded", "note": "seen"}, False),
}


@pytest.mark.parametrize(("labels", "expected"), MISLABELLED.values(), ids=MISLABELLED)
def test_which_records_must_be_labelled(labels: dict[str, str], *, expected: bool) -> None:
    """Those whose labels do not say what they are."""
    record = builders.record()
    whole = records.labels(record.spec, record.phase) if labels else {}
    found = {**whole, **{f"prunella.dev/{key}": value for key, value in labels.items()}}
    assert expected == records.mislabelled(dataclasses.replace(record, labels=found))
