"""From alerts to incident objects: storms, restarts, merges, reopening, mirrors, people."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from prunella import ports
from prunella.adapters.simulated import faults
from prunella.api import incident as incident_api
from prunella.core import model
from prunella.core.decisions import causes
from prunella.core.incidents import words
from prunella.engine import incident_world
from tests.engine.incident_stage import (
    CART,
    CHECKOUT,
    DB,
    FRONT,
    HOME,
    MAIL,
    Stage,
    suspect,
    telling,
)

State = incident_api.State
QUIET = 900.0
REVIEW = 120.0


@pytest.fixture(autouse=True)
def _no_round_may_fail(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The loop's one guard keeps it running after an error of its own; here that is a failure."""
    yield
    assert [] == [each.getMessage() for each in caplog.records if each.exc_info]


def pods(stage: Stage, target: model.Ref, count: int, name: str = "PodNotReady") -> None:
    """Alerts of pods of a workload."""
    for number in range(count):
        stage.alerts.fire(target, name, pod=f"{target.name}-{number}")


async def test_alerts_become_one_object_where_it_is_sick() -> None:
    """Two services of one namespace fall sick: one incident there, with members and a cause."""
    async with telling() as stage:
        stage.around.suspects = (suspect(CART),)
        stage.alerts.fire(CART)
        await stage.run(6)
        pods(stage, CHECKOUT, 3)
        await stage.run(10)
        found = stage.only()
        status = found.status
        assert ("core", State.OPEN, 4, 2) == (
            found.namespace,
            status.state,
            status.alerts,
            status.objects,
        )
        assert [("cart", 1, 1), ("checkout", 3, 3)] == [
            (each.object.name, each.count, each.firing) for each in status.members
        ]
        assert ("Deployment/cart image", "HighErrorRate on Deployment/cart") == (
            status.suspect,
            status.members[0].message,
        )
        assert "HighErrorRate, PodNotReady on Deployment/cart and 1 more in core (4 alerts)" == (
            status.title
        )
        assert {"opened", "HighErrorRate on Deployment/cart"} == {
            each.message for each in status.timeline[:2]
        }
        assert all(each.why for each in status.members)
        assert [("Diagnosed", "True", "Release")] == [
            (each.type, each.status, each.reason) for each in status.conditions
        ]


async def test_a_cause_is_named_within_two_rounds() -> None:
    """From the alert's arrival to a named cause it takes a round at most."""
    async with telling() as stage:
        stage.around.suspects = (suspect(CART),)
        await stage.run(7)
        alert = stage.alerts.fire(CART)
        await stage.run(5)
        named = stage.only().status.named_at
        assert named is not None
        assert named.timestamp() - alert.starts_at <= 5


async def test_a_storm_writes_few_objects() -> None:
    """5,000 alerts in two minutes: a few writes in each round, one object of bounded size."""
    async with telling() as stage:
        rounds = 24
        for number in range(rounds):
            for target in (CART, CHECKOUT):
                pods(stage, target, 104, f"Alert{number}")
            await stage.run(5)
        await stage.run(5)
        found = stage.only()
        assert 2 * 104 * rounds == found.status.alerts
        assert stage.server.writes <= rounds + 4
        assert len(found.status.model_dump_json()) < 100_000


async def test_nothing_is_written_that_has_not_changed() -> None:
    """An incident in which nothing happens costs no write."""
    async with telling() as stage:
        stage.alerts.fire(CART)
        await stage.run(60)
        before = stage.server.writes
        await stage.run(600)
        assert before == stage.server.writes


async def test_a_restart_in_a_storm_doubles_nothing_and_loses_nothing() -> None:
    """Killed while alerts pour in; those that came meanwhile are counted once."""
    async with telling() as stage:
        stage.around.suspects, stage.around.about = (suspect(CART),), (CART, CHECKOUT)
        pods(stage, CART, 50)
        pods(stage, CHECKOUT, 50)
        stage.alerts.fire(MAIL)
        await stage.run(8)
        before = {each.name: each.status.alerts for each in stage.objects()}
        stage.kill()
        pods(stage, CHECKOUT, 20, "HighLatency")
        await stage.run(60)
        stage.start()
        await stage.run(20)
        after = {each.name: each.status.alerts for each in stage.objects()}
        assert sorted(before.values()) == [1, 100]
        assert {name: 120 if count == 100 else 1 for name, count in before.items()} == after


