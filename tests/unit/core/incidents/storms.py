"""A small shop and alerts on it, for the tests of correlation."""

from __future__ import annotations

from prunella.core import model
from prunella.core.incidents import correlate, topology, values

CALLS = {
    "front": ["cart", "search"],
    "cart": ["db"],
    "search": ["index"],
    "mail": [],
    "batch": [],
}
NODES = {"cart": "n1", "db": "n1", "search": "n2", "index": "n3", "front": "n4", "mail": "n5"}
RACKS = {"n1": "r1", "n2": "r2", "n3": "r2", "n4": "r3", "n5": "r3"}
SERVICES = ("front", "cart", "search", "mail", "batch", "db", "index")


def ref(name: str) -> model.Ref:
    """A Deployment of the shop."""
    return model.Ref("Deployment", "shop", name)


def place(kind: str, name: str) -> model.Ref:
    """A node or a rack."""
    return model.Ref(kind, "", name)


def graph() -> topology.Topology:
    """The shop's topology, with a crowd of unrelated services, as real clusters have."""
    calls = {ref(name): [ref(each) for each in callees] for name, callees in CALLS.items()}
    calls |= {ref(f"other-{i}"): [ref(f"other-{i + 1}")] for i in range(0, 60, 2)}
    places = {ref(name): [place("Node", node)] for name, node in NODES.items()}
    places |= {place("Node", node): [place("Rack", rack)] for node, rack in RACKS.items()}
    return topology.Topology(calls, places)


def alert(
    target: str | model.Ref,
    at: float,
    name: str = "HighLatency",
    *,
    firing: bool = True,
    received: float | None = None,
    pod: str = "a",
) -> values.Alert:
    """A notification that arrives 5 s after its alert began, or at a given time."""
    where = ref(target) if isinstance(target, str) else target
    when = at + 5 if received is None else received
    return values.Alert(when, at, firing, name, where, {"pod": pod})


def run(*alerts: values.Alert, until: float | None = None) -> correlate.Correlator:
    """A correlator after notifications in the order of arrival, and a while more."""
    correlator = correlate.Correlator(graph())
    for each in sorted(alerts, key=lambda one: one.received):
        correlator.observe([each], each.received)
    last = max((each.received for each in alerts), default=0.0)
    correlator.observe([], last + 60 if until is None else until)
    return correlator


def together(correlator: correlate.Correlator, *alerts: values.Alert) -> list[list[int]]:
    """Which of the alerts share an incident, as lists of their places."""
    groups: dict[str | None, list[int]] = {}
    for i, each in enumerate(alerts):
        groups.setdefault(correlator.incident_of(each.fingerprint), []).append(i)
    return list(groups.values())
