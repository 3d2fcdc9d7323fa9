"""A source answers those that it is open to, and tells each only of its own series."""

from __future__ import annotations

import pytest

from prunella import settings
from prunella.adapters import sources
from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import compiled

TENANTS = settings.Source(allowed_namespaces=("shop", "team-*"))
SOURCES = {"default": settings.Source(), "tenants": TENANTS, "closed": settings.Source()}
SOURCES["closed"] = settings.Source(allowed_namespaces=())

ADMITTED = {
    "open to all": ("default", "anything", None),
    "by name": ("tenants", "shop", None),
    "by pattern": ("tenants", "team-a", None),
    "another": ("tenants", "bank", reasons.Doubt.FORBIDDEN_SOURCE),
    "part of a name": ("tenants", "shop-2", reasons.Doubt.FORBIDDEN_SOURCE),
    "another case": ("tenants", "SHOP", reasons.Doubt.FORBIDDEN_SOURCE),
    "closed": ("closed", "shop", reasons.Doubt.FORBIDDEN_SOURCE),
    "unknown": ("thanos", "shop", reasons.Doubt.UNKNOWN_SOURCE),
}


@pytest.mark.parametrize(("name", "namespace", "reason"), ADMITTED.values(), ids=ADMITTED)
def test_admit(name: str, namespace: str, reason: reasons.Doubt | None) -> None:
    """The source itself, or why not."""
    found = sources.admit(SOURCES, name, namespace)

    if reason is None:
        assert SOURCES[name] is found
    else:
        assert isinstance(found, model.Failure)
        assert reason == found.reason
        assert repr(name) in found.message


def test_own_series() -> None:
    """Series that bear another namespace are dropped; those without the label are aggregates."""
    own = model.Sample({"namespace": "shop", "pod": "a"}, 1.0)
    aggregate = model.Sample({"pod": "b"}, 2.0)
    foreign = model.Sample({"namespace": "bank"}, 3.0)
    vector = model.Vector((own, foreign, aggregate, foreign), ("hint",))

    expected = (model.Vector((own, aggregate), ("hint",)), 2)
    assert expected == sources.own_series(vector, settings.Source(), "shop")


def test_the_label_of_the_source_counts() -> None:
    """Elsewhere a namespace is called otherwise."""
    vector = model.Vector((model.Sample({"namespace": "bank", "team": "shop"}, 1.0),))

    assert (vector, 0) == sources.own_series(
        vector, settings.Source(namespace_label="team"), "shop"
    )


def test_what_bears_another_cluster_is_dropped() -> None:
    """A query can make up a label: what the source's matchers choose by is looked at again."""
    own = model.Sample({"namespace": "shop", "cluster": "eu-1"}, 1.0)
    aggregate = model.Sample({"deployment": "checkout"}, 2.0)
    other = model.Sample({"namespace": "shop", "cluster": "us-1"}, 3.0)
    source = settings.Source(matchers={"cluster": "eu-1"})

    found = sources.own_series(model.Vector((own, other, aggregate)), source, "shop")

    assert (model.Vector((own, aggregate)), 1) == found


def test_confinements_are_those_of_the_settings() -> None:
    """Label and matchers of each source, by its name."""
    both = {
        "default": settings.Source(),
        "central": settings.Source(namespace_label="exported_namespace", matchers={"c": "1"}),
    }

    assert {
        "default": compiled.Confinement("namespace", {}),
        "central": compiled.Confinement("exported_namespace", {"c": "1"}),
    } == sources.confinements(both)
