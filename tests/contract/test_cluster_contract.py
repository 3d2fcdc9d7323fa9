"""The Cluster port does the same in the simulation as on a real API server."""

from __future__ import annotations

import dataclasses

import pytest

from prunella import ports
from prunella.actions import rerun_job, run_job
from prunella.api import steps
from prunella.core import model, objects
from prunella.core.decisions import halts
from tests.contract.worlds import LabWorld, World
from tests.unit.api import test_offered

KINDS = ("Deployment", "StatefulSet", "DaemonSet")


def ref_of(world: World, kind: str = "Deployment", name: str = "web") -> model.Ref:
    """A workload in our namespace."""
    return model.Ref(kind, world.namespace, name)


async def seen(world: World, ref: model.Ref) -> model.LiveState:
    """A look at a workload that must be there."""
    live_state = await world.cluster.live_state(ref)
    assert live_state is not None
    return live_state


async def started(world: World, ref: model.Ref, replicas: int = 2) -> model.Workload:
    """A new workload, rolled out."""
    await world.add(ref, replicas)
    return (await seen(world, ref)).workload


def scaling(workload: model.Workload, replicas: int) -> model.Effect:
    """The effect of a scaling."""
    operation = {"op": "replace", "path": "/spec/replicas", "value": replicas}
    return changing(workload, operation)


def changing(workload: model.Workload, operation: model.PatchOperation) -> model.Effect:
    """The effect of one operation on the workload as it is."""
    return model.Effect(
        model.Verb.PATCH,
        workload.ref,
        workload.uid,
        "a change",
        generation=workload.generation,
        patch=(operation,),
    )


def eviction(world: World, pod: model.Pod) -> model.Effect:
    """The effect of evicting a pod."""
    target = model.Ref("Pod", world.namespace, pod.name)
    return model.Effect(model.Verb.EVICT, target, pod.uid, "evict it")


def image_of(template: object) -> str:
    """The image that a template names."""
    assert isinstance(template, dict)
    return str(template["spec"]["containers"][0]["image"])


async def test_patch_changes_and_marks(world: World) -> None:
    """A patch changes the workload, leaves the mark, and returns what the server then has."""
    before = await started(world, ref_of(world))

    receipt = await world.cluster.send(scaling(before, 3), "record-1", dry_run=False)

    after = (await seen(world, before.ref)).workload
    assert (ports.Outcome.EFFECTIVE, 200) == (receipt.outcome, receipt.status)
    assert receipt.workload is not None
    assert 3 == receipt.workload.replicas == after.replicas
    assert before.generation + 1 == receipt.workload.generation
    assert "record-1" == after.annotations[objects.MARK]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
async def test_effect_happens_at_most_once(world: World, kind: str) -> None:
    """The API server itself refuses the repeat of an effect that it has carried out."""
    before = await started(world, ref_of(world, kind))
    effect = scaling(before, 3)

    first = await world.cluster.send(effect, "record-1", dry_run=False)
    second = await world.cluster.send(effect, "record-1", dry_run=False)

    assert ports.Outcome.EFFECTIVE is first.outcome
    assert (ports.Outcome.REFUSED, 422) == (second.outcome, second.status)
    assert "record-1" == (await seen(world, before.ref)).workload.annotations[objects.MARK]


async def test_stale_generation_is_refused(world: World) -> None:
    """A plan made before somebody else's change does nothing."""
    planned_on = await started(world, ref_of(world))
    await world.scale(planned_on.ref, 4)

    receipt = await world.cluster.send(scaling(planned_on, 1), "record-1", dry_run=False)

    after = (await seen(world, planned_on.ref)).workload
    assert (ports.Outcome.REFUSED, 422) == (receipt.outcome, receipt.status)
    assert receipt.message
    assert 4 == after.replicas
    assert objects.MARK not in after.annotations


async def test_recreated_target_is_refused(world: World) -> None:
    """A workload of the same name with another UID is not the target, at whatever generation."""
    planned_on = await started(world, ref_of(world))
    await world.delete(planned_on.ref)
    fresh = await started(world, planned_on.ref)
    effect = dataclasses.replace(scaling(planned_on, 1), generation=fresh.generation)

    receipt = await world.cluster.send(effect, "record-1", dry_run=False)

    assert planned_on.uid != fresh.uid
    assert (ports.Outcome.REFUSED, 422) == (receipt.outcome, receipt.status)
    assert 2 == (await seen(world, planned_on.ref)).workload.replicas


