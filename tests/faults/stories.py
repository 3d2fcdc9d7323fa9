"""One story for each action of the registry: something falls ill, and that action heals it.

An action without a story fails the suite.  To add one, give its beginning, and what else the
operator's settings must say for it; what happens by itself must not wait for the operator.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Awaitable, Callable
from typing import Any, Final

from prunella import settings as settings_module
from prunella.adapters.simulated import nodes as simulated_nodes
from prunella.api import remediation as remediation_api
from prunella.core import model
from prunella.core.decisions import nodes, started
from tests.engine import (
    harness,
    restoring,
    rolling_out,
    test_alerts,
    test_approvals,
    test_captures,
    test_crashes,
    test_delete_stuck_pod,
    test_drain,
    test_escalation,
    test_expand_volume,
    test_git_revert,
    test_helm_rollback,
    test_learned,
    test_nodes,
    test_patch_field,
    test_promote,
    test_raise_quota,
    test_renew_certificate,
    test_rerun_job,
    test_resize,
    test_restart_pods,
    test_rollouts,
    test_run_job,
    test_scale_bounds,
    test_shift_traffic,
    test_suspend_cron_job,
    test_trust,
    test_webhook,
)
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story
from tests.faults import wires

HOUR: Final = datetime.timedelta(hours=1)
DEFAULTS: Final = settings_module.Settings()
IMPATIENT: Final = settings_module.Settings(
    limits=settings_module.Limits(rollout_seconds=test_rollouts.PATIENCE)
)

PATCHING: Final = settings_module.Settings.model_validate(
    {"patchField": {"fields": [test_patch_field.ALLOWED]}}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """How a story begins; it is over when its action has succeeded or a person was called."""

    begin: Callable[[Story], Awaitable[object] | object]
    settings: settings_module.Settings = DEFAULTS
    longest: float = 400.0
    """Seconds that it may last, with a death in it."""
    first_death: Callable[[wires.Request], bool] | None = None
    """After which request another operator has died before the story is told."""
    until: Callable[[Story], bool] | None = None
    """When it is over, where no action is wanted."""


def scale(story: Story) -> None:
    """Too few pods for the load."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=2.6)
    story.apply(harness.spec({"scale": {"by": 1, "max": 6}}, signals=[harness.saturation()]))


def unhelpful_scale(story: Story) -> None:
    """A load that no scaling helps against: it is undone."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.apps.surge(CHECKOUT, load=100.0)
    verify = {"within": "5s", "samples": 1}
    steps = [{"scale": {"by": 1}}, {"restart": {}}]
    story.apply(harness.spec(*steps, signals=[harness.saturation()], verify=verify))


def when(story: Story, done: Callable[[], bool], happens: Callable[[], object]) -> None:
    """Let something happen as soon as something else is so, whoever is alive."""
    over = {"now": False}

    def look() -> None:
        if not over["now"] and done():
            over["now"] = True
            happens()

    story.world.clock.every(1.0, look)


def relieve(story: Story, done: Callable[[], bool]) -> None:
    """Take the load away when the remedy has worked."""
    when(story, done, lambda: story.world.apps.surge(CHECKOUT, load=0.1))


def rerun_job(story: Story) -> None:
    """A nightly Job has failed."""
    test_rerun_job.overdue(story)

    def done() -> bool:
        return [model.JobState.COMPLETE] == [state for _, state in test_rerun_job.jobs(story)]

    relieve(story, done)


def run_job(story: Story) -> None:
    """A cache is to be purged."""
    test_run_job.overloaded(story)
    relieve(story, lambda: test_run_job.states(story) == [started.RunState.SUCCEEDED])


def webhook(story: Story) -> None:
    """Somebody outside is to help."""
    test_webhook.overloaded(story)
    relieve(story, lambda: test_webhook.states(story) == [started.RunState.SUCCEEDED])


def suspend_cron_job(story: Story) -> None:
    """A CronJob's runs are the load."""
    test_suspend_cron_job.overload(story)
    relieve(story, lambda: test_suspend_cron_job.suspended(story))


