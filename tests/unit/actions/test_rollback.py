"""rollback: which revision, why, and the patch."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from prunella.actions import restart, rollback
from prunella.api import reasons
from prunella.core import model
from tests.unit.actions import manifests
from tests.unit.core.builders import HEALTHY, NOW, UNHEALTHY, UNKNOWN, minutes, seconds

Refused = reasons.Refused
REF = manifests.workload(manifests.deployment()).ref
RESTARTED = {restart.RESTARTED_AT: "2026-01-05T08:58:00Z"}


def history(*rows: tuple[int, float, str]) -> list[model.Revision]:
    """Revisions as (number, minutes ago, image); the last one is the current one.

    An image such as ``3+restart`` is that release, restarted.
    """
    listed = []
    for number, ago, image in rows:
        release, _, restarted = image.partition("+")
        manifest = manifests.deployment(release, RESTARTED if restarted else None)
        current = number == rows[-1][0]
        listed.append(manifests.revision(number, ago, manifest, current=current))
    return listed


def plan(
    revisions: Sequence[model.Revision],
    verdicts: Mapping[datetime.datetime, model.Verdict] | None = None,
    **params: Any,
) -> object:
    """What is planned for a workload at the current revision."""
    template = next((r.template for r in revisions if r.current), {})
    workload = manifests.workload(manifests.deployment(), template=template)
    live_state = model.LiveState(workload, revisions=tuple(revisions))
    request = manifests.request(live_state, {"rollback": params}, verdicts_at=verdicts or {})
    return rollback.Rollback().plan(request)


def before(minutes_ago: float) -> datetime.datetime:
    """The moment before a revision that was created so long ago."""
    return NOW - minutes(minutes_ago) - seconds(1)


def conversation(
    revisions: Sequence[model.Revision], answers: Mapping[datetime.datetime, model.Verdict]
) -> tuple[list[datetime.datetime], object]:
    """Ask and answer, as the engine does: the moments in order, and the end of it."""
    known: dict[datetime.datetime, model.Verdict] = {}
    asked: list[datetime.datetime] = []
    while True:
        found = plan(revisions, known)
        if not isinstance(found, tuple):
            return asked, found
        (need,) = found
        assert (need.kind, need.target) == (model.NeedKind.VERDICT_AT, REF)
        assert need.at not in known, "asked twice"
        asked.append(need.at)
        known[need.at] = answers.get(need.at, UNKNOWN)


def image(effect: model.Effect) -> str:
    """The release that an effect goes to, on a manifest of the release in trouble."""
    after = manifests.applied(manifests.deployment("bad"), effect.patch)
    name: str = after["spec"]["template"]["spec"]["containers"][0]["image"]
    return name.rpartition(":")[2]


THREE = ((1, 300, "1"), (2, 60, "2"), (3, 5, "3"))
CHOICES: dict[str, tuple[tuple[Any, ...], dict[float, model.Verdict], list[float], str]] = {
    # revisions, verdicts before the revision so many minutes old, moments asked, release chosen
    "the one before": (THREE, {5: HEALTHY}, [5], "2"),
    "the one before that": (THREE, {5: UNHEALTHY, 60: HEALTHY}, [5, 60], "1"),
    "unknown is not healthy": (THREE, {5: UNKNOWN, 60: HEALTHY}, [5, 60], "1"),
    "none was healthy": (THREE, {5: UNHEALTHY, 60: UNHEALTHY}, [5, 60], ""),
    "no answer at all": (THREE, {}, [5, 60], ""),
    "no earlier revision": (((3, 5, "3"),), {}, [], ""),
    "same template skipped": (
        ((1, 300, "1"), (2, 60, "3"), (3, 5, "3")),
        {5: HEALTHY, 60: HEALTHY},
        [60],
        "1",
    ),
    "a restart is no release": (
        ((1, 300, "1"), (2, 60, "3"), (3, 5, "3+restart")),
        {5: HEALTHY, 60: HEALTHY},
        [60],
        "1",
    ),
    "a reused revision is chosen by its last time": (
        ((2, 200, "bad"), (3, 300, "1"), (4, 5, "3")),
        {5: HEALTHY},
        [5],
        "1",
    ),
    "the successor is older: not judged": (
        ((2, 200, "bad"), (3, 300, "1"), (4, 5, "3")),
        {5: UNHEALTHY, 300: HEALTHY},
        [5],
        "",
    ),
    "a number is missing: not judged": (
        # 2 became 4 when it was returned to; before 3 came, 2 was running and not 1
        ((1, 300, "1"), (3, 60, "bad"), (4, 200, "2"), (5, 5, "3")),
        {5: UNHEALTHY, 60: HEALTHY},
        [5],
        "",
    ),
    "not further than five back": (
        tuple((n, 100 - n, str(n)) for n in range(1, 9)),
        {98: HEALTHY},
        [92, 93, 94, 95, 96],
        "",
    ),
}


@pytest.mark.parametrize(("rows", "verdicts", "moments", "release"), CHOICES.values(), ids=CHOICES)
def test_the_newest_revision_that_was_seen_healthy(
    rows: tuple[Any, ...], verdicts: dict[float, model.Verdict], moments: list[float], release: str
) -> None:
    """Each is asked about at the moment before its successor, newest first, until one was."""
    answers = {before(ago): verdict for ago, verdict in verdicts.items()}
    asked, end = conversation(history(*rows), answers)
    assert [before(ago) for ago in moments] == asked
    if not release:
        assert isinstance(end, model.Refusal)
        assert Refused.NO_KNOWN_GOOD_REVISION is end.reason
        return
    assert release == image(manifests.planned(end))


def test_the_patch_puts_back_the_whole_template_and_nothing_else() -> None:
    """Labels, annotations and spec of the pods as they were; replicas stay."""
    now = manifests.deployment("3", {"team": "new"})
    revisions = history(*THREE)
    effect = manifests.kept(manifests.planned(plan(revisions, {before(5): HEALTHY})))
    after = manifests.applied(now, effect.patch)
    assert manifests.deployment("2") == after


def test_a_rollback_has_no_inverse_and_tells_the_way_forward() -> None:
    """It is never undone by itself; a person finds the command."""
    effect = manifests.planned(plan(history(*THREE), {before(5): HEALTHY}))
    assert effect.inverse == ()
    assert effect.summary == (
        "roll Deployment/checkout back from revision 3 to 2 (Healthy at 2026-01-05T08:54:59Z); "
        "forward again: kubectl rollout undo deployment/checkout -n shop --to-revision=3"
    )


def test_a_refusal_tells_what_was_seen_of_each() -> None:
    """The reader sees which revisions were judged, when and how."""
    rows = ((1, 300, "1"), (2, 60, "2"), (3, 5, "2+restart"))
    _, end = conversation(history(*rows), {before(60): UNHEALTHY})
    assert isinstance(end, model.Refusal)
    assert end.message == (
        "revision 2 is not judged: the same template; "
        "revision 1 was Unhealthy at 2026-01-05T07:59:59Z"
    )


AGES: dict[str, tuple[tuple[Any, ...], bool]] = {
    "younger": (((1, 300, "1"), (2, 29, "2")), True),
    "as old": (((1, 300, "1"), (2, 30, "2")), True),
    "older": (((1, 300, "1"), (2, 31, "2")), False),
    "an old release, restarted": (((1, 300, "1"), (2, 60, "2"), (3, 1, "2+restart")), False),
    "a young release, restarted": (((1, 300, "1"), (2, 20, "2"), (3, 1, "2+restart")), True),
}


@pytest.mark.parametrize("to", ["LastHealthy", "Previous"])
@pytest.mark.parametrize(("rows", "young"), AGES.values(), ids=AGES)
def test_when_changed_within(rows: tuple[Any, ...], young: bool, to: str) -> None:
    """An old release is not the cause, though its pods were restarted; the next step may try."""
    found = plan(history(*rows), to=to, whenChangedWithin="30m")
    refused = isinstance(found, model.Refusal)
    assert young != refused
    if isinstance(found, model.Refusal):
        assert (found.reason, found.skip_step) == (Refused.NOT_CHANGED_RECENTLY, True)


PREVIOUS: dict[str, tuple[tuple[Any, ...], str]] = {
    "the one before, unseen": (THREE, "2"),
    "another template": (((1, 300, "1"), (2, 60, "3"), (3, 5, "3")), "1"),
    "another release": (((1, 300, "1"), (2, 60, "3"), (3, 5, "3+restart")), "1"),
    "none": (((3, 5, "3"),), ""),
    "none with another template": (((2, 60, "3"), (3, 5, "3")), ""),
}


@pytest.mark.parametrize(("rows", "release"), PREVIOUS.values(), ids=PREVIOUS)
def test_previous_takes_the_last_other_release_without_asking(
    rows: tuple[Any, ...], release: str
) -> None:
    """The policy's author takes the risk, and the summary says so."""
    found = plan(history(*rows), to="Previous")
    if not release:
        assert isinstance(found, model.Refusal)
        assert Refused.NO_KNOWN_GOOD_REVISION is found.reason
        return
    effect = manifests.planned(found)
    assert release == image(effect)
    assert "(unseen, as the policy asks)" in effect.summary


def test_refuses_when_no_revision_is_current() -> None:
    """A controller that has not yet noted the newest template leaves nothing to go back from."""
    revisions = [manifests.revision(1, 5, manifests.deployment("1"))]
    found = plan(revisions)
    assert isinstance(found, model.Refusal)
    assert (found.reason, found.message) == (
        Refused.NO_KNOWN_GOOD_REVISION,
        "Deployment/checkout has no current revision among the 1 known",
    )
