"""The worlds of the contract tests: each case runs in the simulated one and in the lab."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from lab import lifecycle
from lab.cluster import Lab
from prunella.api import crdgen, resources
from tests.contract import worlds


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab named by ``PRUNELLA_LAB`` (default ``test``), with the custom resources.

    One that runs already is used and left running; one that had to be started is taken down
    at the end, unless ``PRUNELLA_LAB_KEEP=1``.
    """
    name = os.environ.get("PRUNELLA_LAB", "test")
    ran_before = lifecycle.status(name).is_up
    found = lifecycle.up(name)
    for resource in resources.ALL:
        found.apply(crdgen.render(resource))
    found.await_crds(*(resource.name for resource in resources.ALL))
    yield found
    if not ran_before and os.environ.get("PRUNELLA_LAB_KEEP") != "1":
        lifecycle.down(name)


@pytest.fixture
def lab_world(lab: Lab) -> Iterator[worlds.LabWorld]:
    """A fresh namespace of the lab, deleted after the test."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    lab.kubectl("create", "namespace", name)
    api = worlds.connect(lab)
    yield worlds.LabWorld(lab, name, api)
    api.close()
    lab.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(params=["simulated", "lab"])
def world(request: pytest.FixtureRequest) -> worlds.World:
    """Every test that asks for a world runs in both."""
    if request.param == "simulated":
        return worlds.SimulatedWorld()
    found: worlds.LabWorld = request.getfixturevalue("lab_world")
    return found