def return_traffic(story: Story) -> None:
    """Traffic that was moved away comes back by parts."""
    shop = test_shift_traffic.divided(story, test_shift_traffic.WITH_BACK)
    when(
        story,
        lambda: story.phases() == [("shiftTraffic", Phase.SUCCEEDED)],
        lambda: shop.broken_while(lambda: False),
    )


async def git_revert(story: Story) -> None:
    """A bad release was merged."""
    test_git_revert.deployed(story)
    await story.run(60)
    test_git_revert.release(story)


async def queued_revert(story: Story) -> None:
    """A bad release was merged; after its revert somebody merges something else at once."""
    await git_revert(story)
    git = story.world.repositories

    def merge() -> None:
        git.commit("Document it", {})

    when(story, lambda: bool(git.commits[0].remediation), merge)


async def restore_by_deletion(story: Story) -> None:
    """A NetworkPolicy was made that lets nobody in, and an incident suspects that."""
    shop = await restoring.opened(story, restoring.policy(restore={"undoCreated": True}))
    shop.broken_while(lambda: shop.seen(restoring.WALL) is not None)
    shop.incident((restoring.WALL, shop.create(restoring.network_policy())))


async def restore_from_elsewhere(story: Story) -> None:
    """The same where what is sick may be in another namespace: the journal tells who leads."""
    await restore(story, restoring.policy(trigger={"symptoms": "Anywhere"}))


async def restore(story: Story, document: dict[str, Any] | None = None) -> None:
    """A Service was pointed elsewhere, and an incident suspects that."""
    shop = await restoring.opened(story, document)

    def goes_wrong() -> bool:
        found: Any = shop.seen(restoring.CART)
        return found is None or found["spec"]["ports"][0]["targetPort"] != 8080

    def mistake(manifest: Any) -> None:
        manifest["spec"]["ports"][0]["targetPort"] = 9999

    shop.broken_while(goes_wrong)
    shop.incident((restoring.CART, shop.edit(restoring.CART, mistake)))


async def delete_stuck_pod(story: Story) -> None:
    """A repaired rollout that hangs on a broken pod."""
    await test_delete_stuck_pod.repaired(story)


async def unstick(story: Story) -> None:
    """A stuck rollout of a StatefulSet: a patch and an eviction."""
    await test_rollouts.stuck(story, test_rollouts.DB)


def by_alert(story: Story, **rollback: str) -> None:
    """A bad release raises an alert of the source's own rules."""
    test_alerts.running(story, test_alerts.RULE)
    story.apply(test_alerts.by_alert({"rollback": rollback}))
    story.world.clock.call_later(90, lambda: story.release(harness.BAD))


async def forecast(story: Story) -> None:
    """A leak that is seen before its limit is reached: history is read."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK)
    verify = {"within": "15m", "samples": 2}
    query = {"query": "max by (namespace, pod) (app_memory_bytes)"}
    signals = [{**test_learned.leak(), "prometheus": query}]
    story.apply(harness.spec({"restart": {}}, signals=signals, verify=verify, interval="30s"))
    await story.run(180)


def condemned(story: Story) -> None:
    """A release that was proved bad comes again."""
    test_crashes.rollback(story)
    story.world.clock.call_later(600, lambda: story.release(harness.BAD))


CONDEMNED_AND_AGAIN: Final = 2


def gone_pods(story: Story) -> None:
    """A leak by the label of pods, of which one has just gone."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK, age=HOUR)
    query = {"query": "max by (namespace, pod) (app_memory_bytes)"}
    story.apply(harness.spec({"restart": {}}, signals=[{**harness.memory(), "prometheus": query}]))


def orphan(story: Story) -> None:
    """The policy is deleted when its action has been sent."""
    test_crashes.rollback(story)
    when(story, lambda: bool(story.sent()), story.delete)


