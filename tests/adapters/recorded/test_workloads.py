"""The workloads of the past: told by kube-state-metrics, or by the names that were seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from prunella.adapters.recorded import workloads
from prunella.api import policy as policy_api
from prunella.core import model, objects
from prunella.core.signals import compiled, history

MINUTES = np.arange(0, 600.0, 60.0)
SHOP = {"matchLabels": {"app.kubernetes.io/part-of": "shop"}}


def _target(**fields: object) -> policy_api.Target:
    return policy_api.Target.model_validate(fields or {"selector": SHOP})


def _matrix(rows: Mapping[str, list[float]], label: str = "deployment") -> history.Matrix:
    values = np.array(list(rows.values()), np.float64).reshape(len(rows), len(MINUTES))
    return history.Matrix(MINUTES, tuple({label: name} for name in rows), values)


def _told(**changes: Mapping[str, list[float]]) -> list[history.Matrix]:
    """What kube-state-metrics tell of a Deployment with three pods, but for the changes."""
    fields: dict[str, Mapping[str, list[float]]] = {
        key: {"cart": [3.0] * 10} for key in ("replicas", "updated", "available", "total")
    }
    fields |= {key: {"cart": [7.0] * 10} for key in ("generation", "observed")}
    fields |= changes
    nothing = history.Matrix(MINUTES, (), np.zeros((0, 10)))
    return [*(_matrix(fields[each]) for each in workloads.FIELDS), nothing, nothing]


def _census(**target: object) -> workloads.Census:
    return workloads.Census("shop", _target(**target), ())


def _any(_: Mapping[str, str]) -> bool:
    return True


def test_what_was_told_is_what_was_there() -> None:
    """Given the metrics of a rollout, then the workload rolls, and is another one before it."""
    rolling = {"cart": [3.0] * 4 + [1.0] * 3 + [3.0] * 3}
    generations = {"cart": [7.0] * 4 + [8.0] * 6}
    told = _told(updated=rolling, generation=generations, observed=generations)
    states = _census().by_metrics(MINUTES, told, _any)
    before, during, after = (states.workload(0, column) for column in (3, 4, 8))

    assert (before.rolling, during.rolling, after.rolling) == (False, True, False)
    assert before.template != during.template == after.template
    assert [False] * 4 + [True] + [False] * 2 + [True] + [False] * 2 == states.changed().tolist()


def test_a_scaling_is_no_new_template() -> None:
    """Given a new generation with other replicas, then the pod template is taken as the same."""
    sizes = {"cart": [3.0] * 5 + [5.0] * 5}
    generations = {"cart": [7.0] * 5 + [8.0] * 5}
    same = {"replicas": sizes, "updated": sizes, "available": sizes, "total": sizes}
    told = _told(generation=generations, observed=generations, **same)
    states = _census().by_metrics(MINUTES, told, _any)

    assert states.workload(0, 0).template == states.workload(0, 9).template
    assert states.workload(0, 9).replicas == 5


def test_a_workload_is_there_while_it_is_told() -> None:
    """Given a workload that ends, then it is gone; where all is silent, it stays as it was."""
    nan = float("nan")
    two = {"cart": [3.0] * 3 + [nan] * 2 + [3.0] * 5, "stock": [1.0] * 3 + [nan] * 7}
    states = _census().by_metrics(MINUTES, _told(replicas=two), _any)

    assert [model.Ref("Deployment", "shop", name) for name in ("cart", "stock")] == [*states.refs]
    assert [True] * 10 == states.exists[0].tolist()
    assert [True] * 3 + [True] * 2 + [False] * 5 == states.exists[1].tolist()


def test_a_selector_is_matched_by_told_labels() -> None:
    """Given kube_deployment_labels, then only workloads that the selector means are targets."""
    meant = workloads.meant_by(_target().selector)

    assert meant({"label_app_kubernetes_io_part_of": "shop"})
    assert not meant({"label_app_kubernetes_io_part_of": "bank"})
    assert meant({"deployment": "cart"}), "no labels are told at all"


def test_autoscalers_are_told_by_their_metrics() -> None:
    """Given an autoscaler of the workload, then a look shows it."""
    labels = {
        "scaletargetref_kind": "Deployment",
        "scaletargetref_name": "cart",
        "horizontalpodautoscaler": "cart-hpa",
    }
    told = _told()
    told[-1] = history.Matrix(MINUTES, (labels,), np.ones((1, 10)))
    states = _census().by_metrics(MINUTES, told, _any)

    assert {states.refs[0]: ("HorizontalPodAutoscaler/cart-hpa",)} == states.autoscalers


def test_a_name_is_there_from_its_first_sample_on() -> None:
    """Given only series, then a name is a target from its first sample until a day after."""
    census = _census()
    seen = np.array([False] * 3 + [True] * 2 + [False] * 5)
    states = census.by_names(MINUTES, {"cart": seen})
    later = census.by_names(MINUTES + workloads.GONE_AFTER, {})

    assert [False] * 3 + [True] * 7 == states.exists[0].tolist()
    assert [True] * 5 + [False] * 5 == later.exists[0].tolist()


def test_a_named_target_is_always_there() -> None:
    """Given a target by name, then it alone is there, seen or not."""
    census = workloads.Census("shop", _target(name="cart"), ())
    states = census.by_names(MINUTES, {"stock": np.ones(10, np.bool_)})

    assert ["cart"] == [ref.name for ref in states.refs]
    assert states.exists.all()


def test_the_policy_selects_what_was_seen() -> None:
    """Given any selector, then the workloads of the past have labels that it matches."""
    for selector in (
        SHOP,
        {"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "y"]}]},
        {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]},
    ):
        target = _target(selector=selector)
        assert target.selector is not None
        assert target.selector.matches(workloads.labels_for(target.selector)), selector


NAMES = {
    "its own label": ({"deployment": "cart", "pod": "cart-6d4cf56db6-bcdfg"}, "cart"),
    "a pod": ({"pod": "web-api-6d4cf56db6-bcdfg"}, "web-api"),
    "another kind": ({"statefulset": "db"}, None),
    "a pod of another kind": ({"pod": "db-0"}, None),
    "nothing": ({"zone": "a"}, None),
}


@pytest.mark.parametrize(("labels", "expected"), NAMES.values(), ids=NAMES.keys())
def test_names_are_told_by_labels(labels: Mapping[str, str], expected: str | None) -> None:
    """Given the labels of a series, then the name of its Deployment is known, or none is."""
    spec = policy_api.RemediationPolicySpec.model_validate(
        {
            "target": {"selector": SHOP},
            "signals": [
                {"name": "a", "prometheus": {"query": "x"}, "threshold": {"above": 1}},
            ],
            "steps": [{"restart": {}}],
        }
    )
    signal = compiled.compile_policy(objects.Key("shop", "p"), spec, {}).signals[0]

    assert expected == workloads.name_of(signal, "Deployment", labels)
