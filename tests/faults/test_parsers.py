"""Whatever comes from outside is read, or refused in the parser's own words: never a traceback."""

from __future__ import annotations

import datetime
import json
import pathlib
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import promql_parser
import pytest
from hypothesis import strategies as st

from prunella.adapters.kubernetes import parse
from prunella.adapters.prometheus import client, matrix, metrics, rules, session
from prunella.adapters.recorded import files
from prunella.cli.lint import documents
from prunella.core.signals import alerts, compiled
from tests.engine import harness
from tests.faults import figures

FUZZ = hypothesis.settings(
    deadline=None,
    derandomize=not figures.WHOLE,
    max_examples=2000 if figures.WHOLE else 60,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
NOW = datetime.datetime(2026, 1, 5, 9, tzinfo=datetime.UTC)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def read(parser: Callable[[], Any], refusal: type[Exception]) -> tuple[Any, str]:
    """What a parser has read, or its words for why not; any other error is a failure."""
    try:
        return parser(), ""
    except refusal as error:
        return None, str(error) or "refused without a word"


META = {"namespace": "shop", "name": "checkout", "uid": "u", "generation": 1}


@st.composite
def damaged(draw: st.DrawFn, whole: Any) -> Any:
    """A document in which one thing, at any depth, is something else, or is missing."""
    if isinstance(whole, dict) and whole and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(whole)))
        if draw(st.booleans()):
            return {**whole, key: draw(damaged(whole[key]))}
        return {name: value for name, value in whole.items() if name != key}
    if isinstance(whole, list) and whole and draw(st.booleans()):
        return [draw(damaged(whole[0])), *whole[1:]]
    return draw(JSON)


@FUZZ
@hypothesis.given(spec=damaged(harness.spec()), status=JSON)
def test_a_policy_has_a_spec_or_a_problem(spec: Any, status: Any) -> None:
    """The API server may hold what an older version of the CRD let in."""
    found = parse.policy({"metadata": META, "spec": spec, "status": status})
    assert (found.spec is None) == bool(found.problem)


WORKLOAD = {
    "metadata": {**META, "labels": {}, "managedFields": [{"manager": "m", "fieldsV1": {}}]},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {}}, "spec": {"containers": [{"name": "app"}]}},
        "strategy": {"rollingUpdate": {"maxUnavailable": "25%"}},
    },
    "status": {"observedGeneration": 1, "conditions": [{"type": "Progressing"}]},
}


@FUZZ
@hypothesis.given(
    kind=st.sampled_from(["Deployment", "StatefulSet", "DaemonSet", "Rollout"]),
    raw=damaged(WORKLOAD),
)
def test_a_workload_is_read_or_unreadable(kind: str, raw: Any) -> None:
    """The controller of a Rollout takes what its definition lets in."""
    found, why = read(lambda: parse.workload(kind, raw), parse.Unreadable)
    assert why or kind == found.ref.kind


ELEMENT = {"metric": {"__name__": "up", "pod": "a"}, "value": [1767603600, "1"]}
SERIES = {"metric": {"pod": "a"}, "values": [[1767603600, "1"], [1767603615, "NaN"]]}


@FUZZ
@hypothesis.given(
    form=st.sampled_from(["vector", "scalar", "matrix", "string", ""]),
    result=damaged([ELEMENT]) | damaged([1767603600, "1"]),
)
def test_an_instant_answer_is_read_or_refused(form: str, result: Any) -> None:
    """What is not a vector of numbers is told as what it is."""
    reply = client.Reply(form, result)
    found, why = read(lambda: metrics.read_reply(reply, 10), session.AskError)
    assert why or all(isinstance(each.value, float) for each in found.samples)


@FUZZ
@hypothesis.given(result=damaged([SERIES]))
def test_a_history_is_read_or_refused(result: Any) -> None:
    """On the grid that was asked for, and nowhere else."""
    times = np.array([1767603600.0, 1767603615.0])
    reply = client.Reply("matrix", result)
    found, why = read(lambda: matrix.read_reply(reply, times, 10), session.AskError)
    assert why or len(times) == found.values.shape[1]


@FUZZ
@hypothesis.given(body=st.binary(max_size=200) | damaged(SERIES).map(json.dumps).map(str.encode))
def test_a_body_is_json_or_not(body: bytes) -> None:
    """What is read fast by our own hands is what Python reads."""
    found, why = read(lambda: matrix.loads(body), ValueError)
    expected, why_not = read(lambda: json.loads(body), ValueError)
    assert why or why_not or type(found) is type(expected)


