"""Labels of Namespaces are read as the API server has them."""

from __future__ import annotations

import pytest

from prunella import ports
from prunella.core.decisions.trust import ceilings
from tests.contract.worlds import LabWorld

HIGH = f"{ceilings.LABEL}.high"


async def test_labels_are_those_of_now(lab_world: LabWorld) -> None:
    """A label that an administrator has just set is seen; it is a valid one."""
    name = lab_world.namespace
    before = await lab_world.cluster.namespace_labels(name)
    await lab_world.kubectl("label", "namespace", name, f"{HIGH}=Approve")
    after = await lab_world.cluster.namespace_labels(name)

    assert HIGH not in before
    assert {**before, HIGH: "Approve"} == after


async def test_a_namespace_that_is_not_there_is_an_error(lab_world: LabWorld) -> None:
    """No labels would mean no ceiling."""
    with pytest.raises(ports.ClusterError, match="not found"):
        await lab_world.cluster.namespace_labels(f"{lab_world.namespace}-none")
