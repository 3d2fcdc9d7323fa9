"""Raw objects to the core's values."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.adapters.kubernetes import parse, parse_revisions
from prunella.api import reasons
from prunella.core import model
from tests.adapters.kubernetes import builders
from tests.adapters.kubernetes.builders import Raw

COUNTS: dict[str, tuple[str, Raw, Raw, tuple[int, int, int, int], bool]] = {
    "Deployment, done": (
        "Deployment",
        {"replicas": 3},
        {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3},
        (3, 3, 3, 3),
        True,
    ),
    "Deployment, an old pod is left": (
        "Deployment",
        {"replicas": 3},
        {"replicas": 4, "updatedReplicas": 3, "availableReplicas": 4},
        (3, 3, 4, 4),
        False,
    ),
    "Deployment, fresh": ("Deployment", {}, {}, (3, 0, 0, 0), False),
    "Deployment, scaled to nothing": ("Deployment", {"replicas": 0}, {}, (0, 0, 0, 0), True),
    "StatefulSet, half way": (
        "StatefulSet",
        {},
        {
            "replicas": 3,
            "availableReplicas": 3,
            "updatedReplicas": 1,
            "currentReplicas": 2,
            "currentRevision": "a",
            "updateRevision": "b",
        },
        (3, 1, 3, 3),
        False,
    ),
    "StatefulSet, one revision": (
        "StatefulSet",
        {},
        {
            "replicas": 3,
            "availableReplicas": 3,
            "currentReplicas": 3,
            "currentRevision": "a",
            "updateRevision": "a",
        },
        (3, 3, 3, 3),
        True,
    ),
    "StatefulSet, held at a partition": (
        "StatefulSet",
        {"updateStrategy": {"rollingUpdate": {"partition": 2}}},
        {
            "replicas": 3,
            "availableReplicas": 3,
            "updatedReplicas": 1,
            "currentRevision": "a",
            "updateRevision": "b",
        },
        (3, 3, 3, 3),
        True,
    ),
    "StatefulSet, not yet at its partition": (
        "StatefulSet",
        {"updateStrategy": {"rollingUpdate": {"partition": 1}}},
        {
            "replicas": 3,
            "availableReplicas": 3,
            "updatedReplicas": 1,
            "currentRevision": "a",
            "updateRevision": "b",
        },
        (3, 1, 3, 3),
        False,
    ),
    "StatefulSet, of a server that knows no availability": (
        "StatefulSet",
        {},
        {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 3},
        (3, 3, 2, 3),
        False,
    ),
    "DaemonSet, done": (
        "DaemonSet",
        {},
        {
            "desiredNumberScheduled": 5,
            "updatedNumberScheduled": 5,
            "numberAvailable": 5,
            "currentNumberScheduled": 5,
        },
        (5, 5, 5, 5),
        True,
    ),
    "DaemonSet, a node is missing": (
        "DaemonSet",
        {},
        {
            "desiredNumberScheduled": 5,
            "updatedNumberScheduled": 4,
            "numberAvailable": 4,
            "currentNumberScheduled": 4,
        },
        (5, 4, 4, 4),
        False,
    ),
}


@pytest.mark.parametrize("case", COUNTS)
def test_counts(case: str) -> None:
    """Each kind's status is read as its own rules say when a rollout is complete."""
    kind, spec, status, expected, rolled_out = COUNTS[case]

    found = parse.workload(kind, builders.workload(status, spec=spec))

    assert expected == (found.replicas, found.updated, found.available, found.total)
    assert rolled_out is found.rolled_out


def test_status_of_an_older_spec_is_no_rollout() -> None:
    """While the controller has not seen the newest spec, its counts say nothing."""
    status = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "observedGeneration": 1}

    found = parse.workload("Deployment", builders.workload(status))

    assert (2, 1, False) == (found.generation, found.observed_generation, found.rolled_out)


def test_workload_fields() -> None:
    """Everything that a guard compares is there; what the object lacks is empty."""
    raw = builders.workload(labels={"a": "b"}, deletionTimestamp=builders.CREATED)

    found = parse.workload("Deployment", raw)

    assert model.Ref("Deployment", "shop", "web") == found.ref
    assert ("web-uid", "10", True) == (found.uid, found.resource_version, found.deleting)
    assert ({"a": "b"}, {}, {"app": "web"}) == (
        dict(found.labels),
        dict(found.annotations),
        dict(found.selector),
    )
    assert builders.template() == found.template


def test_annotations_are_kept_without_a_copy_of_the_whole_object() -> None:
    """Nobody reads it, and it is as large as all the rest."""
    notes = {parse.LAST_APPLIED: "{}", "team": "checkout"}

    found = parse.workload("Deployment", builders.workload(annotations=notes))

    assert {"team": "checkout"} == found.annotations


