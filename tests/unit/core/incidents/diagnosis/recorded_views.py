"""Views as they were recorded on a lab with a shop of 18 services, a fault 40 s old.

Objects are as the API server showed them, less what no diagnosis reads; one of them a line.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np

from prunella.api import change as change_api
from prunella.core import model
from prunella.core.changes.values import Change
from prunella.core.incidents import anomalies, values
from prunella.core.incidents.diagnosis.values import View

FOLDER = pathlib.Path(__file__).parent / "recorded"


def load(name: str) -> tuple[View, values.Incident]:
    """A recorded view, and the incident with what fired then."""
    raw = json.loads((FOLDER / f"{name}.json").read_text())
    view = View(
        raw["at"],
        {_ref(each): each for each in raw["objects"]},
        frozenset(raw["complete"]),
        tuple(_change(each) for each in raw["changes"]),
        _links(raw["calls"]),
        _links(raw["places"]),
        tuple(_measurement(each) for each in raw["measurements"]),
    )
    members = tuple(
        values.Member(model.Ref(*each["target"]), each["name"], each["first"], 1, 1)
        for each in raw["members"]
    )
    first, last = (take(each.first for each in members) for take in (min, max))
    return view, values.Incident("inc-1", values.State.OPEN, first, last, members, ())


def _ref(manifest: dict[str, Any]) -> model.Ref:
    meta = manifest["metadata"]
    return model.Ref(manifest["kind"], meta.get("namespace", ""), meta["name"])


def _change(raw: dict[str, Any]) -> Change:
    return Change(raw["name"], raw["namespace"], change_api.ChangeSpec.model_validate(raw["spec"]))


def _links(raw: list[Any]) -> dict[model.Ref, frozenset[model.Ref]]:
    return {model.Ref(*ref): frozenset(model.Ref(*each) for each in some) for ref, some in raw}


def _measurement(raw: dict[str, Any]) -> anomalies.Measurement:
    usual, recent = (np.array(raw[key], dtype=float) for key in ("usual", "recent"))
    return anomalies.Measurement(
        model.Ref(*raw["target"]),
        anomalies.Quantity[raw["quantity"]],
        usual,
        recent,
        np.array(raw["times"]),
        raw["requests"],
    )
