"""A refusal that ends by time tells when: just before it stands, and from then on it does not."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from prunella.api import reasons
from prunella.api import windows as windows_api
from prunella.core import model, objects
from prunella.core.decisions import guards
from prunella.core.decisions.guards import backoff, storms, timing, windows
from prunella.core.decisions.rules import Rules
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes, record

DENY = windows_api.Windows.model_validate({"deny": [{"cron": "55 8 * * *", "duration": "9m"}]})
RESUMED = builders.policy(
    annotations={objects.RESUMED: f"{(NOW - minutes(0.5)).isoformat()} by me"}
)


@pytest.mark.parametrize(
    ("guard", "case", "expected"),
    [
        pytest.param(
            backoff.backed_off,
            builders.case(records=[record("f", reasons.Phase.UNHELPFUL, ago=minutes(15))]),
            NOW + minutes(5),
            id="a cooldown that has doubled",
        ),
        pytest.param(
            storms.calm_after_a_storm,
            builders.case(records=[record(f"r{n}", ago=minutes(5)) for n in range(4)]),
            NOW + minutes(10),
            id="a storm",
        ),
        pytest.param(
            windows.within_windows,
            builders.case(rules=Rules(windows=DENY)),
            NOW + minutes(4),
            id="a window",
        ),
        pytest.param(
            timing.held_for_long_enough,
            builders.case(held_since=NOW - minutes(0.25)),
            NOW + minutes(0.75),
            id="not held for long enough",
        ),
        pytest.param(
            timing.held_for_long_enough,
            builders.case(of=RESUMED),
            NOW + minutes(0.5),
            id="held anew since a person resumed it",
        ),
    ],
)
def test_a_refusal_stands_until_the_end_that_it_tells(
    guard: guards.Guard, case: guards.Case, expected: datetime.datetime
) -> None:
    """Given a refusal by time, then it tells its end, and that is when the case passes."""
    refused = guard(case)
    before = dataclasses.replace(case, now=expected - datetime.timedelta(seconds=1))

    assert isinstance(refused, model.Refusal)
    assert expected == refused.until
    assert isinstance(guard(before), model.Refusal)
    assert isinstance(guard(dataclasses.replace(case, now=expected)), str)
