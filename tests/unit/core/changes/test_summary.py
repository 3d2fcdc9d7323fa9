"""A change in one sentence."""

from __future__ import annotations

import json

import pytest

from prunella.api import change as change_api
from prunella.core.changes import summary

LONG = "x" * 60


def field(path: str, old: object = None, new: object = None) -> change_api.FieldChange:
    """A field's change; None stands for an absent value."""
    texts = [None if each is None else json.dumps(each) for each in (old, new)]
    return change_api.FieldChange(path=path, old=texts[0], new=texts[1])


FIELDS = [
    pytest.param(
        field("spec.ports[name=http].targetPort", 8080, 9999),
        "spec.ports[http].targetPort 8080 -> 9999",
        id="a number",
    ),
    pytest.param(
        field("spec.template.spec.containers[name=app].image", "r.io/a/app:v1", "r.io/a/app:v2"),
        "containers[app].image app:v1 -> app:v2",
        id="an image's tag",
    ),
    pytest.param(
        field("spec.template.spec.containers[name=app].image", "r.io/a/app:v1", "q.io/a/app:v1"),
        "containers[app].image r.io/a/app:v1 -> q.io/a/app:v1",
        id="an image's registry",
    ),
    pytest.param(field("data.x", None, "on"), "data.x added: on", id="added"),
    pytest.param(field("data.x", "on", None), "data.x removed, was on", id="removed"),
    pytest.param(field("data.x", "on", ""), 'data.x on -> ""', id="emptied"),
    pytest.param(field("rules[0]"), "rules[0] changed", id="without values"),
    pytest.param(
        field("data.x", LONG + "a", LONG + "b"),
        "data.x ...xxxxxxxxxxxxa -> ...xxxxxxxxxxxxb",
        id="long, with what differs in sight",
    ),
    pytest.param(
        field("data.x", "a" + LONG, "b\n" + LONG),
        f"data.x a{'x' * 44}... -> b {'x' * 43}...",
        id="long, its end cut off",
    ),
    pytest.param(
        field("status.conditions[type=Ready].status", "True", "Unknown"),
        "status.conditions[Ready].status True -> Unknown",
        id="a condition",
    ),
]


@pytest.mark.parametrize(("change", "expected"), FIELDS)
def test_field(change: change_api.FieldChange, expected: str) -> None:
    """Short, and never without what differs."""
    assert expected == summary.field(change)


def test_the_most_telling_field_comes_first() -> None:
    """An image before a variable, a spec before a label; the others are counted."""
    fields = [
        field("metadata.labels.team", "a", "b"),
        field("spec.replicas", 1, 2),
        field("spec.template.spec.containers[name=app].image", "a:1", "a:2"),
    ]
    verb = change_api.Verb.MODIFIED
    assert "Deployment x: containers[app].image a:1 -> a:2 and 4 more fields, by helm" == (
        summary.sentence("Deployment x", verb, fields, 2, "helm")
    )
    assert "Deployment x: spec.replicas 1 -> 2 and 1 more field" == (
        summary.sentence("Deployment x", verb, fields[:2], 0, "")
    )
