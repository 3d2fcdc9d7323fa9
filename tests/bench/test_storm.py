"""The storm benchmark: every notification gets an incident, by what arrived until then."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench import storm

TOPOLOGY = {
    "services": {
        "cart": {"namespace": "shop", "deployment": "cart", "nodes": ["n1"], "calls": ["db"]},
        "db": {"namespace": "shop", "deployment": "db", "nodes": ["n2"], "calls": []},
        "mail": {"namespace": "post", "deployment": "mail", "nodes": ["n3"], "calls": []},
    },
    "nodes": {"n1": {"zone": "a"}, "n2": {"zone": "a"}, "n3": {"zone": "b"}},
}


def row(number: int, service: str, at: float, status: str = "firing") -> dict[str, object]:
    """A notification as the storm's file has it."""
    place = TOPOLOGY["services"][service]
    labels = {"alertname": "Slow", "namespace": place["namespace"], "deployment": service}
    received = at + (5 if status == "firing" else 200)
    return {
        "id": f"n{number}",
        "receivedAt": received,
        "status": status,
        "startsAt": at,
        "labels": labels,
    }


ROWS = [
    row(0, "db", 0.0),
    row(1, "cart", 20.0),
    row(2, "mail", 30.0),
    row(3, "db", 0.0, "resolved"),
]


def assigned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the program writes for the storm in a folder."""
    (folder / "topology.json").write_text(json.dumps(TOPOLOGY))
    (folder / "notifications.jsonl").write_text("".join(json.dumps(each) + "\n" for each in ROWS))
    out = folder / "out.jsonl"
    monkeypatch.setattr(sys, "argv", ["storm", "--data", str(folder), "--out", str(out)])
    storm.main()
    return {each["id"]: each["incident"] for each in map(json.loads, out.read_text().splitlines())}


def test_each_notification_gets_an_incident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller goes with the database, the mail server does not; an end stays where it began."""
    found = assigned(tmp_path, monkeypatch)
    assert found["n0"] == found["n1"] == found["n3"] != found["n2"]
    assert capsys.readouterr().out.startswith("4 notifications, 2 incidents, ")


def test_a_node_is_told_by_its_own_label() -> None:
    """An alert without a Deployment is about its node."""
    labels = {"alertname": "NodeNotReady", "node": "n1"}
    one = {"id": "n", "receivedAt": 1.0, "status": "firing", "startsAt": 0.0, "labels": labels}
    assert ("Node", "", "n1") == storm.alert(one).target


def test_a_folder_without_a_storm_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what is missing."""
    monkeypatch.setattr(sys, "argv", ["storm", "--data", str(tmp_path), "--out", "out"])
    with pytest.raises(SystemExit):
        storm.main()
    assert "notifications.jsonl" in capsys.readouterr().err
