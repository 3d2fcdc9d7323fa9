"""helmRollback: whether a release may be the cause, the Job that goes back, and the one forward."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from prunella.actions import helm_rollback, revert
from prunella.api import offered, offers, reasons, remediation, steps
from prunella.core import model
from prunella.core.decisions import action, episode, helm, releases
from prunella.core.outcomes import runs
from tests.unit.actions import manifests
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes

Refused = reasons.Refused
HEALTHY, UNHEALTHY = model.Verdict.HEALTHY, model.Verdict.UNHEALTHY
GOOD, BAD = manifests.deployment("2"), manifests.deployment("3")
TEMPLATE = offered.JobTemplate.model_validate(
    {
        "namespaces": ["shop"],
        "image": f"alpine/helm@sha256:{'0' * 64}",
        "serviceAccount": "prunella-helm",
        "mountToken": True,
        "env": {"KINDS": "Deployment"},
        "parameters": {
            "RELEASE": {"pattern": "[a-z-]+"},
            "CHANGED": {"pattern": "[0-9]+"},
            "HOOKS": {"pattern": "Refuse"},
            "EXPECT": {"pattern": "[0-9]*", "default": ""},
            "TO": {"pattern": "[0-9]*", "default": ""},
        },
    }
)
MARKS = {helm.RELEASE: "shop", helm.NAMESPACE: "shop"}
MADE = (
    "prunella: rolling shop\nprunella: made revision 8 of shop as revision 6 was, after revision 7"
)


def looked(**changes: Any) -> model.LiveState:
    """A workload of a release, whose newest revision is five minutes old."""
    owners = {"spec.template": frozenset(changes.pop("managers", {"helm"}))}
    known = {"annotations": MARKS, "field_owners": owners, **changes.pop("workload", {})}
    revisions = (
        manifests.revision(2, 300, GOOD),
        manifests.revision(3, changes.pop("minutes_ago", 5), BAD, current=True),
    )
    shown = {"revisions": revisions, **changes}
    return model.LiveState(manifests.workload(BAD, **known), **shown)


def plan(live_state: model.LiveState, before: Any = HEALTHY, **params: Any) -> Any:
    """What comes of a step; ``before`` is what the signals said just before the release."""
    at = NOW - minutes(5) - datetime.timedelta(seconds=1)
    known = {} if before is None else {at: before}
    given = {"verdicts_at": known, "record": "deployment-checkout-1"}
    request = manifests.request(live_state, {"helmRollback": params}, **given)
    return helm_rollback.HelmRollback(TEMPLATE).plan(request)


def env(job: Any) -> dict[str, str]:
    """The variables of a Job's container."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def test_one_job_and_its_inverse() -> None:
    """The Job knows the release and when it came; the inverse waits for the revision's number."""
    planned = plan(looked())
    effect = manifests.kept(planned.effects[0])
    job = effect.manifest
    assert {
        "KINDS": "Deployment",
        "RELEASE": "shop",
        "CHANGED": str(int((NOW - minutes(5)).timestamp())),
        "HOOKS": "Refuse",
        "EXPECT": "",
        "TO": "",
    }.items() <= env(job).items()
    inverse: Any = effect.inverse[0]["value"]
    assert ("0", "0") == (env(inverse)["EXPECT"], env(inverse)["TO"])
    assert (model.Verb.CREATE, "Job", False) == (effect.verb, effect.target.kind, effect.tested)
    assert planned.leaves == releases.release_hash(BAD["spec"]["template"])
    assert "forward again: helm rollback shop REVISION -n shop" in effect.summary


def test_it_asks_whether_all_was_well_before() -> None:
    """A second before the release."""
    at = NOW - minutes(5) - datetime.timedelta(seconds=1)
    (need,) = plan(looked(), before=None)
    assert (model.NeedKind.VERDICT_AT, at) == (need.kind, need.at)


def test_a_restart_does_not_make_a_release_younger() -> None:
    """The revision that the restart has made is of the same release."""
    restarted = manifests.deployment("3", {"kubectl.kubernetes.io/restartedAt": "2026"})
    revisions = (
        manifests.revision(2, 300, GOOD),
        manifests.revision(3, 5, BAD),
        manifests.revision(4, 1, restarted, current=True),
    )
    planned = plan(looked(revisions=revisions, managers={"helm", "kubectl-rollout"}))
    assert isinstance(planned, action.Plan), planned
    (effect,) = planned.effects
    assert str(int((NOW - minutes(5)).timestamp())) == env(effect.manifest)["CHANGED"]


