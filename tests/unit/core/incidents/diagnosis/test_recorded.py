"""Real views: the cause comes first, with its field and the numbers that people look for."""

from __future__ import annotations

import pytest

from prunella.api.incident import CauseKind, Confidence
from prunella.core import model
from prunella.core.incidents.diagnosis import diagnose
from tests.unit.core.incidents.diagnosis import recorded_views

CASES = [
    pytest.param(
        "wrong-target-port",
        model.Ref("Service", "shop-core", "product-catalog"),
        "spec.ports[name=grpc].targetPort",
        CauseKind.NETWORKING,
        "target port 9999/TCP, which no container of Deployment/product-catalog has",
        id="wrong target port",
    ),
    pytest.param(
        "failing-feature-flag",
        model.Ref("ConfigMap", "shop-data", "flags"),
        "data[flags.json]",
        CauseKind.CONFIGURATION,
        "50%",
        id="a flag that fails half of the payments",
    ),
    pytest.param(
        "preempted-by-priority",
        model.Ref("Deployment", "shop-batch", "report"),
        "spec.template.spec.priorityClassName",
        CauseKind.SCHEDULING,
        "have preempted pods of",
        id="preempted by a batch of high priority",
    ),
    pytest.param(
        "node-not-ready",
        model.Ref("Node", "", "shop-node-2"),
        "status.conditions[type=Ready].reason",
        CauseKind.NODE,
        "is not ready",
        id="a node whose power is gone",
    ),
]


@pytest.mark.parametrize(("name", "target", "field", "kind", "words"), CASES)
def test_the_cause_of_a_recorded_fault_comes_first(
    name: str, target: model.Ref, field: str, kind: CauseKind, words: str
) -> None:
    """As it was on a real control plane, with all that was going on there."""
    first = diagnose.diagnose(*recorded_views.load(name)).suspects[0]
    assert (target, field, kind) == (first.target, first.field, first.cause_kind)
    assert first.confidence is Confidence.HIGH
    assert words in first.summary


@pytest.mark.parametrize("name", [case.values[0] for case in CASES])
def test_nobody_is_named_for_what_is_not_sick(name: str) -> None:
    """Without its symptoms the same cluster has no cause of anything."""
    view, incident = recorded_views.load(name)
    quiet = type(incident)("inc-1", incident.state, view.at, view.at, (), ())
    found = diagnose.diagnose(view, quiet).suspects
    assert [] == [each for each in found if each.confidence is Confidence.HIGH]
