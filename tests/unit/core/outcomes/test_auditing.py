"""The audit export: a chain that shows each change, without credentials, always the same."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from prunella.api import reasons
from prunella.core.outcomes import auditing
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes, record

EMPTY = auditing.Chain(frozenset())
RECORDS = [record(f"checkout-{n}", attempt=n, ago=minutes(10 - n)) for n in (1, 2, 3)]
LINES, CHAIN = auditing.export(RECORDS, EMPTY)


def test_ended_records_are_exported_oldest_first() -> None:
    """What is under way is left for the next export."""
    under_way = record("checkout-4", reasons.Phase.VERIFYING)
    lines, chain = auditing.export([*reversed(RECORDS), under_way], EMPTY)

    assert ["checkout-1", "checkout-2", "checkout-3"] == [json.loads(x)["name"] for x in lines]
    assert (LINES, CHAIN) == (lines, chain)
    assert chain == auditing.verify(lines)


def test_an_export_goes_on_where_the_last_one_ended() -> None:
    """Each record is there once, and the chain is the same as in one export."""
    first, chain = auditing.export(RECORDS[:2], EMPTY)
    second, after = auditing.export(RECORDS, chain)

    assert (LINES, CHAIN) == ([*first, *second], after)
    assert ([], CHAIN) == auditing.export(RECORDS, after)


def test_what_is_written_after_the_end_changes_nothing() -> None:
    """Marks and clearing times come later than the export."""
    later = record("checkout-1", attempt=1, ago=minutes(9), cleared_at=NOW, counted_for="uid")

    assert LINES[:1] == auditing.export([later], EMPTY)[0]


def _edited(lines: list[str]) -> list[str]:
    return [lines[0], lines[1].replace('"Succeeded"', '"Unhelpful"'), lines[2]]


def _rehashed(lines: list[str]) -> list[str]:
    """Who edits a line and computes its hash anew breaks the next one."""
    line = json.loads(_edited(lines)[1])
    del line["hash"]
    again = {**line, "hash": auditing._hash(line)}
    return [lines[0], json.dumps(again), lines[2]]


BROKEN: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "edited": (_edited, "line 2 was changed"),
    "edited with its hash": (_rehashed, "line 3 follows"),
    "taken out": (lambda x: [x[0], x[2]], "line 2 follows"),
    "first taken out": (lambda x: x[1:], "line 1 follows"),
    "moved": (lambda x: [x[1], x[0], x[2]], "line 1 follows"),
    "twice": (lambda x: [x[0], x[0]], "line 2 follows"),
    "no JSON": (lambda x: [x[0], x[1][:-5]], "line 2 is not JSON"),
    "no object": (lambda x: [*x, "[]"], "line 4 is no JSON object"),
    "no hash": (lambda x: [x[0].replace('"hash"', '"hashes"')], "line 1 was changed"),
}


@pytest.mark.parametrize(("breaks", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_chain_is_told(breaks: Callable[[list[str]], list[str]], message: str) -> None:
    """The first line that is not as it was written is named."""
    with pytest.raises(auditing.BrokenChainError, match=message):
        auditing.verify(breaks(list(LINES)))


def test_values_stay_in_the_cluster() -> None:
    """Of a patch its paths and a hash are told; what looks like a credential is hashed."""
    patch = ({"op": "add", "path": "/data/password", "value": "hunter2"},)
    told = record(
        effects=[builders.effect(patch=patch)],
        message="sent with token=abc123def to https://ada:s3cret@shop.example",
        run={"state": "Failed", "log": "PASSWORD=hunter2"},
    )

    (line,), _ = auditing.export([told], EMPTY)

    assert [] == [secret for secret in ("hunter2", "abc123def", "s3cret") if secret in line]
    (effect,) = json.loads(line)["spec"]["effects"]
    assert ["add /data/password"] == effect["patch"]["operations"]
