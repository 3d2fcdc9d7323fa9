"""What each action plans is carried out in the simulation as on a real API server.

Every action of the registry has a row here, or files of its own that are named in `ELSEWHERE`.  Its
own planner makes the effects.  What a row shows: the object afterwards is what the effect says, the
same effect again is refused, a change in between is refused, and the way back is to the byte.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

import pytest

from prunella import ports
from prunella.actions import restart
from prunella.core import model, pointers
from prunella.core.changes import swaps
from tests.contract.action_plans import (
    ACTIONS,
    NONE_TO_UNDO,
    Given,
    Manifest,
    cron_job,
    people_write,
    planned,
    told,
    way_back,
    workload,
)
from tests.contract.test_action_pods_contract import EVICTIONS, JOBS
from tests.contract.test_restore_contract import send, shown
from tests.contract.worlds import World
from tests.unit.actions import manifests

ROOT = pathlib.Path(__file__).parents[2]
ELSEWHERE: dict[str, tuple[str, ...]] = {
    "abortRollout": ("tests/contract/test_rollouts_contract.py",),
    "cordon": ("tests/contract/test_node_contract.py",),
    "drain": ("tests/contract/test_node_contract.py",),
    "expandVolume": ("tests/contract/test_volume_contract.py",),
    "gitRevert": (
        "tests/adapters/git/test_contract.py",
        "tests/e2e/stories/test_git_revert.py",
    ),
    "helmRollback": (
        "tests/contract/test_helm_contract.py",
        "tests/engine/test_helm_rollback.py",
    ),
    "patchField": ("tests/contract/test_field_contract.py",),
    "promote": ("tests/contract/test_rollouts_contract.py",),
    "renewCertificate": ("tests/contract/test_certificate_contract.py",),
    "resize": ("tests/contract/test_field_contract.py",),
    "restore": ("tests/contract/test_restore_contract.py",),
    "returnNode": ("tests/contract/test_node_contract.py",),
    "returnTraffic": ("tests/contract/test_traffic_contract.py",),
    "shiftTraffic": ("tests/contract/test_traffic_contract.py",),
    "uncordon": ("tests/contract/test_node_contract.py",),
    "webhook": ("tests/contract/test_outward_contract.py",),
}
"""Actions with contract files of their own, as they need more of a world than an object."""


def released(kind: str) -> Given:
    """Given a workload with a release after its first one."""

    async def given(world: World) -> model.Ref:
        ref = await workload(kind)(world)
        await world.set_image(ref, "shop/app:v2")
        return ref

    return given


async def scaled(world: World) -> model.Ref:
    """Given a Deployment with an autoscaler."""
    ref = await workload("Deployment", 2)(world)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"minReplicas": 2, "maxReplicas": 5, "scaleTargetRef": target}
    scaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    await world.add_object({**scaler, "metadata": {"name": "web"}, "spec": spec})
    return ref


async def limited(world: World) -> model.Ref:
    """Given a quota that has no room for any pod."""
    ref = await workload("Deployment", 0)(world)
    spec = {"hard": {"pods": "0"}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "web"}}
    await world.add_object({**quota, "spec": spec})
    return ref


@dataclasses.dataclass(frozen=True, slots=True)
class Patch:
    """An action that writes one field."""

    step: Manifest
    given: Given
    pointer: str
    wanted: object
    undone: bool = True
    """Whether the operator takes it back by itself."""

    @property
    def action(self) -> str:
        """Its name."""
        (name,) = self.step
        return str(name)


RESTARTED = f"/spec/template/metadata/annotations/{pointers.part(restart.RESTARTED_AT)}"
WHEN = manifests.NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
IMAGE = "/spec/template/spec/containers/0/image"
PATCHES: dict[str, Patch] = {
    **{
        f"restart of a {kind}": Patch(
            {"restart": {}}, workload(kind), RESTARTED, WHEN, undone=False
        )
        for kind in ("Deployment", "StatefulSet", "DaemonSet")
    },
    **{
        f"rollback of a {kind}": Patch(
            {"rollback": {"to": "Previous"}}, released(kind), IMAGE, "shop/app:v1", undone=False
        )
        for kind in ("Deployment", "StatefulSet", "DaemonSet")
    },
    **{
        f"scale of a {kind}": Patch({"scale": {"by": 1}}, workload(kind), "/spec/replicas", 2)
        for kind in ("Deployment", "StatefulSet", "Rollout")
    },
    "suspendCronJob": Patch({"suspendCronJob": {}}, cron_job, "/spec/suspend", wanted=True),
    "scaleBounds": Patch(
        {"scaleBounds": {"bound": "Min", "by": 1, "max": 9}}, scaled, "/spec/minReplicas", 3
    ),
    "raiseQuota": Patch(
        {"raiseQuota": {"name": "web", "ceilings": {"pods": 9}}}, limited, "/spec/hard/pods", "1"
    ),
}
EDITS: dict[str, Manifest] = {
    "CronJob": {"op": "add", "path": "/spec/successfulJobsHistoryLimit", "value": 7},
    "HorizontalPodAutoscaler": {"op": "replace", "path": "/spec/maxReplicas", "value": 6},
    "ResourceQuota": {"op": "add", "path": "/spec/hard/services", "value": "9"},
}
"""What somebody else writes meanwhile; of a workload the number of revisions that it keeps."""
A_WORKLOADS_EDIT = {"op": "add", "path": "/spec/revisionHistoryLimit", "value": 7}


@pytest.mark.parametrize("name", PATCHES)
async def test_a_field_is_written_at_most_once_and_put_back(world: World, name: str) -> None:
    """Tried first without a trace; the repeat is refused; the way back leaves all as it was."""
    case = PATCHES[name]
    ref = await case.given(world)
    effects = await planned(world, ref, case.step)
    (effect,) = effects
    before = people_write(await shown(world, effect.target))

    assert ports.Outcome.WOULD_SUCCEED is (await send(world, effect, dry_run=True)).outcome
    assert before == people_write(await shown(world, effect.target))
    assert (ports.Outcome.EFFECTIVE, 200) == told(await send(world, effect))
    after = await shown(world, effect.target)
    wanted = [{"op": "test", "path": case.pointer, "value": case.wanted}]
    assert (False, True) == (swaps.fits(wanted, before), swaps.fits(wanted, after))
    assert (ports.Outcome.REFUSED, 422) == told(await send(world, effect))

    back = await way_back(world, ref, effects)
    if not case.undone:
        assert NONE_TO_UNDO == back
        return
    assert isinstance(back, model.Effect), back
    assert ports.Outcome.EFFECTIVE is (await send(world, back)).outcome
    assert before == people_write(await shown(world, effect.target))


@pytest.mark.parametrize("name", [name for name in PATCHES if "Rollout" not in name])
async def test_a_field_is_not_written_after_somebody_elses_edit(world: World, name: str) -> None:
    """Of any field of the spec: the version that it was planned for is tested.

    Rollouts are patched as Deployments are, and take ten times as long.
    """
    case = PATCHES[name]
    (effect,) = await planned(world, await case.given(world), case.step)
    await world.edit_object(effect.target, EDITS.get(effect.target.kind, A_WORKLOADS_EDIT))
    edited = people_write(await shown(world, effect.target))
    assert (ports.Outcome.REFUSED, 422) == told(await send(world, effect))
    assert edited == people_write(await shown(world, effect.target))


def _named() -> dict[str, tuple[str, ...]]:
    """The actions that have a row or files, each with the files."""
    here = str(pathlib.Path(__file__).relative_to(ROOT))
    rows = {*(case.action for case in PATCHES.values()), *EVICTIONS, *JOBS, "revert"}
    return {**dict.fromkeys(rows, (here,)), **ELSEWHERE}


def test_every_action_has_a_contract() -> None:
    """A new action is no part of the registry without one."""
    assert sorted(ACTIONS) == sorted(_named())
    assert set() == {*PATCHES, *EVICTIONS, *JOBS} & set(ELSEWHERE)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_contract_elsewhere_names_its_action(name: str) -> None:
    """In the policy's words, or by the module that plans it."""
    snake = re.sub(r"(?=[A-Z])", "_", name).lower()
    for path in ELSEWHERE[name]:
        assert re.search(rf"\b({name}|{snake})\b", (ROOT / path).read_text()), path