RULES = {
    "status": "success",
    "data": {
        "groups": [
            {
                "name": "g",
                "interval": 15,
                "rules": [
                    {
                        "type": "alerting",
                        "name": "High",
                        "state": "firing",
                        "health": "ok",
                        "evaluationTime": 0.1,
                        "lastEvaluation": "2026-01-05T08:59:50Z",
                        "duration": 60,
                        "query": "up == 0",
                        "labels": {"severity": "critical"},
                        "alerts": [{"labels": {"pod": "a"}, "state": "firing", "value": "1"}],
                    }
                ],
            }
        ]
    },
}


def test_what_is_whole_is_read() -> None:
    """So the damage alone is what is refused."""
    times = np.array([1767603600.0, 1767603615.0])
    assert parse.policy({"metadata": META, "spec": harness.spec()}).problem == ""
    assert parse.workload("Deployment", WORKLOAD).replicas == 3
    assert len(metrics.read_reply(client.Reply("vector", [ELEMENT]), 1).samples) == 1
    assert matrix.read_reply(client.Reply("matrix", [SERIES]), times, 1).values[0][0] == 1.0
    assert [each.group for each in rules.read(RULES, "High", NOW)] == ["g"]


@FUZZ
@hypothesis.given(document=damaged(RULES).filter(lambda each: isinstance(each, dict)))
def test_rules_are_read_or_refused(document: Any) -> None:
    """A rule of another form is no silence."""
    found, why = read(lambda: rules.read(document, "High", NOW), session.AskError)
    assert why or all(isinstance(each, alerts.Rule) for each in found)


LINES = st.lists(
    st.sampled_from(
        [
            "time,value",
            "timestamp,up",
            "1767603600,1",
            "2026-01-05T09:00:00Z,nan",
            'up{job="a"} 1 1767603600',
            '{__name__="up"} 1 1767603600000',
            "# EOF",
            "up 1 1e400",
            "1e400,1",
            "-62135596801,1",
        ]
    )
    | st.text(max_size=40),
    max_size=6,
).map("\n".join)


@FUZZ
@hypothesis.given(
    suffix=st.sampled_from(sorted(files.SUFFIXES)),
    content=LINES.map(lambda text: text.encode(errors="replace")) | st.binary(max_size=200),
)
def test_a_file_of_samples_is_read_or_refused(
    tmp_path: pathlib.Path, suffix: str, content: bytes
) -> None:
    """With the file's name, and the line where there are lines."""
    path = tmp_path / f"recorded{suffix}"
    path.write_bytes(content)
    found = files.Samples("namespace", "shop", lambda _: True)
    _, why = read(lambda: files.load(path, found, lambda _: None), files.FileError)
    assert not why or str(path) in why


@FUZZ
@hypothesis.given(
    text=LINES | JSON.map(json.dumps) | damaged(harness.spec()).map(json.dumps) | st.text()
)
def test_a_file_of_policies_is_read_or_told_as_unreadable(text: str) -> None:
    """`prunella lint` takes any file."""
    found, problems = documents.read("policies.yaml", text)
    assert isinstance(found, list)
    assert all(each.message for each in problems)


@FUZZ
@hypothesis.given(namespace=st.text(min_size=1, max_size=30))
@pytest.mark.parametrize("query", ["up", "sum by (pod) (rate(up[5m])) / up", 'up{namespace!=""}'])
def test_no_namespace_leaves_its_quotes(query: str, namespace: str) -> None:
    """Whatever a namespace is called, it is one value of one matcher."""
    found = _values(promql_parser.parse(compiled.DEFAULT_CONFINEMENT.apply(query, namespace)))
    assert {namespace} == {value for name, value in found if name == "namespace" and value}


def _values(node: Any) -> list[tuple[str, str]]:
    """Name and value of all matchers of a parsed query."""
    found = []
    for attribute in ("expr", "lhs", "rhs", "vector_selector", "vs"):
        inner = getattr(node, attribute, None)
        if inner is not None:
            found += _values(inner)
    for argument in getattr(node, "args", None) or ():
        found += _values(argument)
    matchers = getattr(node, "matchers", None)
    for each in getattr(matchers, "matchers", None) or ():
        found.append((each.name, each.value))
    return found