def managed(manager: str, spec: Raw | None, **entry: Any) -> Raw:
    """An entry of managedFields."""
    fields = {"f:metadata": {}} if spec is None else {"f:spec": spec}
    return {"manager": manager, "operation": "Update", "fieldsV1": fields, **entry}


OWNERS: dict[str, tuple[list[Raw], dict[str, frozenset[str]]]] = {
    "nobody": ([], {}),
    "one for both": (
        [managed("argocd-controller", {"f:replicas": {}, "f:template": {"f:spec": {}}})],
        {
            "spec.replicas": frozenset({"argocd-controller"}),
            "spec.template": frozenset({"argocd-controller"}),
        },
    ),
    "replicas by an autoscaler": (
        [
            managed("kube-controller-manager", {"f:replicas": {}}, subresource="scale"),
            managed("helm", {"f:template": {}}),
        ],
        {
            "spec.replicas": frozenset({"kube-controller-manager"}),
            "spec.template": frozenset({"helm"}),
        },
    ),
    "two share the template": (
        [
            managed("helm", {"f:template": {"f:spec": {}}}),
            managed("kubectl", {"f:template": {"f:metadata": {}}}),
        ],
        {"spec.template": frozenset({"helm", "kubectl"})},
    ),
    "other fields do not count": (
        [managed("someone", {"f:paused": {}}), managed("labeller", None), {"manager": "empty"}],
        {},
    ),
}


@pytest.mark.parametrize("case", OWNERS)
def test_field_owners(case: str) -> None:
    """The managedFields tell who wrote exactly the replicas and the template."""
    entries, expected = OWNERS[case]

    found = parse.workload("Deployment", builders.workload(managedFields=entries))

    assert expected == found.field_owners


@pytest.mark.parametrize(("suspend", "expected"), [(None, False), (False, False), (True, True)])
def test_cron_job(suspend: bool | None, expected: bool) -> None:
    """It is as one replica that is there; who last wrote ``suspend`` is known."""
    entries = [managed("kubectl", {"f:suspend": {}})]

    raw = builders.cron_job(suspend, managedFields=entries)
    found = parse.workload("CronJob", raw)

    assert (expected, "CronJob") == (found.suspended, found.ref.kind)
    assert (1, 1, 1, 1) == (found.replicas, found.updated, found.available, found.total)
    assert found.rolled_out
    assert raw["spec"]["jobTemplate"] == found.template
    assert {"spec.suspend": frozenset({"kubectl"})} == found.field_owners


CANARY = builders.owned_by("Canary", "web", api="flagger.app/v1beta1")
CONTROLLERS = {
    "none": ([], ""),
    "one that controls it": (CANARY, "Canary/web (flagger.app/v1beta1)"),
    "one that does not control it": ([{**CANARY[0], "controller": False}], ""),
}


@pytest.mark.parametrize(("owners", "expected"), CONTROLLERS.values(), ids=CONTROLLERS)
def test_controller(owners: list[builders.Raw], expected: str) -> None:
    """Only a controller's reference says that somebody writes the object."""
    found = parse.workload("Deployment", builders.workload(ownerReferences=owners))

    assert expected == found.controller


def deployment(image: str, observed: int = 2) -> model.Workload:
    """Deployment web with an image."""
    raw = builders.workload(
        {"observedGeneration": observed}, spec={"template": builders.template(image)}
    )
    return parse.workload("Deployment", raw)


SETS = [builders.replica_set("9", "shop/web:v9"), builders.replica_set("10", "shop/web:v10")]
CURRENT = {
    "the newest": (deployment("shop/web:v10"), [True, False]),
    "an earlier one, back again, not yet renumbered": (deployment("shop/web:v9"), [False, True]),
    "none yet": (deployment("shop/web:v11", observed=1), [False, False]),
    "the newest, which lacks a defaulted field": (deployment("shop/web:v11"), [True, False]),
}


@pytest.mark.parametrize("case", CURRENT)
def test_revisions_of_a_deployment(case: str) -> None:
    """ReplicaSets in order of their numbers, newest first; the current one has the template."""
    owner, current = CURRENT[case]

    found = parse_revisions.deployment_revisions(SETS, owner)

    assert [10, 9] == [revision.number for revision in found]
    assert current == [revision.current for revision in found]
    assert builders.template("shop/web:v9") == found[1].template
    assert datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC) == found[0].created


def test_replica_sets_of_others_are_no_revisions() -> None:
    """Only ReplicaSets that the Deployment controls and that have a number count."""
    foreign = builders.replica_set("3", "shop/web:v3", owner_uid="another")
    unnumbered = builders.replica_set("", "shop/web:v4")

    assert () == parse_revisions.deployment_revisions(
        [foreign, unnumbered], deployment("shop/web:v1")
    )