async def test_gone_target_is_refused(world: World) -> None:
    """An effect on a workload that is gone is refused, and a look at it finds nothing."""
    planned_on = await started(world, ref_of(world))
    await world.delete(planned_on.ref)

    receipt = await world.cluster.send(scaling(planned_on, 1), "record-1", dry_run=False)

    assert (ports.Outcome.REFUSED, 404) == (receipt.outcome, receipt.status)
    assert await world.cluster.live_state(planned_on.ref) is None


async def test_dry_run_changes_nothing(world: World) -> None:
    """A dry run is judged by the server and leaves generation, replicas and annotations."""
    before = await started(world, ref_of(world))

    receipt = await world.cluster.send(scaling(before, 3), "record-1", dry_run=True)

    after = (await seen(world, before.ref)).workload
    assert ports.Outcome.WOULD_SUCCEED is receipt.outcome
    assert receipt.workload is not None
    assert 3 == receipt.workload.replicas
    assert (before.generation, 2) == (after.generation, after.replicas)
    assert before.annotations == after.annotations


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "live"])
async def test_invalid_change_is_refused(world: World, dry_run: bool) -> None:
    """What the server's validation refuses is refused, in a dry run too."""
    before = await started(world, ref_of(world))

    receipt = await world.cluster.send(scaling(before, -1), "record-1", dry_run=dry_run)

    after = (await seen(world, before.ref)).workload
    assert (ports.Outcome.REFUSED, 422) == (receipt.outcome, receipt.status)
    assert "spec.replicas" in receipt.message
    assert before.generation == after.generation


async def test_mark_on_workload_without_annotations(world: World) -> None:
    """A workload without a single annotation gets its first, and later ones are kept."""
    before = await started(world, ref_of(world, "StatefulSet"))
    assert {} == dict(before.annotations)

    first = await world.cluster.send(scaling(before, 3), "record-1", dry_run=False)
    assert first.workload is not None
    note = {"op": "add", "path": "/metadata/annotations/example.com~1note", "value": "kept"}
    await world.cluster.send(changing(first.workload, note), "record-2", dry_run=False)
    now = (await seen(world, before.ref)).workload
    await world.cluster.send(scaling(now, 1), "record-3", dry_run=False)

    after = (await seen(world, before.ref)).workload
    assert {objects.MARK: "record-3", "example.com/note": "kept"} == dict(after.annotations)


async def test_eviction_replaces_the_pod(world: World) -> None:
    """An evicted pod goes and another takes its place."""
    ref = ref_of(world)
    await started(world, ref)
    pods = (await seen(world, ref)).pods

    receipt = await world.cluster.send(eviction(world, pods[0]), "record-1", dry_run=False)
    await world.settle()

    after = {pod.uid for pod in (await seen(world, ref)).pods if not pod.deleting}
    assert (ports.Outcome.EFFECTIVE, 201) == (receipt.outcome, receipt.status)
    assert pods[0].uid not in after
    assert pods[1].uid in after


@pytest.mark.parametrize(
    ("uid", "dry_run", "expected", "status"),
    [
        pytest.param("another", False, ports.Outcome.REFUSED, 409, id="another uid"),
        pytest.param("another", True, ports.Outcome.REFUSED, 409, id="another uid, dry run"),
        pytest.param("", True, ports.Outcome.WOULD_SUCCEED, 201, id="dry run"),
    ],
)
async def test_eviction_that_must_not_happen(
    world: World, uid: str, dry_run: bool, expected: ports.Outcome, status: int
) -> None:
    """A pod of the same name with another UID is not evicted, nor any in a dry run."""
    ref = ref_of(world, "StatefulSet")
    await started(world, ref)
    before = (await seen(world, ref)).pods
    effect = eviction(world, dataclasses.replace(before[0], uid=uid or before[0].uid))

    receipt = await world.cluster.send(effect, "record-1", dry_run=dry_run)
    await world.settle()

    assert (expected, status) == (receipt.outcome, receipt.status)
    assert {p.uid for p in before} == {p.uid for p in (await seen(world, ref)).pods}


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "live"])
async def test_budget_blocks_eviction(world: World, dry_run: bool) -> None:
    """A PodDisruptionBudget that allows nothing is a refusal, and shows in the look."""
    ref = ref_of(world)
    await started(world, ref)
    await world.add_budget("web", 2)
    live_state = await seen(world, ref)

    receipt = await world.cluster.send(
        eviction(world, live_state.pods[0]), "record-1", dry_run=dry_run
    )

    assert (ports.Outcome.REFUSED, 429) == (receipt.outcome, receipt.status)
    assert "disruption budget" in receipt.message
    assert (model.Budget("web", {"app": "web"}, 0, 2, 2, 2),) == live_state.budgets
    assert live_state.pods == (await seen(world, ref)).pods


