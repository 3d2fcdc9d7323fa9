"""One second of the whole data plane: kubelets, nodes and calls of all shops."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from lab.shop import calls, chaos, flags, nodes, pods, profiles
from lab.shop.containers import Note
from lab.shop.graph import Flow, Graph
from lab.shop.kubelet import Kubelet, Writes
from lab.shop.load import DAY, Users
from lab.shop.nodes import Claim
from lab.shop.objects import SHOP_LABEL, Object, Picture, is_ready, labels_of
from lab.shop.pods import PodRecord
from lab.shop.profiles import NO_EFFECT, Effect


@dataclasses.dataclass(slots=True)
class NodeUse:
    """What is used of a node."""

    cores: float
    memory: float
    """Bytes that it has for pods."""
    full: float = 0.0
    """Share of the cores in use."""
    used_memory: float = 0.0
    pressure_until: float = 0.0
    """Until when it says that memory is short."""
    claims: list[Claim] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Second:
    """What one second came to."""

    writes: Writes
    graphs: list[Graph]
    nodes: dict[str, NodeUse]
    records: dict[str, PodRecord]


PRESSURE_SECONDS = 60.0
"""How long a node stays under pressure after the last eviction; the kubelet waits 5 minutes."""


class DataPlane:
    """Everything below the API server that the lab has no containers for."""

    def __init__(self, picture: Picture, seed: int = 0, day: float = DAY) -> None:
        self.picture = picture
        self.kubelet = Kubelet(picture)
        self._catalogue = profiles.catalogue()
        self._calls = calls.Evaluation(picture, self.kubelet.network, self._catalogue)
        self._users: dict[str, Users] = {}
        self._flows: dict[str, Flow] = {}
        self._nodes: dict[str, NodeUse] = {}
        self._flags: dict[str, flags.Flags] = {}
        self._opening: dict[str, float] = {}
        """When a shop opens at the latest."""
        self._open: set[str] = set()
        self._seed, self._day = seed, day
        self.kubelet.response = self._response

    def step(self, now: float) -> Second:
        """Bring everything to ``now``; to be called once a second."""
        writes = self.kubelet.sync(now)
        records = self.kubelet.records
        effects = {uid: self._effect(record) for uid, record in records.items()}
        self._divide_nodes(effects)
        flows = list(self._serving(effects, now))
        graphs = [self._evaluate(shop, flows, now) for shop in self.picture.shops()]
        self._flows = {uid: flow for graph in graphs for uid, flow in graph.flows.items()}
        self._use(effects, now, writes)
        return Second(writes, graphs, self._nodes, records)

    def _response(self, uid: str) -> float:
        flow = self._flows.get(uid)
        return flow.response if flow is not None else 0.0

    def _effect(self, record: PodRecord) -> Effect:
        if record.profile is None:
            return record.effect
        shop = self.picture.shop_of(record.pod["metadata"]["namespace"]) or ""
        asks = self._asks_flagd(record)
        return calls.effect_of(self.picture, record, self._flags.get(shop, {}) if asks else {})

    def _asks_flagd(self, record: PodRecord) -> bool:
        """A program that does not reach flagd takes its defaults."""
        flow = self._flows.get(record.pod["metadata"]["uid"])
        if flow is None or record.profile is None:
            return False
        edge = next((each for each in flow.edges if each.call.to == "flagd"), None)
        return edge is None or edge.success > 0.5

    def _serving(self, effects: dict[str, Effect], now: float) -> Iterator[Flow]:
        """The pods that take requests now, with what their node gives them."""
        for record in pods.running(self.kubelet.records, now):
            main = record.main
            if main is None or main.program.profile is None:
                continue
            uid = record.pod["metadata"]["uid"]
            node = self._nodes.get(record.pod["spec"].get("nodeName", ""))
            found = next((c for c in node.claims if c.container is main), None) if node else None
            yield Flow(
                record,
                main.program.profile,
                main.variables,
                effects.get(uid, NO_EFFECT),
                found.available if found else 1.0,
                contention=1 + 40 * max(0.0, node.full - 0.9) if node else 1.0,
            )

    def _evaluate(self, shop: str, flows: list[Flow], now: float) -> Graph:
        users = self._users.get(shop)
        if users is None:
            users = self._users[shop] = Users(shop, self._catalogue.load, self._seed, self._day)
        own = [f for f in flows if self._shop_of(f) == shop]
        rate = users.rate(now)
        graph = self._calls.evaluate(shop, own, rate if self._is_open(shop, own, now) else 0.0)
        served: flags.Flags = {}
        for flow in own:
            if flow.profile.name == "flagd":
                served.update(flags.served(self.picture, flow.record.pod))
        if any(flow.profile.name == "flagd" for flow in own):
            self._flags[shop] = served
        return graph

    def _is_open(self, shop: str, flows: list[Flow], now: float) -> bool:
        """A shop opens when all of its services are ready for the first time."""
        if shop not in self._open:
            latest = self._opening.setdefault(shop, now + OPEN_AFTER)
            ready = {flow.profile.name for flow in flows if is_ready(flow.record.pod)}
            if ready >= self._catalogue.services.keys() or now >= latest:
                self._open.add(shop)
        return shop in self._open

    def _shop_of(self, flow: Flow) -> str | None:
        return self.picture.shop_of(flow.record.pod["metadata"]["namespace"])

    def _divide_nodes(self, effects: dict[str, Effect]) -> None:
        """Share each node's CPU among what ran there in the last second."""
        known = {
            node["metadata"]["name"]: node
            for node in self.picture.all("Node")
            if SHOP_LABEL in labels_of(node)
        }
        for gone in self._nodes.keys() - known.keys():
            del self._nodes[gone]
        for name in known:
            cores, memory = nodes.capacity(self.picture, name)
            use = self._nodes.setdefault(name, NodeUse(cores, memory))
            use.cores, use.memory, use.claims = cores, memory, []
        for uid, record in self.kubelet.records.items():
            found = self._nodes.get(record.pod["spec"].get("nodeName", ""))
            if found is not None:
                found.claims.extend(self._claims(record, effects[uid], uid))
        for use in self._nodes.values():
            use.full = nodes.share(use.claims, use.cores)

    def _claims(self, record: PodRecord, extra: Effect, uid: str) -> Iterator[Claim]:
        flow = self._flows.get(uid)
        for container in record.containers.values():
            if not container.running:
                continue
            claimed = nodes.claim(record, container)
            profile = container.program.profile
            claimed.beside = nodes.IDLE_CPU + container.program.burns + extra.cpu
            if profile is not None:
                limit = claimed.limit
                most = profile.greed_cpu
                claimed.greed = most if limit is None else min(most, nodes.MODEST * limit)
                claimed.requests = flow.arrivals * flow.cpu_work if flow else 0.0
            yield claimed

    def _use(self, effects: dict[str, Effect], now: float, writes: Writes) -> None:
        """What containers use by now; a node that runs short of memory evicts."""
        by_node: dict[str, list[PodRecord]] = {name: [] for name in self._nodes}
        for uid, record in self.kubelet.records.items():
            flow = self._flows.get(uid)
            for container in record.containers.values():
                if container.running:
                    in_flight = flow.in_flight if flow else 0.0
                    nodes.grow(record, container, effects[uid], in_flight)
            node = record.pod["spec"].get("nodeName", "")
            if node in by_node and record.ended is None:
                by_node[node].append(record)
        for name, use in self._nodes.items():
            for claimed in use.claims:
                claimed.container.cpu = claimed.used
            use.used_memory = sum(nodes.used(each) for each in by_node[name])
            self._relieve(name, use, by_node[name], now, writes)

    def _relieve(
        self, name: str, use: NodeUse, records: list[PodRecord], now: float, writes: Writes
    ) -> None:
        node = self.picture.get("Node", "", name)
        if node is None or chaos.node_state(node):
            return
        chosen = nodes.short_of_memory(records, use.memory)
        if chosen is None:
            return
        if use.pressure_until < now:
            writes.notes.append(
                (node, Note("EvictionThresholdMet", "Attempting to reclaim memory", warning=True))
            )
        use.pressure_until = now + PRESSURE_SECONDS
        message = nodes.eviction_message(chosen, use.memory - use.used_memory)
        self.kubelet.evict(chosen, message)


OPEN_AFTER = 180.0
"""Seconds after which a shop opens even when a service is not there."""


def conditions(node: Object, use: NodeUse | None, now: float) -> dict[str, tuple[str, str, str]]:
    """A node's conditions as its kubelet states them: status, reason, message."""
    pressed = use is not None and use.pressure_until > now
    ready = ("True", "KubeletReady", "kubelet is posting ready status")
    if chaos.node_state(node) == "runtime-down":
        ready = ("False", "KubeletNotReady", "container runtime is down")
    memory = ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available")
    if pressed:
        memory = ("True", "KubeletHasInsufficientMemory", "kubelet has insufficient memory")
    return {
        "MemoryPressure": memory,
        "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        "Ready": ready,
    }
