"""Update strategies: limits as pods, words, and the pods that block a StatefulSet."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.core import model
from prunella.core.decisions import strategies
from tests.unit.core import builders

Replacement = model.Replacement
Strategy = model.Strategy
ROLLING = Replacement.ROLLING_UPDATE


def rolling(**limits: Any) -> dict[str, Any]:
    """A rolling update with some limits."""
    return {"type": "RollingUpdate", "rollingUpdate": limits}


SPECS: dict[str, tuple[str, dict[str, Any], int, Strategy]] = {
    "Deployment, default, of 3": ("Deployment", {}, 3, Strategy(ROLLING, 0)),
    "Deployment, default, of 10": ("Deployment", {}, 10, Strategy(ROLLING, 2)),
    "Deployment, all at once": (
        "Deployment",
        {"strategy": rolling(maxUnavailable="100%")},
        3,
        Strategy(ROLLING, 3),
    ),
    "Deployment, rounded down to nothing and no surge": (
        "Deployment",
        {"strategy": rolling(maxUnavailable="25%", maxSurge=0)},
        3,
        Strategy(ROLLING, 1),
    ),
    "Deployment, more than there are": (
        "Deployment",
        {"strategy": rolling(maxUnavailable=9)},
        3,
        Strategy(ROLLING, 3),
    ),
    "Deployment, Recreate": (
        "Deployment",
        {"strategy": {"type": "Recreate"}},
        3,
        Strategy(Replacement.RECREATE, 3),
    ),
    "Deployment of none": ("Deployment", {}, 0, Strategy(ROLLING, 0)),
    "StatefulSet, default": ("StatefulSet", {}, 3, Strategy(ROLLING, 1, ordered=True)),
    "StatefulSet, Parallel": (
        "StatefulSet",
        {"podManagementPolicy": "Parallel"},
        3,
        Strategy(ROLLING, 1),
    ),
    "StatefulSet, partition and more at once": (
        "StatefulSet",
        {"updateStrategy": rolling(partition=2, maxUnavailable="50%")},
        3,
        Strategy(ROLLING, 2, partition=2, ordered=True),
    ),
    "StatefulSet, OnDelete": (
        "StatefulSet",
        {"updateStrategy": {"type": "OnDelete"}},
        3,
        Strategy(Replacement.ON_DELETE, 0, ordered=True),
    ),
    "DaemonSet, default": ("DaemonSet", {}, 9, Strategy(ROLLING, 1)),
    "DaemonSet, rounded up": (
        "DaemonSet",
        {"updateStrategy": rolling(maxUnavailable="10%")},
        15,
        Strategy(ROLLING, 2),
    ),
    "DaemonSet, new pods first": (
        "DaemonSet",
        {"updateStrategy": rolling(maxUnavailable=0, maxSurge=1)},
        9,
        Strategy(ROLLING, 0),
    ),
    "a type of tomorrow": (
        "DaemonSet",
        {"updateStrategy": {"type": "Canary"}},
        9,
        Strategy(ROLLING, 1),
    ),
}


@pytest.mark.parametrize(("kind", "spec", "replicas", "expected"), SPECS.values(), ids=SPECS)
def test_a_strategy_is_read_as_its_controller_reads_it(
    kind: str, spec: dict[str, Any], replicas: int, expected: Strategy
) -> None:
    """Percentages are rounded as each kind does, and defaults filled in."""
    assert expected == strategies.of(kind, spec, replicas)


WORDS: dict[str, tuple[Strategy, str]] = {
    "one at a time": (Strategy(), "pod by pod (3 replicas)"),
    "new pods first": (Strategy(most_down=0), "pod by pod (3 replicas)"),
    "Recreate": (
        Strategy(Replacement.RECREATE, 3),
        "all 3 pods at once (Recreate): none serves until new ones are ready",
    ),
    "two at a time": (Strategy(most_down=2), "up to 2 of 3 pods down at once"),
    "partition": (Strategy(partition=2), "pod by pod (3 replicas; 2 keep theirs (partition))"),
}


@pytest.mark.parametrize(("strategy", "words"), WORDS.values(), ids=WORDS)
def test_a_plan_says_what_will_happen(strategy: Strategy, words: str) -> None:
    """Pod by pod is told only where it is true."""
    workload = builders.workload(strategy=strategy)
    assert words == strategies.in_words(workload)
    assert (words == "pod by pod (3 replicas)") == strategies.pod_by_pod(workload)


def pod(number: int, *, ready: bool = False, revision: str = "db-bad", **more: Any) -> model.Pod:
    """A pod of StatefulSet ``db``."""
    labels = {strategies.REVISION_HASH: revision, **more.pop("labels", {})}
    return model.Pod(f"db-{number}", f"uid-{number}", labels, ready=ready, **more)


ORDERED = Strategy(ordered=True)
BLOCKING: dict[str, tuple[Strategy, list[model.Pod], list[str]]] = {
    "the broken one": (ORDERED, [pod(0, ready=True), pod(2)], ["db-2"]),
    "all that are not ready, lowest first": (ORDERED, [pod(10), pod(9)], ["db-9", "db-10"]),
    "of the healthy revision: it may become ready": (ORDERED, [pod(2, revision="db-good")], []),
    "on its way already": (ORDERED, [pod(2, deleting=True)], []),
    "below the partition": (Strategy(ordered=True, partition=2), [pod(1), pod(2)], ["db-2"]),
    "Parallel waits for none": (Strategy(), [pod(2)], []),
    "OnDelete replaces none": (Strategy(Replacement.ON_DELETE, ordered=True), [pod(2)], []),
    "number by its label": (
        Strategy(ordered=True, partition=2),
        [pod(0, labels={strategies.ORDINAL: "2"})],
        ["db-0"],
    ),
}


@pytest.mark.parametrize(("strategy", "pods", "expected"), BLOCKING.values(), ids=BLOCKING)
def test_pods_that_block_an_ordered_set(
    strategy: Strategy, pods: list[model.Pod], expected: list[str]
) -> None:
    """Those that are not ready and would not be so by the new template alone."""
    workload = builders.workload("db", kind="StatefulSet", strategy=strategy)
    look = model.LiveState(workload, pods=tuple(pods))
    assert expected == [each.name for each in strategies.blocking(look, "db-good")]