def test_revisions_of_a_stateful_set() -> None:
    """ControllerRevisions hold the template, without the marker of a patch."""
    owner = parse.workload("StatefulSet", builders.workload())
    history = [
        builders.controller_revision(1, "shop/web:v0"),
        builders.controller_revision(2, "shop/web:v1"),
    ]

    found = parse_revisions.controller_revisions(history, owner)

    assert [(2, True), (1, False)] == [(r.number, r.current) for r in found]
    assert builders.template("shop/web:v0") == found[1].template


def test_pod() -> None:
    """Readiness is the Ready condition's, and a missing one is not ready."""
    ready = builders.pod("web-1", [])
    starting = {**ready, "status": {"phase": "Pending"}}
    leaving = builders.pod("web-2", [], deletionTimestamp=builders.CREATED)

    assert [True, False, True] == [parse.pod(p).ready for p in (ready, starting, leaving)]
    assert [False, False, True] == [parse.pod(p).deleting for p in (ready, starting, leaving)]
    gone_by = datetime.datetime.fromisoformat(builders.CREATED)
    assert [None, None, gone_by] == [parse.pod(p).gone_by for p in (ready, starting, leaving)]
    assert "web-1-uid" == parse.pod(ready).uid


@pytest.mark.parametrize(("observed", "allowed"), [(2, 1), (1, 0)], ids=["current", "behind"])
def test_budget(observed: int, allowed: int) -> None:
    """A budget whose status is behind its spec allows nothing."""
    raw = {
        "metadata": builders.meta("web"),
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {
            "observedGeneration": observed,
            "disruptionsAllowed": 1,
            "currentHealthy": 3,
            "desiredHealthy": 2,
        },
    }

    assert model.Budget("web", {"app": "web"}, allowed, 3, 2) == parse.budget(raw)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"kind": "StatefulSet", "name": "db"}, ("StatefulSet", "db")),
        ({"name": "web"}, ("Deployment", "web")),
    ],
    ids=["named kind", "KEDA's default"],
)
def test_scale_target(target: Raw, expected: tuple[str, str]) -> None:
    """An autoscaler's target is known by kind and name."""
    assert expected == parse.scale_target({"spec": {"scaleTargetRef": target}})


PROBLEMS: dict[str, tuple[Raw, str]] = {
    "missing field": ({}, "spec.target: Field required"),
    "unknown field": (
        {**builders.policy()["spec"], "targte": 1},
        "spec.targte: Extra inputs are not permitted",
    ),
    "inside a list": (
        {**builders.policy()["spec"], "steps": [{"restart": {}}, {}]},
        "spec.steps[1]: exactly one of",
    ),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_invalid_policy_says_what_is_wrong(case: str) -> None:
    """A policy that can't be used is kept with the field that is wrong."""
    spec, problem = PROBLEMS[case]

    found = parse.policy(builders.policy(spec=spec))

    assert found.spec is None
    assert found.problem.startswith(problem)
    assert "checkout" == found.key.name


def test_policy() -> None:
    """A valid policy has its spec, its status and no problem."""
    raw = {**builders.policy(), "status": {"observedGeneration": 2, "lastAction": "web-1"}}

    found = parse.policy(raw)

    assert found.spec is not None
    assert ("web", "") == (found.spec.target.name, found.problem)
    assert ("web-1", 2, "10") == (
        found.status.last_action,
        found.generation,
        found.resource_version,
    )


def test_status_of_another_version_is_forgotten() -> None:
    """A status that this version does not know is written anew; it holds nothing of value."""
    found = parse.policy({**builders.policy(), "status": {"fromTheFuture": True}})

    assert ("", "") == (found.status.last_action, found.problem)


RECORDS: dict[str, tuple[Raw | None, reasons.Phase]] = {
    "no status yet": (None, reasons.Phase.PENDING),
    "acting": ({"phase": "Acting"}, reasons.Phase.ACTING),
    "a phase of another version": ({"phase": "Dancing"}, reasons.Phase.UNKNOWN),
    "a field of another version": ({"phase": "Acting", "mood": "good"}, reasons.Phase.UNKNOWN),
}


@pytest.mark.parametrize("case", RECORDS)
def test_record(case: str) -> None:
    """A status that can't be read is Unknown: Pending would let it be acted on again."""
    status, phase = RECORDS[case]

    found = parse.record(builders.record(status=status))

    assert phase is found.phase
    assert ("web-1", "web-1-uid", "10") == (found.name, found.uid, found.resource_version)
    assert datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC) == found.created


