"""What is kept before an action: the end of each part, redacted, and never too much."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from prunella.api import capture, reasons
from prunella.core import model, objects
from prunella.core.outcomes import capturing, runs
from tests.unit.core import builders
from tests.unit.core.builders import NOW

Part = capturing.Part
PENDING = builders.record("R", reasons.Phase.PENDING)


def limits(**changes: Any) -> capture.CapturePolicy:
    """What a policy wants."""
    return capture.CapturePolicy.model_validate({"logs": "Previous", "maxBytes": 4096, **changes})


def test_what_is_kept_comes_back() -> None:
    """Packed and unpacked, with when it was taken and when it is deleted."""
    spec = capturing.pack(PENDING, [Part("a", "one\ntwo"), Part("b")], limits(), NOW)
    assert {"a": "one\ntwo"} == capturing.unpack(spec)
    assert (NOW, NOW + datetime.timedelta(days=1)) == (spec.taken_at, spec.expires_at)
    assert [("a", 7, False), ("b", 0, False)] == [(p.name, p.bytes, p.cut) for p in spec.parts]


def test_the_end_of_what_is_too_long_is_kept() -> None:
    """The short part whole, the long ones share the rest; all together within the limit."""
    long = "\n".join(f"line {number}" for number in range(2000))
    parts = [Part("long", long), Part("short", "x"), Part("other", long)]
    spec = capturing.pack(PENDING, parts, limits(), NOW)
    kept = capturing.unpack(spec)
    assert "x" == kept["short"]
    assert all(kept[name].endswith("line 1999") for name in ("long", "other"))
    assert 4096 >= sum(len(text.encode()) for text in kept.values()) > 4000
    assert [True, False, True] == [part.cut for part in spec.parts]


def test_no_more_is_looked_through_than_may_be_kept_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given far more than fits, then the rest is cut before credentials are looked for."""
    seen: list[str] = []

    def look_through(line: str) -> str:
        seen.append(line)
        return line

    monkeypatch.setattr(runs, "redacted", look_through)
    parts = [Part(name, "a line of text\n" * 50_000) for name in "abcd"]
    spec = capturing.pack(PENDING, parts, limits(), NOW)
    assert sum(len(line) + 1 for line in seen) <= 2 * 4096
    assert [True] * 4 == [part.cut for part in spec.parts]
    assert sum(part.bytes for part in spec.parts) > 4000


def test_no_half_of_a_credential_is_kept() -> None:
    """Given a cut through a line that names a credential, then all of the line goes."""
    line = f"password={'x' * 3000} ok\n"
    spec = capturing.pack(PENDING, [Part("a", line * 20)], limits(), NOW)
    kept = capturing.unpack(spec)["a"]
    assert {"password=[redacted] ok"} == set(kept.splitlines())
    assert spec.parts[0].cut


def test_a_character_is_not_cut_in_two() -> None:
    """What is kept is text: half of a character is left out."""
    spec = capturing.pack(PENDING, [Part("a", "é" * 4001), Part("b", "x")], limits(), NOW)
    assert {"é"} == set(capturing.unpack(spec)["a"])


def test_credentials_are_not_kept() -> None:
    """Not in a text and not in the reason why there is none."""
    parts = [Part("a", "password=hunter2 ok"), Part("b", problem="token: abcdef1234")]
    spec = capturing.pack(PENDING, parts, limits(), NOW)
    assert {"a": "password=[redacted] ok"} == capturing.unpack(spec)
    assert "token: [redacted]" == spec.parts[1].problem


def test_the_record_tells_what_there_is() -> None:
    """How much of what, until when, and what could not be had."""
    parts = [Part("a", "1234"), Part("b", problem="forbidden")]
    spec = capturing.pack(PENDING, parts, limits(keep="1h"), NOW)
    until = f"{NOW + datetime.timedelta(hours=1):%FT%TZ}"
    assert f"kept 1 parts, 4 bytes, until {until}; without b: forbidden" == capturing.told(spec)


def test_what_can_not_be_unpacked_says_so() -> None:
    """Not a traceback of a library's."""
    spec = capturing.pack(PENDING, [], limits(), NOW)
    broken = spec.model_copy(update={"content": "aGVsbG8="})
    with pytest.raises(ValueError, match="header check"):
        capturing.unpack(broken)


PODS = (
    model.Pod("a", "1"),
    model.Pod("b", "2", ready=False),
    model.Pod("c", "3"),
)


@pytest.mark.parametrize(
    ("evicted", "most", "expected"),
    [((), 2, ["b", "a"]), (("c",), 2, ["c", "b"]), ((), 9, ["b", "a", "c"])],
    ids=["not ready first", "evicted first", "all"],
)
def test_the_worst_pods_are_looked_at(
    evicted: tuple[str, ...], most: int, expected: list[str]
) -> None:
    """Those that go, then those that are not ready, then by name."""
    assert expected == capturing.worst(PODS, evicted, most)


def taken(record: objects.Record) -> objects.Record:
    """A record that says what was kept."""
    status = record.status.model_copy(update={"capture": "kept 1 parts"})
    return dataclasses.replace(record, status=status)


POLICY = builders.policy(capture={"logs": "Current"})
WANTED = {
    "as the policy says": (PENDING, POLICY, True),
    "not without a word": (PENDING, builders.policy(), False),
    "not twice": (taken(PENDING), POLICY, False),
    "not before an undoing": (builders.record("R", action="revert"), POLICY, False),
}


OWN = {"logs": "Previous"}
STEPS = (
    pytest.param([{"restart": {}, "capture": OWN}], {}, 0, "Previous", id="the step's own"),
    pytest.param(
        [{"restart": {}, "capture": OWN}],
        {"capture": {"logs": "Current"}},
        0,
        "Previous",
        id="in place of the policy's",
    ),
    pytest.param(
        [{"restart": {}, "capture": OWN}, {"scale": {"by": 1, "max": 9}}],
        {"capture": {"logs": "Current"}},
        1,
        "Current",
        id="of another step",
    ),
    pytest.param([{"restart": {}, "capture": OWN}], {}, 3, None, id="of a step that is gone"),
)


@pytest.mark.parametrize(("steps", "more", "number", "expected"), STEPS)
def test_a_step_may_want_its_own(
    steps: list[dict[str, Any]], more: dict[str, Any], number: int, expected: str | None
) -> None:
    """What one step destroys another leaves."""
    spec = PENDING.spec.model_copy(update={"step": number})
    policy = builders.policy(steps=steps, **more)
    found = capturing.wanted(dataclasses.replace(PENDING, spec=spec), policy)
    assert expected == (found.logs if found is not None else None)


@pytest.mark.parametrize(("record", "policy", "expected"), WANTED.values(), ids=WANTED)
def test_it_is_taken_once(
    record: objects.Record, policy: objects.Policy, *, expected: bool
) -> None:
    """Before an action that the policy wants it for."""
    assert expected is (capturing.wanted(record, policy) is not None)
