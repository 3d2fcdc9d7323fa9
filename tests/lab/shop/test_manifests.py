"""The shop's manifests fit what its programs need."""

from __future__ import annotations

import pytest

from lab.binaries import LabError
from lab.shop import manifests, profiles
from lab.shop.objects import SHOP_LABEL

DOCUMENTS = manifests.documents("one")
WORKLOADS = {
    each["metadata"]["name"]: each
    for each in DOCUMENTS
    if each["kind"] in ("Deployment", "StatefulSet")
}
CLUSTER_SCOPED = ("Namespace", "Node", "PersistentVolume", "PriorityClass")


def test_every_program_has_its_workload_service_and_account() -> None:
    """All of the same name."""
    names = profiles.catalogue().services.keys()

    assert names == WORKLOADS.keys()
    for kind in ("Service", "ServiceAccount"):
        assert names == {d["metadata"]["name"] for d in DOCUMENTS if d["kind"] == kind}


def test_no_placeholder_is_left() -> None:
    """Also not in keys or lists."""
    assert "${" not in str(DOCUMENTS)


def test_everything_of_the_cluster_is_labelled_with_its_shop() -> None:
    """By that it is found again, to be deleted."""
    found = [each for each in DOCUMENTS if each["kind"] in CLUSTER_SCOPED]

    assert found
    assert {each["metadata"]["labels"][SHOP_LABEL] for each in found} == {"one"}


def test_namespaces_come_first_and_workloads_last() -> None:
    """So that they can be applied in this order."""
    kinds = [each["kind"] for each in DOCUMENTS]

    assert kinds[:3] == ["Namespace"] * 3
    last = len(WORKLOADS)
    assert set(kinds[-last:]) == {"Deployment", "StatefulSet"}


@pytest.mark.parametrize("name", sorted(profiles.catalogue().services))
def test_containers_have_what_their_program_needs(name: str) -> None:
    """Its name, its variables, enough memory, and a probe."""
    profile = profiles.catalogue().services[name]
    found = WORKLOADS[name]["spec"]["template"]["spec"]["containers"][0]
    variables = {each["name"] for each in found.get("env", [])}

    assert found["name"] == name
    assert variables >= set(profile.requires)
    assert found["ports"][0]["containerPort"] == profile.port
    limit = int(found["resources"]["limits"]["memory"].removesuffix("Mi"))
    assert limit * 2**20 > 1.2 * profile.memory
    assert "readinessProbe" in found


@pytest.mark.parametrize("name", ["", "Shop", "1shop", "a_b", "a" * 21, "shop-"])
def test_a_name_that_no_namespace_can_have(name: str) -> None:
    """The message names it and says what is possible."""
    with pytest.raises(LabError, match=r"cannot name a shop: use up to 20"):
        manifests.documents(name)