async def test_a_pod_of_a_lost_node_goes_without_grace_alone(world: World) -> None:
    """An eviction leaves a pod that is in deletion already; one without grace removes it."""
    lost = await world.lose_pod()
    effect = eviction(world, lost)
    forced = dataclasses.replace(effect, forced=True)

    await world.cluster.send(effect, "record-1", dry_run=False)
    tried = await world.cluster.send(forced, "record-1", dry_run=True)
    assert await world.has_pod(lost.name)
    other = dataclasses.replace(forced, uid="another")
    refused = await world.cluster.send(other, "record-1", dry_run=False)
    assert await world.has_pod(lost.name)
    done = await world.cluster.send(forced, "record-1", dry_run=False)

    outcomes = [ports.Outcome.WOULD_SUCCEED, ports.Outcome.EFFECTIVE]
    assert outcomes == [tried.outcome, done.outcome]
    # A real API server tries again and again there, and gives up with a 500.
    assert refused.outcome in {ports.Outcome.REFUSED, ports.Outcome.UNKNOWN}
    assert not await world.has_pod(lost.name)


def suspension(workload: model.Workload) -> model.Effect:
    """The effect of suspending a CronJob."""
    return changing(workload, {"op": "add", "path": "/spec/suspend", "value": True})


async def test_a_cron_job_is_suspended_at_most_once(world: World) -> None:
    """It is watched and patched as any target is; a repeat is refused, and a person's edit seen."""
    ref = ref_of(world, "CronJob", "nightly")
    await world.add_cron_job("nightly")
    before = (await seen(world, ref)).workload
    assert (False, True) == (before.suspended, before.rolled_out)
    effect = suspension(before)

    tried = await world.cluster.send(effect, "record-1", dry_run=True)
    first = await world.cluster.send(effect, "record-1", dry_run=False)
    second = await world.cluster.send(effect, "record-1", dry_run=False)

    after = (await seen(world, ref)).workload
    outcomes = [ports.Outcome.WOULD_SUCCEED, ports.Outcome.EFFECTIVE, ports.Outcome.REFUSED]
    assert outcomes == [tried.outcome, first.outcome, second.outcome]
    assert first.workload is not None
    assert (True, True) == (first.workload.suspended, after.suspended)
    assert (before.generation + 1, "record-1") == (
        after.generation,
        after.annotations[objects.MARK],
    )
    assert after in world.cluster.workloads(world.namespace)
    assert objects.FIELD_MANAGER in after.field_owners["spec.suspend"]

    await world.cluster.give_back(ref, after.uid)
    owners = (await seen(world, ref)).workload.field_owners.values()
    assert objects.FIELD_MANAGER not in frozenset().union(*owners)

    await world.suspend("nightly", suspended=False)
    stale = await world.cluster.send(suspension(after), "record-2", dry_run=False)
    assert (ports.Outcome.REFUSED, 422) == (stale.outcome, stale.status)


async def test_a_failed_job_is_made_anew_at_most_once(world: World) -> None:
    """The server has room for one of the name; the look shows the Job with the mark on it."""
    ref = ref_of(world, "CronJob", "nightly")
    await world.add_cron_job("nightly")
    await world.fail_job("nightly")
    before = await seen(world, ref)
    assert [model.JobState.FAILED] == [job.state for job in before.jobs]
    whole = rerun_job.job_of(before.workload, before.jobs[0], 1)
    name = whole["metadata"]["name"]
    effect = model.Effect(
        model.Verb.CREATE,
        model.Ref("Job", world.namespace, name),
        "",
        "create it",
        patch=({"op": "add", "path": "", "value": whole},),
    )

    tried = await world.cluster.send(effect, "record-1", dry_run=True)
    assert before.jobs == (await seen(world, ref)).jobs
    first = await world.cluster.send(effect, "record-1", dry_run=False)
    second = await world.cluster.send(effect, "record-2", dry_run=False)

    outcomes = [ports.Outcome.WOULD_SUCCEED, ports.Outcome.EFFECTIVE, ports.Outcome.REFUSED]
    assert outcomes == [tried.outcome, first.outcome, second.outcome]
    assert (201, 409) == (first.status, second.status)
    made = {job.name: dict(job.annotations) for job in (await seen(world, ref)).jobs}
    assert {name, before.jobs[0].name} == made.keys()
    assert ("record-1", "1") == (made[name][objects.MARK], made[name][rerun_job.RERUN])


