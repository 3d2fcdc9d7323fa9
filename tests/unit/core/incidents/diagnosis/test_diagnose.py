"""The cause of a small shop's troubles, by what its objects and changes show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prunella.api.change import Verb
from prunella.api.incident import CauseKind, Confidence
from prunella.core import model
from prunella.core.incidents.diagnosis import diagnose
from tests.unit.core.incidents.diagnosis import world
from tests.unit.core.incidents.diagnosis.world import ONSET, World

Break = Callable[[World], None]
POD = "spec.template.spec"
APP = f"{POD}.containers[name=app]"


def _image(shop: World) -> None:
    shop.container("cart")["image"] = "registry.example/shop/cart:9"
    shop.change("Deployment", "cart", f"{APP}.image", "cart:1", "cart:9")
    shop.state("cart", state={"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}})


def _selector(shop: World) -> None:
    shop.get("Service", "cart")["spec"]["selector"] = {"app": "cart2"}
    shop.change("Service", "cart", "spec.selector.app", "cart", "cart2")


def _labels(shop: World) -> None:
    template = shop.get("Deployment", "cart")["spec"]["template"]["metadata"]
    template["labels"] = {"app": "basket"}
    shop.change("Deployment", "cart", "spec.template.metadata.labels.app", "cart", "basket")
    for each in shop.pods("cart"):
        each["metadata"]["labels"]["app"] = "basket"


def _target_port(shop: World) -> None:
    shop.get("Service", "cart")["spec"]["ports"][0]["targetPort"] = 9999
    shop.change("Service", "cart", "spec.ports[port=8080].targetPort", 8080, 9999)


def _container_port(shop: World) -> None:
    shop.container("cart")["ports"][0]["containerPort"] = 9090
    shop.change("Deployment", "cart", f"{APP}.ports[name=http].containerPort", 8080, 9090)


def _deleted_service(shop: World) -> None:
    del shop.objects[model.Ref("Service", "shop", "cart")]
    shop.change("Service", "cart", verb=Verb.DELETED)


def _address(shop: World) -> None:
    shop.container("front")["env"][0]["value"] = "carts.shop.svc:8080"
    shop.change("Deployment", "front", f"{APP}.env[name=CART_ADDR].value", "cart", "carts")


def _address_port(shop: World) -> None:
    shop.container("front")["env"][0]["value"] = "cart.shop.svc:8081"


def _policy(shop: World) -> None:
    shop.add(
        {
            "kind": "NetworkPolicy",
            "metadata": {
                "name": "deny",
                "namespace": "shop",
                "creationTimestamp": world.iso(ONSET),
            },
            "spec": {"podSelector": {"matchLabels": {"app": "cart"}}, "policyTypes": ["Ingress"]},
        }
    )
    shop.change("NetworkPolicy", "deny", verb=Verb.CREATED)


def _quota(shop: World) -> None:
    shop.add(
        {
            "kind": "ResourceQuota",
            "metadata": {"name": "compute", "namespace": "shop"},
            "spec": {"hard": {"cpu": "1"}},
        }
    )
    del shop.objects[world.ref(shop.pods("cart")[0])]
    message = (
        'pods "cart-x" is forbidden: exceeded quota: compute, requested: cpu=100m, '
        "used: cpu=1, limited: cpu=1"
    )
    condition = {"type": "ReplicaFailure", "status": "True", "message": message}
    shop.get("Deployment", "cart")["status"]["conditions"] = [condition]


def _quota_lowered(shop: World) -> None:
    _quota(shop)
    shop.change("ResourceQuota", "compute", "spec.hard.cpu", "10", "1")


def _requests_raised(shop: World) -> None:
    _quota(shop)
    shop.change("Deployment", "cart", f"{APP}.resources.requests.cpu", "10m", "100m")


def _zero(shop: World) -> None:
    shop.get("Deployment", "cart")["spec"]["replicas"] = 0
    for each in shop.pods("cart"):
        del shop.objects[world.ref(each)]
    shop.change("Deployment", "cart", "spec.replicas", 2, 0)


def _dns(shop: World) -> None:
    shop.get("Deployment", "front")["spec"]["template"]["spec"]["dnsPolicy"] = "Default"
    shop.change("Deployment", "front", f"{POD}.dnsPolicy", "ClusterFirst", "Default")


def _node_selector(shop: World) -> None:
    shop.get("Deployment", "cart")["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    shop.pending(
        "cart", "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
    )
    shop.change("Deployment", "cart", f"{POD}.nodeSelector.disk", None, "ssd")


def _cordoned(shop: World) -> None:
    for name in ("node-1", "node-2"):
        shop.get("Node", name)["spec"]["unschedulable"] = True
    shop.change("Node", "node-2", "spec.unschedulable", None, True)
    shop.pending("cart", "0/2 nodes are available: 2 node(s) were unschedulable.")


def _probe(shop: World) -> None:
    shop.container("cart")["readinessProbe"]["httpGet"]["port"] = 8081
    shop.state("cart", state={"running": {"startedAt": world.iso(ONSET - 60)}})
    shop.change("Deployment", "cart", f"{APP}.readinessProbe.httpGet.port", 8080, 8081)


def _oom(shop: World) -> None:
    ended = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": world.iso(ONSET)}
    shop.state(
        "cart",
        state={"waiting": {"reason": "CrashLoopBackOff"}},
        lastState={"terminated": ended},
    )
    shop.change("Deployment", "cart", f"{APP}.resources.limits.memory", "128Mi", "16Mi")


def _crash_by_config(shop: World) -> None:
    shop.container("cart")["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    shop.add(
        {"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "shop"}, "data": {}}
    )
    shop.state("cart", state={"waiting": {"reason": "CrashLoopBackOff"}},
               lastState={"terminated": {"exitCode": 1, "reason": "Error"}})  # fmt: skip
    shop.change("ConfigMap", "settings", "data.MODE", "fast", "turbo")


def _claim(shop: World) -> None:
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "stor"}}
    shop.get("Deployment", "store")["spec"]["template"]["spec"]["volumes"] = [volume]
    shop.pending("store", 'persistentvolumeclaim "stor" not found')
    path = f"{POD}.volumes[name=data].persistentVolumeClaim.claimName"
    shop.change("Deployment", "store", path, "store", "stor")


def _node(shop: World) -> None:
    shop.get("Node", "node-2")["status"]["conditions"] = [
        {"type": "Ready", "status": "Unknown", "lastTransitionTime": world.iso(ONSET)}
    ]
    shop.change("Deployment", "cart", f"{APP}.image", "cart:1", "cart:2", before=20)


@pytest.mark.parametrize(
    ("breaks", "sick", "cause", "field", "kind"),
    [
        pytest.param(_image, ["cart", "front"], "Deployment/cart", f"{APP}.image", "Release",
                     id="an image that can't be pulled"),
        pytest.param(_selector, ["front"], "Service/cart", "spec.selector.app", "Networking",
                     id="a selector that selects nothing"),
        pytest.param(_labels, ["front"], "Deployment/cart", "spec.template.metadata.labels.app",
                     "Networking", id="labels that the selector does not know"),
        pytest.param(_target_port, ["front"], "Service/cart", "spec.ports[port=8080].targetPort",
                     "Networking", id="a target port nobody listens on"),
        pytest.param(_container_port, ["front"], "Deployment/cart",
                     f"{APP}.ports[name=http].containerPort", "Networking",
                     id="a container that moved to another port"),
        pytest.param(_deleted_service, ["front"], "Service/cart", "", "Networking",
                     id="a deleted Service"),
        pytest.param(_address, ["front"], "Deployment/front", f"{APP}.env[name=CART_ADDR].value",
                     "Configuration", id="an address without a Service"),
        pytest.param(_address_port, ["front"], "Deployment/front",
                     f"{APP}.env[name=CART_ADDR].value", "Configuration",
                     id="an address with a port that the Service lacks"),
        pytest.param(_policy, ["front"], "NetworkPolicy/deny", "spec.ingress", "Networking",
                     id="a policy that blocks the caller"),
        pytest.param(_quota, ["cart"], "ResourceQuota/compute", "spec.hard.cpu", "Quota",
                     id="a quota used up"),
        pytest.param(_quota_lowered, ["cart"], "ResourceQuota/compute", "spec.hard.cpu", "Quota",
                     id="a quota lowered"),
        pytest.param(_requests_raised, ["cart"], "Deployment/cart",
                     f"{APP}.resources.requests.cpu", "Resources",
                     id="requests raised above the quota"),
        pytest.param(_zero, ["front"], "Deployment/cart", "spec.replicas", "Scale",
                     id="scaled to zero"),
        pytest.param(_dns, ["front"], "Deployment/front", f"{POD}.dnsPolicy", "Networking",
                     id="a DNS policy without the cluster's names"),
        pytest.param(_node_selector, ["cart"], "Deployment/cart", f"{POD}.nodeSelector.disk",
                     "Scheduling", id="a node selector that no node has"),
        pytest.param(_cordoned, ["cart"], "Node/node-2", "spec.unschedulable", "Node",
                     id="a cordoned node"),
        pytest.param(_probe, ["cart"], "Deployment/cart", f"{APP}.readinessProbe.httpGet.port",
                     "Probe", id="a probe of a port that is not there"),
        pytest.param(_oom, ["cart"], "Deployment/cart", f"{APP}.resources.limits.memory",
                     "Resources", id="a memory limit below the need"),
        pytest.param(_crash_by_config, ["cart"], "ConfigMap/settings", "data.MODE",
                     "Configuration", id="a crash after its ConfigMap changed"),
        pytest.param(_claim, ["store", "cart"], "Deployment/store",
                     f"{POD}.volumes[name=data].persistentVolumeClaim.claimName", "Storage",
                     id="a claim that does not exist"),
        pytest.param(_node, ["cart", "store"], "Node/node-2", "status.conditions[type=Ready]",
                     "Node", id="a dead node just after a harmless release"),
    ],
)  # fmt: skip
def test_the_object_whose_field_is_wrong_comes_first(
    breaks: Break, sick: list[str], cause: str, field: str, kind: str
) -> None:
    """The suspect is the object whose field would have to be put right, and the field is named."""
    shop = World()
    breaks(shop)
    first = diagnose.diagnose(shop.view(), world.incident(*sick)).suspects[0]
    assert (cause, field, CauseKind(kind)) == (str(first.target), first.field, first.cause_kind)
    assert first.confidence is Confidence.HIGH


@pytest.mark.parametrize(
    ("service", "deployment", "cause"),
    [
        pytest.param(20, 90, "Service/cart", id="the Service last"),
        pytest.param(90, 20, "Deployment/cart", id="the workload last"),
    ],
)
def test_of_two_sides_that_changed_the_later_is_blamed(
    service: float, deployment: float, cause: str
) -> None:
    """Until then the selector and the labels agreed."""
    shop = World()
    shop.get("Service", "cart")["spec"]["selector"] = {"app": "basket"}
    labels = "spec.template.metadata.labels.app"
    shop.change("Service", "cart", "spec.selector.app", "cart", "basket", before=service)
    shop.change("Deployment", "cart", labels, "basket", "cart", before=deployment)
    first = diagnose.diagnose(shop.view(), world.incident("front")).suspects[0]
    assert cause == str(first.target)