def ended(story: Story) -> bool:
    """Something was done, and it is over."""
    return bool(story.sent())


def old_records(story: Story) -> None:
    """Records that nobody needs any more are deleted, but for the newest."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec())
    server = story.world.ledger_server
    for attempt in (1, 2):
        made = server.create(NAMESPACE, f"old-{attempt}", _old_spec(story, attempt))
        done = made.status.model_copy(
            update={"phase": Phase.SUCCEEDED, "finished_at": made.spec.decided_at}
        )
        server.update(made, done)


def _old_spec(story: Story, attempt: int) -> remediation_api.RemediationSpec:
    """A record of a month ago."""
    return remediation_api.RemediationSpec.model_validate(
        {
            "policy": {
                "namespace": NAMESPACE,
                "name": "checkout",
                "uid": "policy-0",
                "generation": 1,
            },
            "target": {
                "kind": "Deployment",
                "namespace": NAMESPACE,
                "name": "checkout",
                "uid": "gone",
            },
            "mode": "Live",
            "step": 0,
            "reason": "memory is above 1e9",
            "planHash": "0",
            "action": "restart",
            "attempt": attempt,
            "decidedAt": story.world.clock.now() - 30 * 24 * HOUR,
        }
    )


def cordon(story: Story) -> None:
    """A node hangs."""
    test_nodes.pool(story)
    test_nodes.sicken(story)


def return_node(story: Story) -> None:
    """A node that was cordoned is Healthy again."""
    cordon(story)
    when(story, lambda: bool(test_nodes.cordoned(story)), lambda: test_nodes.heal(story))


def uncordon(story: Story) -> None:
    """A node that the operator has cordoned before hangs, and is to take pods all the same."""
    test_nodes.pool(story, {"uncordon": {}})

    def change(manifest: Any) -> None:
        manifest["metadata"]["annotations"][nodes.CORDONED_BY] = "node-worker-0-before"

    story.world.cluster.edit_object(simulated_nodes.ref("worker-0"), change)
    story.world.cluster.nodes.cordon("worker-0")
    test_nodes.sicken(story)


def drain(story: Story) -> None:
    """A node hangs, and pods are on it."""
    test_drain.serving(story)
    test_drain.sicken(story)


STORIES: Final[dict[str, Told]] = {
    "restart": Told(test_crashes.restart),
    "evictPod": Told(test_crashes.evict),
    "scale": Told(scale),
    "rollback": Told(test_crashes.rollback),
    "restartPods": Told(test_restart_pods.leaking),
    "deleteStuckPod": Told(delete_stuck_pod, IMPATIENT),
    "rerunJob": Told(rerun_job),
    "runJob": Told(run_job, test_run_job.SETTINGS),
    "suspendCronJob": Told(suspend_cron_job),
    "restore": Told(restore),
    "webhook": Told(webhook, test_webhook.SETTINGS),
    "patchField": Told(
        lambda story: test_patch_field.pooled(story, enough=30),
        PATCHING,
    ),
    "scaleBounds": Told(lambda story: test_scale_bounds.scaled(story, enough=15)),
    "raiseQuota": Told(lambda story: test_raise_quota.full(story, enough=10)),
    "resize": Told(lambda story: test_resize.tight(story, "InPlace", enough="768Mi")),
    "expandVolume": Told(lambda story: test_expand_volume.full(story, enough="20Gi")),
    "shiftTraffic": Told(test_shift_traffic.divided),
    "renewCertificate": Told(test_renew_certificate.ending),
    "gitRevert": Told(git_revert),
    "helmRollback": Told(test_helm_rollback.released, test_helm_rollback.SETTINGS),
    "abortRollout": Told(lambda story: rolling_out.given(story, {"abortRollout": {}})),
    "promote": Told(lambda story: test_promote.fix(story, {"promote": {"full": True}})),
    "cordon": Told(cordon),
    "uncordon": Told(uncordon),
    "drain": Told(drain),
    "returnNode": Told(return_node),
    "revert": Told(unhelpful_scale),
    "returnTraffic": Told(return_traffic, longest=900.0),
}
"""By the action's name."""


