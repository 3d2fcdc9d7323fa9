"""A policy's signals made ready: confined queries, labels to map by, windows."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.core.signals import compiled
from tests.unit.core import builders

ERRORS = 'sum by (deployment) (rate(errors{code="500"}[1m]))'
REQUESTS = "sum by (deployment) (rate(requests[2m]))"
STANDARD = ("namespace", "exported_namespace", "deployment", "pod", "exported_pod")


def _signal(fields: dict[str, Any], label: str | None = None, **target: str) -> compiled.Signal:
    labels = {} if label is None else {"default": label}
    spec = builders.spec(
        signals=[{**builders.SIGNAL, **fields}],
        target={"name": "checkout", **target},
    )
    (signal,) = compiled.compile_policy(builders.KEY, spec, labels).signals
    return signal


def _ratio(bad: str = ERRORS, total: str = REQUESTS) -> dict[str, Any]:
    return {"prometheus": None, "ratio": {"bad": bad, "total": total}}


def test_queries_are_confined_by_role() -> None:
    """Each query of a signal reads the policy's own namespace alone."""
    signal = _signal({"presence": "up"})
    assert signal.queries == {
        compiled.VALUE: 'errors{namespace="shop"}',
        compiled.PRESENCE: 'up{namespace="shop"}',
    }
    assert _signal(_ratio()).queries == {
        compiled.BAD: 'sum by (deployment) (rate(errors{code="500",namespace="shop"}[1m]))',
        compiled.TOTAL: 'sum by (deployment) (rate(requests{namespace="shop"}[2m]))',
    }
    assert signal.name == "errors"


def test_the_source_names_the_label_that_confines() -> None:
    """Where a source calls the namespace otherwise, its label is used and may map as well."""
    signal = _signal({}, label="kube_namespace")
    assert signal.queries == {compiled.VALUE: 'errors{kube_namespace="shop"}'}
    assert ("kube_namespace", *STANDARD) == signal.labels


LABELS: dict[str, tuple[dict[str, Any], str, tuple[str, ...], tuple[str, ...]]] = {
    # mapping, kind, labels that hold the namespace, labels that hold the name
    "a Deployment": (
        {},
        "Deployment",
        ("namespace", "exported_namespace"),
        ("deployment", "pod", "exported_pod"),
    ),
    "a StatefulSet": (
        {},
        "StatefulSet",
        ("namespace", "exported_namespace"),
        ("statefulset", "pod", "exported_pod"),
    ),
    "a DaemonSet": (
        {},
        "DaemonSet",
        ("namespace", "exported_namespace"),
        ("daemonset", "pod", "exported_pod"),
    ),
    "a label of the policy": ({"name": "service"}, "Deployment", ("namespace",), ("service",)),
    "two labels of the policy": (
        {"name": "service", "namespace": "team"},
        "Deployment",
        ("team",),
        ("service",),
    ),
    "a pod's label of the policy": ({"name": "pod"}, "Deployment", ("namespace",), ("pod",)),
    "a single series": ({"single": True}, "Deployment", (), ()),
}


@pytest.mark.parametrize(("mapping", "kind", "namespaces", "names"), LABELS.values(), ids=LABELS)
def test_labels_by_which_series_find_their_targets(
    mapping: dict[str, Any], kind: str, namespaces: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """They depend on the kind, or are what the policy says."""
    signal = _signal({"mapping": mapping} if mapping else {}, kind=kind)
    assert (namespaces, names) == (signal.namespace_labels, signal.name_labels)
    assert (*namespaces, *names) == signal.labels


def test_a_namespace_label_is_not_asked_twice() -> None:
    """A source that confines by ``exported_namespace`` has each label once."""
    labels = _signal({}, label="exported_namespace").labels
    assert ("exported_namespace", "namespace", *STANDARD[2:]) == labels


WINDOWS: dict[str, tuple[dict[str, Any], float, float]] = {
    "an instant query": ({}, 0.0, 1.0),
    "a range": ({"prometheus": {"query": "rate(errors[5m])"}}, 300.0, 1.0),
    "the longer range of a ratio": (_ratio(), 120.0, 120.0),
    "a longer range of the bad events": (_ratio(bad="rate(errors[10m])"), 600.0, 120.0),
    "an increase is a count already": (_ratio(total="increase(requests[5m])"), 300.0, 1.0),
    "no rate in the total": (_ratio(total="requests"), 60.0, 1.0),
    "the range of the presence": ({"presence": "max_over_time(up[15m])"}, 900.0, 1.0),
}


@pytest.mark.parametrize(("fields", "longest", "factor"), WINDOWS.values(), ids=WINDOWS)
def test_windows_are_read_from_the_queries(
    fields: dict[str, Any], longest: float, factor: float
) -> None:
    """How far a sample looks back, and what makes a rate of all events a count."""
    signal = _signal(fields)
    assert (longest, factor) == (signal.longest_range, signal.events_factor)


def test_the_longest_range_of_a_policy() -> None:
    """The longest of all signals counts."""
    queries = {"short": "rate(a[1m])", "long": "rate(b[5m])", "none": "c"}
    signals = [
        {**builders.SIGNAL, "name": name, "prometheus": {"query": query}}
        for name, query in queries.items()
    ]
    policy = compiled.compile_policy(builders.KEY, builders.spec(signals=signals), {})
    assert policy.longest_range == 300.0
    assert list(queries) == [signal.name for signal in policy.signals]


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "not PromQL": ({"prometheus": {"query": "sum("}}, "signal errors: the query is not PromQL"),
    "a range": ({"prometheus": {"query": "up[5m]"}}, "signal errors: the query yields a matrix"),
    "bad is not PromQL": (_ratio(bad="sum("), "signal errors: the query is not PromQL"),
    "total reads nothing": (_ratio(total="1"), "signal errors: the query reads no series"),
    "presence is not PromQL": ({"presence": "up{"}, "signal errors: the query is not PromQL"),
}


@pytest.mark.parametrize(("fields", "message"), BROKEN.values(), ids=BROKEN)
def test_a_query_that_can_t_be_used_is_named(fields: dict[str, Any], message: str) -> None:
    """The policy is refused as a whole, with the signal and what is wrong with it."""
    with pytest.raises(compiled.PolicyError) as caught:
        _signal(fields)
    assert str(caught.value).startswith(message)
