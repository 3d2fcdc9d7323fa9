"""The operator dies before and after every request of a story of every action, and goes on.

At most one effect for each decision, none on doubt, none over a limit; the ledger is settled, and
in the end the target is healed or a person was called.  The places are counted from the code.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prunella.actions import registry
from prunella.core import model
from tests.faults import crashes, figures, promises, stories, wires

PARTS = 4 if figures.WHOLE else 1
"""A story's deaths are shared out among so many tests."""
PASSED_ON = "passes on to the ledger what another place has asked, under the leader's epoch"
NOT_REACHED: dict[crashes.Site, str] = {
    (f"epochs.EpochLedger.{name}", f"ledger.{name}"): PASSED_ON
    for name in ("create", "delete", "label", "refresh", "update")
}
"""Places at which no story sends a request, each with the reason why that is right."""
_requests: dict[str, list[wires.Request]] = {}


async def requests_of(name: str) -> list[wires.Request]:
    """The requests of a story, told once."""
    if name not in _requests:
        _requests[name] = await crashes.requests_of(name)
    return _requests[name]


async def points(name: str) -> list[crashes.Point]:
    """Where a story's operator is to die."""
    requests = await requests_of(name)
    if figures.WHOLE:
        return crashes.every_point(requests)
    before = list(stories.EVERY)[: list(stories.EVERY).index(name)]
    known = {each.way for told in before for each in await requests_of(told)}
    always = crashes.OF_ACTIONS if name in stories.STORIES else frozenset()
    return crashes.chosen_points(requests, known, always)


def test_every_action_has_its_story() -> None:
    """A new action without a crash schedule fails here: give it a story in `stories.STORIES`."""
    assert set(registry.all_actions()) == set(stories.STORIES)


async def test_every_place_in_the_code_that_asks_is_reached(
    record_property: Callable[[str, object], None],
) -> None:
    """Counted from the code; what is reached by a story is died at, before and after."""
    wanted = crashes.sites()
    reached = {each.site for name in stories.EVERY for each in await requests_of(name)}
    assert set(NOT_REACHED) == wanted - reached
    assert set() == {site for site in reached if site[0]} - wanted, "not found by the counting"
    counts = {
        "actions with a crash schedule": len(stories.STORIES),
        "places in the code that send a request": len(wanted),
        "of these crashed at": len(wanted & reached),
        "of these only passing on": len(NOT_REACHED),
    }
    record_property(figures.PROPERTY, figures.of(**counts))


async def test_every_sort_of_effect_is_in_the_suite() -> None:
    """A new verb without a story fails here."""
    told = [*stories.STORIES, *stories.MORE]
    sent = [each for name in told for each in await requests_of(name) if each.changes]
    of_git = {model.Verb.PUSH for each in sent if each.port == "repositories"}
    verbs = {each.args[0].verb for each in sent if each.port != "repositories"} | of_git
    assert set(model.Verb) == verbs


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", stories.EVERY)
async def test_a_death_at_any_request_breaks_no_promise(
    name: str, part: int, record_property: Callable[[str, object], None]
) -> None:
    """Given a death before or after a request, then one effect for a decision, and a good end."""
    deaths = [await crashes.tell(name, *point) for point in (await points(name))[part::PARTS]]
    counts = {
        "deaths, before or after a request": sum(each.died_at is not None for each in deaths),
        "effects requested": sum(each.effects for each in deaths),
        **dict.fromkeys(promises.KINDS, 0),
    }
    for kind, _ in (broken for each in deaths for broken in each.broken):
        counts[kind] = counts.get(kind, 0) + 1
    record_property(figures.PROPERTY, figures.of(**counts))
    assert [] == [f"{each}: {each.broken}" for each in deaths if each.broken]
    assert [] == [str(each) for each in deaths if not each.over]
