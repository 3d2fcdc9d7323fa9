"""More ways to break the small shop: references, nodes, policies, quotas, scaling, pods."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prunella.api.change import Verb
from prunella.api.incident import Confidence
from prunella.core import model
from prunella.core.incidents.diagnosis import diagnose
from tests.unit.core.incidents.diagnosis import world
from tests.unit.core.incidents.diagnosis.world import ONSET, World

Break = Callable[[World], None]
POD = "spec.template.spec"
APP = f"{POD}.containers[name=app]"
CART_SET = model.Ref("ReplicaSet", "shop", "cart-5d4f8")


def _spec(shop: World, name: str) -> world.Raw:
    found: world.Raw = shop.get("Deployment", name)["spec"]["template"]["spec"]
    return found


def _config_error(shop: World, message: str) -> None:
    waiting = {"reason": "CreateContainerConfigError", "message": message}
    shop.state("cart", state={"waiting": waiting})


def _deleted_config(shop: World) -> None:
    _config_error(shop, 'configmap "settings" not found')
    shop.change("ConfigMap", "settings", verb=Verb.DELETED)


def _renamed_config(shop: World) -> None:
    _config_error(shop, 'configmap "setings" not found')
    shop.change("Deployment", "cart", f"{APP}.envFrom", "settings", "setings")


def _lost_key(shop: World) -> None:
    shop.add(
        {"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "shop"}, "data": {}}
    )
    reference = {"name": "settings", "key": "mode.txt"}
    shop.container("cart")["env"] += [{"name": "MODE", "valueFrom": {"configMapKeyRef": reference}}]
    _config_error(shop, "couldn't find key mode.txt in ConfigMap shop/settings")
    shop.change("ConfigMap", "settings", "data[mode.txt]", "fast", None)


def _lost_secret(shop: World) -> None:
    _config_error(shop, 'secret "password" not found')


def _no_account(shop: World) -> None:
    del shop.objects[world.ref(shop.pods("cart")[0])]
    _spec(shop, "cart")["serviceAccountName"] = "cart"
    shop.add(world.event("FailedCreate", 'error looking up service account shop/cart: '
                         'serviceaccount "cart" not found', CART_SET))  # fmt: skip
    shop.change("ServiceAccount", "cart", verb=Verb.DELETED)


def _unbound(shop: World) -> None:
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    _spec(shop, "cart")["volumes"] = [claim]
    shop.add({"kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop"},
              "spec": {"storageClassName": "gold"}, "status": {"phase": "Pending"}})  # fmt: skip
    shop.pending("cart", "pod has unbound immediate PersistentVolumeClaims")
    shop.change("PersistentVolumeClaim", "data", verb=Verb.CREATED)


def _tainted(shop: World) -> None:
    shop.pending("cart", "0/2 nodes are available: 2 node(s) had untolerated taint {team: data}.")
    shop.change("Node", "node-1", "spec.taints", None, [{"key": "team"}])


def _label_lost(shop: World) -> None:
    _spec(shop, "cart")["nodeSelector"] = {"disk": "ssd"}
    shop.pending("cart", "0/2 nodes are available: 2 node(s) didn't match Pod's node "
                 "affinity/selector.")  # fmt: skip
    shop.change("Node", "node-1", "metadata.labels.disk", "ssd", None)


def _too_large(shop: World) -> None:
    shop.container("cart")["resources"]["requests"]["cpu"] = "32"
    shop.pending("cart", "0/2 nodes are available: 2 Insufficient cpu.")


def _preempted(shop: World) -> None:
    shop.add(world.deployment("batch"), world.pod("batch", 1))
    shop.pending("cart", "0/2 nodes are available: 2 Insufficient cpu.")
    victim = model.Ref("Pod", "shop", "cart-5d4f8-1")
    shop.add(world.event("Preempted", "Preempted by pod uid-batch-1 on node node-1", victim))
    shop.change("Deployment", "batch", verb=Verb.CREATED)


def _command(shop: World) -> None:
    ended = {"exitCode": 127, "reason": "StartError", "message": "exec: no such file"}
    shop.state("cart", state={"waiting": {"reason": "CrashLoopBackOff"}},
               lastState={"terminated": ended})  # fmt: skip
    shop.change("Deployment", "cart", f"{APP}.command", ["/app"], ["/ap"])


def _variable_removed(shop: World) -> None:
    shop.state("front", state={"waiting": {"reason": "CrashLoopBackOff"}},
               lastState={"terminated": {"exitCode": 1, "reason": "Error"}})  # fmt: skip
    shop.container("front")["env"] = []
    shop.change("Deployment", "front", f"{APP}.env[name=CART_ADDR]", {"name": "CART_ADDR"}, None)


def _init(shop: World, state: world.Raw) -> None:
    for each in shop.pods("cart"):
        each["status"] = {"initContainerStatuses": [{"name": "wait", "restartCount": 3, **state}]}
    shop.change("Deployment", "cart", f"{POD}.initContainers[name=wait]", None, {"name": "wait"})


def _init_crashes(shop: World) -> None:
    _init(shop, {"state": {"waiting": {"reason": "CrashLoopBackOff"}},
                 "lastState": {"terminated": {"exitCode": 1}}})  # fmt: skip


def _init_hangs(shop: World) -> None:
    _init(shop, {"state": {"running": {"startedAt": world.iso(world.NOW - 100)}}})


def _liveness(shop: World) -> None:
    shop.container("cart")["livenessProbe"] = {"httpGet": {"path": "/live", "port": 8080}}
    shop.state("cart", state={"waiting": {"reason": "CrashLoopBackOff"}},
               lastState={"terminated": {"exitCode": 137, "reason": "Error"}})  # fmt: skip
    shop.change("Deployment", "cart", f"{APP}.livenessProbe.httpGet.path", "/ready", "/live")


def _policy(shop: World, **spec: object) -> None:
    shop.add({"kind": "NetworkPolicy", "metadata": {"name": "rules", "namespace": "shop"},
              "spec": spec})  # fmt: skip


def _egress(shop: World) -> None:
    front = {"matchLabels": {"app": "front"}}
    rules = [{"ports": [{"port": 53, "protocol": "UDP"}]}]
    _policy(shop, podSelector=front, policyTypes=["Egress"], egress=rules)
    shop.change("NetworkPolicy", "rules", "spec.egress", None, rules)


def _no_dns(shop: World) -> None:
    rules = [{"ports": [{"port": 8080, "protocol": "TCP"}]}]
    _policy(shop, podSelector={}, policyTypes=["Egress"], egress=rules)
    shop.change("NetworkPolicy", "rules", verb=Verb.CREATED)


def _wrong_port_let_in(shop: World) -> None:
    rules = [{"ports": [{"port": 9090, "protocol": "TCP"}]}]
    _policy(shop, podSelector={"matchLabels": {"app": "cart"}}, ingress=rules)
    shop.change("NetworkPolicy", "rules", "spec.ingress[0].ports[0].port", 8080, 9090)


def _limit_range(shop: World) -> None:
    del shop.objects[world.ref(shop.pods("cart")[0])]
    shop.add({"kind": "LimitRange", "metadata": {"name": "small", "namespace": "shop"}})
    shop.add(world.event("FailedCreate", "pods is forbidden: maximum memory usage per Container "
                         "is 64Mi, but limit is 128Mi", CART_SET))  # fmt: skip
    shop.change("LimitRange", "small", verb=Verb.CREATED)


def _autoscaler(shop: World) -> None:
    shop.get("Deployment", "cart")["spec"]["replicas"] = 1
    aim = {"kind": "Deployment", "name": "cart"}
    shop.add({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "cart", "namespace": "shop"},
              "spec": {"maxReplicas": 1, "scaleTargetRef": aim}})  # fmt: skip
    shop.change("HorizontalPodAutoscaler", "cart", "spec.maxReplicas", 5, 1)
    shop.change("Deployment", "cart", "spec.replicas", 2, 1, before=30)


def _service_port(shop: World) -> None:
    shop.add(world.deployment("shell", CART_ADDR="cart.shop.svc:8080"))
    shop.get("Service", "cart")["spec"]["ports"][0]["port"] = 80
    shop.change("Service", "cart", "spec.ports", [{"port": 8080}], [{"port": 80}])


def _deleted_workload(shop: World) -> None:
    del shop.objects[model.Ref("Deployment", "shop", "cart")]
    for each in shop.pods("cart"):
        del shop.objects[world.ref(each)]
    shop.change("Deployment", "cart", verb=Verb.DELETED)


def _pressure(shop: World) -> None:
    shop.get("Node", "node-1")["status"]["conditions"] += [
        {"type": "MemoryPressure", "status": "True", "lastTransitionTime": world.iso(ONSET)}
    ]


def _lease(shop: World, name: str, age: float) -> None:
    shop.add({"kind": "Lease", "metadata": {"name": name, "namespace": "kube-node-lease"},
              "spec": {"renewTime": world.iso(world.NOW - age)}})  # fmt: skip


def _silent(shop: World) -> None:
    for name, age in (("node-1", 30), ("node-2", 5), ("gone-1", 900), ("gone-2", 900)):
        _lease(shop, name, age)


def _flag(shop: World) -> None:
    shop.container("store")["envFrom"] = [{"configMapRef": {"name": "flags"}}]
    shop.add({"kind": "ConfigMap", "metadata": {"name": "flags", "namespace": "shop"}, "data": {}})
    shop.change("ConfigMap", "flags", "data[flags.json]", "off", "on")


def _release(shop: World) -> None:
    shop.change("Deployment", "cart", f"{APP}.image", "cart:1", "cart:2")


def _scaled_down(shop: World) -> None:
    shop.change("Deployment", "cart", "spec.replicas", 5, 2)


def _late(shop: World) -> None:
    shop.change("Deployment", "cart", "spec.minReadySeconds", None, 600)


@pytest.mark.parametrize(
    ("breaks", "sick", "cause"),
    [
        pytest.param(_deleted_config, "cart", "ConfigMap/settings", id="a deleted ConfigMap"),
        pytest.param(_renamed_config, "cart", "Deployment/cart", id="a misspelt ConfigMap"),
        pytest.param(_lost_key, "cart", "ConfigMap/settings", id="a key that is gone"),
        pytest.param(_lost_secret, "cart", "Secret/password", id="a Secret that is gone"),
        pytest.param(_no_account, "cart", "ServiceAccount/cart", id="a deleted ServiceAccount"),
        pytest.param(_unbound, "cart", "PersistentVolumeClaim/data", id="a claim without a class"),
        pytest.param(_tainted, "cart", "Node/node-1", id="a tainted node"),
        pytest.param(_label_lost, "cart", "Node/node-1", id="a node that lost its label"),
        pytest.param(_too_large, "cart", "Deployment/cart", id="a request larger than any node"),
        pytest.param(_preempted, "cart", "Deployment/batch", id="preempted by a new workload"),
        pytest.param(_command, "cart", "Deployment/cart", id="a command that is not there"),
        pytest.param(_variable_removed, "front", "Deployment/front", id="a variable removed"),
        pytest.param(_init_crashes, "cart", "Deployment/cart", id="a crashing init container"),
        pytest.param(_init_hangs, "cart", "Deployment/cart", id="a hanging init container"),
        pytest.param(_liveness, "cart", "Deployment/cart", id="a liveness probe that kills"),
        pytest.param(_egress, "front", "NetworkPolicy/rules", id="egress is blocked"),
        pytest.param(_no_dns, "front", "NetworkPolicy/rules", id="egress without DNS"),
        pytest.param(_wrong_port_let_in, "front", "NetworkPolicy/rules", id="a port not let in"),
        pytest.param(_limit_range, "cart", "LimitRange/small", id="a limit range"),
        pytest.param(_autoscaler, "cart", "HorizontalPodAutoscaler/cart", id="a low maximum"),
        pytest.param(_service_port, "front", "Service/cart", id="a Service on another port"),
        pytest.param(_deleted_workload, "front", "Deployment/cart", id="a deleted workload"),
        pytest.param(_pressure, "cart", "Node/node-1", id="a node short of memory"),
        pytest.param(_silent, "cart", "Node/node-1", id="a node that has fallen silent"),
        pytest.param(_flag, "cart", "ConfigMap/flags", id="a flag that its reader's callers feel"),
        pytest.param(_release, "cart", "Deployment/cart", id="a release before errors"),
        pytest.param(_late, "cart", "Deployment/cart", id="pods that count as available late"),
        pytest.param(_scaled_down, "cart", "Deployment/cart", id="scaled down"),
    ],
)
def test_the_cause_comes_first(breaks: Break, sick: str, cause: str) -> None:
    """The object that has to be put right is the first suspect."""
    shop = World()
    breaks(shop)
    found = diagnose.diagnose(shop.view(), world.incident(sick)).suspects
    assert [cause] == [str(each.target) for each in found[:1]]


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        pytest.param((5, 5, 5), Confidence.HIGH, id="all nodes are heard of"),
        pytest.param((17, 5, 5), Confidence.MEDIUM, id="a renewal of its node is missing"),
        pytest.param((5, 5, 17), Confidence.HIGH, id="of a node that it has no pod on"),
        pytest.param((17, 17, 5), Confidence.HIGH, id="of most nodes: then it is the clock"),
    ],
)
def test_a_release_is_less_sure_while_a_node_may_be_lost(
    ages: tuple[float, ...], expected: Confidence
) -> None:
    """What is merely near in time does not suffice where a node can explain it."""
    shop = World()
    for number, age in enumerate(ages, start=1):
        if number > 2:
            shop.add({"kind": "Node", "metadata": {"name": f"node-{number}"}, "status": {}})
        _lease(shop, f"node-{number}", age)
    _release(shop)
    found = diagnose.diagnose(shop.view(), world.incident("cart")).suspects[0]
    assert ("Deployment/cart", expected) == (str(found.target), found.confidence)
