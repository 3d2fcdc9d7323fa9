"""The policies by which a shop is healed: ready playbooks, Live, in each of its namespaces.

Changed is only what a person who installs them changes: mode, namespace and durations (windows,
`for`, interval, cooldown, verify), since the shop is scraped each 5 s instead of each 30 s.
"""

from __future__ import annotations

import pathlib
from typing import Any

import yaml

from bench.exam import shops

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "playbooks"
PLAYBOOKS = (
    "put-back-suspected-change",
    "put-back-for-callers",
    "put-back-around-a-database",
)
WINDOW, LAB_WINDOW = "[1m]", "[15s]"
HOLD = "5s"
INTERVAL = "5s"
GUARDS = {"cooldown": "20s"}
VERIFY = {"within": "90s", "samples": 2}
"""A ReplicaSet whose pods were refused waits about a minute before it tries again."""
Document = dict[str, Any]


def documents(shop: str) -> list[Document]:
    """All policies of a shop."""
    texts = [(FOLDER / name / "policy.yaml").read_text() for name in PLAYBOOKS]
    return [_fitted(text, namespace) for namespace in shops.namespaces(shop) for text in texts]


def _fitted(text: str, namespace: str) -> Document:
    policy: Document = yaml.safe_load(text.replace(WINDOW, LAB_WINDOW))
    spec = policy["spec"]
    policy["metadata"]["namespace"] = namespace
    for signal in spec["signals"]:
        signal["for"] = HOLD
    return {
        **policy,
        "spec": {
            **spec,
            "mode": "Live",
            "interval": INTERVAL,
            "guards": {**spec.get("guards", {}), **GUARDS},
            "verify": {**spec.get("verify", {}), **VERIFY},
        },
    }
