"""After a crash: what is left to tell."""

from __future__ import annotations

import pytest

from prunella.api import change as change_api
from prunella.core.changes import catch_up


def field(path: str, old: str | None, new: str | None) -> change_api.FieldChange:
    """A field's change."""
    return change_api.FieldChange(path=path, old=old, new=new)


CASES = [
    pytest.param([field("a", "1", "2")], [], [field("a", "1", "2")], id="nothing told"),
    pytest.param([field("a", "1", "2")], [field("a", "1", "2")], [], id="all told"),
    pytest.param(
        [field("a", "1", "3")], [field("a", "1", "2")], [field("a", "2", "3")], id="went on"
    ),
    pytest.param(
        [field("a", "1", "2"), field("b", "x", "y")],
        [field("a", "1", "2")],
        [field("b", "x", "y")],
        id="another field",
    ),
    pytest.param([], [field("a", "1", "2")], [field("a", "2", "1")], id="taken back"),
    pytest.param([], [field("a", "1", "2"), field("a", "2", "1")], [], id="taken back and told so"),
    pytest.param(
        [field("a", "1", "3")],
        [field("a", "1", "2"), field("a", "2", "3")],
        [],
        id="told in two steps",
    ),
]


@pytest.mark.parametrize(("fields", "told", "expected"), CASES)
def test_untold(
    fields: list[change_api.FieldChange],
    told: list[change_api.FieldChange],
    expected: list[change_api.FieldChange],
) -> None:
    """Nothing twice, and nothing left out."""
    assert expected == catch_up.untold(fields, told)
