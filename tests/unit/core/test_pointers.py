"""JSON pointers, by the examples of RFC 6901."""

from __future__ import annotations

import pytest

from prunella.core import pointers

POINTERS = {
    "the whole document": ("", []),
    "an empty name": ("/", [""]),
    "a slash in a name": ("/a~1b", ["a/b"]),
    "a tilde in a name": ("/m~0n", ["m~n"]),
    "what looks like a slash, and is a tilde": ("/a~01", ["a~1"]),
    "a place in a list": ("/foo/0", ["foo", "0"]),
}


@pytest.mark.parametrize(("pointer", "names"), POINTERS.values(), ids=POINTERS)
def test_a_pointer_is_its_names(pointer: str, names: list[str]) -> None:
    """Read, and written again, it is the same."""
    assert names == pointers.parts(pointer)
    assert pointer == "".join(f"/{pointers.part(name)}" for name in names)


def test_a_place_in_a_list_is_a_number() -> None:
    """It needs no text."""
    assert "0" == pointers.part(0)
