"""resize: more memory or CPU of one container, in pods or in the template, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.actions import resize
from prunella.api import reasons, steps
from prunella.core import model
from prunella.core.changes import swaps
from prunella.core.decisions import action, restoring
from tests.unit.actions import manifests
from tests.unit.core import builders

Refused = reasons.Refused
CHECKOUT = builders.workload().ref
MEMORY = {"memory": {"by": "50%", "max": "2Gi"}}


def container(name: str = "app", **resources: dict[str, str]) -> dict[str, Any]:
    """A container with requests and limits."""
    return {"name": name, "image": "shop/app:v1", "resources": resources}


APP = container(limits={"memory": "512Mi", "cpu": "1"}, requests={"memory": "512Mi", "cpu": "250m"})


def spec(*containers: dict[str, Any]) -> dict[str, Any]:
    """A pod's spec."""
    return {"containers": list(containers or (APP,))}


def deployment(*containers: dict[str, Any]) -> Any:
    """A Deployment as the API server shows it."""
    metadata = {"name": "checkout", "namespace": "shop", "uid": "checkout-uid", "generation": 4}
    return {"metadata": metadata, "spec": {"template": {"spec": spec(*containers)}}}


def pod(name: str, *containers: dict[str, Any]) -> Any:
    """A pod as the API server shows it."""
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": "1"}
    return {"metadata": {**metadata, "generation": 1}, "spec": spec(*containers)}


def plan(params: dict[str, Any], *shown: Any, pods: Any = (), **changes: Any) -> Any:
    """What comes of a step; ``shown`` are the objects that were looked at."""
    live_state = model.LiveState(builders.workload(), pods=tuple(pods))
    looked = {}
    for each in shown:
        kind = "Deployment" if "template" in each["spec"] else "Pod"
        ref = model.Ref(kind, "shop", each["metadata"]["name"])
        looked[ref] = restoring.Looked(ref, each)
    request = manifests.request(live_state, {"resize": params}, looked=looked, **changes)
    return resize.Resize().plan(request)


