"""Who reaches whom: names, Services, EndpointSlices, listening ports and NetworkPolicies.

The order is that of a real packet: the caller resolves a name, kube-proxy chooses an endpoint,
the network policies of both sides let the packet through or drop it, and a process listens on
the port or not.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator

from lab.shop import policies
from lab.shop.objects import Object, Picture, labels_of

CLUSTER_DOMAIN = "cluster.local"
DNS = policies.Peer("kube-system", "kube-dns-0", "10.0.0.10", {"k8s-app": "kube-dns"})
"""The name server is no pod of the lab, but policies must let queries for it through."""

REFUSED = "connection refused"
TIMEOUT = "timeout"
"""A dropped packet: the caller waits as long as it is willing to."""
UNKNOWN_HOST = "no such host"
BAD_ADDRESS = "bad address"


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """One pod and port that a call may land on, or what stands in its way."""

    pod: Object | None
    port: int
    failure: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """Where an address leads: endpoints to share the calls, or one failure for all of them."""

    endpoints: tuple[Endpoint, ...] = ()
    failure: str | None = None


Listens = Callable[[Object, int, str], bool]
"""Whether a process of the pod listens on a port for a protocol."""
Alive = Callable[[Object], bool]
"""Whether the pod's node carries its traffic."""


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """The network of the cluster as the objects make it."""

    picture: Picture
    listens: Listens
    alive: Alive

    def route(self, caller: Object | None, address: str) -> Route:
        """Where calls of a pod (None: a user outside of the cluster) to ``address`` land."""
        host, _, port_text = address.rpartition(":")
        if not host or not port_text.isdigit() or not 0 < int(port_text) < 65536:
            return Route(failure=BAD_ADDRESS)
        if caller is not None and not self.alive(caller):
            return Route(failure=TIMEOUT)
        pod = self._pod_at(host)
        if pod is not None:
            return Route((self._endpoint(caller, pod, int(port_text)),))
        service = self._service(caller, host)
        if isinstance(service, str):
            return Route(failure=service)
        return self.through(caller, service, int(port_text))

    def _service(self, caller: Object | None, host: str) -> Object | str:
        """The Service behind a host name or a cluster IP, or why there is none."""
        host = _alias(caller, host)
        if host.replace(".", "").isdigit():
            return self._at_cluster_ip(host) or TIMEOUT
        if (failure := self._cannot_resolve(caller)) is not None:
            return failure
        for namespace, name in _candidates(caller, host):
            found = self.picture.get("Service", namespace, name)
            if found is None:
                continue
            if found["spec"].get("type") == "ExternalName":
                return self._service(caller, found["spec"]["externalName"].rstrip("."))
            return found
        return UNKNOWN_HOST

    def _at_cluster_ip(self, address: str) -> Object | None:
        services = self.picture.all("Service")
        return next((s for s in services if s["spec"].get("clusterIP") == address), None)

    def _pod_at(self, address: str) -> Object | None:
        if not address.replace(".", "").isdigit():
            return None
        pods = self.picture.all("Pod")
        return next((p for p in pods if p.get("status", {}).get("podIP") == address), None)

    def _cannot_resolve(self, caller: Object | None) -> str | None:
        """Why a pod gets no answer for names of the cluster (`dnsPolicy`, egress policies)."""
        if caller is None:
            return None
        spec = caller["spec"]
        policy = spec.get("dnsPolicy", "ClusterFirst")
        if policy == "Default" or (policy == "ClusterFirst" and spec.get("hostNetwork")):
            return UNKNOWN_HOST
        servers = (spec.get("dnsConfig") or {}).get("nameservers") or []
        if policy == "None" and DNS.address not in servers:
            return UNKNOWN_HOST
        allowed = policies.allows(self.picture, self.peer(caller), DNS, 53, "UDP")
        return None if allowed else "name resolution timed out"

    def through(self, caller: Object | None, service: Object, port: int) -> Route:
        """What kube-proxy makes of a Service: nothing ready is refused at once."""
        if _is_headless(service):
            return self._direct(caller, service, port)
        wanted = next(
            (
                each
                for each in service["spec"].get("ports") or []
                if each["port"] == port and each.get("protocol", "TCP") == "TCP"
            ),
            None,
        )
        if wanted is None:
            return Route(failure=TIMEOUT)
        local = service["spec"].get("internalTrafficPolicy") == "Local" and caller is not None
        node = caller["spec"].get("nodeName") if local and caller else None
        found = tuple(
            self._endpoint(caller, pod, number)
            for pod, number in self._backends(service, wanted)
            if not local or (pod is not None and pod["spec"].get("nodeName") == node)
        )
        return Route(found) if found else Route(failure=REFUSED)

    def _direct(self, caller: Object | None, service: Object, port: int) -> Route:
        """A headless Service's name stands for its pods: ports are theirs."""
        pods = [pod for pod, _ in self._backends(service, None)]
        if not pods:
            return Route(failure=UNKNOWN_HOST)
        return Route(tuple(self._endpoint(caller, pod, port) for pod in pods))

    def _backends(
        self, service: Object, wanted: dict[str, object] | None
    ) -> Iterator[tuple[Object | None, int]]:
        """The ready endpoints that the EndpointSlices of a Service hold for one of its ports."""
        namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
        for piece in self.picture.inside("EndpointSlice", namespace):
            if labels_of(piece).get("kubernetes.io/service-name") != name:
                continue
            number = _port_of(piece, wanted)
            for each in piece.get("endpoints") or []:
                if number is not None and (each.get("conditions") or {}).get("ready", True):
                    yield self._pod_of(each, namespace), number

    def _pod_of(self, endpoint: Object, namespace: str) -> Object | None:
        """The pod behind an endpoint; one that was written by hand has only an address."""
        target = endpoint.get("targetRef")
        if target is not None:
            return self.picture.get("Pod", namespace, target.get("name", ""))
        return self._pod_at((endpoint.get("addresses") or [""])[0])

    def _endpoint(self, caller: Object | None, pod: Object | None, port: int) -> Endpoint:
        if pod is None or not self.alive(pod):
            return Endpoint(None, port, TIMEOUT)
        source = self.peer(caller) if caller is not None else None
        if not policies.allows(self.picture, source, self.peer(pod), port, "TCP"):
            return Endpoint(pod, port, TIMEOUT)
        if not self.listens(pod, port, "TCP"):
            return Endpoint(pod, port, REFUSED)
        return Endpoint(pod, port)

    def peer(self, pod: Object) -> policies.Peer:
        """A pod as policies see it."""
        metadata = pod["metadata"]
        address = pod.get("status", {}).get("podIP", "")
        return policies.Peer(
            metadata["namespace"], metadata["name"], address, labels_of(pod), named_ports(pod)
        )


