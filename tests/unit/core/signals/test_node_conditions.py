"""A condition of a node as a signal: what is known is judged, all else is doubt."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.api import cluster_policy, reasons
from prunella.core import model, node_state, objects
from prunella.core.signals import compiled, mapping, node_conditions
from tests.unit.core import builders

Doubt = reasons.Doubt
HEALTHY, UNHEALTHY, UNKNOWN = builders.HEALTHY, builders.UNHEALTHY, builders.UNKNOWN
NODE = model.Ref("Node", "", "worker-0")
OTHER = model.Ref("Node", "", "worker-1")


def signals(*written: dict[str, Any]) -> tuple[compiled.Signal, ...]:
    """The signals of a policy on nodes, compiled."""
    document = {"target": {"name": "worker-0"}, "signals": written, "steps": [{"cordon": {}}]}
    spec = cluster_policy.ClusterRemediationPolicySpec.model_validate(document)
    sources = {"default": compiled.Confinement(matchers={"cluster": "eu-1"})}
    return compiled.compile_policy(objects.Key("", "nodes"), spec, sources).signals


def signal(kind: str, status: str, **fields: Any) -> compiled.Signal:
    """A signal that is a condition."""
    written = {"name": "sick", "nodeCondition": {"type": kind, "status": status}, **fields}
    return signals(written)[0]


def seen(status: str, age: float | None = 60.0) -> node_conditions.Nodes:
    """A node that tells of one condition, written so many seconds ago."""
    beat = None if age is None else builders.NOW - datetime.timedelta(seconds=age)
    condition = node_state.Condition(status, "Why", "because", beat)
    state = node_state.NodeState({"Ready": condition})
    return node_conditions.Nodes({NODE: state}, builders.NOW)


TOLD = "Ready is {} (Why: because)"
VERDICTS = {
    "has the status": ("False", seen("False"), UNHEALTHY, "ConditionMet", TOLD.format("False")),
    "has another one": ("False", seen("True"), HEALTHY, "ConditionNotMet", TOLD.format("True")),
    "is Unknown": (
        "False",
        seen("Unknown"),
        UNKNOWN,
        Doubt.NO_DATA,
        TOLD.format("Unknown") + "; Unhealthy is False",
    ),
    "is Unknown, which is asked for": (
        "Unknown",
        seen("Unknown", age=3600),
        UNHEALTHY,
        "ConditionMet",
        TOLD.format("Unknown"),
    ),
    "was not written for long": (
        "False",
        seen("True", age=901),
        UNKNOWN,
        Doubt.STALE,
        TOLD.format("True") + "; written 901 s ago, the limit is 900 s",
    ),
    "was written just in time": (
        "False",
        seen("True", age=900),
        HEALTHY,
        "ConditionNotMet",
        TOLD.format("True"),
    ),
    "has no heartbeat": (
        "False",
        seen("True", None),
        HEALTHY,
        "ConditionNotMet",
        TOLD.format("True"),
    ),
    "of a node that is not there": (
        "False",
        node_conditions.Nodes({OTHER: node_state.NodeState()}, builders.NOW),
        UNKNOWN,
        Doubt.NO_DATA,
        "Node/worker-0 has no condition Ready; it has: none",
    ),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(name: str) -> None:
    """One status is Unhealthy, another that is known is Healthy, and nothing else is."""
    wanted, nodes, *expected = VERDICTS[name]
    (found,) = node_conditions.detect(signal("Ready", wanted), nodes, [NODE])
    assert expected == [found.verdict, found.reason, found.message]


def test_the_policy_says_what_is_stale() -> None:
    """Its staleAfter stands in place of three heartbeats."""
    asked = signal("Ready", "False", staleAfter="1m")
    (found,) = node_conditions.detect(asked, seen("True", age=61), [NODE])
    assert (UNKNOWN, Doubt.STALE) == (found.verdict, found.reason)


def test_conditions_that_are_missing_are_named() -> None:
    """Who asks for a condition that nobody reports reads which ones there are."""
    (found,) = node_conditions.detect(signal("NoSuch", "True"), seen("True"), [NODE])
    assert "Node/worker-0 has no condition NoSuch; it has: Ready" == found.message


def test_queries_about_nodes_are_confined_to_no_namespace() -> None:
    """Only the source's own matchers are added; series are led by the label node."""
    query = {"query": "node_load5"}
    (made,) = signals({"name": "load", "prometheus": query, "threshold": {"above": 8}})
    assert ('node_load5{cluster="eu-1"}', ("node",)) == (made.queries["value"], made.labels)
    samples = [
        model.Sample({"node": "worker-0", "namespace": "monitoring", "pod": "exporter-a"}, 9.0),
        model.Sample({"node": "elsewhere"}, 1.0),
    ]
    mapped = mapping.map_samples(made, samples, [NODE], {})
    assert ([9.0], 1) == ([each.value for each in mapped.series[NODE]], mapped.ignored)


def test_another_label_may_hold_the_name() -> None:
    """Exporters call it instance, or by its host name."""
    written = {
        "name": "load",
        "prometheus": {"query": "node_load5"},
        "mapping": {"name": "nodename"},
        "threshold": {"above": 8},
    }
    (made,) = signals(written)
    mapped = mapping.map_samples(made, [model.Sample({"nodename": "worker-0"}, 9.0)], [NODE], {})
    assert [NODE] == list(mapped.series)
