"""The backtest is the live engine: the same verdicts, and nothing is lost by leaving passes out."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from prunella import wiring
from prunella.adapters.simulated import world as worlds
from prunella.api import policy as policy_api
from prunella.backtest import run, verdicts
from prunella.core import model
from prunella.engine import loop
from tests.engine import recorded
from tests.engine.backtest_stories import GUARDED, NAMES, STORIES, Make, slow_baseline
from tests.engine.recorded import KEY, START, Story


async def test_an_alert_is_read_from_its_history() -> None:
    """Given an alert that fired for ten minutes, then that is the finding, and all else Healthy.

    That its rule was there before is taken for granted: no history tells of it.
    """
    story = Story(0)
    fired = (recorded.START.timestamp() + 1800, recorded.START.timestamp() + 2400)
    labels = {"alertname": "Hot", "alertstate": "firing", "deployment": NAMES[0]}
    whole = {"__name__": "ALERTS", "namespace": "shop", **labels}
    for when in story.times:
        there = fired[0] <= when < fired[1]
        story.store.append(whole, when, 1.0 if there else recorded.series_store.STALE)
    for when in story.times:
        other = {**whole, "namespace": "bank", "deployment": NAMES[1]}
        story.store.append(other, when, 1.0)
    signal = {"name": "hot", "alert": {"name": "Hot"}, "for": "1m"}
    done = await recorded.backtest(story, recorded.spec(signal))

    (found,) = done.tracker.findings()
    assert (NAMES[0], "hot") == (found.target.name, found.signal)
    assert abs(found.start.timestamp() - fired[0]) <= 30
    assert abs(found.end.timestamp() - fired[1]) <= 30
    assert 0 == done.tracker.tallies["hot"].unknown
    assert ["restart"] == [record.spec.action for record in done.records][:1]


def _never_held(policy: policy_api.RemediationPolicySpec) -> policy_api.RemediationPolicySpec:
    """The policy with signals that nothing is Unhealthy for long enough: no pass off the grid."""
    signals = [
        each.model_copy(update={"for_": datetime.timedelta(days=1)}) for each in policy.signals
    ]
    return policy.model_copy(update={"signals": signals})


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", STORIES.values(), ids=STORIES.keys())
async def test_what_is_left_out_would_have_told_nothing_new(make: Make, seed: int) -> None:
    """Given any history, then fewer passes tell the same as a pass at every step."""
    story = Story(seed)
    policy = make(story)
    fast = await recorded.backtest(story, policy)
    slow = await recorded.backtest(story, policy, thorough=True)

    assert slow.passes >= fast.points
    assert fast.passes <= slow.passes
    assert recorded.told(slow) == recorded.told(fast)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("reason", "make"), GUARDED.items(), ids=GUARDED)
async def test_what_refusals_that_end_by_time_leave_out_would_have_told_nothing_new(
    reason: str, make: Make, seed: int
) -> None:
    """Given such a refusal, then what follows it is at the same moment as by all passes."""
    story = Story(seed)
    policy = make(story)
    fast = await recorded.backtest(story, policy)
    slow = await recorded.backtest(story, policy, thorough=True)

    assert reason in {each.reason for each in slow.refusals}
    assert fast.passes <= slow.passes
    assert recorded.told(slow) == recorded.told(fast)


@pytest.mark.parametrize("name", ["absent", "burn rate", "change", "drift", "forecast"])
async def test_each_point_is_told_as_passes_tell_it(name: str) -> None:
    """Given any history, then as many points are Healthy, Unhealthy and Unknown as by passes."""
    story = Story(1)
    policy = _never_held(STORIES[name](story))
    fast = await recorded.backtest(story, policy)
    slow = await recorded.backtest(story, policy, thorough=True)

    assert fast.passes < slow.passes
    assert _counts(slow) == _counts(fast)


def _counts(done: run.Run) -> dict[str, tuple[int, int, int]]:
    tallies = done.tracker.tallies
    return {name: (t.healthy, t.unhealthy, t.unknown) for name, t in tallies.items()}


AHEAD = {
    name: make for name, make in STORIES.items() if not name.startswith(("baseline", "change"))
}


@pytest.mark.parametrize("make", AHEAD.values(), ids=AHEAD.keys())
async def test_verdicts_of_a_stretch_are_those_of_the_passes(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given any history, then arrays and passes agree on each signal, target and moment."""
    story = Story(7)
    policy = make(story)
    ahead: dict[str, tuple[tuple[model.Ref, ...], verdicts.Judged]] = {}
    judge = verdicts.judge

    def keep(signal: Any, recording: Any, asked: Any, refs: Any, spacing: Any) -> verdicts.Judged:
        found = judge(signal, recording, asked, refs, spacing)
        ahead[signal.name] = (refs, found)
        return found

    monkeypatch.setattr(verdicts, "judge", keep)
    compared = 0

    def live_state(runner: run.Runner) -> None:
        nonlocal compared
        outcome = runner.passes.recorder.outcome
        point = runner.result.evaluated - 1
        assert outcome is not None
        for found in outcome.findings:
            if found.signal not in ahead:
                continue
            refs, judged = ahead[found.signal]
            code = judged.codes[refs.index(found.target), point]
            assert found.verdict is verdicts.VERDICTS[code], (found, runner.result.until)
            compared += 1

    held = _never_held(policy)
    done = await recorded.backtest(story, held, thorough=True, live_state=live_state)

    assert compared >= done.points - 1


