"""Who calls whom and what stands on what, from manifests and from measured calls.

Calls come from service-graph metrics (OpenTelemetry's servicegraph connector, Tempo, Istio) and
from environment variables, arguments and ConfigMaps that name a Service; places from the nodes
that pods run on, and from the racks and zones that nodes are labelled with.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from prunella.core import model
from prunella.core.incidents import picture as pictures
from prunella.core.incidents import topology

Manifest = pictures.Manifest
Manifests = pictures.Manifests

ZONE_LABELS: Final = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
RACK: Final = "rack"
"""The last part of a label's key that holds a rack: ``topology.kubernetes.io/rack``, ``rack``."""
_TOKEN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)?(?:[^@/\s,;\"']*@)?"
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?P<port>:[0-9]{1,5})?"
)
_ADDRESS_NAME: Final = re.compile(
    r"(ADDR|ADDRESS|HOST|HOSTNAME|URL|URI|ENDPOINT|SERVER|SERVERS|SERVICE|BROKERS?|DSN)$"
)
_LONGEST: Final = 4096
"""Characters of one value that are looked at; an address is not longer."""

_CLIENT: Final = (
    ("client_k8s_deployment_name", "client_k8s_namespace_name", "Deployment"),
    ("client_k8s_statefulset_name", "client_k8s_namespace_name", "StatefulSet"),
    ("client_k8s_daemonset_name", "client_k8s_namespace_name", "DaemonSet"),
    ("client", "client_k8s_namespace_name", ""),
    ("client", "client_service_namespace", ""),
    ("source_workload", "source_workload_namespace", ""),
    ("client", "", ""),
)
"""Labels for the caller's name and namespace, and the kind that they stand for."""
_SERVER: Final = tuple(
    (name.replace("client", "server"), place.replace("client", "server"), kind)
    for name, place, kind in _CLIENT
    if not name.startswith("source")
)
_SERVER_OF_MESH: Final = (("destination_workload", "destination_workload_namespace", ""),)


class Pair(NamedTuple):
    """The two kinds of links that a topology is made of."""

    calls: Mapping[model.Ref, Collection[model.Ref]]
    places: Mapping[model.Ref, Collection[model.Ref]]

    def topology(self) -> topology.Topology:
        """The graph of these links."""
        return topology.Topology(self.calls, self.places)


Links = dict[model.Ref, set[model.Ref]]


def joined(*pairs: Pair) -> Pair:
    """All links of several pairs."""
    return Pair(_union(each.calls for each in pairs), _union(each.places for each in pairs))


def from_manifests(manifests: Manifests, picture: pictures.Picture | None = None) -> Pair:
    """Calls and places that the objects themselves tell of."""
    known = picture or pictures.of(manifests)
    calls: Links = {
        model.Ref("Service", *place): set(behind)
        for place, behind in known.services.items()
        if len(behind) > 1
    }
    for ref, raw in pictures.of_kind(manifests, *pictures.WORKLOADS, *pictures.BATCH):
        for service in _named_services(ref, raw, manifests, known):
            _link_service(calls, ref, service, known)
    for ref, raw in pictures.of_kind(manifests, "Ingress", "HTTPRoute"):
        for service in _backends(ref, raw):
            if service in known.services:
                _link_service(calls, ref, service, known)
    return Pair(calls, _places(manifests))


def from_service_graph(
    samples: Iterable[model.Sample], picture: pictures.Picture | None = None
) -> topology.Links:
    """Calls that were measured: samples of a rate by client and server; 0 and NaN are no call."""
    known, calls = picture or pictures.Picture(), Links()
    for sample in samples:
        if not sample.value > 0:
            continue
        client = _end(sample.labels, _CLIENT, known)
        server = _end(sample.labels, (*_SERVER, *_SERVER_OF_MESH), known)
        if client is not None and server is not None and client != server:
            calls.setdefault(client, set()).add(server)
    return calls


def from_pod_info(samples: Iterable[model.Sample]) -> topology.Links:
    """Places by kube-state-metrics' ``kube_pod_info``: which workload has pods on which node."""
    places = Links()
    for sample in samples:
        labels = sample.labels
        namespace = labels.get("exported_namespace") or labels.get("namespace", "")
        kind, name = labels.get("created_by_kind", ""), labels.get("created_by_name", "")
        if kind == "ReplicaSet":
            kind, name = "Deployment", name.rpartition("-")[0]
        node = labels.get("exported_node") or labels.get("node", "")
        if node and namespace and name and kind in (*pictures.WORKLOADS, *pictures.BATCH):
            places.setdefault(model.Ref(kind, namespace, name), set()).add(
                model.Ref("Node", "", node)
            )
    return places


def _union(several: Iterable[topology.Links]) -> Links:
    found: Links = {}
    for links in several:
        for ref, others in links.items():
            found.setdefault(ref, set()).update(others)
    return found


def _link_service(
    calls: Links, caller: model.Ref, service: pictures.Place, known: pictures.Picture
) -> None:
    """A caller of a Service calls the workload behind it; of several, by way of the Service."""
    target = known.service(*service)
    if target is not None and target != caller:
        calls.setdefault(caller, set()).add(target)