def test_record_of_somebody_else() -> None:
    """A spec that is none of ours is an error that names the field."""
    with pytest.raises(parse.Unreadable, match=r"spec\.policy: Field required"):
        parse.record({**builders.record(), "spec": {}})


ROLLOUTS: dict[str, tuple[str, Raw, model.Strategy, bool]] = {
    "as the server fills it in": (
        "Deployment",
        {"strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}},
        model.Strategy(most_down=0),
        False,
    ),
    "paused, Recreate": (
        "Deployment",
        {"paused": True, "strategy": {"type": "Recreate"}},
        model.Strategy(model.Replacement.RECREATE, 3),
        True,
    ),
    "StatefulSet": (
        "StatefulSet",
        {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}},
        model.Strategy(most_down=1, partition=1, ordered=True),
        False,
    ),
}


@pytest.mark.parametrize("case", ROLLOUTS)
def test_how_a_rollout_would_go(case: str) -> None:
    """The update strategy in pods, and whether a person has paused it."""
    kind, spec, strategy, paused = ROLLOUTS[case]
    found = parse.workload(kind, builders.workload(spec=spec))
    assert (strategy, paused) == (found.strategy, found.paused)


STRANDED: dict[str, tuple[dict[str, str], bool, model.Stranded | None]] = {
    "ready": ({"Ready": "True", "ContainersReady": "True"}, False, None),
    "starting": ({"Ready": "False", "ContainersReady": "False"}, False, None),
    "of a lost node": (
        {"Ready": "False", "ContainersReady": "True"},
        False,
        model.Stranded.LOST,
    ),
    "behind a readiness gate": ({"Ready": "False", "ContainersReady": "True"}, True, None),
    "on no node": ({"PodScheduled": "False"}, False, model.Stranded.NOT_PLACED),
}


@pytest.mark.parametrize("case", STRANDED)
def test_pods_that_can_not_run(case: str) -> None:
    """Told by conditions that only the node controller or the scheduler writes."""
    conditions, gated, expected = STRANDED[case]
    raw = builders.pod("web-1", [])
    raw["status"]["conditions"] = [{"type": k, "status": v} for k, v in conditions.items()]
    raw["spec"] = {"readinessGates": [{"conditionType": "example.com/lb"}]} if gated else {}
    assert expected == parse.pod(raw).stranded


def returned(number: str, image: str, *before: str, created: str = builders.CREATED) -> Raw:
    """A ReplicaSet with its earlier numbers."""
    found = builders.replica_set(number, image)
    found["metadata"]["creationTimestamp"] = created
    if before:
        found["metadata"]["annotations"][parse_revisions.REVISION_HISTORY] = ",".join(before)
    return found


PROGRESSED = "2026-01-05T10:00:00Z"
RELEASED: dict[str, tuple[list[Raw], list[str | None]]] = {
    "never came back": (
        [returned("2", "shop/web:v2"), returned("1", "shop/web:v1")],
        [None, None],
    ),
    "the newest came back": (
        [returned("3", "shop/web:v1", "1"), returned("2", "shop/web:v2")],
        [PROGRESSED, None],
    ),
    "came back, and was restarted": (
        [
            returned("4", "shop/web:v1r", created="2026-01-05T09:30:00Z"),
            returned("3", "shop/web:v1", "1"),
        ],
        [None, "2026-01-05T09:30:00Z"],
    ),
    "both came back": (
        [returned("4", "shop/web:v2", "2"), returned("3", "shop/web:v1", "1")],
        [PROGRESSED, PROGRESSED],
    ),
}


@pytest.mark.parametrize("case", RELEASED)
def test_when_a_release_came_back(case: str) -> None:
    """The latest time that is sure: the rollout's last progress, or the release after it."""
    sets, expected = RELEASED[case]
    status = {"conditions": [{"type": "Progressing", "lastUpdateTime": PROGRESSED}]}
    owner = parse.workload("Deployment", builders.workload(status))
    found = parse_revisions.deployment_revisions(reversed(sets), owner)
    times = [None if each is None else datetime.datetime.fromisoformat(each) for each in expected]
    assert times == [revision.released for revision in found]


def test_a_controller_revision_is_as_old_as_its_number() -> None:
    """Its controller changes nothing else of it, and the server notes when."""
    raw = builders.controller_revision(3, "shop/web:v1")
    raw["metadata"]["managedFields"] = [
        {"fieldsV1": {"f:revision": {}, "f:data": {}}, "time": PROGRESSED},
        {"fieldsV1": {"f:metadata": {}}, "time": "2026-01-05T11:00:00Z"},
    ]
    owner = parse.workload("StatefulSet", builders.workload())
    (found,) = parse_revisions.controller_revisions([raw], owner)
    assert datetime.datetime.fromisoformat(PROGRESSED) == found.released
