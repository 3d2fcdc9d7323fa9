"""Stories are played by the real engine and compared with what was expected."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from prunella.policytest import run, stage
from tests.unit.policytest import stories
from tests.unit.policytest.stories import SCALED

HEALED: dict[str, Any] = {
    "checks": [
        {"at": "1m", "verdict": "Healthy", "signals": {"load": "Healthy"}, "refused": ""},
        {"at": "2m30s", "verdict": "Unhealthy", "refused": "NotHeldLongEnough"},
        {"at": "2m30s", "reason": "OverLimit"},
        {"at": "7m", "verdict": "Healthy"},
    ],
    "effects": [{**SCALED, "after": "3m", "before": "4m", "fields": {"spec.replicas": 6}}],
    "refusals": [{"reason": "NotHeldLongEnough"}],
    "final": {
        "workloads": {"checkout": {"replicas": 6, "ready": 6, "image": "shop:v1"}},
        "remediations": [{"action": "scale", "phase": "Succeeded", "target": "checkout"}],
        "escalations": 0,
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    """The expectations with one of them changed."""
    expect = copy.deepcopy(HEALED)
    place: Any = expect
    *parts, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    for part in parts:
        place = place[part]
    place[last] = value
    return expect


def test_a_story_that_comes_true() -> None:
    """Verdicts, refusals, effects and the end are as the simulated cluster had them."""
    assert {} == stories.wrong(stories.play({"expect": HEALED}))


WRONG: dict[str, tuple[str, object, str]] = {
    "a verdict": ("checks/0/verdict", "Unhealthy", "1m verdict"),
    "a signal's verdict": ("checks/0/signals", {"load": "Unknown"}, "1m load"),
    "a signal that is not there": ("checks/0/signals", {"lead": "Healthy"}, "1m lead"),
    "a reason": ("checks/2/reason", "InLimit", "2m30s reason"),
    "a refusal at a time": ("checks/1/refused", "", "2m30s refused"),
    "no refusal at a time": ("checks/3/refused", "Cooldown", "7m refused"),
    "another action": ("effects/0/action", "restart", "effect 1"),
    "another verb": ("effects/0/verb", "Evict", "effect 1"),
    "another field": ("effects/0/fields", {"spec.replicas": 5}, "effect 1"),
    "a field that is not there": ("effects/0/fields", {"spec.paused": True}, "effect 1"),
    "too early": ("effects/0/after", "4m", "effect 1"),
    "too late": ("effects/0/before", "3m", "effect 1"),
    "an effect that was not expected": ("effects", [], "effect 1"),
    "an effect that did not happen": ("effects", [SCALED, SCALED], "effect 2"),
    "a refusal that never was": ("refusals/0/reason", "Cooldown", "refused"),
    "another end": ("final/workloads/checkout/replicas", 3, "final replicas"),
    "a workload that should be gone": ("final/workloads/checkout", {"exists": False}, "finally"),
    "another phase": ("final/remediations/0/phase", "Failed", "remediation 1"),
    "a record too many": ("final/remediations", [], "remediation 1"),
    "a person who was not called": ("final/escalations", 1, "escalations"),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_expectation_can_fail(name: str) -> None:
    """What did not come true is named, and nothing else is."""
    path, value, check = WRONG[name]
    result = stories.play({"expect": changed(path, value)})

    assert [check] == list(stories.wrong(result))
    assert not result.passed


def test_what_is_not_listed_must_not_happen() -> None:
    """Expectations that say nothing of effects say that there are none."""
    wrong = stories.wrong(stories.play({"expect": {}}))

    assert {"effect 1": ("nothing", "scale at 3m10s")}.keys() == wrong.keys()


MODES = {"Advise": "Advised", "DryRun": "DryRun"}


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_can_be_tried(mode: str) -> None:
    """The case's mode stands in place of the policy's."""
    final = {"remediations": [{"phase": MODES[mode]}], "workloads": {"checkout": {"replicas": 3}}}

    assert {} == stories.wrong(stories.play({"mode": mode, "expect": {"final": final}}))


QUIET: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a pause": (
        {"events": [{"at": "1m", "pause": True}]},
        {"at": "4m", "verdict": "Unhealthy", "refused": "Paused"},
    ),
    "a source that fails": (
        {"events": [{"at": "1m", "source": "down"}]},
        {"at": "4m", "verdict": "Unknown", "reason": "SourceUnreachable"},
    ),
    "an autoscaler": (
        {"objects": [{"autoscaler": "checkout"}]},
        {"at": "4m", "refused": "OwnedByAutoscaler"},
    ),
    "somebody who was there first": (
        {"events": [{"at": "2m", "scale": {"checkout": 6}}]},
        {"at": "4m", "verdict": "Healthy"},
    ),
    "a workload that is gone": (
        {"events": [{"at": "1m", "delete": "checkout"}], "clock": {"run": "4m"}},
        {"at": "30s", "verdict": "Healthy"},
    ),
}


@pytest.mark.parametrize("name", QUIET)
def test_what_keeps_the_operator_from_acting(name: str) -> None:
    """Events and objects of the case have their effect."""
    case, check = QUIET[name]

    assert {} == stories.wrong(stories.play({**case, "expect": {"checks": [check]}}))


ON_CAUSE = {"trigger": {"incident": {"causeKind": ["Scale"], "changeWithin": "10m"}}}
NAMED: dict[str, Any] = {"suspect": "checkout", "causeKind": "Scale", "changed": "5m", "from": "3m"}
CAUSES: dict[str, tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]] = {
    "the cause": (NAMED, {"at": "2m50s", "refused": "NotTheCause"}, [{**SCALED, "after": "3m"}]),
    "by a person's word": (
        {**NAMED, "confidence": "Low", "mark": "Confirmed"},
        {"at": "2m50s", "refused": "NotTheCause"},
        [{**SCALED, "after": "3m"}],
    ),
    "another kind": ({**NAMED, "causeKind": "Release"}, {"at": "7m", "refused": "NotTheCause"}, []),
    "not sure": ({**NAMED, "confidence": "Low"}, {"at": "7m", "refused": "NotTheCause"}, []),
    "changed long before": ({**NAMED, "changed": "1h"}, {"at": "7m", "refused": "NotTheCause"}, []),
    "a symptom": (
        {**NAMED, "suspect": "Service/db", "symptoms": ["checkout"]},
        {"at": "7m", "refused": "NotTheCause"},
        [],
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_a_policy_on_causes_acts_on_what_a_stated_incident_names(name: str) -> None:
    """A case states an open incident with its first suspect, and expects the decision."""
    incident, check, effects = CAUSES[name]
    case = {"incidents": [incident], "expect": {"checks": [check], "effects": effects}}
    assert {} == stories.wrong(stories.play(case, **ON_CAUSE))


def test_symptoms_wait_for_a_stated_incident_until_it_is_over() -> None:
    """A policy on signals leaves alone what an incident explains by another object."""
    incident = {"suspect": "Node/n1", "causeKind": "Node", "symptoms": ["checkout"], "until": "5m"}
    expect = {
        "checks": [{"at": "4m50s", "verdict": "Unhealthy", "refused": "WaitsForIncident"}],
        "effects": [{**SCALED, "after": "5m"}],
    }
    assert {} == stories.wrong(stories.play({"incidents": [incident], "expect": expect}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"suspect": "Service db"}, "an object such as ConfigMap/settings", id="name"),
        pytest.param({"until": "3m"}, "until must be after from", id="times"),
        pytest.param({"causeKind": "Weather"}, "Input should be 'Release'", id="kind of cause"),
    ],
)
def test_an_incident_that_can_not_be_stated(changes: dict[str, Any], message: str) -> None:
    """What is wrong with it is said when the test is read."""
    with pytest.raises(ValueError, match=message):
        stories.one_case({"incidents": [{**NAMED, **changes}]})


def test_a_source_can_come_back() -> None:
    """And a pause can end: then what has to be done is done."""
    events = [
        {"at": "1m", "source": "empty"},
        {"at": "1m", "pause": True},
        {"at": "3m", "source": "up"},
        {"at": "3m", "pause": False},
    ]
    effects = [{**SCALED, "after": "4m"}]

    assert {} == stories.wrong(stories.play({"events": events, "expect": {"effects": effects}}))


def test_an_earlier_release_is_an_event_before_the_start() -> None:
    """Revisions are made by releases, as in a cluster."""
    case = {
        "series": [
            {
                "metric": 'load{deployment="checkout"}',
                "target": "checkout",
                "values": 1,
                "when": [{"image": "*:v2", "values": 50}],
            }
        ],
        "clock": {"history": "10m", "run": "10m"},
        "events": [{"at": "-2m", "setImage": {"checkout": "shop:v2"}}],
        "expect": {
            "effects": [
                {
                    "action": "rollback",
                    "fields": {"spec.template.spec.containers[0].image": "shop:v1"},
                }
            ]
        },
    }

    assert {} == stories.wrong(stories.play(case, steps=[{"rollback": {}}]))


def test_a_story_that_the_api_server_refuses() -> None:
    """An object whose selector does not fit its template can't be created."""
    bad = {
        "kind": "Deployment",
        "metadata": {"name": "bad"},
        "spec": {
            "selector": {"matchLabels": {"app": "x"}},
            "template": {"metadata": {"labels": {"app": "y"}}, "spec": {"containers": [{}]}},
        },
    }
    with pytest.raises(stage.StoryError, match="Deployment/bad can't be created"):
        stories.play({"objects": [bad], "expect": {}})


