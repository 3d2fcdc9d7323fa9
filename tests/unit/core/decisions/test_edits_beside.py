"""Later edits of the objects that an action wrote beside its target."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import reasons, remediation
from prunella.core import model
from prunella.core.decisions import restoring
from prunella.core.decisions.guards import ownership
from tests.unit.core import builders
from tests.unit.core.builders import ref
from tests.unit.core.decisions.test_restoring import CART, effect, thing

Phase, Refused = reasons.Phase, reasons.Refused
BESIDE = [
    pytest.param(thing(2), "", "", "unchanged since R-cart", id="as it was left"),
    pytest.param(thing(3), "", "", Refused.CHANGED_BY_OTHERS, id="edited"),
    pytest.param(thing(1), "", "", Refused.CHANGED_BY_OTHERS, id="put back by somebody"),
    pytest.param(thing(2, "v"), "", "", Refused.CHANGED_BY_OTHERS, id="replaced"),
    pytest.param(None, "", "", Refused.CHANGED_BY_OTHERS, id="gone"),
    pytest.param(None, "", "can't look", Refused.FORBIDDEN, id="may not be read"),
    pytest.param(thing(1), "Refused", "", "unchanged since R-cart", id="never written"),
]


@pytest.mark.parametrize(("manifest", "outcome", "problem", "expected"), BESIDE)
def test_an_edit_beside_the_target_is_a_veto(
    manifest: Any, outcome: str, problem: str, expected: Any
) -> None:
    """The next step does not overtake a person who works on what the step before wrote."""
    status = remediation.EffectStatus(outcome=outcome)
    before = builders.record(
        "R-cart", Phase.UNHELPFUL, effects=[effect()], effect_statuses=[status]
    )
    left = {CART: restoring.Looked(CART, manifest, problem=problem)}
    answer = ownership.unchanged_by_others(builders.case(follows=before, left=left))
    assert expected == (answer.reason if isinstance(answer, model.Refusal) else answer)


def test_a_pod_that_was_replaced_is_nobody_s_edit() -> None:
    """Pods come and go; one that is there still must be as it was left."""
    pod = ref("a", kind="Pod")
    before = builders.record("R", Phase.UNHELPFUL, effects=[effect(pod)])
    told = {}
    for name, manifest in {"gone": None, "new": thing(1, "v"), "edited": thing(3)}.items():
        found = restoring.edited(before, {pod: restoring.Looked(pod, manifest)})
        told[name] = found.reason if found else ""
    assert told == {"gone": "", "new": "", "edited": Refused.CHANGED_BY_OTHERS}
