"""What annotations say of suspects, and from when on they count."""

from __future__ import annotations

import datetime

import pytest

from prunella.core.incidents import words

REOPENED = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
CART, DB = "Deployment/shop/cart", "StatefulSet/shop/db"
CASES = [
    pytest.param("2026-03-01T12:00:00Z", True, id="said since"),
    pytest.param("2026-03-01T11:59:59Z", False, id="said before"),
    pytest.param("some time", True, id="nobody knows when"),
]


@pytest.mark.parametrize(("when", "counts"), CASES)
def test_a_word_counts_from_when_the_incident_was_opened_again(when: str, counts: bool) -> None:
    """What was said before is about another time, and perhaps another cause."""
    said = {
        words.CONFIRMED: f"{CART} at {when} by ada",
        words.REJECTED: f"{DB} at {when} by ada",
    }
    expected = words.Word(CART, frozenset({DB}), "ada") if counts else words.Word()
    assert expected == words.word(said, REOPENED)
    assert words.Word(CART, frozenset({DB}), "ada") == words.word(said)