LIVE = (
    *("by deployment", "ratio", "two series of one target", "baseline", "drift", "forecast"),
    *("burn rate", "absent", "change"),
)
SELDOM = {"burn rate", "change"}
"""Stories that need longer until all verdicts were seen."""


@pytest.mark.parametrize("name", LIVE)
async def test_live_and_backtest_give_the_same_verdicts(name: str) -> None:
    """Given the same samples, then the live engine and the backtest judge alike at each moment."""
    story = Story(0, hours=1.5) if name in SELDOM else Story(11, hours=0.7)
    policy = _never_held(STORIES[name](story))
    if name in SELDOM:
        # The threshold beside it would hide what it says.
        policy = policy.model_copy(update={"signals": policy.signals[-1:]})
    past: dict[datetime.datetime, dict[str, str]] = {}
    workloads: dict[datetime.datetime, tuple[model.Workload, ...]] = {}

    def live_state(runner: run.Runner) -> None:
        seen = runner.passes.memories[KEY].verdicts
        past[runner.result.until] = {str(ref): verdict for ref, verdict in seen.items()}
        workloads[runner.result.until] = tuple(runner._cluster.workloads("shop"))

    await recorded.backtest(story, policy, thorough=True, live_state=live_state)
    live = await _live(story, policy, past, workloads if name == "change" else {})

    assert len(past) > 60
    both = [when for when in past if past[when].keys() == live[when].keys()]
    assert len(both) > 60
    assert {when: live[when] for when in both} == {when: past[when] for when in both}
    assert {"Healthy", "Unhealthy", "Unknown"} <= {
        v for seen in live.values() for v in seen.values()
    }


async def test_what_is_usual_is_drawn_from_when_it_was_learned() -> None:
    """Given 20 minutes to learn, then at first no band is drawn, and later one for each target."""
    story = Story(7)
    done = await recorded.backtest(story, slow_baseline(story))
    since = done.tracker.bucket_times() - done.request.first.timestamp()
    learning, learned = since < 5 * 60, since > 20 * 60

    assert list(NAMES[:3]) == sorted(ref.name for _, ref in done.tracker.bands)
    for band in done.tracker.bands.values():
        assert not np.isfinite(band.high[learning]).any()
        assert np.isfinite(band.high[learned]).mean() > 0.5
        assert (band.low[learned] <= band.high[learned]).any()


async def _live(
    story: Story,
    policy: policy_api.RemediationPolicySpec,
    past: Mapping[datetime.datetime, Mapping[str, str]],
    workloads: Mapping[datetime.datetime, tuple[model.Workload, ...]],
) -> dict[datetime.datetime, dict[str, str]]:
    """The verdicts of the live engine at these moments, on a cluster with the same targets.

    ``workloads`` are what its watch shows at each moment, where more than their names counts.
    """
    world = worlds.World.create(START - datetime.timedelta(seconds=29))
    world.metrics = story.metrics(policy)
    world.metrics._clock = world.clock  # It is asked for now, not for a time.
    for name in {ref.partition("/")[2] for seen in past.values() for ref in seen}:
        world.cluster.add_deployment("shop", name, "shop/any:v1", labels={"app": "shop"})
    if workloads:
        world.cluster.break_watch()  # What it shows is set here.
        world.cluster._views.update({each.ref: each for each in workloads[min(workloads)]})
    world.policies.apply(KEY.namespace, KEY.name, policy)
    engine = wiring.simulated(world)
    task = asyncio.create_task(engine.run(_nothing, 60))
    found = {}
    for moment in sorted(past):
        if moment in workloads:
            await world.clock.run_until(moment - datetime.timedelta(milliseconds=1))
            world.cluster._views.update({each.ref: each for each in workloads[moment]})
        await world.clock.run_until(moment)
        seen = engine._passes.memories[KEY].verdicts
        found[moment] = {str(ref): verdict for ref, verdict in seen.items()}
    engine.stop()
    await world.clock.advance(60)
    await task
    return found


async def _nothing() -> None:
    """A list that brings nothing new."""


async def test_passes_fall_on_the_moments_of_the_live_engine() -> None:
    """Given any begin, then the first pass is at the live engine's next moment."""
    story = Story(1)
    runner = await recorded.runner(story, STORIES["one target"](story))
    done = await runner.run(lambda _: None)

    before = START - datetime.timedelta(microseconds=1)
    assert loop.aligned(before, 30.0, "shop") == runner.request.at(0)
    assert done.evaluated == done.points


async def test_an_interrupted_run_keeps_what_is_done() -> None:
    """Given a run that is cancelled half-way, then its result is that of the first half."""
    story = Story(2)
    policy = STORIES["by deployment"](story)
    whole = await recorded.backtest(story, policy)
    made = await recorded.runner(story, policy)
    task: asyncio.Task[run.Run] | None = None

    def stop(progress: run.Progress) -> None:
        if task is not None and progress.done >= progress.points // 2:
            task.cancel()

    task = asyncio.ensure_future(made.run(stop))
    with pytest.raises(asyncio.CancelledError):
        await task
    half = made.result

    assert 0 < half.evaluated < half.points
    assert half.until < whole.until
    decided = [r.name for r in whole.records if r.spec.decided_at <= half.until]
    assert decided
    assert decided == [r.name for r in half.records]