@pytest.mark.parametrize("at", range(1, 13))
async def test_killed_at_any_request_and_started_again(at: int) -> None:
    """Whatever was written or not when it died: one incident, with its mirrors, all counted."""
    async with telling() as stage:
        stage.around.suspects = (suspect(DB),)
        stage.faults.crash_at(at)
        stage.alerts.fire(CART)
        await stage.run(6)
        stage.alerts.fire(FRONT)
        with contextlib.suppress(faults.Crash):
            await stage.run(12)
        stage.kill()
        stage.faults.heal()
        stage.start()
        await stage.run(20)
        found = stage.only()
        assert (HOME, 2) == (found.namespace, found.status.alerts)
        assert ["core", "data", "web"] == sorted(e.namespace for e in stage.objects(mirrors=True))


async def test_it_is_resolved_after_the_quiet_time_and_nothing_attaches() -> None:
    """All alerts end; later another alert of the same object is another incident."""
    async with telling() as stage:
        stage.alerts.fire(CART)
        await stage.run(30)
        stage.alerts.end()
        await stage.run(QUIET + REVIEW)
        first = stage.only()
        assert (State.RESOLVED, 0) == (first.status.state, first.status.members[0].firing)
        assert first.status.resolved_at is not None
        stage.alerts.fire(CART, "AnotherAlert")
        await stage.run(10)
        states = {each.name: each.status.state for each in stage.objects()}
        assert (2, State.RESOLVED) == (len(states), states[first.name])


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_the_same_alert_soon_after_opens_it_again(restarted: bool) -> None:
    """Within ten minutes it is the same incident, also when the operator was started anew."""
    async with telling() as stage:
        stage.alerts.fire(CART)
        await stage.run(30)
        stage.alerts.end()
        await stage.run(QUIET + REVIEW)
        if restarted:
            stage.kill()
            stage.start()
        stage.alerts.fire(CART)
        await stage.run(10)
        status = stage.only().status
        assert (State.OPEN, 1, None) == (status.state, status.reopened, status.resolved_at)
        assert "opened again (1)" in [each.message for each in status.timeline]


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_one_that_is_opened_again_is_judged_anew(restarted: bool) -> None:
    """A release was the cause; then the same alert fires because another Service is gone.

    Until that is found nobody is suspected, so that no policy treats what was the cause before.
    """
    async with telling() as stage:
        stage.around.suspects = (suspect(CART),)
        stage.alerts.fire(CART)
        await stage.run(10)
        said = f"{words.written(CART)} at {stage.clock.now():%Y-%m-%dT%H:%M:%SZ} by ada"
        stage.server.annotate("core", stage.only().name, {words.CONFIRMED: said})
        stage.alerts.end()
        await stage.run(QUIET + REVIEW)
        before = stage.only().status
        assert ("cart", "Confirmed") == (before.suspects[0].object.name, before.suspects[0].mark)
        if restarted:
            stage.kill()
            stage.start()
        stage.around.suspects = (suspect(CHECKOUT, "spec.selector"), suspect(CART, score=0.3))
        stage.around.seconds = 30.0
        stage.alerts.fire(CART)
        await stage.run(20)
        status = stage.only().status
        assert (State.OPEN, [], None) == (status.state, status.suspects, status.named_at)
        assert () == causes.open_incidents(stage.objects())
        stage.around.seconds = 0.0
        await stage.run(60)
        status = stage.only().status
        assert [("checkout", "Suspect"), ("cart", "Suspect")] == [
            (each.object.name, each.mark) for each in status.suspects
        ]
        assert status.named_at is not None
        assert before.resolved_at is not None
        assert status.named_at > before.resolved_at


async def test_one_that_turns_out_to_be_a_part_is_merged() -> None:
    """Two that seemed unrelated have one cause: the older one takes the other in."""
    async with telling() as stage:
        stage.alerts.fire(FRONT, "SlowPage")
        await stage.run(400)
        stage.alerts.fire(DB, "Disk")
        stage.alerts.fire(CART)
        stage.alerts.fire(CHECKOUT)
        await stage.run(20)
        stage.alerts.fire(FRONT)
        await stage.run(300)
        states = {each.status.state: each for each in stage.objects()}
        merged, left = states[State.MERGED], states[State.OPEN]
        assert 2 == len(stage.objects())
        assert (left.name, 5) == (merged.status.merged_into, left.status.alerts)
        assert left.spec.opened_at < merged.spec.opened_at
        assert [] == [
            each.namespace
            for each in stage.objects(mirrors=True)
            if (each.name, each.status.state) != (left.name, State.OPEN)
            and each.status.state is not State.MERGED
        ]


