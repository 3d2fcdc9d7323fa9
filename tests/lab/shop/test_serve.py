"""The running program, and shops that come and go in a lab."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.binaries import LabError
from lab.shop import __main__ as command
from lab.shop import lifecycle
from tests.lab.shop.cluster import NAME, Shop


class FakeLab:
    """A lab that answers kubectl from lists."""

    def __init__(self, ready: int) -> None:
        self.ready = ready
        self.applied: list[Any] = []
        self.asked: list[tuple[str, ...]] = []
        self.namespaces = [f"{NAME}-web", f"{NAME}-extra"]

    def apply(self, text: str) -> str:
        """Keep what is applied."""
        self.applied += json.loads(text)["items"]
        return ""

    def kubectl(self, *arguments: str) -> None:
        """Keep what is asked; namespaces go at once."""
        self.asked.append(arguments)
        if arguments[:2] == ("delete", "namespace"):
            self.namespaces = []

    def get(self, *arguments: str) -> dict[str, Any]:
        """Pods that are ready, workloads that want two each, namespaces."""
        if arguments[0] == "namespaces":
            return {"items": [{"metadata": {"name": each}} for each in self.namespaces]}
        if arguments[2] == "pods":
            ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
            return {"items": [ready] * self.ready}
        return {"items": [{"spec": {"replicas": 2}}]}


def test_up_applies_everything_and_waits() -> None:
    """Both shops' objects, in one go."""
    lab = FakeLab(ready=2)
    lifecycle.up(lab, ["one", "two"])  # type: ignore[arg-type]

    names = {each["metadata"]["name"] for each in lab.applied if each["kind"] == "Namespace"}
    assert {"one-web", "two-data"} < names


def test_up_tells_what_is_not_ready() -> None:
    """Which namespaces, how many, and what to look at."""
    with pytest.raises(LabError, match=r"one-web \(1 of 2\).*serve` running"):
        lifecycle.up(FakeLab(ready=1), ["one"], within=0)  # type: ignore[arg-type]


def test_down_deletes_every_namespace_of_the_shop() -> None:
    """Also those that somebody has added; power comes back first, so that pods can end."""
    lab = FakeLab(ready=0)
    lifecycle.down(lab, [NAME])  # type: ignore[arg-type]

    verbs = [each[:2] for each in lab.asked]
    assert verbs == [("annotate", "nodes"), ("delete", "namespace"), verbs[2]]
    assert {"shop-web", "shop-extra"} < set(lab.asked[1])
    assert "nodes" in lab.asked[2][1]


def test_errors_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback; the lab that is not up is named, with what to do."""
    code = command.main(["up", "one", "--lab", "not-there"])

    assert code == 1
    assert "run `python -m lab up --name not-there`" in capsys.readouterr().err


def test_a_shop_opens_when_all_of_it_is_ready() -> None:
    """No request before; later losses do not close it."""
    shop = Shop()
    early = shop.run(3).graphs[0].users.rate
    late = shop.run(27).graphs[0].users.rate
    shop.delete("Service", "core", "cart")

    assert (early, late > 10) == (0.0, True)
    assert shop.run(5).graphs[0].users.rate > 10


def test_a_shop_that_never_gets_whole_opens_in_the_end() -> None:
    """So that what is missing has consequences."""
    shop = Shop()
    shop.change_container("core", "quote", image="registry.example/shop/quote:9.9.9")
    early = shop.run(30).graphs[0].users.rate

    assert early == 0.0
    assert shop.run(160).graphs[0].users.rate > 10


def _next_program(shop: Shop) -> Shop:
    """The same cluster with a new program."""
    fresh = Shop()
    for kind, objects in shop.picture.kinds.items():
        fresh.picture.replace(kind, list(objects.values()))
    fresh.now = shop.now + 3
    return fresh


def test_a_new_program_takes_over_what_runs(shop: Shop) -> None:
    """Nothing is started again, nobody gets unready, and users go on at once."""
    fresh = _next_program(shop)
    second = fresh.run(1)

    assert {s["phase"] for s in fresh.statuses.values()} <= {"Running"}
    assert all(c["ready"] for s in fresh.statuses.values() for c in s["containerStatuses"])
    assert not fresh.notes
    assert second.graphs[0].users.rate > 10


def test_a_new_program_goes_on_counting_restarts(shop: Shop) -> None:
    """A crashing container has as many as before, or more."""
    shop.change_container("core", "cart", command=["sh", "-c", "exit 1"])
    shop.run(30)
    before = shop.container_of("core", "cart")["restartCount"]
    fresh = _next_program(shop)
    fresh.run(2)

    assert before >= 2
    assert fresh.container_of("core", "cart")["restartCount"] >= before
