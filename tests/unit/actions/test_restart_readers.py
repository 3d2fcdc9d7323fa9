"""The restart of those that have read a restored ConfigMap."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.actions import restart_readers
from prunella.api import reasons
from prunella.api import restore as restore_api
from prunella.core import model
from prunella.core.changes import swaps
from prunella.core.decisions import action, restoring
from tests.unit.core import builders
from tests.unit.core.changes import objects, test_undo

Refused = reasons.Refused
FLAGS = model.Ref("ConfigMap", "shop", "flags")
AT = "kubectl.kubernetes.io/restartedAt"
WHEN = "2026-03-01T12:00:00Z"
OLD = objects.config_map(mode="fast")
NEW = {**objects.later(OLD), "data": {"mode": "slow"}}
CHANGE = objects.change(OLD, NEW, "ConfigMap")
READS = {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "mode"}}}


def manifest(name: str, annotations: Any = None, **spec: Any) -> dict[str, Any]:
    """A Deployment that reads the ConfigMap."""
    metadata = {"labels": {"app": name}, **({"annotations": annotations} if annotations else {})}
    pod = {"containers": [{"name": "app", "env": [READS]}]}
    whole = {"template": {"metadata": metadata, "spec": pod}, **spec}
    meta = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "generation": 7}
    return {"kind": "Deployment", "metadata": meta, "spec": whole}


def looked(*names: str) -> restoring.Looked:
    """The ConfigMap with its readers."""
    neighbours = {builders.ref(name): manifest(name) for name in names}
    return restoring.Looked(FLAGS, NEW, CHANGE, neighbours=neighbours)


def plan(
    seen: restoring.Looked, readers: dict[str, restoring.Looked], word: str = "AtStart"
) -> restart_readers.Effects | model.Refusal | tuple[model.Need, ...]:
    """What is planned, having looked at some readers."""
    params = restore_api.Restore.model_validate({"kinds": ["ConfigMap"], "restartReaders": word})
    request = action.Request(
        live_state=model.LiveState(builders.workload("checkout")),
        params=params,
        findings=(),
        verdicts_at={},
        decided_at=builders.NOW,
        now=builders.NOW,
        looked={builders.ref(name): each for name, each in readers.items()},
    )
    return restart_readers.plan(request, seen, params)


WAYS = [
    pytest.param(None, id="no annotations"),
    pytest.param({"a": "1"}, id="others"),
    pytest.param({AT: "2026-01-01T00:00:00Z"}, id="restarted before"),
]


@pytest.mark.parametrize("annotations", WAYS)
def test_a_restart_is_undone_to_the_byte(annotations: Any) -> None:
    """Whatever the template's annotations were; both patches test what they replace."""
    before = manifest("web", annotations)
    effect = restart_readers.restarting(builders.ref("web"), before, WHEN, FLAGS)
    after = swaps.apply(effect.patch, before)
    assert after["spec"]["template"]["metadata"]["annotations"] == {**(annotations or {}), AT: WHEN}
    assert swaps.apply(effect.inverse, after) == before
    assert (effect.tested, effect.uid, effect.generation) == (True, "uid-web", 7)
    assert [swaps.fits(effect.patch, after), swaps.fits(effect.inverse, before)] == [False, False]


def test_readers_are_looked_at_first() -> None:
    """A patch tests the generation, and so needs the workload as it is."""
    need = model.Need(model.NeedKind.OBJECT, builders.ref("web"))
    assert (need,) == plan(looked("web"), {})


def meta(**fields: Any) -> dict[str, Any]:
    """A reader with more metadata."""
    whole = manifest("web")
    return {**whole, "metadata": {**whole["metadata"], **fields}}


def rolled(updated: int, **status: Any) -> dict[str, Any]:
    """A reader whose rollout has come so far."""
    counts = {"observedGeneration": 7, "replicas": 3, "updatedReplicas": updated, **status}
    return {**manifest("web", replicas=3), "status": counts}


CONTROLLER = {"kind": "Rollout", "name": "web", "controller": True}


def owner(manager: str, **template: Any) -> dict[str, Any]:
    """An entry of managedFields about the pod template."""
    return {"manager": manager, "fieldsV1": {"f:spec": {"f:template": template}}}