def test_other_sources_are_known() -> None:
    """A policy may name any source; the simulated one answers for it."""
    signals = [{**stories.POLICY["signals"][0], "source": "thanos"}]
    checks = [{"at": "1m", "verdict": "Healthy"}]
    case = {"clock": {"run": "90s"}, "expect": {"checks": checks}}

    assert {} == stories.wrong(stories.play(case, signals=signals))


PODS = {
    "clock": {"run": "4m"},
    "series": [{"metric": "pod_load", "target": "checkout", "perPod": True, "values": 30}],
}
BY_POD = [{**stories.POLICY["signals"][0], "prometheus": {"query": "pod_load"}}]


def test_an_eviction_is_an_effect_on_the_workload() -> None:
    """It is told by the workload that the pod belongs to."""
    effect = {"action": "evictPod", "verb": "Evict", "target": "checkout"}
    result = stories.play(
        {**PODS, "expect": {"effects": [effect]}}, signals=BY_POD, steps=[{"evictPod": {}}]
    )

    assert {} == stories.wrong(result)


def test_a_budget_is_kept() -> None:
    """A PodDisruptionBudget without room refuses the eviction."""
    expect = {"refusals": [{"reason": "DisruptionBudget"}]}
    case = {**PODS, "objects": [{"budget": "checkout", "minAvailable": 3}], "expect": expect}

    assert {} == stories.wrong(stories.play(case, signals=BY_POD, steps=[{"evictPod": {}}]))


