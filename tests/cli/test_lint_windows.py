"""`prunella lint` on windows: what can't be read, and what never opens."""

from __future__ import annotations

import pytest

from tests.cli import test_lint_policies
from tests.cli.test_lint_policies import GOOD

CLOSED = "the operator takes all windows for closed [window]"
NEVER = (
    "warning spec.windows: no action can ever begin: "
    "what is allowed is denied, or nothing ever opens [window-never]"
)
NIGHT = "{cron: 0 22 * * *, duration: 8h, timeZone: Europe/Berlin}"
CASES = {
    "a night": (f"allow: [{NIGHT}]", []),
    "every night but Friday's": (
        f"{{allow: [{NIGHT}], deny: [{{cron: 0 12 * * FRI, duration: 1d}}]}}",
        [],
    ),
    "no such zone": (
        "deny: [{cron: 0 8 * * *, duration: 1h, timeZone: Europe/Berln}]",
        [f"error spec.windows.deny[0]: no data of time zone Europe/Berln: {CLOSED}"],
    ),
    "no such hour": (
        f"allow: [{NIGHT}, {{cron: 0 24 * * *, duration: 1h}}]",
        [f"error spec.windows.allow[1]: cron '0 24 * * *': '24' is no hour: {CLOSED}"],
    ),
    "allowed is denied": (
        f"{{allow: [{NIGHT}], deny: [{NIGHT}]}}",
        [NEVER],
    ),
    "denied all the time": (
        "deny: [{cron: 0 * * * *, duration: 60m}]",
        [NEVER],
    ),
    "of no length": (
        "deny: [{cron: 0 8 * * *, duration: 0h}]",
        [
            (
                "error spec.windows.deny[0].duration: must be days, hours and minutes, at "
                "least 1m, such as 8h or 1d12h, found 0h [schema]"
            )
        ],
    ),
}


@pytest.mark.parametrize(("given", "expected"), CASES.values(), ids=CASES)
def test_windows(given: str, expected: list[str]) -> None:
    """A slip is told at its window; what nobody meant is a warning."""
    text = given if given.startswith("{") else f"{{{given}}}"
    found = test_lint_policies.found(GOOD + f"  windows: {text}\n")
    assert expected == [each.partition(" ")[2] for each in found]