def approved(story: Story, **changes: Any) -> None:
    """A bad release, under a policy that asks; somebody approves whatever it asks for."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(test_approvals.approving(**changes))
    story.world.clock.call_later(harness.QUIET, lambda: story.release(harness.BAD))

    def approve() -> None:
        for record in story.records():
            asked = record.phase is Phase.AWAITING_APPROVAL
            if asked and (record.namespace, record.name) not in story.world.approvals.stored:
                test_approvals.decide(story, record)

    story.world.clock.every(5.0, approve)


def held_up(story: Story) -> None:
    """The same while the target's owner has it rolled out anew: what is approved waits."""
    approved(story)
    when(
        story,
        lambda: bool(story.world.approvals.stored),
        lambda: story.world.cluster.pause("a look first"),
    )
    story.world.clock.call_later(120, story.world.cluster.resume)


def healed(story: Story) -> bool:
    """What was asked for has been done, and it helped."""
    return any(each.phase is Phase.SUCCEEDED for each in story.records())


def demoted(story: Story) -> bool:
    """A policy whose actions were in vain only advises."""
    return any(each.phase is Phase.ADVISED for each in story.records())


MORE: Final[dict[str, Told]] = {
    "alert": Told(lambda story: by_alert(story, to="Previous")),
    "alert of the past": Told(
        by_alert,
        until=lambda story: bool(story.status().unattended),
    ),
    "approved": Told(approved, until=healed),
    "approved, and held up": Told(held_up, until=healed),
    "capture": Told(test_captures.leaking),
    "condemned": Told(
        condemned, longest=900.0, until=lambda story: len(story.phases()) == CONDEMNED_AND_AGAIN
    ),
    "demoted": Told(test_trust.overloaded, test_trust.streaky(), until=demoted),
    "forecast": Told(forecast, longest=1800.0),
    "gone pods": Told(gone_pods),
    "old records": Told(old_records, until=lambda story: len(story.records()) == 1),
    "orphan": Told(orphan, until=ended),
    "queued revert": Told(queued_revert),
    "resize of the template": Told(
        lambda story: test_resize.tight(story, "Template", enough="768Mi")
    ),
    "restore by deletion": Told(restore_by_deletion),
    "restore from elsewhere": Told(restore_from_elsewhere),
    "two effects": Told(unstick, IMPATIENT),
    "unattended": Told(test_escalation.without_a_good_release, until=lambda s: bool(s.pages())),
    "undone elsewhere": Told(lambda story: test_patch_field.pooled(story, enough=1000), PATCHING),
}
"""Further ways that things may go."""


def recorded(request: wires.Request) -> bool:
    """The lock is taken, and nothing sent."""
    return (request.port, request.method) == ("ledger", "create")


def sent(request: wires.Request) -> bool:
    """An effect was carried out, and its outcome is not written."""
    return request.changes


AGAIN: Final = {
    f"{name}, {how.__name__} by a dead one": dataclasses.replace(told, first_death=how)
    for name, told in {**STORIES, "two effects": MORE["two effects"]}.items()
    for how in (recorded, sent)
}
"""What one operator has begun, another takes up; and that one may die, too."""
EVERY: Final = {**STORIES, **MORE, **AGAIN}


def over(story: Story, name: str) -> bool:
    """The action has succeeded, or a person was called; and nothing is under way."""
    records = story.records()
    if any(record.in_flight for record in records):
        return False
    if (until := EVERY[name].until) is not None:
        return until(story)
    action = name.partition(",")[0]
    done = [r for r in records if r.phase is Phase.SUCCEEDED]
    return bool(story.pages()) or any(
        action not in STORIES or r.spec.action == action for r in done
    )
