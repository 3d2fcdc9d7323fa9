"""What must not be named: harmless changes, changes after the fact, states that others explain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from prunella.api.change import Verb
from prunella.api.incident import Confidence
from prunella.core import model
from prunella.core.incidents import anomalies
from prunella.core.incidents.anomalies import Quantity
from prunella.core.incidents.diagnosis import diagnose
from tests.unit.core.incidents.diagnosis import world
from tests.unit.core.incidents.diagnosis.world import ONSET, World

Break = Callable[[World], None]
APP = "spec.template.spec.containers[name=app]"


def measure(shop: World, name: str, usual: float, recent: float, requests: float = 10.0) -> None:
    """Measure the error share of a Deployment: steady, then another level for a minute."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.001, 120)
    times = ONSET - 30 + 5 * np.arange(12.0)
    shop.measurements.append(
        anomalies.Measurement(
            model.Ref("Deployment", "shop", name), Quantity.ERRORS, usual + noise,
            recent + noise[:12], times, requests,
        )
    )  # fmt: skip


def _label(shop: World) -> None:
    shop.change("Deployment", "cart", "metadata.labels.team", "a", "b")


def _replicas_up(shop: World) -> None:
    shop.change("Deployment", "cart", "spec.replicas", 2, 5)


def _limit_up(shop: World) -> None:
    shop.change("Deployment", "cart", f"{APP}.resources.limits.memory", "64Mi", "128Mi")


def _quota_up(shop: World) -> None:
    shop.change("ResourceQuota", "compute", "spec.hard.pods", "10", "20")


def _quota_down_with_room(shop: World) -> None:
    shop.change("ResourceQuota", "compute", "spec.hard.pods", "20", "10")


def _after(shop: World) -> None:
    shop.change("Deployment", "cart", f"{APP}.image", "cart:1", "cart:2", before=-30)


def _long_ago(shop: World) -> None:
    shop.change("Deployment", "cart", f"{APP}.image", "cart:1", "cart:2", before=7200)


def _stranger(shop: World) -> None:
    shop.change("Deployment", "mail", f"{APP}.image", "mail:1", "mail:2")


def _healthy_callee(shop: World) -> None:
    shop.change("Deployment", "store", f"{APP}.image", "store:1", "store:2")
    measure(shop, "store", 0.0, 0.0)


def _policy_that_allows(shop: World) -> None:
    caller = {"podSelector": {"matchLabels": {"app": "front"}}}
    shop.add({"kind": "NetworkPolicy", "metadata": {"name": "rules", "namespace": "shop"},
              "spec": {"podSelector": {"matchLabels": {"app": "cart"}},
                       "ingress": [{"from": [caller], "ports": [{"port": "http"}]}]}})  # fmt: skip


def _dead_service_nobody_calls(shop: World) -> None:
    shop.add(world.service("old"))


def _cordon_with_room(shop: World) -> None:
    shop.get("Node", "node-1")["spec"]["unschedulable"] = True
    shop.change("Node", "node-1", "spec.unschedulable", None, True)


def _all_silent(shop: World) -> None:
    for name in ("node-1", "node-2"):
        shop.add({"kind": "Lease", "metadata": {"name": name, "namespace": "kube-node-lease"},
                  "spec": {"renewTime": world.iso(world.NOW - 50)}})  # fmt: skip


def _set_up(shop: World) -> None:
    for name in ("cart", "front"):
        shop.change("Deployment", name, verb=Verb.CREATED, before=60)
        shop.change("Service", name, verb=Verb.CREATED, before=61)
    _policy_that_allows(shop)
    shop.change("NetworkPolicy", "rules", verb=Verb.CREATED, before=62)
    shop.change("Node", "node-1", "status", None, {"conditions": []}, before=63)


@pytest.mark.parametrize(
    "breaks",
    [
        pytest.param(lambda _shop: None, id="nothing is abnormal but the alert"),
        pytest.param(_label, id="a label"),
        pytest.param(_replicas_up, id="more replicas"),
        pytest.param(_limit_up, id="a higher limit"),
        pytest.param(_quota_up, id="a larger quota"),
        pytest.param(_quota_down_with_room, id="a smaller quota that refuses nobody"),
        pytest.param(_after, id="a release after the first symptom"),
        pytest.param(_long_ago, id="a release two hours before"),
        pytest.param(_stranger, id="a release of what nothing sick depends on"),
        pytest.param(_healthy_callee, id="a release of a callee that is as usual"),
        pytest.param(_policy_that_allows, id="a policy that lets the caller in"),
        pytest.param(_dead_service_nobody_calls, id="a Service without pods that nobody calls"),
        pytest.param(_set_up, id="all of it was just set up"),
        pytest.param(_all_silent, id="all leases are old: our clock differs"),
        pytest.param(_cordon_with_room, id="a cordon while all pods run"),
    ],
)
def test_nobody_is_named(breaks: Break) -> None:
    """The answer is empty when nothing speaks clearly against anybody."""
    shop = World()
    breaks(shop)
    assert () == diagnose.diagnose(shop.view(), world.incident("cart")).suspects