@pytest.mark.parametrize(
    ("changes", "reason", "message"),
    [
        pytest.param(
            {"workload": {"annotations": {}}},
            Refused.NOT_FROM_HELM,
            "Deployment/checkout has no annotation meta.helm.sh/release-name",
            id="no release",
        ),
        pytest.param(
            {"workload": {"annotations": {**MARKS, helm.NAMESPACE: "blog"}}},
            Refused.NOT_FROM_HELM,
            "Deployment/checkout belongs to release shop of namespace blog: a policy acts in its "
            "own, shop",
            id="a release of another namespace",
        ),
        pytest.param(
            {"managers": {"kubectl-edit"}},
            Refused.NOT_FROM_HELM,
            "spec.template of Deployment/checkout was written by kubectl-edit, not by Helm",
            id="Helm is no longer the owner",
        ),
        pytest.param(
            {"before": UNHEALTHY},
            Refused.NO_KNOWN_GOOD_REVISION,
            "Deployment/checkout was Unhealthy at 2026-01-05T08:54:59Z, just before its release: "
            "nothing says that it is the cause",
            id="sick before already",
        ),
        pytest.param(
            {"minutes_ago": 61},
            Refused.NOT_CHANGED_RECENTLY,
            "the release of Deployment/checkout is 3660 s old, changeWithin is 3600 s",
            id="an old release",
        ),
    ],
)
def test_it_is_refused_with_what_was_compared(
    changes: dict[str, Any], reason: reasons.Refused, message: str
) -> None:
    """Each of these lets the next step be tried."""
    before = changes.pop("before", HEALTHY)
    assert model.Refusal(reason, message, skip_step=True) == plan(looked(**changes), before)


def test_what_the_administrators_do_not_offer() -> None:
    """No Job, not for the namespace, or no hooks."""
    told = plan(looked(), allowHooks=True)
    assert told.message == (
        "Job template helm-rollback: parameters.HOOKS: 'Run' does not match 'Refuse'"
    )
    request = manifests.request(looked(), {"helmRollback": {}})
    told = helm_rollback.HelmRollback(None).plan(request)
    assert (
        Refused.NOT_OFFERED,
        "there is no Job template helm-rollback; the operator has: none",
    ) == (
        told.reason,
        told.message,
    )


def ended(log: str, **changes: Any) -> Any:
    """The record of a Job that was made, and what it has said."""
    run = remediation.RunStatus(state="Succeeded", log=log)
    (effect,) = plan(looked()).effects
    return builders.record(action="helmRollback", effects=[effect], run=run, **changes)


def test_the_way_forward_names_what_was_made() -> None:
    """By a Job of another name, with the numbers that the first one has told."""
    follows = ended(MADE)
    request = manifests.request(looked(), follows=follows, record="deployment-checkout-2")
    planned = revert.Revert().plan(request)
    assert isinstance(planned, action.Plan), planned
    (effect,) = planned.effects
    assert ("8", "7") == (env(effect.manifest)["EXPECT"], env(effect.manifest)["TO"])
    assert effect.target.name == effect.manifest["metadata"]["name"]
    assert effect.target != follows.spec.effects[0].name
    assert () == effect.inverse


def test_without_a_number_there_is_no_way_forward() -> None:
    """The Job was broken off, or its log could not be read."""
    follows = ended("prunella: rolling shop")
    request = manifests.request(looked(), follows=follows, record="deployment-checkout-2")
    refused = revert.Revert().plan(request)
    assert isinstance(refused, model.Refusal)
    assert "does not say which revision it has made" in refused.message


@pytest.mark.parametrize(
    ("log", "reverts"),
    [
        pytest.param(MADE, True, id="a revision was made"),
        pytest.param("", True, id="nobody knows"),
        pytest.param("prunella: refused: shop: revision 7 is pending", False, id="it has refused"),
    ],
)
def test_what_has_refused_is_not_undone(log: str, reverts: bool) -> None:
    """Then the next step follows at once."""
    step = {"helmRollback": {}}
    policy = builders.policy(steps=[step, {"restart": {}}])
    assert policy.spec is not None
    record = ended(log, phase=reasons.Phase.UNHELPFUL)
    following = episode.next_attempt(policy, policy.spec, record.spec.target.uid, [record])
    assert isinstance(following, episode.Next)
    assert (reverts, 0 if reverts else 1) == (following.revert, following.step)


def test_a_job_that_undoes_is_followed_as_any() -> None:
    """But not what a revert creates again, such as a ConfigMap."""
    record = ended(MADE, phase=reasons.Phase.VERIFYING)
    undoing = dataclasses.replace(record, spec=record.spec.model_copy(update={"action": "revert"}))
    assert runs.starts_run(undoing)
    again = record.spec.effects[0].model_copy(update={"kind": "ConfigMap"})
    made = record.spec.model_copy(update={"action": "revert", "effects": [again]})
    assert not runs.starts_run(dataclasses.replace(record, spec=made))


def test_no_policy_can_name_the_job_itself() -> None:
    """Its parameters are the action's."""
    with pytest.raises(ValueError, match="helm-rollback is the name of the Job of helmRollback"):
        offers.Offers(job_templates={offered.HELM_ROLLBACK: TEMPLATE})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"changeWithin": "soon"}, "changeWithin", id="no duration"),
        pytest.param({"release": "shop"}, "release", id="a release of one's own"),
        pytest.param({"allowHooks": "maybe"}, "allowHooks", id="no boolean"),
    ],
)
def test_a_step_that_makes_no_sense_is_told(params: dict[str, Any], message: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(ValueError, match=message):
        steps.Step.model_validate({"helmRollback": params})