def _named_services(
    ref: model.Ref, raw: Manifest, manifests: Manifests, known: pictures.Picture
) -> Iterator[pictures.Place]:
    for name, value in _texts(ref.namespace, pictures.template(raw).get("spec") or {}, manifests):
        yield from services_in(name, value, ref.namespace, known)


def services_in(
    name: str, value: str, namespace: str, known: pictures.Picture
) -> Iterator[pictures.Place]:
    """The known Services that a value names; ``name`` is that of its environment variable.

    A bare word is only believed with a scheme or a port, or where the variable's name says that
    it holds an address: ``MODE=cart`` is no call.
    """
    is_address = bool(_ADDRESS_NAME.search(name.upper()))
    for token in _TOKEN.finditer(value[:_LONGEST].lower()):
        parts = token["host"].split(".")
        place = (parts[1], parts[0]) if len(parts) > 1 else (namespace, parts[0])
        if place not in known.services or (len(parts) > 2 and parts[2] != "svc"):
            continue
        if token["scheme"] or token["port"] or len(parts) > 2 or is_address:
            yield place


def _texts(namespace: str, spec: Manifest, manifests: Manifests) -> Iterator[tuple[str, str]]:
    """Names and values of environment variables, arguments, and ConfigMaps that fill them."""
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for text in (*(container.get("command") or ()), *(container.get("args") or ())):
            yield "", str(text)
        for each in container.get("env") or ():
            name, source = str(each.get("name", "")), each.get("valueFrom") or {}
            key = source.get("configMapKeyRef") or {}
            data = _data(manifests, namespace, key.get("name"))
            yield name, str(each.get("value") or data.get(key.get("key"), ""))
        for each in container.get("envFrom") or ():
            data = _data(manifests, namespace, (each.get("configMapRef") or {}).get("name"))
            yield from ((str(key), str(value)) for key, value in data.items())


def _data(manifests: Manifests, namespace: str, name: str | None) -> Mapping[Any, Any]:
    raw = manifests.get(model.Ref("ConfigMap", namespace, name or ""), {})
    found: Mapping[Any, Any] = raw.get("data") or {}
    return found


def _backends(ref: model.Ref, raw: Manifest) -> Iterator[pictures.Place]:
    """The Services behind an Ingress or an HTTPRoute."""
    spec = raw.get("spec") or {}
    backends = [spec.get("defaultBackend") or {}]
    for rule in spec.get("rules") or ():
        paths = (rule.get("http") or {}).get("paths") or ()
        backends += [path.get("backend") or {} for path in paths]
        for each in rule.get("backendRefs") or ():
            yield str(each.get("namespace") or ref.namespace), str(each.get("name", ""))
    for each in backends:
        yield ref.namespace, str((each.get("service") or {}).get("name", ""))


def _places(manifests: Manifests) -> Links:
    places: Links = {}
    for ref, raw in pictures.of_kind(manifests, "Pod"):
        node = (raw.get("spec") or {}).get("nodeName")
        owner = pictures.owner_of_pod(ref.namespace, raw)
        phase = (raw.get("status") or {}).get("phase")
        if node and owner is not None and phase not in {"Succeeded", "Failed"}:
            places.setdefault(owner, set()).add(model.Ref("Node", "", node))
    for ref, raw in pictures.of_kind(manifests, "Node"):
        _stand_node(places, model.Ref("Node", "", ref.name), raw)
    return places


def _stand_node(places: Links, node: model.Ref, raw: Manifest) -> None:
    """A node stands in a rack, and the rack in a zone; a node without a rack in the zone."""
    labels = (raw.get("metadata") or {}).get("labels") or {}
    zone = next((labels[each] for each in ZONE_LABELS if labels.get(each)), "")
    rack = next(
        (labels[key] for key in sorted(labels) if key.rpartition("/")[2] == RACK and labels[key]),
        "",
    )
    above = node
    if rack:
        places.setdefault(node, set()).add(model.Ref("Rack", "", rack))
        above = model.Ref("Rack", "", rack)
    if zone:
        places.setdefault(above, set()).add(model.Ref("Zone", "", zone))


def _end(
    labels: Mapping[str, str], conventions: Iterable[tuple[str, str, str]], known: pictures.Picture
) -> model.Ref | None:
    """One end of a call; a name without a namespace must be the only one of its kind."""
    for label, place, kind in conventions:
        name, namespace = labels.get(label), labels.get(place, "") if place else ""
        if not name or (place and not namespace):
            continue
        if kind:
            return model.Ref(kind, namespace, name)
        if namespace:
            found = known.service(namespace, name) or known.workloads.get((namespace, name))
            return found or model.Ref("Service", namespace, name)
        return _anywhere(name, known)
    return None


def _anywhere(name: str, known: pictures.Picture) -> model.Ref:
    """A Service or workload by its name alone, as it is where traces have no namespace."""
    services = {
        known.service(*place) or model.Ref("Service", *place)
        for place in known.services
        if place[1] == name
    }
    found = services or {ref for place, ref in known.workloads.items() if place[1] == name}
    return found.pop() if len(found) == 1 else model.Ref("Service", "", name)