@pytest.mark.parametrize(
    ("breaks", "told"),
    [
        pytest.param(_replicas_up, "Deployment cart: spec.replicas 2 -> 5, 40 s before the first "
                     "symptom, by kubectl-edit: that way it takes nothing from anybody",
                     id="more replicas"),
        pytest.param(_after, f"Deployment cart: {APP}.image cart:1 -> cart:2, 30 s after the first "
                     "symptom, by kubectl-edit: it came after the last symptom", id="too late"),
        pytest.param(_stranger, f"Deployment mail: {APP}.image mail:1 -> mail:2, 40 s before the "
                     "first symptom, by kubectl-edit: no symptom depends on what it touches",
                     id="a stranger"),
        pytest.param(_healthy_callee, f"Deployment store: {APP}.image store:1 -> store:2, 40 s "
                     "before the first symptom, by kubectl-edit: what it touches was measured and "
                     "is as usual", id="a healthy callee"),
    ],
)  # fmt: skip
def test_what_was_ruled_out_is_told_with_the_reason(breaks: Break, told: str) -> None:
    """A person who thinks of a change finds why it is not suspected."""
    shop = World()
    breaks(shop)
    sick = "store" if breaks is _stranger else "cart"
    symptom = world.incident("front" if breaks is _healthy_callee else sick)
    assert told in diagnose.diagnose(shop.view(), symptom).ruled_out


def test_what_was_ruled_out_near_the_sick_comes_first() -> None:
    """A stranger's change a moment before is told after that of a callee."""
    shop = World()
    shop.change("Deployment", "mail", f"{APP}.image", "1", "2", before=5)
    shop.change("Deployment", "store", "spec.replicas", 1, 3, before=300)
    told = diagnose.diagnose(shop.view(), world.incident("cart")).ruled_out
    assert ["Deployment store", "Deployment mail"] == [each.split(":")[0] for each in told]


def test_a_callers_crash_is_explained_by_what_it_calls() -> None:
    """Callers that crash because the Service before their callee leads nowhere come after it."""
    shop = World()
    shop.get("Service", "store")["spec"]["selector"] = {"app": "shop"}
    shop.state("cart", state={"waiting": {"reason": "CrashLoopBackOff"}},
               lastState={"terminated": {"exitCode": 1, "reason": "Error"}})  # fmt: skip
    found = diagnose.diagnose(shop.view(), world.incident("cart", "front")).suspects
    assert "Service/store" == str(found[0].target)
    assert {Confidence.LOW} == {each.confidence for each in found[1:]}


def test_a_policy_on_a_young_shop_is_blamed_and_not_the_callers_birth() -> None:
    """All was made two minutes ago, the policy just now."""
    shop = World()
    for name in ("front", "cart", "store"):
        shop.change("Deployment", name, verb=Verb.CREATED, before=120)
    meta = {"name": "deny", "namespace": "shop"}
    selector = {"matchLabels": {"app": "cart"}}
    shop.add({"kind": "NetworkPolicy", "metadata": meta, "spec": {"podSelector": selector}})
    shop.change("NetworkPolicy", "deny", verb=Verb.CREATED, before=10)
    first = diagnose.diagnose(shop.view(), world.incident("front")).suspects[0]
    assert ("NetworkPolicy/deny", "chg-3") == (str(first.target), first.change)


def test_a_new_node_is_not_blamed_for_pods_that_wait() -> None:
    """The cordoned node is; the other one has only just come."""
    shop = World()
    shop.get("Node", "node-1")["spec"]["unschedulable"] = True
    shop.get("Node", "node-2")["spec"]["taints"] = [{"key": "node.kubernetes.io/not-ready"}]
    shop.change("Node", "node-1", "spec.unschedulable", None, True)
    shop.change("Node", "node-2", verb=Verb.CREATED, before=5)
    shop.pending("cart", "0/2 nodes are available: 1 node(s) had untolerated taint, "
                 "1 node(s) were unschedulable.")  # fmt: skip
    found = diagnose.diagnose(shop.view(), world.incident("cart")).suspects
    assert "Node/node-1" == str(found[0].target)


