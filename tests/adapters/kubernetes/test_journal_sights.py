"""What was last seen: each difference waits once, whatever order news comes in."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import pytest

from prunella.adapters.kubernetes.journal import sights, snapshots
from prunella.api import change as change_api
from prunella.core.changes import entry, kinds
from tests.unit.core.changes import objects
from tests.unit.core.changes.objects import NOW

CONFIG = kinds.BY_NAME["ConfigMap"]


def no_history(*_: object) -> Sequence[change_api.FieldChange]:
    """A journal that has told nothing."""
    return ()


def made(**options: object) -> sights.Sights:
    """Sights after the first list of ConfigMap flags, whose colour is blue."""
    found = sights.Sights(objects.RULES, no_history, {"kube-system"}, **options)  # type: ignore[arg-type]
    found.put(CONFIG, flags("blue", 10), NOW, late=True)
    found.listed(CONFIG)
    return found


def flags(colour: str, version: int, uid: str = "u-2", name: str = "flags") -> objects.Manifest:
    """A ConfigMap in a version."""
    return {
        "metadata": {**objects.metadata(name, uid), "resourceVersion": str(version)},
        "data": {"colour": colour},
    }


def event(type_: str | None, manifest: objects.Manifest) -> objects.Manifest:
    """A watch event."""
    return {"type": type_, "object": manifest}


def told(found: sights.Sights) -> list[str]:
    """The sentences of what waits, which is then written."""
    waiting = found.take(100)
    for each in waiting:
        found.done(each)
    return [each.change.spec.summary for each in waiting]


STEPS = [
    pytest.param([event("MODIFIED", flags("blue", 11))], [], id="nothing new"),
    pytest.param(
        [event("MODIFIED", flags("red", 11))],
        ["ConfigMap flags: data.colour blue -> red"],
        id="modified",
    ),
    pytest.param([event("MODIFIED", flags("red", 9))], [], id="old news"),
    pytest.param(
        [event("MODIFIED", flags("red", 11)), event(None, flags("red", 11))],
        ["ConfigMap flags: data.colour blue -> red"],
        id="told twice",
    ),
    pytest.param(
        [event("ADDED", flags("blue", 12, "u-3", "other"))],
        ["ConfigMap other: created"],
        id="created",
    ),
    pytest.param(
        [event("DELETED", flags("blue", 12)), event("MODIFIED", flags("red", 11))],
        ["ConfigMap flags: deleted"],
        id="late news of a deleted one",
    ),
    pytest.param(
        [event("ADDED", flags("red", 13, "u-3"))],
        ["ConfigMap flags: deleted", "ConfigMap flags: created"],
        id="replaced unseen",
    ),
    pytest.param([event("DELETED", flags("blue", 12, "u-9"))], [], id="another of its name"),
]


@pytest.mark.parametrize(("events", "expected"), STEPS)
def test_events(events: list[objects.Manifest], expected: list[str]) -> None:
    """Each change of an object is told once."""
    found = made()
    for each in events:
        found.apply(CONFIG, each, NOW)
    assert expected == told(found)


def test_what_was_there_at_first_is_no_change() -> None:
    """Before the first list nothing is known to be new."""
    assert [] == told(made())


def test_system_namespaces_are_left_alone() -> None:
    """Closed namespaces are not looked at."""
    found = made()
    manifest = flags("red", 11, "u-5")
    manifest["metadata"]["namespace"] = "kube-system"
    found.apply(CONFIG, event("ADDED", manifest), NOW)
    assert [] == told(found)


def test_a_list_finds_what_is_gone() -> None:
    """What a newer list does not show is deleted; what is newer than the list stays."""
    found = made()
    found.put(CONFIG, flags("blue", 30, "u-3", "newer"), NOW, late=False)
    told(found)
    found.retain(CONFIG, set(), "20", None, NOW)
    [gone] = found.take(10)
    assert ("ConfigMap flags: deleted", True) == (gone.change.spec.summary, gone.change.spec.late)


def restarted(
    seen: Sequence[entry.Sight], history: Sequence[change_api.FieldChange] = (), **options: bool
) -> sights.Sights:
    """Sights of the next process, which has read what was kept a minute ago."""
    found = sights.Sights(objects.RULES, lambda *_: history, **options)
    found.restore("shop", seen, NOW - datetime.timedelta(minutes=1))
    return found


def test_a_change_while_nobody_looked_is_found_with_both_values() -> None:
    """The next process compares with what was kept."""
    kept = made().to_keep()
    found = restarted([seen for shard in kept.values() for seen in shard])
    found.put(CONFIG, flags("red", 50), NOW, late=True)
    found.put(CONFIG, flags("red", 51), NOW, late=False)
    assert ["ConfigMap flags: data.colour blue -> red"] == told(found)


def test_what_the_journal_has_told_is_not_told_again() -> None:
    """A snapshot may be older than the newest Change: what that told is left out."""
    kept = [entry.sight(CONFIG, flags("blue", 10), objects.RULES)]
    field = change_api.FieldChange(path="data.colour", old='"blue"', new='"red"')
    same, on, back = (restarted(kept, [field]) for _ in range(3))
    same.put(CONFIG, flags("red", 50), NOW, late=True)
    on.put(CONFIG, flags("green", 50), NOW, late=True)
    back.put(CONFIG, flags("blue", 50), NOW, late=True)
    assert [] == told(same)
    assert ["ConfigMap flags: data.colour red -> green"] == told(on)
    assert ["ConfigMap flags: data.colour red -> blue"] == told(back)


@pytest.mark.parametrize(
    ("created", "whole_cluster", "namespace", "expected"),
    [
        pytest.param("2026-03-01T11:59:30Z", True, "shop", 1, id="while nobody looked"),
        pytest.param("2026-03-01T08:00:00Z", True, "shop", 0, id="long before"),
        pytest.param("2026-03-01T11:59:30Z", True, "new", 1, id="in a new namespace"),
        pytest.param("2026-03-01T11:59:30Z", False, "new", 0, id="a namespace newly listed"),
    ],
)
def test_an_object_that_came_while_nobody_looked(
    created: str, whole_cluster: bool, namespace: str, expected: int
) -> None:
    """It is new when it is younger than what was kept, and its namespace was looked at."""
    found = restarted([], whole_cluster=whole_cluster)
    manifest = flags("blue", 50, "u-7", "other")
    manifest["metadata"] |= {"creationTimestamp": created, "namespace": namespace}
    found.put(CONFIG, manifest, NOW, late=True)
    assert expected == len(told(found))


def test_a_shard_is_kept_when_its_changes_are_written() -> None:
    """A snapshot never knows more than the journal."""
    found = made()
    assert 1 == len(found.to_keep())
    assert {} == found.to_keep()
    found.apply(CONFIG, event("MODIFIED", flags("red", 11)), NOW)
    assert {} == found.to_keep()
    [waiting] = found.take(10)
    found.again([waiting])
    assert {} == found.to_keep()
    [waiting] = found.take(10)
    found.done(waiting)
    [kept] = found.to_keep().values()
    assert {"data": {"colour": "red"}} == kept[0].content


def test_an_object_that_changes_all_the_time_is_joined() -> None:
    """More than 12 Changes in a minute are left to a later list, which tells them as one."""
    found = made()
    for number in range(100):
        found.apply(CONFIG, event("MODIFIED", flags(f"c{number}", 11 + number)), NOW)
    assert (sights.MOST_IN_A_MINUTE, 88) == (len(told(found)), found.overflown)
    later = NOW + datetime.timedelta(minutes=2)
    found.put(CONFIG, flags("c99", 200), later, late=True)
    assert ["ConfigMap flags: data.colour c11 -> c99"] == told(found)


def test_a_full_queue_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What finds no room is as if not seen, so that the next list finds it."""
    monkeypatch.setattr(sights, "MOST_WAITING", 0)
    found = made()
    found.apply(CONFIG, event("MODIFIED", flags("red", 11)), NOW)
    found.apply(CONFIG, event("DELETED", flags("red", 12)), NOW)
    monkeypatch.setattr(sights, "MOST_WAITING", 10)
    found.retain(CONFIG, set(), "20", None, NOW)
    assert ["ConfigMap flags: deleted"] == told(found)


