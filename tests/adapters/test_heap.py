"""Memory is given back where the C library can."""

from __future__ import annotations

import ctypes

import pytest

from prunella.adapters import heap


class Library:
    """A C library that notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def malloc_trim(self, keep: int) -> int:
        """As glibc."""
        self.asked.append(keep)
        return 1


async def test_all_that_is_free_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept on top of the heap."""
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    await heap.give_back()
    assert [0] == library.asked


async def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Musl has no such call."""
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    await heap.give_back()
