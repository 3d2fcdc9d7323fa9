"""Which series belongs to which target, and by which labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import mapping
from tests.unit.core import builders, fixtures

CHECKOUT, CART = builders.ref("checkout"), builders.ref("cart")
OWNERS: Mapping[str, model.Ref] = {
    "checkout-1": CHECKOUT,
    "checkout-2": CHECKOUT,
    "cart-1": CART,
    "db-0": builders.ref("checkout", kind="StatefulSet"),
    "batch-1": builders.ref("batch"),
}
BY_SERVICE = {"mapping": {"name": "service"}, "labels": ("namespace", "service")}
BY_BOTH = {"mapping": {"namespace": "ns", "name": "service"}, "labels": ("ns", "service")}
SINGLE = {"mapping": {"single": True}, "labels": ()}
STATEFUL_SET = {"labels": ("namespace", "statefulset", "pod", "exported_pod")}
CUSTOM_NAMESPACE = {"labels": ("team", *fixtures.DEPLOYMENT_LABELS)}


def _map(
    *samples: model.Sample, targets: tuple[model.Ref, ...] = (CHECKOUT, CART), **fields: Any
) -> mapping.Mapped:
    return mapping.map_samples(fixtures.signal(**fields), samples, targets, OWNERS)


MAPPED = {
    "its workload": ({}, {"deployment": "checkout"}, "", "deployment"),
    "its workload in the namespace": (
        {},
        {"namespace": "shop", "deployment": "checkout"},
        "",
        "deployment",
    ),
    "the namespace that the exporter reports": (
        {},
        {"namespace": "monitoring", "exported_namespace": "shop", "deployment": "checkout"},
        "",
        "deployment",
    ),
    "the namespace label of the source": (
        CUSTOM_NAMESPACE,
        {"team": "shop", "namespace": "monitoring", "deployment": "checkout"},
        "",
        "deployment",
    ),
    "a pod beside its workload": (
        {},
        {"deployment": "checkout", "pod": "checkout-9"},
        "checkout-9",
        "deployment",
    ),
    "a pod by its owner": ({}, {"pod": "checkout-1"}, "checkout-1", "pod of Deployment/checkout"),
    "an exported pod by its owner": (
        {},
        {"exported_pod": "checkout-2"},
        "checkout-2",
        "exported_pod of Deployment/checkout",
    ),
    "the own kind's label before that of another": (
        STATEFUL_SET,
        {"deployment": "exporter", "statefulset": "checkout"},
        "",
        "statefulset",
    ),
    "the label that the policy names": (BY_SERVICE, {"service": "checkout"}, "", "service"),
    "both labels that the policy names": (
        BY_BOTH,
        {"ns": "shop", "service": "checkout"},
        "",
        "service",
    ),
    "a single series": (SINGLE, {}, "", "single"),
}


@pytest.mark.parametrize(("fields", "labels", "pod", "mapped_by"), MAPPED.values(), ids=MAPPED)
def test_a_series_finds_its_target(
    fields: dict[str, Any], labels: dict[str, str], pod: str, mapped_by: str
) -> None:
    """The series is mapped to checkout, and it is told by which label."""
    kind = "StatefulSet" if fields is STATEFUL_SET else "Deployment"
    target = builders.ref("checkout", kind=kind)
    mapped = _map(model.Sample(labels, 0.5), targets=(target,), **fields)
    expected = mapping.Mapped({target: (mapping.Series(0.5, pod, mapped_by),)}, frozenset(), 0)
    assert expected == mapped


IGNORED = {
    "a workload that is not selected": ({}, {"deployment": "batch"}),
    "a workload of another kind": ({}, {"statefulset": "checkout"}),
    "a workload of another kind, with a pod": ({}, {"daemonset": "x", "pod": "checkout-1"}),
    "a pod of a workload that is not selected": ({}, {"pod": "batch-1"}),
    "a pod of another kind with the same name": ({}, {"pod": "db-0"}),
    "a pod that nobody knows": ({}, {"pod": "gone-1"}),
    "another namespace": ({}, {"namespace": "bank", "deployment": "checkout"}),
    "another namespace's pod": ({}, {"namespace": "bank", "pod": "checkout-1"}),
    "another namespace without a name": ({}, {"namespace": "bank", "secret": "x"}),
    "another namespace by the policy's label": (BY_BOTH, {"ns": "bank", "service": "checkout"}),
    "another name by the policy's label": (BY_SERVICE, {"service": "batch"}),
    "another namespace by the source's label": (
        CUSTOM_NAMESPACE,
        {"team": "bank", "deployment": "checkout"},
    ),
}


@pytest.mark.parametrize(("fields", "labels"), IGNORED.values(), ids=IGNORED)
def test_a_series_about_something_else_is_counted_and_left(
    fields: dict[str, Any], labels: dict[str, str]
) -> None:
    """Objects outside the selection change nothing, and their labels are not shown."""
    assert mapping.Mapped({}, frozenset(), 1) == _map(model.Sample(labels, 0.5), **fields)


UNMAPPABLE = {
    "no labels at all": (
        {},
        {},
        (
            "a series with labels {} names no target; "
            "keep one of: namespace, exported_namespace, deployment, pod, exported_pod"
        ),
    ),
    "labels that name nothing": (
        {},
        {"job": "app", "instance": "x"},
        (
            'a series with labels {instance="x", job="app"} names no target; '
            "keep one of: namespace, exported_namespace, deployment, pod, exported_pod"
        ),
    ),
    "an empty label": (
        {},
        {"deployment": ""},
        (
            'a series with labels {deployment=""} names no target; '
            "keep one of: namespace, exported_namespace, deployment, pod, exported_pod"
        ),
    ),
    "not the policy's label": (
        BY_SERVICE,
        {"deployment": "checkout"},
        (
            'a series with labels {deployment="checkout"} names no target; '
            "keep one of: namespace, service"
        ),
    ),
    "labels where one series is expected": (
        SINGLE,
        {"job": "app"},
        'mapping single expects one series without labels, found {job="app"}',
    ),
}


@pytest.mark.parametrize(("fields", "labels", "message"), UNMAPPABLE.values(), ids=UNMAPPABLE)
def test_a_series_that_could_be_about_anything_fails_the_signal(
    fields: dict[str, Any], labels: dict[str, str], message: str
) -> None:
    """One such series, also among good ones, makes the whole answer unbelievable."""
    good = model.Sample({"deployment": "checkout", "service": "checkout"}, 0.1)
    before = [] if fields is SINGLE else [good]
    mapped = _map(*before, model.Sample(labels, 0.5), **fields)
    failure = model.Failure(reasons.Doubt.NO_MAPPING_LABELS, message)
    assert (failure, {}) == (mapped.failure, mapped.series)


DUPLICATES = {
    "the same workload twice": (
        ({"deployment": "checkout"}, {"deployment": "checkout", "job": "b"}),
        True,
    ),
    "the same pod twice": (({"pod": "checkout-1"}, {"pod": "checkout-1", "container": "b"}), True),
    "a pod and the whole": (({"pod": "checkout-1"}, {"deployment": "checkout"}), True),
    "two pods": (({"pod": "checkout-1"}, {"pod": "checkout-2"}), False),
    "two workloads": (({"deployment": "checkout"}, {"deployment": "cart"}), False),
}


@pytest.mark.parametrize(("labels", "duplicated"), DUPLICATES.values(), ids=DUPLICATES)
def test_the_same_key_twice_is_told(
    labels: tuple[dict[str, str], ...], *, duplicated: bool
) -> None:
    """Only the target with two series under one key, or with mixed levels, is a duplicate."""
    mapped = _map(*(model.Sample(each, 0.5) for each in labels))
    expected = frozenset({CHECKOUT} if duplicated else ())
    assert expected == mapped.duplicated


@pytest.mark.parametrize(
    ("labels", "expected"),
    {
        "a pod": ({"pod": "a-1"}, {"a-1"}),
        "an exported pod": ({"exported_pod": "a-1"}, {"a-1"}),
        "both": ({"pod": "a-1", "exported_pod": "b-1"}, {"a-1"}),
        "an empty pod": ({"pod": "", "exported_pod": "b-1"}, {"b-1"}),
        "a pod beside its workload": ({"pod": "a-1", "deployment": "a"}, set()),
        "a workload": ({"deployment": "a"}, set()),
        "nothing": ({}, set()),
    }.values(),
)
def test_pods_whose_owner_must_be_asked(labels: dict[str, str], expected: set[str]) -> None:
    """Only a pod that comes without its workload must be looked up."""
    assert expected == mapping.pod_names([model.Sample(labels, 1.0)])


LABELS = st.dictionaries(
    st.sampled_from(["namespace", "exported_namespace", "deployment", "statefulset", "pod", "x"]),
    st.sampled_from(["", "shop", "bank", "checkout", "cart", "checkout-1", "cart-1", "batch-1"]),
)


@given(st.lists(LABELS, max_size=6))
def test_no_series_is_lost_or_mapped_twice(labels: list[dict[str, str]]) -> None:
    """Each series is mapped to a selected target, ignored, or fails the signal."""
    mapped = _map(*(model.Sample(each, float(n)) for n, each in enumerate(labels)))
    if mapped.failure is not None:
        assert mapped.series == {}
        return
    assert len(labels) == mapped.ignored + sum(map(len, mapped.series.values()))
    assert mapped.series.keys() <= {CHECKOUT, CART}
    assert mapped.duplicated <= mapped.series.keys()


@given(st.lists(LABELS, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_series_means_nothing(
    labels: list[dict[str, str]], chance: st.DataObject
) -> None:
    """However the source sorts its answer, the same targets are mapped and doubted."""
    samples = [model.Sample(each, 1.0) for each in labels]
    shuffled = list(samples)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = _map(*samples), _map(*shuffled)
    assert (one.failure is None) == (other.failure is None)
    if one.failure is None:
        assert (one.duplicated, one.ignored) == (other.duplicated, other.ignored)
        assert one.series.keys() == other.series.keys()
