"""A template kept as JSON is read as the dict that it was."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from prunella.adapters.kubernetes import kinds, parse, store
from prunella.adapters.kubernetes.lazy_json import LazyJson
from prunella.core import model
from prunella.core.decisions import ledger
from tests.adapters.kubernetes import builders

TEMPLATE: dict[str, Any] = {"spec": {"containers": [{"name": "a"}]}, "metadata": {"labels": {}}}
OTHER: dict[str, Any] = {"spec": {"containers": [{"name": "b"}]}}


def test_it_is_read_as_a_mapping() -> None:
    """Keys, values and length are those of the content."""
    lazy = LazyJson(TEMPLATE)
    assert TEMPLATE == dict(lazy)
    assert (2, TEMPLATE["spec"], None) == (len(lazy), lazy["spec"], lazy.get("none"))


def test_what_is_read_is_a_copy() -> None:
    """A change of what was read changes nothing."""
    lazy = LazyJson(TEMPLATE)
    lazy["spec"]["containers"].clear()
    assert TEMPLATE == dict(lazy)


EQUALS: dict[str, tuple[object, bool]] = {
    "the same, as JSON": (LazyJson(dict(reversed(TEMPLATE.items()))), True),
    "the same, as a dict": (TEMPLATE, True),
    "another, as JSON": (LazyJson(OTHER), False),
    "another, as a dict": (OTHER, False),
    "no mapping": ("spec", False),
}


@pytest.mark.parametrize(("other", "same"), EQUALS.values(), ids=EQUALS)
def test_it_equals_what_says_the_same(other: object, same: bool) -> None:
    """Whatever the order of keys."""
    assert same == (LazyJson(TEMPLATE) == other)
    assert same == (other == LazyJson(TEMPLATE))


def test_equal_contents_have_equal_hashes() -> None:
    """As a set needs it."""
    assert 1 == len({LazyJson(TEMPLATE), LazyJson(json.loads(json.dumps(TEMPLATE)))})


def test_a_watched_workload_has_the_fingerprint_of_one_that_was_looked_at() -> None:
    """Otherwise each restart would seem to have been undone by somebody."""
    raw = builders.workload()
    watched = store.Stores(lambda *_: None).workloads[kinds.DEPLOYMENT.name]
    watched.put(raw)
    seen = watched.get(raw["metadata"]["namespace"], raw["metadata"]["name"])
    looked = parse.workload(kinds.DEPLOYMENT.name, raw)
    effect = model.Effect(
        model.Verb.PATCH, looked.ref, looked.uid, "", patch=({"path": "/spec/template"},)
    )

    assert seen is not None
    assert isinstance(seen.template, LazyJson)
    assert ledger.fingerprint(effect, looked) == ledger.fingerprint(effect, seen)
    assert looked == dataclasses.replace(seen, template=dict(seen.template))
