"""The shipped correlator on an alert storm: one pass in the order of arrival.

    python -m bench.storm --data DIR --out FILE

``DIR`` holds ``topology.json`` (services with their nodes and calls, nodes with their zones) and
``notifications.jsonl`` (id, receivedAt, status, startsAt, labels), times in seconds.  Writes a
line {"id", "incident"} for each notification: the incident it is in at the end, after merges.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("", "operator")]

from prunella.core import model  # noqa: E402 - after the path, so that a plain checkout runs
from prunella.core.incidents import correlate, topology, values  # noqa: E402

TARGETS = ("deployment", "pod", "node", "namespace", "alertname")
"""Labels that say what an alert is about, or its name; the pod is told by its own label."""


def graph(data: Mapping[str, Any]) -> topology.Topology:
    """Who calls whom, and what stands where."""
    services, nodes = data["services"], data["nodes"]
    refs = {
        name: model.Ref("Deployment", s["namespace"], s["deployment"])
        for name, s in services.items()
    }
    places = {refs[name]: [_node(each) for each in s["nodes"]] for name, s in services.items()}
    places |= {_node(name): [model.Ref("Zone", "", node["zone"])] for name, node in nodes.items()}
    calls = {refs[name]: [refs[each] for each in s["calls"]] for name, s in services.items()}
    return topology.Topology(calls, places)


def alert(row: Mapping[str, Any]) -> values.Alert:
    """A notification as the correlator takes it, by its owner."""
    labels = row["labels"]
    target = (
        model.Ref("Deployment", labels["namespace"], labels["deployment"])
        if "deployment" in labels
        else _node(labels["node"])
    )
    firing = row["status"] == "firing"
    rest = {key: value for key, value in labels.items() if key not in TARGETS or key == "pod"}
    return values.Alert(
        row["receivedAt"], row["startsAt"], firing, labels["alertname"], target, rest
    )


def _node(name: str) -> model.Ref:
    return model.Ref("Node", "", name)


def main() -> None:
    """Correlate, write, and print what there was and how long it took."""
    parser = argparse.ArgumentParser(description="Incidents of an alert storm.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the storm")
    parser.add_argument("--out", type=Path, required=True, help="lines of id and incident")
    args = parser.parse_args()
    text = args.data / "topology.json", args.data / "notifications.jsonl"
    missing = [str(each) for each in text if not each.exists()]
    if missing:
        parser.error(
            f"no {' and no '.join(missing)}: give the folder that the storm was written to"
        )
    begun = time.process_time()
    correlator = correlate.Correlator(graph(json.loads(text[0].read_text())))
    rows = [json.loads(line) for line in text[1].read_text().splitlines()]
    alerts = [alert(row) for row in rows]
    for each in alerts:
        correlator.observe([each], each.received)
    seconds = time.process_time() - begun
    named = [correlator.incident_of(each.fingerprint) for each in alerts]
    with args.out.open("w") as file:
        for row, name in zip(rows, named, strict=True):
            file.write(json.dumps({"id": row["id"], "incident": name}) + "\n")
    print(
        f"{len(rows)} notifications, {len(set(named))} incidents, "
        f"{len(correlator.merged)} merged, {seconds:.1f} s of CPU"
    )


if __name__ == "__main__":
    main()