def test_manifests_are_those_of_the_namespaces_and_the_nodes() -> None:
    """As they were seen, with their names; kinds whose values are not kept are left out."""
    found = made()
    node = {"metadata": {"name": "n1", "uid": "u-8"}, "spec": {"unschedulable": True}}
    found.put(kinds.NODE, node, NOW, late=True)
    role = {"metadata": objects.metadata("reader", "u-6"), "rules": []}
    found.put(kinds.BY_NAME["Role"], role, NOW, late=True)
    seen = found.manifests(["shop"])
    assert {("ConfigMap", "shop", "flags"), ("Node", "", "n1")} == set(seen)
    [config] = [each for each in seen.values() if each["kind"] == "ConfigMap"]
    metadata = {"name": "flags", "namespace": "shop", "uid": "u-2"}
    assert {**metadata, "creationTimestamp": "2026-03-01T10:00:00+00:00"} == config["metadata"]
    assert {"colour": "blue"} == config["data"]
    assert [("Node", "", "n1")] == list(found.manifests(["bank"]))
    assert [("ConfigMap", "shop", "flags")] == list(found.manifests(["shop"], {"ConfigMap"}))


def test_sights_survive_being_kept() -> None:
    """What is written is what is read."""
    seen = [
        entry.sight(CONFIG, flags("blue", 10), objects.RULES),
        entry.sight(kinds.BY_NAME["Deployment"], objects.deployment(), objects.RULES),
    ]
    assert seen == list(snapshots.unpack(snapshots.pack(seen)))


def test_sights_of_an_older_version_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their rows do not tell when an object was created: nobody knows, until it is listed."""
    seen = entry.sight(CONFIG, flags("blue", 10), objects.RULES)
    whole = snapshots._row
    monkeypatch.setattr(snapshots, "_row", lambda each, kept: whole(each, kept)[:9])
    [read] = snapshots.unpack(snapshots.pack([seen]))
    assert (0, seen) == (read.created, entry.seen_again(read, flags("blue", 10)))


def test_the_largest_contents_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would not fit is kept as a fingerprint: that it changed is still found."""
    small = entry.sight(CONFIG, flags("blue", 10), objects.RULES)
    text = " ".join(str(n * 7919 % 99991) for n in range(9000))
    large = entry.sight(CONFIG, flags(text, 10, "u-3", "large"), objects.RULES)
    monkeypatch.setattr(snapshots.api, "MOST_CHARACTERS", 2000)
    found = {seen.name: seen for seen in snapshots.unpack(snapshots.pack([small, large]))}
    assert small == found["flags"]
    assert (b"", large.fingerprint) == (found["large"].packed, found["large"].fingerprint)
    again = restarted(list(found.values()))
    again.put(CONFIG, flags("red", 50, "u-3", "large"), NOW, late=True)
    assert ["ConfigMap large: modified"] == told(again)
