"""Which fields differ: by merge keys, with both values."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.core.changes import diff


def told(old: Any, new: Any) -> list[tuple[str, str | None, str | None]]:
    """Differences as a Change holds them."""
    return [
        (diff.path_text(each.path), diff.value_text(each.old), diff.value_text(each.new))
        for each in diff.diff(old, new)
    ]


def ports(*numbers: int) -> dict[str, Any]:
    """A Service's ports without names."""
    return {"ports": [{"port": each, "targetPort": each} for each in numbers]}


def containers(*names: str, image: str = "v1") -> dict[str, Any]:
    """Containers by name."""
    return {"containers": [{"name": each, "image": image} for each in names]}


CASES = [
    pytest.param({"a": 1}, {"a": 1}, [], id="equal"),
    pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", "1", "2")], id="a value"),
    pytest.param({"a": 1}, {"a": True}, [("a", "1", "true")], id="true is not one"),
    pytest.param({"a": 1}, {"a": "1"}, [("a", "1", '"1"')], id="text is not a number"),
    pytest.param({}, {"a": {"b": 1}}, [("a", None, '{"b": 1}')], id="an added subtree"),
    pytest.param({"a": {"b": 1}}, {}, [("a", '{"b": 1}', None)], id="a removed subtree"),
    pytest.param({"a": None}, {}, [("a", "null", None)], id="null is a value"),
    pytest.param(
        {"metadata": {"labels": {"example.com/team": "a"}}},
        {"metadata": {"labels": {"example.com/team": "b"}}},
        [("metadata.labels[example.com/team]", '"a"', '"b"')],
        id="a key with a dot",
    ),
    pytest.param(
        containers("app", "proxy"),
        containers("init", "app", "proxy"),
        [("containers[name=init]", None, '{"image": "v1", "name": "init"}')],
        id="an added element is one difference",
    ),
    pytest.param(
        containers("app"),
        containers("app", image="v2"),
        [("containers[name=app].image", '"v1"', '"v2"')],
        id="an element by its name",
    ),
    pytest.param(
        ports(80, 443),
        {"ports": [{"port": 80, "targetPort": 9999}, {"port": 443, "targetPort": 443}]},
        [("ports[port=80].targetPort", "80", "9999")],
        id="ports without names by number",
    ),
    pytest.param(
        {"ports": [{"name": "http", "port": 80}]},
        {"ports": [{"name": "http", "port": 81}]},
        [("ports[name=http].port", "80", "81")],
        id="ports with names by name",
    ),
    pytest.param(
        {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
        {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "3"}]},
        [("env[1].value", '"2"', '"3"')],
        id="doubled keys by number",
    ),
    pytest.param(
        {"args": ["--a", "--b"]},
        {"args": ["--a"]},
        [("args", '["--a", "--b"]', '["--a"]')],
        id="texts as a whole",
    ),
    pytest.param(
        containers("a", "b"),
        containers("b", "a"),
        [("containers", '["a", "b"]', '["b", "a"]')],
        id="another order",
    ),
    pytest.param(
        {"from": [{"x": {}}]},
        {"from": [{"x": {}}, {"y": {}}]},
        [("from[1]", None, '{"y": {}}')],
        id="no merge key",
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_differences(
    old: Any, new: Any, expected: list[tuple[str, str | None, str | None]]
) -> None:
    """Each field that differs is one line with its path and both values."""
    assert expected == told(old, new)


def test_a_long_value_is_cut() -> None:
    """A Change stays small whatever a ConfigMap holds."""
    text = diff.value_text("x" * 5000)
    assert text is not None
    assert (1024, "...") == (len(text), text[-3:])
