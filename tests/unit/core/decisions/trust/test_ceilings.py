"""What a Namespace's labels allow; what can't be understood is the strictest."""

from __future__ import annotations

import pytest

from prunella.api import trust
from prunella.core.decisions.trust import ceilings

LABEL = ceilings.LABEL
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "nothing": ({}, {}),
    "other labels": ({"prunella.dev/max-modes": "x", "team": "shop"}, {}),
    "all": ({LABEL: "Approve"}, {"read": "Approve", "low": "Approve", "high": "Approve"}),
    "one class": ({f"{LABEL}.high": "DryRun"}, {"high": "DryRun"}),
    "strictest wins": (
        {LABEL: "Approve", f"{LABEL}.high": "Advise", f"{LABEL}.low": "Live"},
        {"read": "Approve", "low": "Approve", "high": "Advise"},
    ),
    "unknown mode": ({f"{LABEL}.low": "live"}, {"low": "Advise"}),
    "empty": ({LABEL: ""}, {"read": "Advise", "low": "Advise", "high": "Advise"}),
    "unknown class": (
        {f"{LABEL}.hihg": "Live"},
        {"read": "Advise", "low": "Advise", "high": "Advise"},
    ),
    "no class after the dot": (
        {f"{LABEL}.": "Advise"},
        {"read": "Advise", "low": "Advise", "high": "Advise"},
    ),
}


@pytest.mark.parametrize(("labels", "expected"), CASES.values(), ids=CASES)
def test_labels_set_ceilings(labels: dict[str, str], expected: dict[str, str]) -> None:
    """Each class has the strictest mode that a label sets for it."""
    found = ceilings.parse("shop", labels).by_risk

    assert expected == {risk.value: ceiling.mode for risk, ceiling in found.items()}


WORDS = {
    f"{LABEL}.high=Advise": f'namespace shop has {LABEL}.high="Advise"',
    f"{LABEL}.high=advise": (
        f'namespace shop has {LABEL}.high="advise", which is none of Advise, DryRun, Approve, '
        "Live: read as Advise"
    ),
    f"{LABEL}.hihg=Live": (
        f'namespace shop has {LABEL}.hihg="Live", and hihg is none of read, low, high: read as '
        "Advise for all"
    ),
}


@pytest.mark.parametrize(("label", "expected"), WORDS.items(), ids=WORDS)
def test_a_ceiling_says_who_set_it(label: str, expected: str) -> None:
    """The label is named as it is written, so that a typing error is seen."""
    key, _, value = label.partition("=")

    assert expected == ceilings.parse("shop", {key: value}).by_risk[trust.Risk.HIGH].because


def test_what_cant_be_read_allows_only_advice() -> None:
    """All classes are advised only, and the problem is told."""
    found = ceilings.unreadable("shop", "forbidden").by_risk

    assert {"Advise"} == {ceiling.mode for ceiling in found.values()}
    assert set(trust.Risk) == set(found)
    told = "the labels of namespace shop can't be read: forbidden"
    assert told == found[trust.Risk.LOW].because
