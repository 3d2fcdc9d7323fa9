"""Changes told by other systems, from bodies that anybody may have written."""

from __future__ import annotations

import datetime
import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from prunella.api import change as change_api
from prunella.core.changes import external
from tests.unit.core.changes import objects

PIPELINE = external.Mapped(
    "jenkins",
    texts=external.Texts(
        summary="deployed {app.name} {app.version}",
        id="{build.number}",
        url="{build.url}",
        at="{finished}",
        kind="Deployment",
        namespace="{app.namespace}",
        name="{app.name}",
        author="{commits.0.author}",
        commit="{commits.0.id}",
        version="{app.version}",
    ),
    namespaces=("shop", "shop-*"),
)
BODY: dict[str, Any] = {
    "app": {"name": "checkout", "namespace": "shop", "version": "1.5.0"},
    "build": {"number": 17, "url": "https://ci.example/17?token=hunter2"},
    "finished": "2026-03-01T11:58:00+01:00",
    "commits": [{"id": "3b5aa76", "author": "ada"}],
}
EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "flags.example/shop",
    "type": "com.example.flag.changed",
    "subject": "new-checkout",
    "time": "2026-03-01T11:59:00Z",
    "data": {"on": True},
}
EVENTS = external.Mapped("flags", external.Format.CLOUD_EVENTS)


def parse(mapped: external.Mapped, body: object) -> Any:
    """The Change of a body."""
    return external.parse(mapped, body, objects.NOW, "prunella-system")


def test_a_deployment_is_mapped() -> None:
    """Each field of the mapping ends in the Change; the token of the address does not."""
    found = parse(PIPELINE, BODY)
    spec = found.spec
    assert ("jenkins: deployed checkout 1.5.0, by ada", "shop") == (spec.summary, found.namespace)
    assert ("Deployment", "shop", "checkout") == found.object
    assert change_api.Class.EXTERNAL is spec.class_
    assert datetime.datetime(2026, 3, 1, 10, 58, tzinfo=datetime.UTC) == spec.at
    assert ("3b5aa76", "1.5.0") == (spec.release.commit, spec.release.version)
    assert ("jenkins", "17") == (spec.external.system, spec.external.id)
    assert "hunter2" not in spec.model_dump_json()


def test_a_cloud_event_needs_no_mapping() -> None:
    """Its own attributes say what, when and which; without a namespace it is kept at home."""
    found = parse(EVENTS, EVENT)
    assert "flags: com.example.flag.changed new-checkout" == found.spec.summary
    assert "prunella-system" == found.namespace
    assert ("External", "", "flags") == found.object
    assert datetime.time(11, 59) == found.at.time()


def test_a_cloud_event_in_binary_mode_is_the_same() -> None:
    """Attributes in headers, data in the body."""
    headers = {f"Ce-{name.title()}": v for name, v in EVENT.items() if isinstance(v, str)}
    assert parse(EVENTS, EVENT) == parse(EVENTS, external.from_headers(headers, {"on": True}))


def test_a_replay_has_the_same_name() -> None:
    """By the system's own identity, or by the whole body without one."""
    later = external.parse(
        PIPELINE, {**BODY, "x": 1}, objects.NOW + datetime.timedelta(hours=1), "prunella-system"
    )
    assert parse(PIPELINE, BODY).name == later.name
    other = {**BODY, "build": {"number": 18}}
    assert parse(PIPELINE, BODY).name != parse(PIPELINE, other).name
    plain = external.Mapped("tool", texts=external.Texts(summary="{what}"))
    assert parse(plain, {"what": "a"}).name == parse(plain, {"what": "a"}).name
    assert parse(plain, {"what": "a"}).name != parse(plain, {"what": "a", "n": 1}).name


UNUSABLE = [
    pytest.param(PIPELINE, [BODY], "must be a JSON object, found list", id="a list"),
    pytest.param(PIPELINE, "x", "found str", id="a text"),
    pytest.param(EVENTS, {**EVENT, "id": ""}, "no id", id="no identity"),
    pytest.param(EVENTS, {**EVENT, "specversion": "0.3"}, "must be 1.x, found 0.3", id="old"),
    pytest.param(PIPELINE, {**BODY, "finished": "yesterday"}, "RFC 3339", id="no time"),
    pytest.param(PIPELINE, {**BODY, "finished": "2026-03-01T11:00:00"}, "time zone", id="no zone"),
    pytest.param(PIPELINE, {**BODY, "finished": "2027-01-01T00:00:00Z"}, "ahead", id="ahead"),
    pytest.param(
        PIPELINE, {**BODY, "app": {"namespace": "bank"}}, "may not tell about bank", id="foreign"
    ),
    pytest.param(
        PIPELINE, {**BODY, "app": {"namespace": "../x"}}, "no name of a namespace", id="a path"
    ),
    pytest.param(
        external.Mapped("x", texts=external.Texts(summary="{a.b}")), {"a": 1}, "empty", id="empty"
    ),
]


@pytest.mark.parametrize(("mapped", "body", "words"), UNUSABLE)
def test_an_unusable_body_is_told_why(mapped: external.Mapped, body: object, words: str) -> None:
    """Who sent it learns which field, what was found and what is wanted."""
    with pytest.raises(external.Unusable) as refused:
        parse(mapped, body)
    assert words in str(refused.value)


JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.floats() | strategies.text(),
    lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text(), inner),
)


@hypothesis.given(body=JSON, name=strategies.text(max_size=300), at=JSON)
@hypothesis.settings(max_examples=200, deadline=None)
def test_any_body_is_a_change_or_unusable(body: Any, name: str, at: Any) -> None:
    """Nothing else ever comes of it, and what comes of it fits the custom resource."""
    app = {"name": name, "namespace": "shop", "version": body}
    try:
        found = parse(PIPELINE, {**BODY, "app": app, "finished": at, "commits": body})
    except external.Unusable:
        return
    text = found.spec.model_dump_json(by_alias=True)
    assert found.spec == change_api.ChangeSpec.model_validate(json.loads(text))