def test_two_independent_faults_are_two_suspects() -> None:
    """What explains other symptoms is not explained away."""
    shop = World()
    shop.get("Service", "store")["spec"]["selector"] = {"app": "shop"}
    shop.state("mail", state={"waiting": {"reason": "ImagePullBackOff"}})
    found = diagnose.diagnose(shop.view(), world.incident("cart", "mail")).suspects
    assert {"Service/store", "Deployment/mail"} == {str(each.target) for each in found}


def test_a_release_before_a_dead_node_comes_after_it() -> None:
    """The node explains all that stood on it."""
    shop = World()
    shop.get("Node", "node-1")["status"]["conditions"] = [
        {"type": "Ready", "status": "Unknown", "lastTransitionTime": world.iso(ONSET)}
    ]
    shop.change("Deployment", "front", f"{APP}.image", "front:1", "front:2")
    found = diagnose.diagnose(shop.view(), world.incident("front", "cart", "mail")).suspects
    assert "Node/node-1" == str(found[0].target)


def test_the_deepest_anomaly_is_named_without_any_change() -> None:
    """Errors that nobody below has are the object's own, and called saturation."""
    shop = World()
    for name in ("front", "cart"):
        measure(shop, name, 0.0, 0.4)
    measure(shop, "store", 0.0, 0.0)
    first = diagnose.diagnose(shop.view(), world.incident("front")).suspects[0]
    assert ("Deployment/cart", "Saturation") == (str(first.target), first.cause_kind.value)
    assert Confidence.HIGH is not first.confidence


def test_a_change_of_the_abnormal_callee_is_named_with_it() -> None:
    """A release of what has the harm of its own is the suspect, though only callers complain."""
    shop = World()
    for name in ("front", "cart"):
        measure(shop, name, 0.0, 0.4)
    shop.change("Deployment", "cart", f"{APP}.image", "cart:1", "cart:2")
    first = diagnose.diagnose(shop.view(), world.incident("front")).suspects[0]
    assert ("Deployment/cart", f"{APP}.image") == (str(first.target), first.field)
    assert Confidence.HIGH is first.confidence


def test_the_operators_own_changes_are_no_suspects() -> None:
    """What the operator did in answer to something is not its cause."""
    shop = World()
    shop.change("Deployment", "cart", verb=Verb.DELETED)
    own = shop.changes[0].spec.by.model_copy(update={"own": True})
    spec = shop.changes[0].spec.model_copy(update={"by": own})
    shop.changes = [type(shop.changes[0])("chg", "shop", spec)]
    assert () == diagnose.diagnose(shop.view(), world.incident("cart")).suspects


def test_an_answer_does_not_depend_on_the_order_of_objects() -> None:
    """The same view gives the same answer, whatever order the API server lists in."""
    shop = World()
    shop.get("Service", "store")["spec"]["selector"] = {"app": "shop"}
    shop.state("mail", state={"waiting": {"reason": "ImagePullBackOff"}})
    symptoms = world.incident("cart", "mail", "front")
    first = diagnose.diagnose(shop.view(), symptoms)
    shop.objects = dict(reversed(shop.objects.items()))
    assert first.suspects == diagnose.diagnose(shop.view(), symptoms).suspects


def test_a_setting_of_a_healthy_callee_is_not_blamed_for_another_one() -> None:
    """The caller is sick, but by its other callee, which fails by itself: nobody changed it."""
    shop = World()
    shop.container("front")["env"].append({"name": "MAIL_ADDR", "value": "mail.shop.svc:8080"})
    shop.container("mail")["envFrom"] = [{"configMapRef": {"name": "rates"}}]
    shop.add({"kind": "ConfigMap", "metadata": {"name": "rates", "namespace": "shop"}, "data": {}})
    shop.change("ConfigMap", "rates", "data[rates.json]", "1.09", "1.08")
    for name, recent in (("front", 0.4), ("cart", 0.4), ("store", 0.0), ("mail", 0.0)):
        measure(shop, name, 0.001, recent)
    found = diagnose.diagnose(shop.view(), world.incident("front", "cart")).suspects
    assert ["Deployment/cart"] == [str(each.target) for each in found]