async def test_what_another_operator_keeps_beside_ours_is_left_alone() -> None:
    """Two operators for different namespaces share one of their own: each has its incidents."""
    ours = incident_world.Options(namespaces=frozenset({"core", "web"}))
    async with telling(ours) as stage:
        spec = incident_api.IncidentSpec(opened_at=stage.clock.now())
        made = stage.server.create(HOME, "inc-theirs", spec)
        theirs = incident_api.IncidentStatus(
            title="theirs", started_at=stage.clock.now(), namespaces=["billing"]
        )
        kept = stage.server.update(made, theirs)
        stage.alerts.fire(CART)
        await stage.run(QUIET + 2 * REVIEW)
        assert kept == stage.server.records[HOME, "inc-theirs"]
        assert 2 == len(stage.objects())


async def test_mirrors_show_nothing_of_other_namespaces() -> None:
    """Sick in two namespaces: kept in the operator's, a copy in each without the other's names."""
    async with telling() as stage:
        stage.around.suspects = (
            suspect(DB, summary="StatefulSet/postgres: image v1 -> v2"),
            suspect(CART, summary="Deployment/cart waits for postgres", score=0.1),
        )
        stage.around.ruled_out = ("Deployment/frontend was not changed", "no node is sick")
        stage.alerts.fire(CART)
        stage.alerts.fire(FRONT)
        await stage.run(12)
        main = stage.only()
        assert (HOME, 2, ["core", "web"]) == (
            main.namespace,
            main.status.alerts,
            main.status.namespaces,
        )
        for namespace, hidden in (
            ("core", ("frontend", "postgres", "web", "data")),
            ("web", ("cart", "postgres", "core", "data")),
        ):
            text = stage.mirror(namespace).status.model_dump_json()
            assert set() == set(hidden) & set(re.findall(r"[a-z]+", text))
            assert "outside this namespace" in text
            assert 1 == stage.mirror(namespace).status.alerts
        assert "Deployment/cart" in stage.mirror("core").status.suspects[1].summary
        assert ["no node is sick"] == stage.mirror("core").status.ruled_out
        assert ["Deployment/frontend was not changed", "no node is sick"] == (
            stage.mirror("web").status.ruled_out
        )
        assert "StatefulSet/postgres: image v1 -> v2" == (
            stage.mirror("data").status.suspects[0].summary
        )


async def test_it_moves_when_it_spreads() -> None:
    """First sick in one namespace, then in a second: the object there becomes a mirror."""
    async with telling() as stage:
        stage.alerts.fire(CART)
        await stage.run(10)
        first = stage.only()
        stage.alerts.fire(FRONT)
        await stage.run(15)
        main = stage.only()
        assert ("core", HOME) == (first.namespace, main.namespace)
        assert (first.name, first.spec.opened_at) == (main.name, main.spec.opened_at)
        mirrors = stage.objects(mirrors=True)
        assert ["core", "web"] == sorted(each.namespace for each in mirrors)


TIERS = [
    pytest.param({}, incident_api.Severity.WARNING, id="without a tier it is standard"),
    pytest.param({CART: "critical"}, incident_api.Severity.CRITICAL, id="the highest tier counts"),
    pytest.param({CART: "low", CHECKOUT: "low"}, incident_api.Severity.INFO, id="all low"),
    pytest.param({CART: "low"}, incident_api.Severity.WARNING, id="one low, one without"),
]


@pytest.mark.parametrize(("tiers", "expected"), TIERS)
async def test_severity_is_by_tier(
    tiers: dict[model.Ref, str], expected: incident_api.Severity
) -> None:
    """The label or annotation prunella.dev/tier of what is sick."""
    async with telling() as stage:
        for ref in (CART, CHECKOUT):
            labels = {"prunella.dev/tier": tiers[ref]} if ref in tiers else {}
            stage.cluster.add_workload(ref, "shop/app:v1", annotations=labels)
            stage.alerts.fire(ref)
        await stage.run(10)
        assert expected is stage.only().status.severity


async def test_a_person_confirms_and_rejects() -> None:
    """What a person says by annotation marks the suspects, is counted once, and is kept."""
    async with telling() as stage:
        stage.around.suspects = (suspect(CART), suspect(CHECKOUT, score=0.3))
        stage.alerts.fire(CART)
        await stage.run(10)
        name = stage.only().name
        said = {words.CONFIRMED: f"{words.written(CHECKOUT)} at 2026-01-05T09:01:00Z by ada"}
        said[words.REJECTED] = f"{words.written(CART)} at 2026-01-05T09:01:00Z by ada"
        stage.server.annotate("core", name, said)
        await stage.run(10)
        stage.around.suspects = (suspect(CART),)
        await stage.run(60)
        status = stage.only().status
        assert [("checkout", "Confirmed"), ("cart", "Rejected")] == [
            (each.object.name, each.mark) for each in status.suspects
        ]
        assert "Deployment/checkout image" == status.suspect
        value = stage.telemetry.value
        confirmed = value("prunella_suspects_confirmed_total", place="2", cause_kind="Release")
        assert (1, 1) == (confirmed, value("prunella_suspects_rejected_total"))


