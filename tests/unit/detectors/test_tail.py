"""The calibrated tail: ranks of what was counted, and how far a size may count."""

from __future__ import annotations

import numpy as np
import pytest

from prunella.detectors._baseline import tail

N, KINDS, SAMPLES = 3, 7, 400
GROUPS = {"both sides": slice(0, 6), "above": slice(0, 3), "below": slice(3, 6)}
SITUATION = slice(6, 7)
MEMORY = np.full(N, 8064.0)


def classes(sizes: np.ndarray) -> np.ndarray:
    """Sizes among the classes."""
    return tail.classes_of(tail.at(sizes))


def samples(seed: int, count: int = SAMPLES) -> np.ndarray:
    """Sizes of noise, up or down: of shape (count, kinds, series)."""
    rng = np.random.default_rng(seed)
    sizes = rng.normal(0.0, 1.0, (count, KINDS, N))
    sizes[:, 3:6] = -sizes[:, :3]
    sizes[:, 6] = np.abs(sizes[:, 6])
    return sizes


def counted(sizes: np.ndarray, memory: np.ndarray = MEMORY) -> tail.Tail:
    """A tail that has counted all of them."""
    state = tail.Tail(N, KINDS)
    for each in sizes:
        state.count(classes(each), np.ones((KINDS, N), np.bool_), memory)
    return state


def share(past: np.ndarray, own: int) -> float:
    """The share of classes that are as high: half of its own, all that are higher."""
    as_high = (past > own).sum() + 0.5 * (past == own).sum()
    return float((as_high + 0.5) / (len(past) + 1))


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_a_usual_size_is_as_rare_as_its_rank(group: slice) -> None:
    """The rarest of a group of kinds counts; a situation is ranked by itself."""
    sizes = samples(1)
    state, past = counted(sizes), np.array([classes(each) for each in sizes])
    now = state.place(tail.at(np.clip(samples(2, 1)[0], -0.7, 0.7)))
    expected = [
        [
            max(
                -np.log10(share(past[:, kind, series], int(now.classes[kind, series])))
                for kind in range(KINDS)[kinds]
            )
            for series in range(N)
        ]
        for kinds in (group, SITUATION)
    ]
    np.testing.assert_allclose(expected, state.rarity(now, group, SITUATION), rtol=1e-12)


def test_what_is_larger_than_all_is_rarer_the_larger_it_is() -> None:
    """Beyond the largest class that 3 % reach the tail goes on."""
    state, sizes = counted(samples(1)), samples(2, 1)[0]
    found = []
    for size in (2.5, 5.0, 10.0, 1e6):
        sizes[0] = size
        found.append(state.rarity(state.place(tail.at(sizes)), GROUPS["both sides"])[0])
    assert (np.diff(found, axis=0) > 0.0).all()
    assert found[-1] == pytest.approx(tail.MAX_RARITY)


def test_a_size_counts_as_no_larger_than_one_that_is_so_rare() -> None:
    """Sizes up to it keep their class, and so does what is none of the first kinds."""
    state, sizes = counted(samples(1)), samples(2, 1)[0]
    sizes[0], sizes[4], sizes[6] = 1e6, 1e6, 1e6
    most = classes(state.ends(slice(0, 6))().sizes(np.full(N, 3.0)))
    place = state.place(tail.at(sizes))
    expected = place.classes.copy()
    expected[:6] = np.minimum(expected[:6], most)
    actual = state.limited(place, np.full(N, 3.0), 6)
    np.testing.assert_array_equal(expected, actual)
    assert (actual[[0, 4]] < place.classes[[0, 4]]).all()


def test_old_sizes_fade() -> None:
    """So many are remembered; what was large long ago is rare again, what is so now is not."""
    large = samples(1)
    large[: SAMPLES // 2] *= 16.0
    sizes = np.full((KINDS, N), 8.0)
    states = {memory: counted(large, np.full(N, memory)) for memory in (50.0, 8064.0)}
    rarity = {
        memory: state.rarity(state.place(tail.at(sizes)), GROUPS["above"])[0]
        for memory, state in states.items()
    }
    assert (rarity[50.0] > rarity[8064.0] + 1.0).all()
    assert states[50.0].total == pytest.approx(np.full((KINDS, N), 50.0))


def test_what_is_not_counted_leaves_no_trace() -> None:
    """Only some kinds of some series count."""
    state, other = counted(samples(1)), counted(samples(1))
    some = np.zeros((KINDS, N), np.bool_)
    some[:6, 1] = True
    state.count(classes(np.full((KINDS, N), 50.0)), some, MEMORY)
    now = tail.at(np.full((KINDS, N), 3.0))
    for series, kinds in ((0, GROUPS["both sides"]), (2, GROUPS["both sides"]), (1, SITUATION)):
        expected = other.rarity(other.place(now), kinds)[0, series]
        assert expected == state.rarity(state.place(now), kinds)[0, series]
    kinds = GROUPS["both sides"]
    less = state.rarity(state.place(now), kinds)[0, 1]
    assert less < other.rarity(other.place(now), kinds)[0, 1]
