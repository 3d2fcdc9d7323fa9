"""The call graph, evaluated once a second: which calls succeed and how long they take.

First the requests flow down from the users to the data stores; every pod's share is known then.
Then time and errors travel up again: a caller waits for its callees, holds one of its workers
meanwhile, and fails where a call that it needs has failed.
"""

from __future__ import annotations

import dataclasses

from lab.shop import chaos, flags, ingress, outcomes, queueing
from lab.shop.graph import Edge, Flow, Graph, Target, order
from lab.shop.network import REFUSED, Network, Route
from lab.shop.objects import Object, Picture
from lab.shop.pods import PodRecord
from lab.shop.profiles import NO_EFFECT, Call, Catalogue, Effect

TIMEOUT_VARIABLE = "CALL_TIMEOUT_MS"
DEFAULT_TIMEOUT = 3.0
FILLING = 0.3
"""How far a pod's queue follows its arrivals in one second."""
SMOOTHING = 0.15
"""How far callers follow in one second what they have met in the last one."""


@dataclasses.dataclass(slots=True)
class Memory:
    """What the last second left for this one; by uid, or by uid and callee."""

    served: dict[str, float] = dataclasses.field(default_factory=dict)
    arrivals: dict[str, float] = dataclasses.field(default_factory=dict)
    success: dict[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    pools: dict[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    routes: dict[tuple[str, str], Route] = dataclasses.field(default_factory=dict)
    signature: object = None


class Evaluation:
    """Evaluates the shops of a lab, second after second."""

    def __init__(self, picture: Picture, network: Network, catalogue: Catalogue) -> None:
        self._picture = picture
        self._network = network
        self._catalogue = catalogue
        self._memory: dict[str, Memory] = {}
        services = catalogue.services.items()
        self._order = order(tuple((name, tuple(c.to for c in p.calls)) for name, p in services))

    def evaluate(self, shop: str, flows: list[Flow], rate: float) -> Graph:
        """One second of a shop whose users ask ``rate`` requests."""
        memory = self._memory.setdefault(shop, Memory())
        self._refresh_routes(memory, flows)
        graph = Graph(shop, {each.uid: each for each in flows}, self._users(shop, rate))
        by_service: dict[str, list[Flow]] = {name: [] for name in self._order}
        for each in flows:
            by_service[each.profile.name].append(each)
        self._aim(graph, memory, graph.users, None)
        for name in self._order:
            for flow in by_service[name]:
                if rate > 0:
                    flow.arrivals += flow.profile.drives / len(by_service[name])
                self._send(graph, memory, flow)
        self._limit_connections(graph)
        for name in reversed(self._order):
            for flow in by_service[name]:
                self._answer(flow, memory)
        self._finish(graph.users, memory)
        self._remember(memory, flows)
        return graph

    def _users(self, shop: str, rate: float) -> Edge:
        plan = self._catalogue.load
        call = Call(plan.to, plan.host.replace("${SHOP}", shop))
        return Edge(None, call, plan.patience, rate, [])

    def _refresh_routes(self, memory: Memory, flows: list[Flow]) -> None:
        signature = (self._picture.network_version, frozenset(each.uid for each in flows))
        if signature != memory.signature:
            memory.routes.clear()
            memory.signature = signature

    def _send(self, graph: Graph, memory: Memory, flow: Flow) -> None:
        """The calls that a pod makes for the requests that reached it.

        Calls of every request are made one after another, so a failed one keeps the others back.
        """
        timeout = _milliseconds(flow.variables.get(TIMEOUT_VARIABLE), DEFAULT_TIMEOUT)
        going = flow.arrivals * memory.served.get(flow.uid, 1.0)
        for call in flow.profile.calls:
            data = self._catalogue.services[call.to].data
            times = call.rate * (flow.effect.queries if data else 1.0)
            kept = memory.success.get((flow.uid, call.to), 1.0)
            edge = Edge(flow, call, timeout, going * times, [])
            flow.edges.append(edge)
            self._aim(graph, memory, edge, flow.record.pod)
            if call.required and call.rate >= 1:
                going *= kept**times

    def _aim(self, graph: Graph, memory: Memory, edge: Edge, pod: Object | None) -> None:
        """Resolve an edge's address and share its calls among the endpoints."""
        call = edge.call
        address = edge.caller.variables.get(call.address, "") if edge.caller else call.address
        key = (edge.caller.uid if edge.caller else "", address)
        route = memory.routes.get(key)
        if route is None:
            route = memory.routes[key] = self._route(graph, pod, address)
        if route.failure is not None:
            edge.targets.append(Target(None, 1.0, route.failure))
            return
        weight = 1.0 / len(route.endpoints)
        for each in route.endpoints:
            uid = each.pod["metadata"]["uid"] if each.pod else ""
            flow = graph.flows.get(uid)
            failure = each.failure or (None if flow else REFUSED)
            if failure is None and flow is not None:
                failure = outcomes.misunderstood(edge, flow)
                if failure != outcomes.DENIED:
                    flow.arrivals += edge.rate * weight
            edge.targets.append(Target(flow, weight, failure))

    def _route(self, graph: Graph, pod: Object | None, address: str) -> Route:
        if pod is not None:
            return self._network.route(pod, address)
        namespace = self._catalogue.load.namespace.replace("${SHOP}", graph.shop)
        return ingress.route(self._network, namespace, address)

    def _limit_connections(self, graph: Graph) -> None:
        """Connections that all pools together may open beyond a store's limit are refused."""
        wanted: dict[str, float] = {}
        pooled = [edge for edge in graph.edges() if edge.call.pool and edge.caller]
        for edge in pooled:
            edge.pool_size = outcomes.pool_size(edge)
            for target in edge.targets:
                if target.flow is not None and target.failure is None:
                    share = edge.pool_size * target.weight
                    wanted[target.flow.uid] = wanted.get(target.flow.uid, 0.0) + share
        for edge in pooled:
            edge.refused = sum(
                target.weight * outcomes.beyond(target.flow, wanted.get(target.flow.uid, 0.0))
                for target in edge.targets
                if target.flow is not None
            )

    def _answer(self, flow: Flow, memory: Memory) -> None:
        """Time and success of a pod's requests, from those of its calls."""
        before = memory.arrivals.get(flow.uid, flow.arrivals)
        flow.load = memory.arrivals[flow.uid] = before + FILLING * (flow.arrivals - before)
        computing, served = queueing.computing(flow.load, flow.cpu_work, flow.cores)
        computing *= flow.contention
        own = flow.profile.latency + flow.effect.delay + computing
        success, waited, lost = 1.0 - flow.effect.errors, 0.0, []
        for edge in flow.edges:
            self._finish(edge, memory)
            times = edge.rate / flow.arrivals if flow.arrivals else edge.call.rate
            wanted = edge.call.rate * (flow.effect.queries if self._asks_data(edge) else 1.0)
            mean = edge.success * edge.latency + (1 - edge.success) * edge.failure_latency
            waited += times * mean
            if edge.call.required:
                share = min(1.0, edge.call.rate)
                repeats = max(1.0, wanted)
                failed = share * (1 - edge.success**repeats)
                success *= 1 - failed
                lost.append((failed, edge.failure_latency))
        service = own + waited
        wait, admitted = queueing.waiting(flow.load, service, flow.profile.workers)
        flow.served = min(served, admitted)
        flow.success = success * flow.served
        flow.latency = service + wait
        lost += [(1 - flow.served, queueing.LONGEST_WAIT), (flow.effect.errors, 0.0)]
        total = sum(share for share, _ in lost)
        mean_lost = sum(share * each for share, each in lost) / total if total else 0.0
        flow.failure_latency = own + wait + mean_lost
        flow.response = _trivial(flow, computing)

    def _finish(self, edge: Edge, memory: Memory) -> None:
        """Time and success of an edge's calls, from what happens at its targets."""
        good = good_time = bad_time = 0.0
        edge.outcomes = [outcomes.outcome(edge, target) for target in edge.targets]
        for target, (share, time, lost_time) in zip(edge.targets, edge.outcomes, strict=True):
            good += target.weight * share
            good_time += target.weight * share * time
            bad_time += target.weight * (1 - share) * lost_time
        bad = 1 - good
        edge.failure_latency = bad_time / bad if bad > 1e-9 else 0.0
        edge.latency = good_time / good if good else 0.0
        edge.kept = 1 - edge.refused
        if edge.pool_size and good:
            key = (edge.caller.uid if edge.caller else "", edge.call.to)
            before = memory.pools.get(key)
            memory.pools[key] = outcomes.wait_for_connection(edge, good, before)
        edge.success = good * edge.kept

    def _remember(self, memory: Memory, flows: list[Flow]) -> None:
        """Smoothed, as callers and callees would swing against each other otherwise."""
        memory.arrivals = {f.uid: f.load for f in flows}
        memory.pools = {key: n for key, n in memory.pools.items() if key[0] in memory.arrivals}
        before = memory.served
        memory.served = {f.uid: _towards(before.get(f.uid, 1.0), f.served) for f in flows}
        known = memory.success
        memory.success = {}
        for flow in flows:
            for edge in flow.edges:
                key = (flow.uid, edge.call.to)
                memory.success[key] = _towards(known.get(key, 1.0), edge.success)

    def _asks_data(self, edge: Edge) -> bool:
        return self._catalogue.services[edge.call.to].data


def _towards(before: float, now: float) -> float:
    return now if abs(now - before) < 0.01 else before + SMOOTHING * (now - before)


def _trivial(flow: Flow, computing: float) -> float:
    """Seconds for a request that needs next to no computing: what a probe is."""
    work = flow.cpu_work or 0.001
    over = max(0.0, flow.arrivals * work / flow.cores - 1.0) if flow.cores else 5.0
    return 0.002 * computing / work + min(4.0, 2 * over) + flow.effect.delay


def _milliseconds(text: str | None, default: float) -> float:
    try:
        return float(text) / 1000 if text else default
    except ValueError:
        return default


def effect_of(picture: Picture, record: PodRecord, shop_flags: flags.Flags) -> Effect:
    """Everything that changes a pod's behaviour: release, annotations, its node, flags."""
    main = record.main
    profile = main.program.profile if main else None
    if main is None or profile is None:
        return NO_EFFECT
    found = main.image.effect if main.image else NO_EFFECT
    found = found.plus(record.effect).plus(flags.of_service(profile, shop_flags))
    node = chaos.of_node(picture, record.pod["spec"].get("nodeName", ""))
    if node is NO_EFFECT:
        return found
    return found.plus(Effect(delay=node.delay, loss=node.loss, errors=node.errors))
