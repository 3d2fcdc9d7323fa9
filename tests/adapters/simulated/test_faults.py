"""Lost requests, crashes, an unreachable API server, a broken watch."""

from __future__ import annotations

import pytest

from prunella import ports
from prunella.adapters.simulated import cluster as clusters
from prunella.adapters.simulated import faults
from prunella.core import model, objects
from tests.adapters.simulated import planning

SCALE = {"op": "replace", "path": "/spec/replicas", "value": 5}


FAULTS: dict[str, tuple[str, ports.Outcome, int | None, int]] = {
    "answer lost": ("lose_answer_once", ports.Outcome.UNKNOWN, None, 1),
    "not sent": ("fail_before_send_once", ports.Outcome.REFUSED, None, 0),
}


@pytest.mark.parametrize(("fault", "outcome", "status", "sent"), FAULTS.values(), ids=FAULTS)
async def test_lost_requests(
    cluster: clusters.SimulatedCluster,
    shop: model.Ref,
    fault: str,
    outcome: ports.Outcome,
    status: int | None,
    sent: int,
) -> None:
    """Only a lost answer is Unknown; the effect is there then, and not otherwise."""
    getattr(cluster, fault)()
    receipt = await cluster.send(
        await planning.effect(cluster, shop, SCALE), "rem-1", dry_run=False
    )
    live_state = await planning.looked(cluster, shop)
    marks = [live_state.workload.annotations.get(objects.MARK)]
    assert (outcome, status) == (receipt.outcome, receipt.status)
    assert (["rem-1"] if sent else [None]) == marks
    again = await cluster.send(await planning.effect(cluster, shop, SCALE), "rem-2", dry_run=False)
    assert ports.Outcome.EFFECTIVE == again.outcome


async def test_a_lost_answer_to_a_dry_run_is_a_refusal(
    cluster: clusters.SimulatedCluster, shop: model.Ref
) -> None:
    """Nothing can have happened, so nothing is in doubt."""
    cluster.lose_answer_once()
    receipt = await cluster.send(await planning.effect(cluster, shop, SCALE), "m", dry_run=True)
    assert ports.Outcome.REFUSED == receipt.outcome


@pytest.mark.parametrize(
    ("hook", "sent"), [("crash_before_send_once", 0), ("crash_after_send_once", 1)]
)
async def test_a_crash_passes_all_handlers(
    cluster: clusters.SimulatedCluster, shop: model.Ref, hook: str, sent: int
) -> None:
    """A crash ends the operator on the right side of the effect."""
    change = await planning.effect(cluster, shop, SCALE)
    getattr(cluster, hook)()
    with pytest.raises(faults.Crash):
        await cluster.send(change, "m", dry_run=False)
    assert sent == len(cluster.sent)


async def test_a_crash_can_be_at_any_point(
    cluster: clusters.SimulatedCluster, shop: model.Ref
) -> None:
    """Points are counted, so that a test can die at each of them in turn."""
    cluster.faults.crash_at(2)
    await cluster.live_state(shop)
    with pytest.raises(faults.Crash, match="owners"):
        await cluster.owners("shop", [])
    assert {} == await cluster.owners("shop", [])
    assert [
        faults.Point.LIVE_STATE,
        faults.Point.OWNERS,
        faults.Point.OWNERS,
    ] == cluster.faults.passed


async def test_an_unreachable_server(cluster: clusters.SimulatedCluster, shop: model.Ref) -> None:
    """Reads raise, the pause switch counts as on, sends are refused, until it is healed."""
    change = await planning.effect(cluster, shop, SCALE)
    cluster.faults.unreachable()
    with pytest.raises(ports.ClusterError):
        await cluster.live_state(shop)
    assert (await cluster.paused()).paused
    receipt = await cluster.send(change, "m", dry_run=False)
    assert (ports.Outcome.REFUSED, None) == (receipt.outcome, receipt.status)
    cluster.faults.heal()
    assert not (await cluster.paused()).paused
    assert 200 == (await cluster.send(change, "m", dry_run=False)).status


async def test_pause_and_resume(cluster: clusters.SimulatedCluster) -> None:
    """The pause switch carries its message."""
    cluster.pause("maintenance")
    assert model.PauseState(paused=True, message="maintenance") == await cluster.paused()
    cluster.resume()
    assert not (await cluster.paused()).paused


async def test_a_broken_watch_shows_the_past(
    cluster: clusters.SimulatedCluster, shop: model.Ref
) -> None:
    """While the watch is broken only a close look shows the truth; a re-list repairs it."""
    cluster.break_watch()
    cluster.set_image(shop, "shop/checkout:v2")
    cluster.add_deployment("shop", "cart", "shop/cart:v1")
    assert [1] == [each.generation for each in cluster.workloads("shop")]
    assert 2 == (await planning.looked(cluster, shop)).workload.generation
    cluster.relist()
    assert [2, 1] == [each.generation for each in cluster.workloads("shop")]
    cluster.delete(shop)
    assert 2 == len(cluster.workloads("shop"))
    cluster.mend_watch()
    assert ["cart"] == [each.ref.name for each in cluster.workloads("shop")]
    assert await cluster.live_state(shop) is None
