"""How far larger volumes have come, and when they are given up."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.outcomes import expanding
from tests.unit.core import builders
from tests.unit.core.builders import NOW, seconds

Phase = reasons.Phase
VERIFY = policy_api.Verify.model_validate({"within": "60s"})
PATH = "/spec/resources/requests/storage"


def ref(number: int) -> model.Ref:
    """A claim."""
    return model.Ref("PersistentVolumeClaim", "shop", f"data-{number}")


def effect(number: int) -> model.Effect:
    """A claim that asks for twice as much."""
    patch = (
        {"op": "test", "path": PATH, "value": "10Gi"},
        {"op": "replace", "path": PATH, "value": "20Gi"},
    )
    return model.Effect(model.Verb.PATCH, ref(number), f"uid-{number}", "expand", patch=patch)


def record(*outcomes: str, ago: float = 0, **status: Any) -> objects.Record:
    """A record of as many claims, sent so long ago."""
    sent_at = NOW - seconds(ago)
    told = [remediation.EffectStatus.model_validate({"outcome": o}) for o in outcomes]
    return builders.record(
        action="expandVolume",
        phase=Phase.VERIFYING,
        effects=[effect(number) for number, _ in enumerate(outcomes)],
        effect_statuses=[each.model_copy(update={"sent_at": sent_at}) for each in told],
        **status,
    )


def claim(has: str) -> Any:
    """A claim that asks for 20Gi and has this."""
    return {
        "spec": {"resources": {"requests": {"storage": "20Gi"}}},
        "status": {"capacity": {"storage": has}},
    }


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(
            [claim("20Gi"), claim("21Gi")],
            (
                True,
                f"{ref(0)}, {ref(1)}: all that was asked for is there",
            ),
            id="as large, or larger",
        ),
        pytest.param(
            [claim("20Gi"), claim("10Gi")],
            (False, "PersistentVolumeClaim/data-1: it asks for 20Gi and has 10Gi"),
            id="one is waited for",
        ),
        pytest.param(
            [claim("20Gi"), None], (False, "PersistentVolumeClaim/data-1 is gone"), id="gone"
        ),
    ],
)
def test_all_claims_must_have_what_they_ask_for(seen: list[Any], expected: Any) -> None:
    """By their capacity, as the driver tells it."""
    claims = {ref(number): each for number, each in enumerate(seen)}
    found = expanding.judged(record("Effective", "Effective"), claims)
    assert expanding.Expanded(*expected) == found


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        pytest.param(record("Effective", "Effective"), (ref(0), ref(1)), id="all that were sent"),
        pytest.param(record("Effective", "Refused"), (ref(0),), id="not one that was refused"),
        pytest.param(
            record("Effective", verification=remediation.Verification(synced_at=NOW)),
            (),
            id="none once they are there",
        ),
        pytest.param(builders.record(phase=Phase.VERIFYING), (), id="none of another action"),
    ],
)
def test_which_claims_are_waited_for(kept: objects.Record, expected: tuple[model.Ref, ...]) -> None:
    """What was not sent never grows."""
    assert expected == expanding.awaits(kept)


@pytest.mark.parametrize(
    ("done", "ago", "expected"),
    [
        pytest.param(False, 59, (Phase.VERIFYING, "Expanding", None), id="waited for"),
        pytest.param(False, 60, (Phase.UNHELPFUL, "NotExpanded", None), id="given up"),
        pytest.param(True, 61, (Phase.VERIFYING, "Expanded", NOW), id="there, though late"),
    ],
)
def test_how_long_volumes_are_waited_for(done: bool, ago: float, expected: Any) -> None:
    """For `verify.within`; the proof by signals has that time again."""
    found = expanding.awaited(
        record("Effective", ago=ago), expanding.Expanded(done, "10Gi of 20Gi"), VERIFY, NOW
    )
    verification = found.verification
    synced_at = None if verification is None else verification.synced_at
    assert expected == (found.phase, found.reason, synced_at)
    assert "10Gi of 20Gi" in (found.message if verification is None else verification.message)
