"""Rules that are shipped beside the playbooks are those that the lab's shop is healed with."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).parents[2]
SHIPPED = ROOT / "playbooks/service-graph-rules.yaml"
LAB = ROOT / "lab/shop/rules/workloads-by-calls.yaml"
WINDOW = re.compile(r"\[[0-9]+[smh]\]")


def groups(path: pathlib.Path) -> tuple[Any, set[str]]:
    """The rules of a file without their windows, and the windows."""
    text = path.read_text()
    return yaml.safe_load(WINDOW.sub("[window]", text))["groups"], set(WINDOW.findall(text))


def test_the_shop_is_healed_with_the_shipped_rules() -> None:
    """Names and expressions are the same; the lab's window fits its own scrapes."""
    shipped, windows = groups(SHIPPED)
    lab, short = groups(LAB)
    assert shipped == lab
    assert ({"[1m]"}, {"[15s]"}) == (windows, short)


def test_playbooks_ask_for_what_the_rules_record() -> None:
    """Each name that is recorded is asked for, and none that is not."""
    names = {rule["record"] for group in groups(SHIPPED)[0] for rule in group["rules"]}
    policies = (each.read_text() for each in ROOT.glob("playbooks/put-back-*/policy.yaml"))
    asked = {name for text in policies for name in re.findall(r"workload:[a-z_]+:ratio", text)}
    assert names == asked
