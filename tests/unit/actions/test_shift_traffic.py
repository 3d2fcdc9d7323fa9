"""shiftTraffic: to a side that is Healthy and has headroom, within bounds, and the way back."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import pydantic
import pytest

from prunella.actions import shift_traffic
from prunella.api import reasons, steps
from prunella.core import model
from prunella.core.changes import swaps
from prunella.core.decisions import action, restoring
from tests.unit.actions import manifests
from tests.unit.core import builders

Refused = reasons.Refused
Manifest = dict[str, Any]
HEALTHY, UNHEALTHY, UNKNOWN = builders.HEALTHY, builders.UNHEALTHY, builders.UNKNOWN
STABLE = builders.ref("stable")
CANARY = {"app": "web", "version": "v2"}
WELL = {"app": "web", "version": "v1"}
SICK_SINCE = builders.NOW - datetime.timedelta(minutes=2)


def metadata(name: str, **more: Any) -> Manifest:
    """Metadata as the API server shows them."""
    known = {"name": name, "namespace": "shop", "uid": f"{name}-uid", "generation": 2}
    return {**known, "resourceVersion": "7", **more}


def route(canary: int = 10, stable: int = 90, **more: Any) -> Manifest:
    """An HTTPRoute that divides between two Services."""
    backends = [{"name": "canary", "weight": canary}, {"name": "stable", "weight": stable}]
    return {
        "kind": "HTTPRoute",
        "metadata": metadata("web", **more),
        "spec": {"rules": [{"backendRefs": backends}]},
    }


def service(name: str, selector: dict[str, str] | None) -> Manifest:
    """A Service."""
    return {"kind": "Service", "metadata": metadata(name), "spec": {"selector": selector}}


def external(name: str, selector: dict[str, str]) -> Manifest:
    """A Service that is a name outside; its selector means nothing."""
    spec = {"type": "ExternalName", "externalName": "web.example.com", "selector": selector}
    return {**service(name, selector), "spec": spec}


def deployment(ready: int = 9, wanted: int = 9, **changes: Any) -> Manifest:
    """The other side."""
    counts = {"observedGeneration": 2, "updatedReplicas": wanted, "readyReplicas": ready}
    template = {"metadata": {"labels": changes.pop("labels", WELL)}}
    return {
        "kind": "Deployment",
        "metadata": metadata("stable", **changes.pop("metadata", {})),
        "spec": {"replicas": wanted, "template": template},
        "status": {**counts, **changes},
    }


STEP: Manifest = {
    "kind": "HTTPRoute",
    "name": "web",
    "from": {"service": "canary"},
    "to": {"workload": "stable"},
    "by": 100,
}
OBJECTS: dict[str, Manifest] = {
    "HTTPRoute/web": route(),
    "Deployment/stable": deployment(),
    "Service/canary": service("canary", CANARY),
    "Service/stable": service("stable", WELL),
}
BLUE_GREEN: Manifest = {
    "kind": "Service",
    "name": "web",
    "to": {"workload": "stable"},
    "label": "version",
}
DIVIDING = {"Service/web": service("web", CANARY)}


def request(
    step: Manifest | None = None,
    objects: dict[str, Manifest | None] | None = None,
    **changes: Any,
) -> Any:
    """What the action may know when all has been looked at; ``objects`` replace single ones."""
    kind = changes.pop("target_kind", "Deployment")
    workload = builders.workload("canary", kind=kind, template={"metadata": {"labels": CANARY}})
    looked = {}
    for name, shown in {**OBJECTS, **DIVIDING, **(objects or {})}.items():
        kind, _, rest = name.partition("/")
        ref = model.Ref(kind, "shop", rest)
        looked[ref] = restoring.Looked(ref, copy.deepcopy(shown))
    told = {"verdicts": {STABLE: HEALTHY}, "sick_since": SICK_SINCE, "looked": looked, **changes}
    live_state = model.LiveState(workload, pods_known=False)
    return manifests.request(live_state, {"shiftTraffic": step or STEP}, **told)


def plan(*args: Any, **kwargs: Any) -> Any:
    """What comes of a step."""
    return shift_traffic.ShiftTraffic().plan(request(*args, **kwargs))


SHIFTED = {
    "all of a canary": (
        STEP,
        {},
        {"spec": {"rules": [{"backendRefs": [0, 100]}]}},
        (
            "move traffic of HTTPRoute/web from canary to stable: rule 0: 10 % to 0 %, and 90 % to "
            "100 %"
        ),
    ),
    "as much as is moved at once": (
        {**STEP, "by": 5},
        {},
        {"spec": {"rules": [{"backendRefs": [5, 95]}]}},
        "rule 0: 10 % to 5 %, and 90 % to 95 %",
    ),
    "but for a floor": (
        {**STEP, "leave": 2},
        {},
        {"spec": {"rules": [{"backendRefs": [2, 98]}]}},
        "rule 0: 10 % to 2 %, and 90 % to 98 %",
    ),
    "half of all, where nothing is said": (
        {key: value for key, value in STEP.items() if key != "by"},
        {"HTTPRoute/web": route(60, 40), "Deployment/stable": deployment(40, 40)},
        {"spec": {"rules": [{"backendRefs": [10, 90]}]}},
        "rule 0: 60 % to 10 %, and 40 % to 90 %",
    ),
}


@pytest.mark.parametrize(("step", "objects", "wanted", "summary"), SHIFTED.values(), ids=SHIFTED)
def test_weights_are_moved_and_put_back(
    step: Manifest, objects: Any, wanted: Manifest, summary: str
) -> None:
    """Applied and undone, the route is as before; its generation is tested."""
    planned = plan(step, objects)
    assert isinstance(planned, action.Plan), planned
    (effect,) = planned.effects
    before = {**OBJECTS, **objects}["HTTPRoute/web"]
    after = swaps.apply(effect.patch, before)
    (rule,) = after["spec"]["rules"]
    assert wanted["spec"]["rules"][0]["backendRefs"] == [e["weight"] for e in rule["backendRefs"]]
    assert before == swaps.apply(effect.inverse, after)
    assert (model.Ref("HTTPRoute", "shop", "web"), "web-uid", 2) == (
        effect.target,
        effect.uid,
        effect.generation,
    )
    assert summary in effect.summary


def test_a_selector_is_switched_and_put_back() -> None:
    """One value of it, under a test of the whole."""
    planned = plan(BLUE_GREEN, {"Deployment/stable": deployment(3, 3)})
    assert isinstance(planned, action.Plan), planned
    (effect,) = planned.effects
    after = swaps.apply(effect.patch, DIVIDING["Service/web"])
    assert WELL == after["spec"]["selector"]
    assert DIVIDING["Service/web"] == swaps.apply(effect.inverse, after)
    assert (
        "move all traffic of Service/web from Deployment/canary to Deployment/stable: version from "
        "v2 to v1"
    ) == effect.summary


def test_subsets_of_one_host_are_moved() -> None:
    """Whose pods a subset has, only the DestinationRule says: the Service chooses those of both."""
    routes = [
        {"destination": {"host": "web", "subset": subset}, "weight": weight}
        for subset, weight in (("v1", 90), ("v2", 10))
    ]
    shown = {
        "kind": "VirtualService",
        "metadata": metadata("web"),
        "spec": {"http": [{"route": routes}]},
    }
    step = {
        "kind": "VirtualService",
        "name": "web",
        "from": {"service": "web", "subset": "v2"},
        "to": {"workload": "stable", "service": "web", "subset": "v1"},
    }
    objects: Any = {"VirtualService/web": shown, "Service/web": service("web", {"app": "web"})}
    planned = plan(step, objects)
    assert isinstance(planned, action.Plan), planned
    after = swaps.apply(planned.effects[0].patch, shown)
    assert [100, 0] == [each["weight"] for each in after["spec"]["http"][0]["route"]]


def test_it_asks_to_look_at_what_it_does_not_know() -> None:
    """First at the other side, then at both Services."""
    asked = []
    known = request()
    for _ in range(2):
        looked = {
            ref: each
            for ref, each in known.looked.items()
            if ref.kind == "HTTPRoute" or str(ref) in asked
        }
        found = shift_traffic.ShiftTraffic().plan(request(looked=looked))
        assert isinstance(found, tuple), found
        asked += [str(need.target) for need in found]
    assert ["Deployment/stable", "Service/canary", "Service/stable"] == asked


def test_a_daemon_set_is_ready_on_all_its_nodes() -> None:
    """Its status has other names."""
    status = {"desiredNumberScheduled": 4, "updatedNumberScheduled": 4, "numberReady": 3}
    shown = {**deployment(**status), "kind": "DaemonSet"}
    other = builders.ref("stable", kind="DaemonSet")
    told = {"target_kind": "DaemonSet", "verdicts": {other: HEALTHY}}
    found = plan(STEP, {"DaemonSet/stable": shown}, **told)
    assert isinstance(found, model.Refusal)
    assert "DaemonSet/stable: 4 of 4 replicas updated, 3 ready" in found.message
    shown["status"]["numberReady"] = 4
    assert isinstance(plan(STEP, {"DaemonSet/stable": shown}, **told), action.Plan)


def owned(manager: str, at: datetime.datetime | None = None) -> Manifest:
    """A route whose rules a field manager has written."""
    entry: Manifest = {"manager": manager, "fieldsV1": {"f:spec": {"f:rules": {}}}}
    if at is not None:
        entry["time"] = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    return route(managedFields=[entry])


MINUTE = datetime.timedelta(minutes=1)
REFUSED: dict[str, tuple[Manifest, Any, Refused, str]] = {
    "no route": (STEP, {"HTTPRoute/web": None}, Refused.NOT_WRITABLE, "HTTPRoute/web is not there"),
    "the other side is not there": (
        STEP,
        {"Deployment/stable": None},
        Refused.OTHER_SIDE_NOT_HEALTHY,
        "Deployment/stable is not there",
    ),
    "the other side is the target": (
        {**STEP, "to": {"workload": "canary"}},
        {},
        Refused.NOT_ALLOWED,
        "to names Deployment/canary, which is the target itself",
    ),
    "a replica is not ready": (
        STEP,
        {"Deployment/stable": deployment(8, 9)},
        Refused.OTHER_SIDE_NOT_HEALTHY,
        "Deployment/stable: 9 of 9 replicas updated, 8 ready",
    ),
    "it is being rolled out": (
        STEP,
        {"Deployment/stable": deployment(updatedReplicas=4)},
        Refused.OTHER_SIDE_NOT_HEALTHY,
        "4 of 9 replicas updated, 9 ready",
    ),
    "its newest spec was not seen yet": (
        STEP,
        {"Deployment/stable": deployment(observedGeneration=1)},
        Refused.OTHER_SIDE_NOT_HEALTHY,
        "its newest spec not seen yet",
    ),
    "it is scaled to nothing": (
        STEP,
        {"Deployment/stable": deployment(0, 0)},
        Refused.OTHER_SIDE_NOT_HEALTHY,
        "0 of 0 replicas updated, 0 ready",
    ),
    "it is being deleted": (
        STEP,
        {"Deployment/stable": deployment(metadata={"deletionTimestamp": "x"})},
        Refused.OTHER_SIDE_NOT_HEALTHY,
        "is being deleted",
    ),
    "too few replicas": (
        STEP,
        {"HTTPRoute/web": route(50, 50), "Deployment/stable": deployment(1, 1)},
        Refused.NO_HEADROOM,
        (
            "1 ready replicas of Deployment/stable would get 100 % of the traffic: 100 % more for "
            "each than a replica gets now where it gets most, maxMorePerReplica is 25 %"
        ),
    ),
    "too few replicas for a selector": (
        BLUE_GREEN,
        {"Deployment/stable": deployment(1, 1)},
        Refused.NO_HEADROOM,
        "200 % more for each",
    ),
    "nothing is left to move": (
        STEP,
        {"HTTPRoute/web": route(0, 100)},
        Refused.AT_BOUND,
        "HTTPRoute/web: canary has 0 % in rule 0, and keeps 0 %",
    ),
    "no rule with both": (
        {**STEP, "to": {"workload": "stable", "service": "old"}},
        {"Service/old": service("old", WELL)},
        Refused.NOT_WRITABLE,
        "HTTPRoute/web: no rule sends to both canary and old",
    ),
    "a Service of other pods": (
        STEP,
        {"Service/canary": service("canary", {"app": "cart"})},
        Refused.NOT_WRITABLE,
        "Service/canary does not choose the pods of Deployment/canary",
    ),
    "a Service of both sides": (
        STEP,
        {"Service/stable": service("stable", {"app": "web"})},
        Refused.NOT_WRITABLE,
        "Service/stable chooses the pods of Deployment/canary, too",
    ),
    "a Service without a selector": (
        STEP,
        {"Service/stable": service("stable", None)},
        Refused.NOT_WRITABLE,
        "Service/stable has no selector",
    ),
    "a Service of another name": (
        STEP,
        {"Service/stable": external("stable", WELL)},
        Refused.NOT_WRITABLE,
        "Service/stable is of type ExternalName",
    ),
    "a Service of another name that divides": (
        BLUE_GREEN,
        {"Service/web": external("web", CANARY)},
        Refused.NOT_WRITABLE,
        "Service/web is of type ExternalName",
    ),
    "no Service": (
        STEP,
        {"Service/stable": None},
        Refused.NOT_WRITABLE,
        "Service/stable is not there",
    ),
    "a controller of canaries": (
        STEP,
        {"HTTPRoute/web": owned("rollouts-controller")},
        Refused.OWNED_BY_CONTROLLER,
        "rollouts-controller moves the traffic of HTTPRoute/web itself",
    ),
    "the plugin of Argo Rollouts": (
        STEP,
        {"HTTPRoute/web": owned("gatewayAPI")},
        Refused.OWNED_BY_CONTROLLER,
        "gatewayAPI moves the traffic of HTTPRoute/web itself",
    ),
    "a canary of Argo Rollouts is under way": (
        STEP,
        {"HTTPRoute/web": route(labels={shift_traffic.CANARY_LABEL: "in-progress"})},
        Refused.OWNED_BY_CONTROLLER,
        "HTTPRoute/web has the label rollouts.argoproj.io/gatewayapi-canary",
    ),
    "a person is at work": (
        STEP,
        {"HTTPRoute/web": owned("kubectl-edit", SICK_SINCE + MINUTE)},
        Refused.CHANGED_BY_OTHERS,
        (
            "kubectl-edit has written what divides the traffic of HTTPRoute/web at 08:59:00, after "
            "Deployment/canary fell ill at 08:58:00"
        ),
    ),
    "a selector that is so already": (
        BLUE_GREEN,
        {"Service/web": service("web", WELL)},
        Refused.AT_BOUND,
        "Service/web chooses version=v1 already",
    ),
    "a selector without the label": (
        {**BLUE_GREEN, "label": "slot"},
        {},
        Refused.NOT_WRITABLE,
        "the selector of Service/web has no slot",
    ),
    "pods without the label": (
        BLUE_GREEN,
        {"Deployment/stable": deployment(labels={"app": "web"})},
        Refused.NOT_WRITABLE,
        "the pods of Deployment/stable has no version",
    ),
    "a selector of other pods": (
        BLUE_GREEN,
        {"Service/web": service("web", {"app": "cart", "version": "v2"})},
        Refused.NOT_WRITABLE,
        "Service/web does not choose the pods of Deployment/canary",
    ),
    "a selector that would choose nobody": (
        BLUE_GREEN,
        {"Deployment/stable": deployment(labels={"app": "old", "version": "v1"})},
        Refused.NOT_WRITABLE,
        "Service/web with version=v1 does not choose the pods of Deployment/stable",
    ),
}


@pytest.mark.parametrize(("step", "objects", "reason", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused(step: Manifest, objects: Any, reason: Refused, words: str) -> None:
    """With what was compared."""
    found = plan(step, objects)
    assert isinstance(found, model.Refusal), found
    assert reason is found.reason
    assert words in found.message


def test_a_side_whose_own_traffic_was_moved_away_takes_nothing_over() -> None:
    """It is Healthy because it does nothing, until somebody gives it traffic again."""
    moved = plan(STEP, {"HTTPRoute/web": route(20, 80)})
    assert isinstance(moved, action.Plan), moved
    (effect,) = moved.effects
    record = builders.record("move-1", action="shiftTraffic", effects=[effect])
    left = swaps.apply(effect.patch, route(20, 80))
    found = plan(STEP, {"HTTPRoute/web": left}, emptied={STABLE: record})
    assert isinstance(found, model.Refusal), found
    assert (Refused.OTHER_SIDE_NOT_HEALTHY, True) == (
        found.reason,
        "move-1 has moved traffic of HTTPRoute/web away from Deployment/stable" in found.message,
    )
    assert isinstance(plan(STEP, {"HTTPRoute/web": route()}, emptied={STABLE: record}), action.Plan)


def test_an_edit_before_it_fell_ill_is_no_hindrance() -> None:
    """As that of the pipeline that has sent traffic to the canary; nor is an edit of its own."""
    for shown in (
        owned("pipeline", SICK_SINCE - MINUTE),
        owned("prunella", SICK_SINCE + MINUTE),
    ):
        assert isinstance(plan(STEP, {"HTTPRoute/web": shown}), action.Plan)


@pytest.mark.parametrize(("minutes", "refused"), [(59, True), (61, False)])
def test_a_young_edit_counts_where_the_start_is_not_known(minutes: int, refused: bool) -> None:
    """It may have been made since the target fell ill."""
    shown = owned("kubectl-edit", builders.NOW - minutes * MINUTE)
    found = plan(STEP, {"HTTPRoute/web": shown}, sick_since=None)
    assert refused is isinstance(found, model.Refusal)
    if isinstance(found, model.Refusal):
        assert Refused.CHANGED_BY_OTHERS is found.reason
        assert "within the last hour, and since when Deployment/canary is ill" in found.message


VERDICTS = {
    "nobody judges it": ({}, "Signals", "no policy of shop judges Deployment/stable", True),
    "it is sick": ({STABLE: UNHEALTHY}, "Signals", "Deployment/stable is Unhealthy", True),
    "nobody knows": ({STABLE: UNKNOWN}, "Signals", "Deployment/stable is Unknown", False),
    "it is sick, though ready": ({STABLE: UNHEALTHY}, "Readiness", "is Unhealthy", True),
    "readiness alone": ({}, "Readiness", "", False),
    "a signal says so": ({STABLE: HEALTHY}, "Signals", "", False),
}


@pytest.mark.parametrize(("verdicts", "by", "words", "next_"), VERDICTS.values(), ids=VERDICTS)
def test_the_other_side_must_be_known_to_be_healthy(
    verdicts: Any, by: str, words: str, *, next_: bool
) -> None:
    """By signals; doubt waits, and what is sick lets the next step be tried."""
    found = plan({**STEP, "judgedBy": by}, verdicts=verdicts)
    if not words:
        assert isinstance(found, action.Plan), found
        return
    assert isinstance(found, model.Refusal)
    assert (Refused.OTHER_SIDE_NOT_HEALTHY, next_) == (found.reason, found.skip_step)
    assert words in found.message


def test_a_query_tells_the_headroom_instead() -> None:
    """It is asked about the share, in percent, that the other side would get."""
    step = {**STEP, "require": [{"query": "sum(rps) * $value / $current", "atMost": 50}]}
    tight: Any = {"Deployment/stable": deployment(1, 1), "HTTPRoute/web": route(50, 50)}
    (need,) = plan(step, tight)
    assert "sum(rps) * (100) / (50)" == need.query
    numbers = {("default", need.query): model.Number(40.0)}
    assert isinstance(plan(step, tight, numbers=numbers), action.Plan)
    numbers = {("default", need.query): model.Number(60.0)}
    found = plan(step, tight, numbers=numbers)
    assert (Refused.REQUIREMENT_NOT_MET, True) == (found.reason, found.skip_step)


def test_what_can_not_be_looked_at_is_forbidden() -> None:
    """The API server's words are told."""
    for name in ("HTTPRoute/web", "Deployment/stable", "Service/stable"):
        known = request()
        kind, _, rest = name.partition("/")
        ref = model.Ref(kind, "shop", rest)
        looked = {**known.looked, ref: restoring.Looked(ref, None, problem="403: no")}
        found = shift_traffic.ShiftTraffic().plan(request(looked=looked))
        assert (Refused.FORBIDDEN, "403: no") == (found.reason, found.message)