async def test_a_templates_job_is_made_at_most_once_and_seen_to_its_end(world: World) -> None:
    """The server has room for one of the name; the look tells whose it is, and how it ended."""
    template = test_offered.template(namespaces=["*"], activeDeadlineSeconds=5)
    params = steps.RunJob(template="purge", parameters={"PREFIX": "cart:"})
    target = model.Ref("Deployment", world.namespace, "web")
    whole = run_job.job_of(template, params, target, "record-1")
    ref = model.Ref("Job", world.namespace, whole["metadata"]["name"])
    await world.add_account("cache-purger")
    operation = {"op": "add", "path": "", "value": whole}
    effect = model.Effect(model.Verb.CREATE, ref, "", "create it", patch=(operation,))

    assert None is await world.cluster.job(ref)
    tried = await world.cluster.send(effect, "record-1", dry_run=True)
    assert None is await world.cluster.job(ref)
    first = await world.cluster.send(effect, "record-1", dry_run=False)
    second = await world.cluster.send(effect, "record-2", dry_run=False)

    outcomes = [ports.Outcome.WOULD_SUCCEED, ports.Outcome.EFFECTIVE, ports.Outcome.REFUSED]
    assert outcomes == [tried.outcome, first.outcome, second.outcome]
    assert (201, 409) == (first.status, second.status)
    run = await world.job_ends(ref)
    assert ("record-1", True) == (run.mark, run.state != "Running")


@pytest.mark.parametrize("kind", KINDS)
async def test_owners_of_pods(world: World, kind: str) -> None:
    """Pods are mapped to their workload by name; a name that no pod has is left out."""
    ref = ref_of(world, kind, "web-1a2b3")
    await started(world, ref)
    names = [pod.name for pod in (await seen(world, ref)).pods]

    found = await world.cluster.owners(world.namespace, [*names, "stranger-0"])

    assert names
    assert dict.fromkeys(names, ref) == dict(found)


async def test_a_pod_of_nobody_is_nobodys(world: World) -> None:
    """A bare pod is there, and belongs to no workload, whatever its name."""
    ref = ref_of(world)
    await started(world, ref)
    await world.add_bare_pod("web-7d4b9c6f5d-x7k2p")

    found = await world.cluster.owners(world.namespace, ["web-7d4b9c6f5d-x7k2p", "stranger-0"])

    assert {"web-7d4b9c6f5d-x7k2p": None} == dict(found)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
async def test_fields_are_given_back(world: World, kind: str) -> None:
    """The operator owns what it wrote until it gives it back; values and generation stay."""
    before = await started(world, ref_of(world, kind))
    receipt = await world.cluster.send(scaling(before, 3), "record-1", dry_run=False)
    written = (await seen(world, before.ref)).workload
    assert objects.FIELD_MANAGER in written.field_owners["spec.replicas"]
    assert receipt.outcome is ports.Outcome.EFFECTIVE

    await world.cluster.give_back(before.ref, "another-uid")
    kept = (await seen(world, before.ref)).workload
    assert objects.FIELD_MANAGER in kept.field_owners["spec.replicas"]

    for _ in range(2):  # The second time there is nothing left to give.
        await world.cluster.give_back(before.ref, before.uid)
        after = (await seen(world, before.ref)).workload
        owners = frozenset().union(*after.field_owners.values())
        assert objects.FIELD_MANAGER not in owners
        assert (3, written.generation) == (after.replicas, after.generation)
        assert "record-1" == after.annotations[objects.MARK]


async def test_nothing_is_given_back_to_what_is_gone(world: World) -> None:
    """A workload that was deleted meanwhile is no error."""
    before = await started(world, ref_of(world))
    await world.delete(before.ref)

    await world.cluster.give_back(before.ref, before.uid)


async def test_owner_of_a_pod_that_is_gone(world: World) -> None:
    """A pod that was known is remembered: its series outlive it."""
    ref = ref_of(world)
    await started(world, ref)
    old = (await seen(world, ref)).pods[0].name
    await world.cluster.owners(world.namespace, [old])
    await world.set_image(ref, "shop/app:v2")
    new = (await seen(world, ref)).pods[0].name

    found = await world.cluster.owners(world.namespace, [old, new])

    assert {old: ref, new: ref} == dict(found)


@pytest.mark.parametrize("kind", KINDS)
async def test_look_at_revisions(world: World, kind: str) -> None:
    """The history names each template as the workload had it, newest first, one current."""
    ref = ref_of(world, kind)
    first = (await started(world, ref)).template
    await world.set_image(ref, "shop/app:v2")

    live_state = await seen(world, ref)

    assert ["shop/app:v2", "shop/app:v1"] == [image_of(r.template) for r in live_state.revisions]
    assert [True, False] == [revision.current for revision in live_state.revisions]
    assert {"app": "web"} == live_state.revisions[1].template["metadata"]["labels"]  # type: ignore[index]
    assert first["spec"] == live_state.revisions[1].template["spec"]
    assert live_state.revisions[0].number > live_state.revisions[1].number
    assert live_state.workload.rolled_out
    assert live_state.workload.replicas == len(live_state.pods)
    assert all(pod.ready and not pod.deleting for pod in live_state.pods)


