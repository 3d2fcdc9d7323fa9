"""Names of Changes: readable, unique by what happened, and names to the API server."""

from __future__ import annotations

import re

import pytest

from prunella.core.changes import naming

DNS = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@pytest.mark.parametrize(
    ("kind", "name", "start"),
    [
        pytest.param("Deployment", "checkout", "deployment-checkout-", id="plain"),
        pytest.param("Node", "ip-10-0.ec2.internal", "node-ip-10-0-ec2-internal-", id="dots"),
        pytest.param("Role", "system:controller.-x", "role-system-controller-x-", id="colons"),
        pytest.param("ConfigMap", "a" * 253, f"configmap-{'a' * 30}-", id="long"),
        pytest.param("External", "--", "external-", id="nothing readable"),
    ],
)
def test_a_name_is_readable_and_a_dns_label(kind: str, name: str, start: str) -> None:
    """Kind and name of the object, as far as they fit, and a hash."""
    found = naming.name(kind, name, "u-1", 3)
    assert found.startswith(start)
    assert DNS.fullmatch(found)
    assert len(found) <= 63


def test_what_happened_makes_the_name() -> None:
    """Equal identities give equal names, and parts can't be shifted into each other."""
    assert naming.name("Job", "x", "u", 1) == naming.name("Job", "x", "u", 1)
    names = {naming.name("Job", "x", *each) for each in (("u", 1), ("u1", ""), ("u", 2), ("u",))}
    assert 4 == len(names)
