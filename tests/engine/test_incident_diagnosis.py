"""Which incidents are looked at when there are more than can be looked at in one round."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
from collections.abc import Callable, Collection, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from prunella.api.incident import Confidence
from prunella.api.reasons import Phase
from prunella.core import model, objects
from prunella.core.incidents import values
from prunella.core.incidents.diagnosis.values import Diagnosis, View
from prunella.engine import incident_diagnosis, incident_world
from tests.unit.core import builders

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


class Surroundings:
    """Views of namespaces that are there at once; a look at ``broken`` fails."""

    def __init__(self, broken: str = "") -> None:
        self.looks: list[str] = []
        self._broken = broken

    async def view(self, namespaces: Collection[str], now: datetime.datetime) -> View:
        """Look, and remember where."""
        (namespace,) = namespaces
        self.looks.append(namespace)
        if namespace == self._broken:
            raise RuntimeError("the view broke")
        return View(now.timestamp())


def _incident(name: str, last: float = 0.0) -> values.Incident:
    return values.Incident(name, values.State.OPEN, 0.0, last, (), ())


def _nothing(*_: Any) -> Diagnosis:
    return Diagnosis()


def _diagnoser(
    surroundings: Surroundings, diagnose: Callable[..., Diagnosis] = _nothing
) -> incident_diagnosis.Diagnoser:
    world = SimpleNamespace(
        surroundings=surroundings,
        diagnose=diagnose,
        clock=SimpleNamespace(sleep=asyncio.sleep),
        telemetry=SimpleNamespace(count=lambda *_: None),
    )
    return incident_diagnosis.Diagnoser(cast(incident_world.World, cast(Any, world)))


async def _look(
    diagnoser: incident_diagnosis.Diagnoser,
    incidents: Sequence[values.Incident],
    now: datetime.datetime,
) -> None:
    spaces: dict[str, Collection[str]] = {each.id: (each.id,) for each in incidents}
    await diagnoser.look(incidents, (), spaces, now)


async def test_new_incident_does_not_wait_behind_those_whose_names_come_first() -> None:
    """With many old incidents due again, the one that was never looked at is looked at now."""
    surroundings = Surroundings()
    diagnoser = _diagnoser(surroundings)
    old = [_incident(f"a{number}") for number in range(incident_diagnosis.MOST_VIEWS)]
    await _look(diagnoser, old, NOW)
    surroundings.looks.clear()

    await _look(diagnoser, [*old, _incident("z")], NOW + 2 * MINUTE)

    assert "z" in surroundings.looks
    assert len(surroundings.looks) == incident_diagnosis.MOST_VIEWS


async def test_every_incident_has_its_turn() -> None:
    """Those that had to wait come first in the next round."""
    surroundings = Surroundings()
    diagnoser = _diagnoser(surroundings)
    many = [_incident(f"n{number:02d}") for number in range(3 * incident_diagnosis.MOST_VIEWS)]

    for round_ in range(3):
        await _look(diagnoser, many, NOW + round_ * MINUTE / 10)

    assert {each.id for each in many} == set(surroundings.looks)


async def test_look_that_fails_does_not_cost_the_others_theirs() -> None:
    """One view raises; the other incident is judged in the same round."""
    diagnoser = _diagnoser(Surroundings(broken="bad"))

    await _look(diagnoser, [_incident("bad"), _incident("good")], NOW)

    assert diagnoser.looked["good"].found == Diagnosis()
    assert diagnoser.looked["bad"].at is None


async def test_an_incident_is_diagnosed_with_what_the_others_say_is_sick() -> None:
    """A rack is told by shares of all that is sick, and alerts of it may be several incidents."""
    seen: list[View] = []

    def diagnose(view: View, *_: Any) -> Diagnosis:
        seen.append(view)
        return Diagnosis()

    diagnoser = _diagnoser(Surroundings(), diagnose)
    cart, store = (model.Ref("Deployment", "shop", name) for name in ("cart", "store"))
    members = [values.Member(ref, "Sick", at, 1, 1) for ref, at in ((cart, 7.0), (store, 9.0))]
    found = [
        dataclasses.replace(_incident(name), members=(member,))
        for name, member in zip("ab", members, strict=True)
    ]
    await _look(diagnoser, found, NOW)
    assert [{cart: 7.0, store: 9.0}] * 2 == [view.sick for view in seen]


def _record(phase: Phase, action: str = "restore", ago: float = 90, ended: float = 30) -> Any:
    """A record for the incident ``a``."""
    made = builders.record(
        f"r-{ago}",
        phase,
        action=action,
        ago=builders.seconds(ago),
        finished_ago=builders.seconds(ended),
    )
    return dataclasses.replace(made, spec=made.spec.model_copy(update={"incident": "a"}))


TREATED = [
    pytest.param([_record(Phase.VERIFYING)], True, True, id="under-way"),
    pytest.param([_record(Phase.PENDING)], True, True, id="decided"),
    pytest.param([_record(Phase.SUCCEEDED)], True, True, id="just-healed"),
    pytest.param([_record(Phase.SUCCEEDED, ended=61)], True, False, id="healed-and-still-firing"),
    pytest.param([_record(Phase.SUCCEEDED, ended=61)], False, True, id="healed-and-over"),
    pytest.param([_record(Phase.UNHELPFUL)], True, False, id="in-vain"),
    pytest.param([_record(Phase.SUCCEEDED, "revert")], True, False, id="undone"),
    pytest.param([_record(Phase.ADVISED)], True, False, id="only-advised"),
    pytest.param(
        [_record(Phase.SUCCEEDED, ago=80), _record(Phase.UNHELPFUL, ago=70)],
        True,
        False,
        id="the-newest-counts",
    ),
    pytest.param([], True, False, id="nothing-was-done"),
]


@pytest.mark.parametrize(("records", "firing", "expected"), TREATED)
def test_whose_cause_is_treated(
    records: list[objects.Record], firing: bool, expected: bool
) -> None:
    """Its suspects stay: what is repaired already would be found innocent."""
    where = model.Ref("Deployment", "shop", "checkout")
    member = values.Member(where, "errors", 0.0, 1, int(firing))
    incident = dataclasses.replace(_incident("a"), members=(member,))
    found = incident_diagnosis.treated([incident], records, builders.NOW, {})
    assert ({"a"} if expected else set()) == found


@pytest.mark.parametrize(
    ("suspect", "onset", "expected"),
    [
        pytest.param("checkout", -95, {"a", "b"}, id="the same cause"),
        pytest.param("cart", -95, {"a"}, id="another cause"),
        pytest.param("checkout", -60, {"a"}, id="begun after it was treated"),
    ],
)
def test_another_incident_of_the_same_cause_is_treated_as_well(
    suspect: str, onset: float, expected: set[str]
) -> None:
    """A record names one incident; what it writes may be the first suspect of another."""
    at = builders.NOW.timestamp() + onset
    member = values.Member(builders.workload().ref, "errors", at, 1, 1)
    found = [dataclasses.replace(_incident(n), onset=at, members=(member,)) for n in "ab"]
    cause = values.Suspect(model.Ref("Deployment", "shop", suspect), 0.9, ())
    looked = {"b": incident_diagnosis.Looked(builders.NOW, found=Diagnosis((cause,)))}
    records = [_record(Phase.VERIFYING)]
    assert expected == incident_diagnosis.treated(found, records, builders.NOW, looked)


async def test_what_is_treated_is_not_looked_at_again() -> None:
    """But once it is, so that an operator that was started anew has something to tell."""
    surroundings = Surroundings()
    diagnoser = _diagnoser(surroundings)
    spaces: dict[str, Collection[str]] = {"a": ("a",)}
    for minute in range(2):
        now = NOW + minute * 2 * MINUTE
        await diagnoser.look([_incident("a")], (), spaces, now, treated=lambda: {"a"})
    assert ["a"] == surroundings.looks


CART = model.Ref("Deployment", "shop", "cart")
LEADS = [
    pytest.param([(0, "a")], True, Confidence.MEDIUM, id="new"),
    pytest.param([(0, "a"), (10, "a")], True, Confidence.MEDIUM, id="seen-twice"),
    pytest.param([(0, "a"), (10, "a"), (25, "a")], True, Confidence.HIGH, id="steady"),
    pytest.param([(0, "a"), (10, "a"), (24, "a")], True, Confidence.MEDIUM, id="too-short"),
    pytest.param([(0, "a"), (10, "b"), (25, "b")], True, Confidence.MEDIUM, id="another-change"),
    pytest.param([(0, "a"), (8, ""), (26, "a")], True, Confidence.MEDIUM, id="lost-between"),
    pytest.param([(0, "a")], False, Confidence.HIGH, id="a-fault-that-is-seen"),
]


@pytest.mark.parametrize(("looks", "near", "expected"), LEADS)
def test_a_change_near_in_time_is_sure_when_it_has_led_for_a_while(
    looks: list[tuple[float, str]], near: bool, expected: Confidence
) -> None:
    """Errors may begin with a change by chance."""
    looked = incident_diagnosis.Looked(NOW)
    found = Diagnosis()
    for seconds, change in looks:
        lead = values.Suspect(CART, 0.9, confidence=Confidence.HIGH, change=change, near=near)
        named = Diagnosis((lead,) if change else ())
        found = looked.steadied(named, NOW + datetime.timedelta(seconds=seconds))
    assert [expected] == [each.confidence for each in found.suspects]