def named_ports(pod: Object) -> dict[tuple[str, str], int]:
    """The container ports that have a name, by name and protocol."""
    return {
        (port["name"], port.get("protocol", "TCP")): port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or []
        if port.get("name")
    }


def _port_of(piece: Object, wanted: dict[str, object] | None) -> int | None:
    """The port that an EndpointSlice has under a Service port's name; 0 for any (None)."""
    if wanted is None:
        return 0
    name = wanted.get("name") or ""
    ports = piece.get("ports") or []
    return next((each.get("port") for each in ports if (each.get("name") or "") == name), None)


def _is_headless(service: Object) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


def _alias(caller: Object | None, host: str) -> str:
    """The address that the pod's hostAliases give a name, or the name."""
    for each in (caller["spec"].get("hostAliases") or []) if caller is not None else []:
        if host in (each.get("hostnames") or []):
            return str(each["ip"])
    return host


@functools.lru_cache(maxsize=4096)
def _labels(host: str) -> tuple[str, ...]:
    return tuple(host.rstrip(".").split("."))


def _candidates(caller: Object | None, host: str) -> Iterator[tuple[str, str]]:
    """Namespace and name of the Services that a name may mean, as a pod's search list has them.

    With dnsPolicy None only the searches of dnsConfig count; `pod.service.ns.svc` means the
    Service too.
    """
    parts = _labels(host)
    suffix = ("svc", *CLUSTER_DOMAIN.split("."))
    if parts[-3:] == suffix and len(parts) >= 5:
        yield parts[-4], parts[-5]
        return
    spec = caller["spec"] if caller is not None else {}
    if spec.get("dnsPolicy") == "None" and not (spec.get("dnsConfig") or {}).get("searches"):
        return
    if parts[-1] == "svc" and len(parts) >= 3:
        yield parts[-2], parts[-3]
    elif len(parts) == 2:
        yield parts[1], parts[0]
    elif len(parts) == 1 and caller is not None:
        yield caller["metadata"]["namespace"], parts[0]
