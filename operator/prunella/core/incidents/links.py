"""Who calls whom and what stands on what, from manifests and from measured calls.

Calls come from service-graph metrics (OpenTelemetry's servicegraph connector, Tempo, Istio) and
from environment variables, arguments and ConfigMaps that name a Service; places from the nodes
that pods run on, and from the racks and zones that nodes are labelled with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from prunella.core import model
from prunella.core.incidents import environment, topology
from prunella.core.incidents import picture as pictures

Manifest = pictures.Manifest
Manifests = pictures.Manifests

ZONE_LABELS: Final = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
RACK: Final = "rack"
"""The last part of a label's key that holds a rack: ``topology.kubernetes.io/rack``, ``rack``."""

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
        for service in backends(ref, raw):
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
    """The known Services that containers are told of, by variables and arguments."""
    for each in _texts(ref.namespace, pictures.template(raw).get("spec") or {}, manifests):
        for found in environment.named(each.text, ref.namespace):
            place = found.service[1:]
            if place in known.services and found.is_address(each.name, known=True):
                yield place


def _texts(namespace: str, spec: Manifest, manifests: Manifests) -> Iterator[environment.Variable]:
    """The variables of all containers, and commands and arguments, which have no name."""
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for text in (*(container.get("command") or ()), *(container.get("args") or ())):
            yield environment.Variable("", str(text))
        yield from environment.variables(namespace, container, manifests)


def backends(ref: model.Ref, raw: Manifest) -> Iterator[pictures.Place]:
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
        owner = pictures.owner_of_pod(ref.namespace, raw, manifests)
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
