"""suspendCronJob: one field, its inverse, and the way on for a person."""

from __future__ import annotations

from prunella.actions import registry, suspend_cron_job
from prunella.api import reasons
from prunella.core import model
from tests.unit.actions import manifests
from tests.unit.core import builders


def plan(**changes: object) -> object:
    """The plan for a CronJob."""
    workload = builders.workload(kind="CronJob", **changes)
    live_state = model.LiveState(workload, pods_known=False)
    request = manifests.request(live_state, {"suspendCronJob": {}})
    return suspend_cron_job.SuspendCronJob().plan(request)


def test_it_writes_one_field_and_knows_the_way_back() -> None:
    """Applied and undone, the CronJob is as before."""
    effect = manifests.kept(manifests.planned(plan()))
    before = {"spec": {"schedule": "0 3 * * *", "suspend": False}}
    after = manifests.applied(before, effect.patch)
    assert {"schedule": "0 3 * * *", "suspend": True} == after["spec"]
    assert before == manifests.applied(after, effect.inverse)
    assert (
        "suspend CronJob/checkout; on again: kubectl patch cronjob checkout -n shop -p "
        '\'{"spec":{"suspend":false}}\''
    ) == effect.summary
    assert "spec.suspend" == registry.all_actions()["suspendCronJob"].owned_field


def test_what_is_suspended_already_is_not_written() -> None:
    """A person was first: the next step is tried."""
    expected = model.Refusal(
        reasons.Refused.AT_BOUND, "CronJob/checkout is suspended already", skip_step=True
    )
    assert expected == plan(suspended=True)
