"""Memory is given back where the C library can, and what lasts is not looked through again."""

from __future__ import annotations

import ctypes
import gc
import weakref
from collections.abc import Iterator

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


@pytest.fixture
def thawed() -> Iterator[None]:
    """What a test has frozen is thawed after it."""
    yield
    gc.unfreeze()


class Node:
    """Something that can point at itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.usefixtures("thawed")
def test_what_lasts_is_frozen_and_what_points_only_at_itself_goes() -> None:
    """Given garbage from before and after a freeze, when settled again, then both are gone."""
    frozen = Node()
    lasting = Node()
    garbage = weakref.ref(frozen)
    gc.freeze()
    del frozen
    gc.collect()
    assert garbage() is not None
    heap.settle()

    assert garbage() is None
    assert lasting.itself is lasting
    assert gc.get_freeze_count() > 1000


@pytest.mark.usefixtures("thawed")
async def test_it_settles_once_all_is_loaded_and_then_each_hour() -> None:
    """Given a minute, then an hour, then it has settled after each."""
    counts: list[tuple[float, bool]] = []

    async def sleep(seconds: float) -> None:
        counts.append((seconds, gc.get_freeze_count() > 0))
        if len(counts) == 3:
            raise TimeoutError

    gc.unfreeze()
    with pytest.raises(TimeoutError):
        await heap.keep_settled(sleep)

    assert [(60.0, False), (3600.0, True), (3600.0, True)] == counts
