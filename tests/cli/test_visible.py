"""What others wrote is shown, and no terminal obeys it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from prunella.cli import kube
from prunella.cli.visible import visible
from tests.cli import conftest, fakes, test_changes, test_explain, test_incidents, test_status

CLIPBOARD = "\x1b]52;c;ZXZpbA==\x07"
HOSTILE = f"\x1b[2J\x1b[1;1H{CLIPBOARD}\x9b31m\x08\x7f\r\u202elive\u2066"
"""Clears the screen, writes the clipboard, hides and turns text."""
REFUSAL = kube.KubeError(f"not allowed {HOSTILE}", 403)
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def obeyed(shown: str) -> list[str]:
    """The characters that a terminal would not show but act upon."""
    return [
        each
        for each in shown
        if each in TURNING or (unicodedata.category(each) == "Cc" and each not in "\n\t")
    ]


@hypothesis.given(strategies.text())
def test_nothing_is_left_to_obey_and_the_rest_is_kept(words: str) -> None:
    """Any text keeps its length and each of its harmless characters."""
    shown = visible(words)
    assert [] == obeyed(shown)
    assert len(words) == len(shown)
    kept = [(old, new) for old, new in zip(words, shown, strict=True) if not obeyed(old)]
    assert [] == [(old, new) for old, new in kept if old != new]


def test_a_sign_stands_for_what_was_there() -> None:
    """A reader sees that there was something, and what."""
    assert "\u241b[2J\u2421 \ufffd" == visible("\x1b[2J\x7f \x9b")


def hostile(value: Any) -> Any:
    """The same object, with a hostile end to each sentence in it; JSON stays whole."""
    if isinstance(value, dict):
        return {key: hostile(below) for key, below in value.items()}
    if isinstance(value, list):
        return [hostile(below) for below in value]
    is_text = isinstance(value, str) and " " in value and not value.startswith(("{", "["))
    return value + HOSTILE if is_text else value


def incident() -> fakes.FakeCluster:
    """A cluster with one Incident."""
    return test_incidents.cluster(test_incidents.incident())


PAGES: dict[str, tuple[Callable[[], fakes.FakeCluster], tuple[str, ...]]] = {
    "status": (test_status.busy_shop, ("status",)),
    "status of who waits": (test_status.waiting_shop, ("status",)),
    "explain policy": (test_explain.shop, ("explain", "policy/checkout")),
    "explain remediation": (test_explain.shop, ("explain", "rem/checkout-1")),
    "changes": (test_changes.shop, ("changes",)),
    "why": (incident, ("why", test_incidents.NAME)),
}


@pytest.mark.parametrize("name", PAGES)
def test_no_page_obeys_what_it_shows(run: conftest.Run, name: str) -> None:
    """Messages, summaries and reasons of objects that a namespace's users can write."""
    world, arguments = PAGES[name]
    cluster = world()
    cluster.objects = hostile(cluster.objects)
    result = run(*arguments, cluster=cluster)
    assert "" == result.err
    assert "\u241b[2J" in result.out
    assert [] == obeyed(result.out)


def test_no_error_obeys_what_it_shows(run: conftest.Run) -> None:
    """What an API server answers may repeat what somebody wrote."""
    refused = {("LIST", f"{fakes.GROUP}/namespaces/shop/remediationpolicies"): REFUSAL}
    result = run("status", cluster=fakes.cluster(answers=refused))
    assert "\u241b[2J" in result.err
    assert [] == obeyed(result.err)