@pytest.mark.parametrize(
    ("params", "resources", "told"),
    [
        pytest.param(
            MEMORY,
            {
                "limits": {"memory": "768Mi", "cpu": "1"},
                "requests": {"memory": "768Mi", "cpu": "250m"},
            },
            "memory request from 512Mi to 768Mi, memory limit from 512Mi to 768Mi",
            id="a request that is the limit stays equal to it",
        ),
        pytest.param(
            {"cpu": {"by": "50%", "max": 4}},
            {
                "limits": {"memory": "512Mi", "cpu": "1500m"},
                "requests": {"memory": "512Mi", "cpu": "250m"},
            },
            "cpu limit from 1 to 1500m",
            id="another request stays",
        ),
        pytest.param(
            {"memory": {"by": "100%", "max": "600Mi"}},
            {
                "limits": {"memory": "600Mi", "cpu": "1"},
                "requests": {"memory": "600Mi", "cpu": "250m"},
            },
            "memory request from 512Mi to 600Mi, memory limit from 512Mi to 600Mi",
            id="up to its maximum",
        ),
    ],
)
def test_the_template_is_written_and_known_the_way_back(
    params: dict[str, Any], resources: dict[str, Any], told: str
) -> None:
    """Applied and undone, the Deployment is as before."""
    shown = deployment()
    planned = plan(params, shown)
    assert isinstance(planned, action.Plan), planned
    effect = manifests.kept(planned.effects[0])
    after = swaps.apply(effect.patch, shown)
    assert resources == after["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert shown == swaps.apply(effect.inverse, after)
    assert (f"resize container app of {CHECKOUT}: {told}", 4) == (effect.summary, effect.generation)


PODS = (model.Pod("a", "uid-a"), model.Pod("b", "uid-b"), model.Pod("c", "uid-c", deleting=True))


def test_in_place_the_sick_pods_are_written() -> None:
    """Each has an effect of its own, by its UID; a pod's status is written all the time."""
    sick = builders.finding(pod="b")
    params = {"where": "InPlace", **MEMORY}
    assert (model.Need(model.NeedKind.OBJECT, model.Ref("Pod", "shop", "b")),) == plan(
        params, pods=PODS, findings=(sick,)
    )
    shown = pod("b")
    planned = plan(params, shown, pods=PODS, findings=(sick,))
    (effect,) = planned.effects
    assert ("Pod", "uid-b", None, "") == (
        effect.target.kind,
        effect.uid,
        effect.generation,
        effect.resource_version,
    )
    after = swaps.apply(effect.patch, shown)
    assert "768Mi" == after["spec"]["containers"][0]["resources"]["limits"]["memory"]
    assert shown == swaps.apply(effect.inverse, after)


@pytest.mark.parametrize(
    ("policies", "where", "refused"),
    [
        pytest.param({"memory": "RestartContainer"}, "InPlace", True, id="the resource"),
        pytest.param({"cpu": "RestartContainer"}, "InPlace", False, id="another resource"),
        pytest.param({"memory": "NotRequired"}, "InPlace", False, id="no restart"),
        pytest.param({"memory": "RestartContainer"}, "Template", False, id="in the template"),
    ],
)
def test_in_place_nothing_restarts(policies: dict[str, str], where: str, *, refused: bool) -> None:
    """Where a container asks to be restarted for a resource, the next step is tried."""
    told = [{"resourceName": name, "restartPolicy": word} for name, word in policies.items()]
    app = {**APP, "resizePolicy": told}
    pods = [model.Pod("a", "uid-a")]
    planned = plan({**MEMORY, "where": where}, pod("a", app), deployment(app), pods=pods)
    if not refused:
        assert isinstance(planned, action.Plan)
        return
    message = (
        "the resizePolicy of container app of Pod/a restarts it for memory: in place nothing may "
        "restart"
    )
    assert model.Refusal(Refused.NOT_WRITABLE, message, skip_step=True) == planned


def test_in_place_all_pods_are_written_where_no_signal_names_one() -> None:
    """Those that are at their maximum already are passed over."""
    full = container(limits={"memory": "2Gi"})
    planned = plan({"where": "InPlace", **MEMORY}, pod("a", full), pod("b"), pods=PODS)
    assert ["b"] == [effect.target.name for effect in planned.effects]


TWO = (APP, container("proxy"))


@pytest.mark.parametrize(
    ("params", "containers", "reason", "message"),
    [
        pytest.param(
            {"memory": {"max": "512Mi"}},
            (APP,),
            Refused.AT_BOUND,
            f"the memory limit of container app of {CHECKOUT} is 512Mi, max is 512Mi",
            id="at its maximum",
        ),
        pytest.param(
            MEMORY,
            (container(requests={"memory": "1Gi"}),),
            Refused.NOT_WRITABLE,
            f"the memory limit of container app of {CHECKOUT} is not there: nothing holds it back",
            id="no limit",
        ),
        pytest.param(
            MEMORY,
            TWO,
            Refused.NOT_WRITABLE,
            f"{CHECKOUT} has the containers app, proxy: container must name one of them",
            id="which container",
        ),
        pytest.param(
            {"container": "web", **MEMORY},
            TWO,
            Refused.NOT_WRITABLE,
            f"{CHECKOUT} has the containers app, proxy: container must name one of them",
            id="no such container",
        ),
    ],
)
def test_it_is_refused_with_what_was_compared(
    params: dict[str, Any], containers: Any, reason: reasons.Refused, message: str
) -> None:
    """Each of these lets the next step be tried."""
    found = plan(params, deployment(*containers))
    assert model.Refusal(reason, message, skip_step=True) == found


@pytest.mark.parametrize("where", ["Template", "InPlace"])
def test_what_a_vertical_autoscaler_sets_is_left_to_it(where: str) -> None:
    """It tells by an annotation on the pods that it has made."""
    pods = (model.Pod("a", "uid-a", resized_by="Pod resources updated by checkout"),)
    found = plan({"where": where, **MEMORY}, deployment(), pod("a"), pods=pods)
    assert isinstance(found, model.Refusal)
    assert (Refused.OWNED_BY_AUTOSCALER, False) == (found.reason, found.skip_step)
    assert found.message.startswith("a VerticalPodAutoscaler sets the resources of pod a")


def test_many_pods_are_a_matter_of_the_template() -> None:
    """In place there is a limit to how many are written at once."""
    pods = [model.Pod(f"p{number}", f"u{number}") for number in range(11)]
    found = plan({"where": "InPlace", **MEMORY}, pods=pods)
    message = f"11 pods of {CHECKOUT} are sick, 10 are resized at most"
    assert model.Refusal(Refused.AT_BOUND, message, skip_step=True) == found


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({}, "memory or cpu must be given", id="nothing"),
        pytest.param({"memory": {}}, "max", id="no maximum"),
        pytest.param({"memory": {"max": "lots"}}, "a quantity such as 512Mi", id="no quantity"),
        pytest.param({"where": "Node", **MEMORY}, "'Template' or 'InPlace'", id="nowhere"),
    ],
)
def test_a_step_that_makes_no_sense_is_told(params: dict[str, Any], message: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(ValueError, match=message):
        steps.Step.model_validate({"resize": params})
