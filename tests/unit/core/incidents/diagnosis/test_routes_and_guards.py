"""Routes that lead nowhere, new workloads behind old Services, pods refused by a rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prunella.api.change import Verb
from prunella.core import model
from prunella.core.incidents.diagnosis import diagnose
from tests.unit.core.incidents.diagnosis import world
from tests.unit.core.incidents.diagnosis.world import ONSET, World

Break = Callable[[World], None]
CART_SET = model.Ref("ReplicaSet", "shop", "cart-5d4f8")
GUARDED = 'admission webhook "pods.example" denied the request: no owner'
UNANSWERED = (
    'Internal error occurred: failed calling webhook "pods.example": failed to call webhook: '
    'Post "https://guard.ops.svc:443/pods": service "guard" not found'
)


def _ingress(service: str, port: world.Raw) -> world.Raw:
    backend = {"service": {"name": service, "port": port}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec = {"rules": [{"host": "shop.example", "http": {"paths": paths}}]}
    return {"kind": "Ingress", "metadata": {"name": "shop", "namespace": "shop"}, "spec": spec}


def _to_nobody(shop: World) -> None:
    shop.add(_ingress("storefront", {"number": 8080}))
    path = "spec.rules[0].http.paths[0].backend.service.name"
    was = _ingress("front", {"number": 8080})
    shop.change("Ingress", "shop", path, "front", "storefront", was=was)


def _route_deleted(shop: World) -> None:
    shop.change("Ingress", "shop", verb=Verb.DELETED, was=_ingress("front", {"number": 8080}))


def _port_renamed(shop: World) -> None:
    shop.add(_ingress("front", {"name": "http"}))
    shop.get("Service", "front")["spec"]["ports"][0]["name"] = "web"
    shop.change("Service", "front", "spec.ports[0].name", "http", "web")


def _gateway_to_another_port(shop: World) -> None:
    refs = [{"name": "front", "port": 80}]
    shop.add({"kind": "HTTPRoute", "metadata": {"name": "shop", "namespace": "shop"},
              "spec": {"rules": [{"backendRefs": refs}]}})  # fmt: skip
    shop.change("HTTPRoute", "shop", "spec.rules[0].backendRefs[0].port", 8080, 80)


def _canary(shop: World) -> None:
    canary = world.deployment("front-canary")
    canary["spec"]["template"]["metadata"]["labels"] = {"app": "front", "track": "canary"}
    shop.add(canary)
    for name, before in (("front", 150), ("front-canary", 40)):
        made = shop.get("Deployment", name)["metadata"]
        made["creationTimestamp"] = world.iso(ONSET - before)
        shop.change("Deployment", name, verb=Verb.CREATED, before=before)


def _policy_deleted(shop: World) -> None:
    spec = {"podSelector": {"matchLabels": {"app": "front"}}, "ingress": [{}]}
    was = {"kind": "NetworkPolicy", "metadata": {"name": "open", "namespace": "shop"}, "spec": spec}
    shop.change("NetworkPolicy", "open", verb=Verb.DELETED, was=was)


@pytest.mark.parametrize(
    ("breaks", "cause"),
    [
        pytest.param(_to_nobody, "Ingress/shop", id="an Ingress to no Service"),
        pytest.param(_route_deleted, "Ingress/shop", id="a deleted Ingress"),
        pytest.param(_port_renamed, "Service/front", id="a port that the Service renamed"),
        pytest.param(_gateway_to_another_port, "HTTPRoute/shop", id="a route to no port"),
        pytest.param(_canary, "Deployment/front-canary", id="a new workload behind the Service"),
        pytest.param(_policy_deleted, "NetworkPolicy/open", id="a deleted policy"),
    ],
)
def test_what_leads_users_astray_comes_first(breaks: Break, cause: str) -> None:
    """Users miss the front end, whose own objects are as they should be."""
    shop = World()
    breaks(shop)
    found = diagnose.diagnose(shop.view(), world.incident("front")).suspects
    assert [cause] == [str(each.target) for each in found[:1]]


def test_only_the_newer_of_two_behind_a_service_is_suspected() -> None:
    """The older one took nothing from anybody when it was made."""
    shop = World()
    _canary(shop)
    found = diagnose.diagnose(shop.view(), world.incident("front")).suspects
    assert ["Deployment/front-canary"] == [str(each.target) for each in found]


def test_routes_that_lead_somewhere_are_not_suspected() -> None:
    """By number or by name of the port."""
    shop = World()
    shop.get("Service", "front")["spec"]["ports"][0]["name"] = "http"
    shop.add(_ingress("front", {"name": "http"}))
    assert () == diagnose.diagnose(shop.view(), world.incident("front")).suspects


def test_a_change_whose_object_before_can_not_be_read_is_none() -> None:
    """What somebody else wrote into the journal is not believed."""
    shop = World()
    shop.change("Ingress", "shop", verb=Verb.DELETED, was=_ingress("front", {"number": 8080}))
    spec = shop.changes[0].spec.model_copy(update={"before": "bm9uZQ=="})
    shop.changes[0] = world.Change("chg-0", "shop", spec)
    assert () == diagnose.diagnose(shop.view(), world.incident("front")).suspects


def _refused(shop: World, message: str) -> None:
    del shop.objects[world.ref(shop.pods("cart")[0])]
    shop.add(world.event("FailedCreate", f"pods is forbidden: {message}", CART_SET))


def _security(shop: World) -> None:
    _refused(shop, 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false')


def _security_of_new(shop: World) -> None:
    made = world.iso(ONSET - 5)
    shop.get("Deployment", "cart")["metadata"]["creationTimestamp"] = made
    _security(shop)


def _security_of_changed(shop: World) -> None:
    _security(shop)
    shop.change("Deployment", "cart", "spec.template.spec.hostNetwork", None, new=True)


def _policy(shop: World) -> None:
    policy = "ValidatingAdmissionPolicy 'owners' with binding 'all' denied request: no owner"
    _refused(shop, policy)


def _denied(shop: World) -> None:
    _refused(shop, GUARDED)


def _unanswered(shop: World) -> None:
    _refused(shop, UNANSWERED)


def _scaled_down(shop: World) -> None:
    _unanswered(shop)
    guard = world.deployment("guard")
    guard["metadata"]["namespace"] = "ops"
    shop.add(guard)
    shop.change("Deployment", "guard", "spec.template.spec.nodeName", None, "none")
    spec = shop.changes[0].spec
    place = spec.object.model_copy(update={"namespace": "ops"})
    shop.changes[0] = world.Change("chg-0", "ops", spec.model_copy(update={"object": place}))


@pytest.mark.parametrize(
    ("breaks", "cause"),
    [
        pytest.param(_security, "Namespace/shop", id="a stricter namespace"),
        pytest.param(_security_of_new, "Deployment/cart", id="a new workload"),
        pytest.param(_security_of_changed, "Deployment/cart", id="a changed workload"),
        pytest.param(_policy, "ValidatingAdmissionPolicy/owners", id="a policy"),
        pytest.param(_denied, "Deployment/cart", id="a webhook says no"),
        pytest.param(_unanswered, "Service/guard", id="a webhook's Service is gone"),
        pytest.param(_scaled_down, "Deployment/guard", id="a webhook's pods are gone"),
    ],
)
def test_who_refuses_unchanged_pods_comes_first(breaks: Break, cause: str) -> None:
    """Pods that were accepted before are refused by what has changed: mostly not themselves."""
    shop = World()
    breaks(shop)
    found = diagnose.diagnose(shop.view(), world.incident("cart")).suspects
    assert [cause] == [str(each.target) for each in found[:1]]