ASKED = {"query": "min(probe_success)", "atLeast": 1}
BAD = {
    "nowhere to go": ({"kind": "HTTPRoute"}, "to\n  Field required"),
    "another kind": ({"kind": "Ingress", "to": {"workload": "b"}}, "HTTPRoute"),
    "a Service moves all": (
        {"kind": "Service", "label": "version", "by": 50, "to": {"workload": "b"}},
        "a Service's selector moves all traffic at once: leave by, leave and from out",
    ),
    "a Service without a label": (
        {"kind": "Service", "to": {"workload": "b"}},
        "label must be given with kind Service, and with no other",
    ),
    "a label of a route": (
        {"kind": "HTTPRoute", "label": "version", "to": {"workload": "b"}},
        "label must be given with kind Service, and with no other",
    ),
    "a subset of a Service": (
        {"kind": "HTTPRoute", "to": {"workload": "b", "subset": "v1"}},
        "only a VirtualService has subsets",
    ),
    "a Service has no way back": (
        {"kind": "Service", "label": "v", "to": {"workload": "b"}, "back": {"require": [ASKED]}},
        "a Service's selector moves all traffic at once: the way back is a person's",
    ),
    "a way back that nothing proves": (
        {"kind": "HTTPRoute", "to": {"workload": "b"}, "back": {"require": []}},
        "at least 1 item",
    ),
    "a way back in a hurry": (
        {"kind": "HTTPRoute", "to": {"workload": "b"}, "back": {"after": "4m", "require": [ASKED]}},
        "must be at least 5m, found 4m",
    ),
    "more than all": (
        {"kind": "HTTPRoute", "by": 101, "to": {"workload": "b"}},
        "less than or equal to 100",
    ),
    "nothing at all": (
        {"kind": "HTTPRoute", "by": 0, "to": {"workload": "b"}},
        "greater than or equal to 1",
    ),
}


@pytest.mark.parametrize(("params", "words"), BAD.values(), ids=BAD)
def test_bad_parameters_are_told(params: Manifest, words: str) -> None:
    """In words that say what to write."""
    with pytest.raises(pydantic.ValidationError) as caught:
        steps.Step.model_validate({"shiftTraffic": params})
    assert words in str(caught.value)


def test_a_record_keeps_what_tells_whether_it_was_written() -> None:
    """By the weights that are there: as left, as before, or neither."""
    (effect,) = plan().effects
    kept = manifests.kept(effect)
    before = OBJECTS["HTTPRoute/web"]
    after = swaps.apply(kept.patch, before)
    third = swaps.apply(
        [{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 3}], before
    )
    found = [restoring.as_written(kept, each) for each in (after, before, third)]
    assert [True, False, None] == found
