"""When a pass can't be left out, because a refusal may end by time."""

from __future__ import annotations

import datetime

import pytest

from prunella.api import reasons
from prunella.backtest import skipped_passes
from prunella.core import model
from prunella.core.decisions import rules
from tests.engine import recorded

NOW = datetime.datetime(2026, 1, 5, 9, 10, 30, tzinfo=datetime.UTC)
SOON, LATER = NOW + datetime.timedelta(minutes=5), NOW + datetime.timedelta(minutes=9)
Refused = reasons.Refused


def _refusal(reason: Refused, until: datetime.datetime | None = None) -> model.Refusal:
    return model.Refusal(reason, "so it is", until=until)


CASES = {
    "nothing is refused": ([None], None),
    "it tells its end": ([_refusal(Refused.BACKOFF, SOON)], SOON),
    "the first end of two": (
        [_refusal(Refused.STORM, LATER), _refusal(Refused.BACKOFF, SOON)],
        SOON,
    ),
    "its end is seen ahead": ([_refusal(Refused.TOO_MANY_UNKNOWN)], None),
    "no end is known": ([_refusal(Refused.ERROR_BUDGET), _refusal(Refused.BACKOFF, SOON)], NOW),
    "seen ahead, and told": ([_refusal(Refused.NOT_HELD, SOON)], SOON),
}


@pytest.mark.parametrize(("refusals", "expected"), CASES.values(), ids=CASES)
def test_a_refusal_is_looked_at_again_when_it_may_end(
    refusals: list[model.Refusal | None], expected: datetime.datetime | None
) -> None:
    """Given refusals, then the next look is at the first end, or at once where none is known."""
    assert expected == skipped_passes.look_again(refusals, NOW)


ALLOW = {"allow": [{"cron": "0 9 * * *", "duration": "1h"}]}
BUDGET = {"errorBudget": {"query": "bad", "objective": 99.9}}
CHANGES = {
    "neither": ({}, None),
    "a window closes": ({"windows": ALLOW}, NOW.replace(hour=10, minute=0, second=0)),
    "an error budget may be spent": ({"guards": BUDGET}, NOW),
}


@pytest.mark.parametrize(("changes", "expected"), CHANGES.values(), ids=CHANGES)
def test_what_passes_is_looked_at_again_when_it_may_be_refused(
    changes: dict[str, object], expected: datetime.datetime | None
) -> None:
    """Given what may turn against a case by time, then that moment is known."""
    spec = recorded.spec(recorded.threshold(), **changes)

    assert expected == skipped_passes.next_change(spec, rules.Rules(), NOW)
