"""What somebody has written beside a target since: the API server is asked, and may not answer."""

from __future__ import annotations

import dataclasses
import types
from typing import Any

import pytest

from prunella import ports
from prunella.engine import suspects
from tests.unit.core.decisions import test_restoring

CART = test_restoring.CART
ASKED = [
    pytest.param("restore", test_restoring.thing(3), "was changed by somebody else", id="edited"),
    pytest.param("restore", test_restoring.thing(2), "", id="as it was left"),
    pytest.param("restore", ports.ClusterError("no answer"), "", id="not known"),
    pytest.param("revert", test_restoring.thing(3), "", id="an undoing is over once it is done"),
]


@pytest.mark.parametrize(("action", "there", "told"), ASKED)
async def test_an_edit_beside_the_target_is_told(action: str, there: Any, told: str) -> None:
    """What can't be read is no edit: the proof goes on."""

    async def read_object(_: object) -> Any:
        if isinstance(there, Exception):
            raise there
        return there

    world: Any = types.SimpleNamespace(cluster=types.SimpleNamespace(read_object=read_object))
    record = test_restoring.restored(CART)
    spec = record.spec.model_copy(update={"action": action})
    record = dataclasses.replace(record, spec=spec)
    found = await suspects.edited(world, record)
    assert (bool(told), True) == (bool(found), told in found)