async def test_a_word_after_the_end_counts_and_keeps_the_incident() -> None:
    """A review days later: the lesson is kept when the others are deleted."""
    options = incident_world.Options(most_kept=0)
    async with telling(options) as stage:
        stage.around.suspects, stage.around.about = (suspect(CART),), (CART,)
        stage.alerts.fire(CART)
        stage.alerts.fire(MAIL)
        await stage.run(10)
        name = next(each.name for each in stage.objects() if each.namespace == "core")
        stage.server.annotate("core", name, {words.CONFIRMED: f"{words.written(CART)} at T by a"})
        stage.alerts.end()
        await stage.run(QUIET + 200)
        assert [name] == [each.name for each in stage.objects()]


async def test_a_word_on_a_mirror_is_about_its_own_namespace() -> None:
    """Who may write in one namespace decides nothing about the suspects of another."""
    async with telling() as stage:
        stage.around.suspects = (suspect(DB), suspect(CART, score=0.2))
        stage.alerts.fire(CART)
        stage.alerts.fire(FRONT)
        await stage.run(12)
        name = stage.only().name
        said = {words.REJECTED: f"{words.written(DB)},{words.written(CART)} at T by mallory"}
        stage.server.annotate("core", name, said)
        await stage.run(10)
        assert [("postgres", "Suspect"), ("cart", "Rejected")] == [
            (each.object.name, each.mark) for each in stage.only().status.suspects
        ]


async def test_without_rights_in_one_namespace_the_others_are_written() -> None:
    """A write that fails is said, counted, and made again in the next round."""
    async with telling() as stage:
        forbidden = ports.ClusterError("incidents.prunella.dev is forbidden", status=403)
        stage.faults.once(faults.Point.BEFORE_CREATE_INCIDENT, forbidden)
        stage.alerts.fire(CART)
        await stage.run(1)
        assert [] == stage.objects()
        assert 1 == stage.telemetry.value("prunella_incident_errors_total")
        await stage.run(10)
        assert 1 == stage.only().status.alerts


async def test_what_has_the_same_cause_is_one_incident() -> None:
    """Unrelated by topology, but one change is suspected of both: they are told as one."""
    async with telling() as stage:
        stage.around.suspects = (suspect(CHECKOUT),)
        stage.alerts.fire(CART)
        stage.alerts.fire(MAIL)
        await stage.run(300)
        found = stage.only()
        assert (2, ["core", "mail"]) == (found.status.alerts, found.status.namespaces)
        stage.alerts.fire(MAIL, "Later")
        await stage.run(60)
        assert 3 == stage.only().status.alerts


async def test_what_is_only_guessed_keeps_incidents_apart() -> None:
    """A suspect with low confidence is no reason to put things together."""
    async with telling() as stage:
        low = incident_api.Confidence.LOW
        stage.around.suspects = (suspect(CHECKOUT, confidence=low),)
        stage.alerts.fire(CART)
        stage.alerts.fire(MAIL)
        await stage.run(30)
        assert 2 == len(stage.objects())


async def test_an_alert_about_a_namespace_leads_into_it() -> None:
    """A quota that is used up is told of the namespace: its objects say what it was."""
    async with telling() as stage:
        stage.alerts.fire(model.Ref("Namespace", "", "core"), "KubeQuotaFullyUsed")
        await stage.run(6)
        assert {"core"} == stage.around.viewed


async def test_a_slow_look_holds_up_no_alert() -> None:
    """A view takes a minute: the incident is told of, and its cause named when it is there."""
    async with telling() as stage:
        stage.around.suspects, stage.around.seconds = (suspect(CART),), 60.0
        stage.alerts.fire(CART)
        await stage.run(20)
        assert (1, []) == (stage.only().status.alerts, stage.only().status.suspects)
        stage.alerts.fire(CHECKOUT)
        await stage.run(10)
        assert 2 == stage.only().status.alerts
        await stage.run(60)
        assert "Deployment/cart image" == stage.only().status.suspect