@pytest.mark.parametrize("kind", KINDS)
async def test_template_of_a_revision_can_be_put_back(world: World, kind: str) -> None:
    """Writing an earlier revision's template makes that revision current; no third appears."""
    ref = ref_of(world, kind)
    await started(world, ref)
    await world.set_image(ref, "shop/app:v2")
    live_state = await seen(world, ref)
    back = {"op": "replace", "path": "/spec/template", "value": live_state.revisions[1].template}

    receipt = await world.cluster.send(
        changing(live_state.workload, back), "record-1", dry_run=False
    )
    await world.settle()

    after = await seen(world, ref)
    assert ports.Outcome.EFFECTIVE is receipt.outcome
    assert ["shop/app:v1", "shop/app:v2"] == [image_of(r.template) for r in after.revisions]
    assert [live_state.revisions[1].name] == [r.name for r in after.revisions if r.current]


async def test_look_at_owners_of_fields_and_autoscalers(world: World) -> None:
    """The look tells who wrote replicas and template, and which autoscaler targets it."""
    ref = ref_of(world)
    before = await started(world, ref)
    await world.cluster.send(scaling(before, 3), "record-1", dry_run=False)
    await world.settle()
    await world.add_autoscaler(ref)

    live_state = await seen(world, ref)

    assert frozenset({"prunella"}) == live_state.workload.field_owners["spec.replicas"]
    assert "prunella" not in live_state.workload.field_owners["spec.template"]
    assert ("HorizontalPodAutoscaler/web",) == live_state.autoscalers


async def test_other_workloads_are_not_in_the_look(world: World) -> None:
    """Pods, budgets and autoscalers of a neighbour are not the target's."""
    ref, neighbour = ref_of(world), ref_of(world, name="cart")
    await started(world, ref, replicas=1)
    await started(world, neighbour, replicas=1)
    await world.add_budget("cart", 1)
    await world.add_autoscaler(neighbour)

    live_state = await seen(world, ref)

    assert 1 == len(live_state.pods)
    assert ((), ()) == (live_state.budgets, live_state.autoscalers)


async def test_workloads_are_watched(world: World) -> None:
    """The watched view follows, by namespace, without its details being asked for."""
    first, second = ref_of(world), ref_of(world, "DaemonSet", "agent")
    await started(world, first)
    await started(world, second)
    both = world.cluster.workloads(world.namespace)
    await world.delete(first)
    await world.settle()

    assert {first, second} == {workload.ref for workload in both}
    assert [second] == [w.ref for w in world.cluster.workloads(world.namespace)]
    assert not world.cluster.workloads("another")


async def test_pause(world: World) -> None:
    """The operator is paused while the switch is there, and says why."""
    before = await world.cluster.paused()
    await world.set_paused(reason="a release is on its way")
    during = await world.cluster.paused()
    await world.set_paused(reason=None)
    after = await world.cluster.paused()

    running = model.PauseState(paused=False)
    assert (running, running) == (before, after)
    assert model.PauseState(paused=True, message="a release is on its way") == during
    assert before.server_time is not None
    assert after.server_time is not None
    assert before.server_time <= after.server_time


async def test_a_namespace_is_frozen_by_its_annotation(world: World) -> None:
    """The mark is seen at once, and its absence too."""
    before = await world.cluster.freeze(world.namespace)
    await world.set_frozen("true")
    during = await world.cluster.freeze(world.namespace)
    await world.set_frozen(None)
    after = await world.cluster.freeze(world.namespace)

    frozen = halts.Freeze(annotation="true")
    assert (halts.NOT_FROZEN, frozen, halts.NOT_FROZEN) == (before, during, after)


async def test_the_api_server_reads_how_long_an_effect_may_take(
    lab_world: LabWorld,
) -> None:
    """It refuses what is no time, and gives up what takes longer than it is told."""
    path = f"/api/v1/namespaces/{lab_world.namespace}/configmaps"
    body = {"metadata": {"name": "late"}, "data": {}}
    told = {}
    for limit in ("soon", "1ns", "10s"):
        reply = await lab_world.api.exchange("POST", path, {"timeout": limit}, body, mutating=True)
        told[limit] = reply.status
    assert {"soon": 400, "1ns": 504, "10s": 201} == told