def annotated(name: str) -> dict[str, Any]:
    """What managedFields say of one annotation of the template."""
    return {"f:metadata": {"f:annotations": {".": {}, f"f:{name}": {}}}}


ARGO = owner("argocd-controller", **annotated(AT))
HELM = owner("helm", **annotated("checksum/config"), **{"f:spec": {"f:containers": {}}})
SCALER = {"manager": "argocd-controller", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


def seen(each: dict[str, Any] | None, problem: str = "") -> restoring.Looked:
    """A reader as it was looked at."""
    return restoring.Looked(builders.ref("web"), each, problem=problem)


ENDS = [
    pytest.param(seen(manifest("web")), ["restart Deployment/web"], id="restarted"),
    pytest.param(seen(None), [], id="gone meanwhile"),
    pytest.param(seen(manifest("web", replicas=0)), [], id="without pods"),
    pytest.param(seen(None, "can't look"), Refused.FORBIDDEN, id="may not be read"),
    pytest.param(seen(manifest("web", paused=True)), Refused.ROLLOUT_PAUSED, id="paused"),
    pytest.param(
        seen(manifest("web", updateStrategy={"type": "OnDelete"})),
        Refused.UPDATE_STRATEGY,
        id="OnDelete",
    ),
    pytest.param(
        seen(meta(ownerReferences=[CONTROLLER])), Refused.OWNED_BY_CONTROLLER, id="controlled"
    ),
    pytest.param(
        seen(meta(annotations={"argocd.argoproj.io/tracking-id": "x"})),
        Refused.OWNED_BY_GITOPS,
        id="marked by a tool that deploys",
    ),
    pytest.param(
        seen(meta(managedFields=[ARGO])), Refused.OWNED_BY_GITOPS, id="its restarts are another's"
    ),
    pytest.param(
        seen(meta(managedFields=[HELM])),
        ["restart Deployment/web"],
        id="deployed by Helm, with annotations of its own",
    ),
    pytest.param(
        seen(meta(managedFields=[SCALER])),
        ["restart Deployment/web"],
        id="its replicas are another's",
    ),
    pytest.param(seen(rolled(2)), Refused.ROLLOUT_IN_PROGRESS, id="being rolled out"),
    pytest.param(
        seen(rolled(3, observedGeneration=6)), Refused.ROLLOUT_IN_PROGRESS, id="just written"
    ),
    pytest.param(seen(rolled(3)), ["restart Deployment/web"], id="rolled out"),
    pytest.param(
        seen(rolled(1, conditions=[STUCK])), ["restart Deployment/web"], id="a stuck rollout"
    ),
]


@pytest.mark.parametrize(("reader", "expected"), ENDS)
def test_what_becomes_of_a_reader(reader: restoring.Looked, expected: Any) -> None:
    """It is restarted, needs none, or is the reason why nothing is done."""
    found = plan(looked("web"), {"web": reader})
    if isinstance(found, model.Refusal):
        assert found.reason == expected
        assert "Deployment/web" in found.message or found.reason is Refused.FORBIDDEN
        return
    told = [each.summary.partition(",")[0] for each in found if isinstance(each, model.Effect)]
    assert told == expected


def test_never_is_refused_where_all_read_at_start() -> None:
    """It would keep the old values; the next step may be tried."""
    refusal = plan(looked("web"), {}, "Never")
    assert isinstance(refusal, model.Refusal)
    assert (Refused.NEEDS_RESTART, True) == (refusal.reason, refusal.skip_step)
    assert "Deployment/web read ConfigMap/flags as they started" in refusal.message


def test_not_half_a_namespace_is_restarted() -> None:
    """What so many read is for a person, or for a step of its own."""
    names = [f"w{number}" for number in range(6)]
    refusal = plan(looked(*names), {})
    assert isinstance(refusal, model.Refusal)
    assert refusal.reason is Refused.AT_BOUND
    assert "6 workloads read ConfigMap/flags, at most 5" in refusal.message


def test_a_deleted_config_map_needs_no_restart() -> None:
    """Who has read it holds what was right; who could not start tries again."""
    gone = restoring.Looked(
        FLAGS,
        None,
        test_undo.deleted(OLD, test_undo.CONFIG_MAP),
        neighbours=looked("web").neighbours,
    )
    assert () == plan(gone, {}, "Never")
