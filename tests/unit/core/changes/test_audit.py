"""Who made a change, by audit events: named where it is sure, nobody where it is not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.api import change as change_api
from prunella.api.change import Author, Verb
from prunella.core.changes import audit, summary
from prunella.core.changes.values import Change
from tests.unit.core.changes.objects import NOW

AT = NOW.timestamp()
OWN = "system:serviceaccount:prunella-system:prunella"


def write(user: str = "ada", begun: float = -0.1, **fields: Any) -> audit.Write:
    """A patch of Deployment checkout by kubectl-edit, some seconds from NOW, 50 ms long."""
    made = audit.Write(
        id=f"{user}{begun}",
        verb=Verb.MODIFIED,
        kind="Deployment",
        namespace="shop",
        name="checkout",
        user=user,
        manager="kubectl-edit",
        begun=AT + begun,
        done=AT + begun + 0.05,
    )
    return made._replace(**fields)


def change(verb: Verb = Verb.MODIFIED, manager: str = "kubectl-edit", **fields: Any) -> Change:
    """The Change of Deployment checkout at NOW, seen in version 11."""
    spec = change_api.ChangeSpec(
        object=change_api.ObjectReference(
            kind="Deployment", namespace="shop", name="checkout", uid="u-1"
        ),
        verb=verb,
        at=NOW,
        by=Author(manager=manager),
        summary=f"Deployment checkout: changed{f', by {manager}' if manager else ''}",
        resource_version="11",
    )
    return Change(
        name="deployment-checkout-1", namespace="shop", spec=spec.model_copy(update=fields)
    )


DELETED = change(Verb.DELETED, "")
DELETION = {"verb": Verb.DELETED, "manager": "kubectl"}
CASES = [
    pytest.param(change(), [write()], "ada", id="by object, manager and time"),
    pytest.param(change(), [write(begun=-1.9)], "ada", id="within a second of managedFields"),
    pytest.param(change(), [write(begun=-2.2)], None, id="too early"),
    pytest.param(change(), [write(begun=2.2)], None, id="too late"),
    pytest.param(change(), [write(name="cart")], None, id="another object"),
    pytest.param(change(), [write(namespace="bank")], None, id="another namespace"),
    pytest.param(change(), [write(kind="StatefulSet")], None, id="another kind"),
    pytest.param(change(), [write(verb=Verb.CREATED)], None, id="another verb"),
    pytest.param(change(), [write(uid="u-2")], None, id="another object of the same name"),
    pytest.param(change(), [write(manager="helm")], None, id="another field manager"),
    pytest.param(change(), [write(on_version=11)], None, id="made on what came of it"),
    pytest.param(change(), [write(version=12)], None, id="a later version"),
    pytest.param(change(), [write(on_version=10)], "ada", id="made on what was before"),
    pytest.param(change(), [write(), write("bob", 0.5)], None, id="one of two users"),
    pytest.param(change(), [write(), write("ada", 0.5)], "ada", id="twice the same user"),
    pytest.param(
        change(), [write(version=11), write("bob", 0.5, version=10)], "ada", id="the version tells"
    ),
    pytest.param(change(), [write(begun=-99, version=11)], "ada", id="the version, whatever time"),
    pytest.param(
        change(manager=""), [write(manager="helm")], "ada", id="of a change by nobody known"
    ),
    pytest.param(DELETED, [write(**DELETION)], "ada", id="a deletion"),
    pytest.param(
        DELETED, [write(begun=-300, **DELETION)], "ada", id="a deletion that waited for finalizers"
    ),
    pytest.param(DELETED, [write(begun=2.2, **DELETION)], None, id="a deletion after it was gone"),
    pytest.param(
        DELETED,
        [write("bob", -90, **DELETION), write(**DELETION)],
        "ada",
        id="the last of two deletions",
    ),
    pytest.param(
        DELETED,
        [write(begun=-60, uid="u-1", **DELETION), write("bob", **DELETION)],
        "ada",
        id="the deletion of this UID",
    ),
    pytest.param(DELETED, [write(name="", **DELETION)], "ada", id="a whole collection"),
    pytest.param(
        DELETED,
        [write(begun=-5, **DELETION), write("bob", name="", **DELETION)],
        "ada",
        id="its own deletion before that of the collection",
    ),
    pytest.param(change(), [write(name="")], None, id="no name is no object that was changed"),
]


@pytest.mark.parametrize(("found", "writes", "user"), CASES)
def test_who_made_it(found: Change, writes: list[audit.Write], user: str | None) -> None:
    """The one user of whom nothing speaks against it; of several none."""
    maker = audit.maker(found, writes)
    assert user == (maker.user if maker is not None else None)


AUTHORS = [
    pytest.param("", "ada", OWN, Author(user="ada"), "ada", id="a person"),
    pytest.param("helm", "ada", OWN, Author(manager="helm", user="ada"), "ada (helm)", id="a tool"),
    pytest.param("", OWN, OWN, Author(user=OWN, own=True), "prunella", id="the operator itself"),
    pytest.param(
        "prunella",
        "ada",
        OWN,
        Author(manager="prunella", user="ada"),
        "ada (prunella)",
        id="a person who uses the operator's field manager",
    ),
    pytest.param(
        "prunella",
        "ada",
        "",
        Author(manager="prunella", user="ada", own=True),
        "prunella",
        id="the operator's user is not known",
    ),
    pytest.param(
        "helm",
        "admin",
        "admin",
        Author(manager="helm", user="admin"),
        "admin (helm)",
        id="the operator runs as a person",
    ),
]


@pytest.mark.parametrize(("manager", "user", "own_user", "expected", "told"), AUTHORS)
def test_an_author_is_named(
    manager: str, user: str, own_user: str, expected: Author, told: str
) -> None:
    """The operator's own account is called the operator; what it did is told as its own."""
    before = Author(manager=manager, own=manager == "prunella")
    found = change(manager=manager).spec.model_copy(update={"by": before})
    by = audit.attributed(before, user, own_user)
    assert expected == by
    assert f"Deployment checkout: changed, by {told}" == audit.written_by(found, by).summary