def test_what_git_owns_is_left_alone() -> None:
    """The manager of the fields is said in the short form."""
    owned = {"deployment": "checkout", "image": "shop:v1", "manager": "argocd-controller"}
    test = stories.one_case(
        {"expect": {"refusals": [{"reason": "OwnedByGitOps"}]}}, objects=[owned]
    )

    assert {} == stories.wrong(run.run_case(test, test.cases[0], stories.policies()))


def test_a_source_of_nan_is_doubt_and_no_error() -> None:
    """Given a source that answers NaN, ages too, then the verdict is Unknown and nothing breaks."""
    story = {
        "events": [{"at": "1m", "source": "nan"}],
        "expect": {
            "checks": [
                {"at": "45s", "verdict": "Healthy"},
                {"at": "5m", "verdict": "Unknown", "reason": "Stale"},
            ]
        },
    }
    before = {**story, "events": [{"at": "-1m", "source": "nan"}]}

    assert {} == stories.wrong(stories.play(story))
    assert ["45s verdict"] == list(stories.wrong(stories.play(before)))


NOTHING_JUDGED: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "no target": (
        {},
        {"target": {"name": "checkuot"}},
        "targets",
        "passes was there a workload that the policy selects",
    ),
    "all is Unknown": (
        {"events": [{"at": "-1m", "source": "empty"}]},
        {},
        "verdicts",
        "load: NoData: no series is mapped to Deployment/checkout",
    ),
}


@pytest.mark.parametrize(
    ("case", "policy", "check", "words"), NOTHING_JUDGED.values(), ids=NOTHING_JUDGED
)
def test_a_story_in_which_nothing_is_judged_fails(
    case: dict[str, Any], policy: dict[str, Any], check: str, words: str
) -> None:
    """Given no target or no verdict, then "nothing happened" is no proof, and that is said."""
    wrong = stories.wrong(stories.play(case, **policy))

    assert [check] == list(wrong)
    assert words in wrong[check][1]


def test_a_story_that_expects_doubt_may_have_nothing_else() -> None:
    """Given a case that is about Unknown, then it may be Unknown all along."""
    expect = {"checks": [{"at": "2m", "verdict": "Unknown", "reason": "NoData"}]}
    events = [{"at": "-1m", "source": "empty"}]

    assert {} == stories.wrong(stories.play({"events": events, "expect": expect}))
