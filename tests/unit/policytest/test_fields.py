"""Times and targets as test files write them."""

from __future__ import annotations

import pydantic
import pytest

from prunella.core import model
from prunella.policytest import fields

OFFSETS = pydantic.TypeAdapter(fields.Offset)
TARGETS = pydantic.TypeAdapter(fields.TargetName)
TIMES = {"90s": 90.0, "1h30m": 5400.0, "-20m": -1200.0, "0s": 0.0, 0: 0.0}
NO_TIMES = {
    "a number": 90,
    "nothing": "",
    "a sign alone": "-",
    "words": "soon",
    "two signs": "--5m",
}


@pytest.mark.parametrize("text", TIMES)
def test_times_are_seconds_from_the_start(text: object) -> None:
    """A minus is before the start."""
    assert TIMES[text] == OFFSETS.validate_python(text)  # type: ignore[index]


@pytest.mark.parametrize("value", NO_TIMES.values(), ids=NO_TIMES.keys())
def test_other_times_are_refused(value: object) -> None:
    """The message shows what a time looks like."""
    with pytest.raises(pydantic.ValidationError, match="90s, 1h30m or -20m"):
        OFFSETS.validate_python(value)


def test_seconds_are_shown_as_they_are_written() -> None:
    """What is shown can be written back."""
    shown = [fields.clock_time(seconds) for seconds in (90, 5400, -1200, 0)]

    assert ["1m30s", "1h30m", "-20m", "0s"] == shown


NAMES = {
    "checkout": ("Deployment", "checkout"),
    "StatefulSet/db": ("StatefulSet", "db"),
    "DaemonSet/agent.x": ("DaemonSet", "agent.x"),
}


@pytest.mark.parametrize("name", NAMES)
def test_targets_are_deployments_unless_they_say_so(name: str) -> None:
    """A name alone is a Deployment's."""
    kind, plain = NAMES[name]
    assert model.Ref(kind, "shop", plain) == fields.ref(TARGETS.validate_python(name), "shop")


@pytest.mark.parametrize("value", ["Job/x", "Deployment/", "A b", 5, "x/y/z"])
def test_other_targets_are_refused(value: object) -> None:
    """Only workloads that can be acted on are targets."""
    with pytest.raises(pydantic.ValidationError, match="Deployment/checkout"):
        TARGETS.validate_python(value)