def test_a_sentence_without_a_better_author_stays() -> None:
    """Nothing is put behind a sentence when nobody is known."""
    assert "deleted" == summary.attributed("deleted", Author(), Author())


def test_a_write_is_told_of_one_change() -> None:
    """The next change of the same second is not laid at the door of who made the first."""
    writes = audit.Writes()
    first, second = change(), dataclasses.replace(change(), name="deployment-checkout-2")
    assert [write()] == writes.take([write()], AT)
    assert [] == writes.take([write()], AT)
    assert ("ada", "", "ada") == (writes.user(first), writes.user(second), writes.user(first))


def test_a_collection_is_told_of_all_of_its_objects() -> None:
    """Who deletes all Deployments of a namespace has deleted each."""
    writes = audit.Writes()
    writes.take([write(name="", **DELETION)], AT)
    other = dataclasses.replace(DELETED, name="deployment-checkout-2")
    assert ("ada", "ada") == (writes.user(DELETED), writes.user(other))


def test_an_external_change_is_nobody_s_write() -> None:
    """Its author is who told it."""
    writes = audit.Writes()
    writes.take([write()], AT)
    outside = change(class_=change_api.Class.EXTERNAL)
    assert "" == writes.user(outside)


def test_memory_is_bounded_by_number_and_age() -> None:
    """The oldest is forgotten first; what is too old or in the future is not taken at all."""
    writes = audit.Writes(limit=3)
    assert 5 == len(writes.take([write(f"u{n}", n / 10) for n in range(5)], AT))
    assert 3 == len(writes)
    assert [] == writes.take([write(begun=-audit.KEEP_SECONDS - 1), write(begun=400)], AT)
    writes.take([], AT + audit.KEEP_SECONDS + 10)
    assert 0 == len(writes)


def test_only_changes_without_a_user_are_looked_for() -> None:
    """One that has its user, by its spec or by its status, is left alone."""
    named = change(by=Author(manager="kubectl-edit", user="bob"))
    late = dataclasses.replace(change(), told=change_api.LateAuthor(user="bob"))
    other = change(object=change_api.ObjectReference(kind="Job", namespace="shop", name="checkout"))
    assert [change()] == audit.unnamed([change(), named, late, other], [write()])


def test_what_became_known_later_stands_first() -> None:
    """The user and whose it is come from the status, the field manager from the spec."""
    told = change_api.LateAuthor(user="ada")
    found = dataclasses.replace(change(by=Author(manager="prunella", own=True)), told=told)
    assert Author(manager="prunella", user="ada", own=False) == found.by
