"""Names and messages of a history stay text in the report's script."""

from __future__ import annotations

import json

import hypothesis
import pytest
from hypothesis import strategies

from prunella.backtest import page

HOSTILE = [
    pytest.param("</script><script>alert(1)</script>", id="ends the script"),
    pytest.param("<!--<script>", id="keeps it from ending"),
    pytest.param("]]>&lt;\u2028'\"\\", id="quotes and line ends"),
]


def stays_text(words: str) -> None:
    """Read back it is the same, and a parser of pages finds no tag in it."""
    written = page._json({"target": words, words: [words]}).decode()
    assert {"target": words, words: [words]} == json.loads(written)
    assert [] == [each for each in "<\u2028\u2029" if each in written]


@pytest.mark.parametrize("words", HOSTILE)
def test_a_hostile_name_stays_text(words: str) -> None:
    """What would end the script of the page, or hide its end, is written as an escape."""
    stays_text(words)


@hypothesis.given(
    strategies.text(alphabet="<>!-/scriptSCRIPT&'\"\\\u2028\u2029\x00 a").filter(bool)
)
def test_any_name_stays_text(words: str) -> None:
    """The same of any text of such characters."""
    hypothesis.assume(words != "target")
    stays_text(words)
