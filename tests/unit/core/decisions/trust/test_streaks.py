"""When a bad streak demotes a policy, and that only a person ends it."""

from __future__ import annotations

import pytest

from prunella.api import trust
from prunella.core.decisions.trust import streaks
from tests.unit.core.builders import KEY, NOW, minutes

LIMITS = streaks.Limits(bad=3, of=5, rejections=3)
WORDS = {"+": "Effective", "-": "NotBetter", "?": "Unsettled", "y": "Approved", "n": "Rejected"}


def recent(signs: str) -> list[trust.Judged]:
    """One action a minute, the last one a minute ago."""
    return [
        trust.Judged(
            at=NOW - minutes(len(signs) - number), remediation=f"r{number}", outcome=WORDS[sign]
        )
        for number, sign in enumerate(signs)
    ]


CASES = {
    "nothing": ("", ""),
    "two bad": ("--", ""),
    "three bad": ("---", "3 of the last 3 actions did not help (at last r0, r1, r2)"),
    "helped between": ("-+-+-", "3 of the last 5 actions did not help (at last r0, r2, r4)"),
    "too long ago": ("-+-+--"[::-1] + "++", ""),
    "nobody knows counts as bad": ("?-+?", "3 of the last 4 actions did not help"),
    "what people say is no action": ("-yn-y", ""),
    "three rejections": ("+nnn", "3 proposals in a row were rejected (r3, r2, r1)"),
    "an approval between": ("nnyn", ""),
    "an action between": ("nn+n", ""),
}


@pytest.mark.parametrize(("signs", "expected"), CASES.values(), ids=CASES)
def test_a_bad_streak_demotes(signs: str, expected: str) -> None:
    """The numbers that were compared are told, with how to go on."""
    found = streaks.demotion(None, recent(signs), KEY, None, LIMITS, NOW)

    if not expected:
        assert found is None
        return
    assert found is not None
    assert found.message.startswith(expected)
    assert "the limit is 3" in found.message
    resume = f"it acts as Advise until `prunella resume {KEY.name} -n {KEY.namespace}`"
    assert found.message.endswith(resume)
    assert NOW == found.since


def test_only_a_person_ends_it() -> None:
    """Later successes do not; a resume does, and what was before it counts no more."""
    held = trust.Demotion(since=NOW - minutes(2), message="3 of the last 3")
    told = recent("---+++")

    assert held == streaks.demotion(held, told, KEY, None, LIMITS, NOW)
    early = streaks.demotion(held, told, KEY, NOW - minutes(3), LIMITS, NOW)
    assert held == early
    assert None is streaks.demotion(held, told, KEY, NOW - minutes(1), LIMITS, NOW)


def test_after_a_resume_a_new_streak_demotes_again() -> None:
    """A person's word holds for what was, not for what comes."""
    held = trust.Demotion(since=NOW - minutes(9), message="3 of the last 3")
    found = streaks.demotion(held, recent("---"), KEY, NOW - minutes(8), LIMITS, NOW)

    assert found is not None
    assert NOW == found.since
