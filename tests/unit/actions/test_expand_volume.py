"""expandVolume: larger claims for the sick pods, within the policy's bound, and no way back."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from prunella.actions import expand_volume
from prunella.api import quantities, reasons, steps
from prunella.core import model
from prunella.core.changes import swaps
from prunella.core.decisions import action, claims, fields, restoring
from prunella.core.decisions.guards import ownership
from tests.unit.actions import manifests
from tests.unit.core import builders

Refused = reasons.Refused
SET = model.Ref("StatefulSet", "shop", "db")
FAST = model.Ref("StorageClass", "", "fast")
CLASS = {"metadata": {"name": "fast"}, "allowVolumeExpansion": True}
TEMPLATE = {
    "spec": {
        "volumeClaimTemplates": [
            {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "10Gi"}}}}
        ]
    }
}
STEP: dict[str, Any] = {"max": "40Gi", "allowOneWay": True}


def claim(asks: str = "10Gi", has: str | None = None, **changes: Any) -> Any:
    """A claim as the API server shows it."""
    status = {"phase": "Bound", "capacity": {"storage": has or asks}, **changes.pop("status", {})}
    metadata = {"name": "data-db-0", "namespace": "shop", "uid": "c", "resourceVersion": "5"}
    resources = {"requests": {"storage": asks}}
    spec = {"storageClassName": "fast", "resources": resources, **changes.pop("spec", {})}
    return {"metadata": {**metadata, **changes}, "spec": spec, "status": status}


def pod(number: int, **claims_: str) -> model.Pod:
    """A pod of the StatefulSet."""
    mounted = claims_ or {"data": f"data-db-{number}"}
    return model.Pod(f"db-{number}", f"uid-{number}", claims=mounted)


def live_state(*pods: model.Pod) -> model.LiveState:
    """The StatefulSet with its pods."""
    known = builders.workload(ref=SET, replicas=len(pods), template={})
    return model.LiveState(known, pods=pods or (pod(0),))


def finding(*sick: str) -> model.Finding:
    """A signal that names pods as sick."""
    unhealthy = model.Verdict.UNHEALTHY
    return model.Finding("disk", SET, unhealthy, "Above", "0.95 above 0.9", pods=sick)


def plan(
    shown: Any,
    step: dict[str, Any] | None = None,
    pods: tuple[model.Pod, ...] = (),
    sick: tuple[str, ...] = (),
    **looked: Any,
) -> Any:
    """What comes of a step; ``shown`` is the claim, or claims by name."""
    told = shown if shown is None or "metadata" not in shown else {"data-db-0": shown}
    seen: dict[model.Ref, Any] = {FAST: looked.get("class_", CLASS), SET: TEMPLATE}
    for name, each in (told or {"data-db-0": None}).items():
        seen[model.Ref(claims.CLAIM, "shop", name)] = each
    known = {ref: restoring.Looked(ref, each) for ref, each in seen.items()}
    if problem := looked.get("problem"):
        known[FAST] = restoring.Looked(FAST, None, problem=problem)
    request = manifests.request(
        live_state(*pods),
        {"expandVolume": {**STEP, **(step or {})}},
        findings=(finding(*sick),),
        looked=known,
    )
    return expand_volume.ExpandVolume().plan(request)


@pytest.mark.parametrize(
    ("shown", "step", "size"),
    [
        pytest.param(claim(), {}, "12800Mi", id="a quarter more"),
        pytest.param(claim(), {"by": "100%"}, "20Gi", id="in the largest whole unit"),
        pytest.param(claim("30Gi"), {"by": "100%"}, "40Gi", id="up to max"),
        pytest.param(claim(), {"max": "11", "by": "1%"}, None, id="above max already"),
        pytest.param(claim("10G"), {}, "12500M", id="decimal units stay decimal"),
        pytest.param(claim("8Gi", "10Gi"), {}, "12800Mi", id="of what the driver has given"),
        pytest.param(claim("512Gi"), {"by": "100%", "max": "2Ti"}, "1Ti", id="as it is stored"),
        pytest.param(claim("512Gi"), {"by": "90%", "max": "0.5Pi"}, "996148Mi", id="rounded up"),
        pytest.param(claim(), {"by": "90%", "max": "0.5Gi"}, None, id="max below what is there"),
    ],
)
def test_a_claim_asks_for_more(shown: Any, step: dict[str, Any], size: str | None) -> None:
    """Only what it asks for is written, under the version and value that were seen."""
    planned = plan(shown, step)
    if size is None:
        assert planned.reason is Refused.AT_BOUND
        return
    assert isinstance(planned, action.Plan), planned
    effect = manifests.kept(planned.effects[0])
    after = swaps.apply(effect.patch, shown)
    wanted = copy.deepcopy(shown)
    wanted["spec"]["resources"]["requests"]["storage"] = size
    assert wanted == after
    assert (effect.tested, effect.resource_version, effect.uid) == (True, "5", "c")


def test_nothing_undoes_it_and_an_edit_is_still_noticed() -> None:
    """Without an inverse the record still tells done from not done, and both from an edit."""
    (effect,) = plan(claim()).effects
    kept = manifests.kept(effect)
    done, edited = swaps.apply(kept.patch, claim()), claim("20Gi")
    assert () == kept.inverse
    seen = [restoring.as_written(kept, each) for each in (done, claim(), edited, None)]
    assert [True, False, None, None] == seen


@pytest.mark.parametrize(
    ("sick", "expected"),
    [
        pytest.param(("db-1",), ["data-db-1"], id="of the sick pod"),
        pytest.param((), ["data-db-0", "data-db-1"], id="of all, where none is named"),
    ],
)
def test_the_claims_of_the_sick_pods_grow(sick: tuple[str, ...], expected: list[str]) -> None:
    """One effect for each; a claim that all pods share is raised once."""
    shown = {name: claim(name=name) for name in ("data-db-0", "data-db-1")}
    planned = plan(shown, pods=(pod(0), pod(1)), sick=sick)
    assert expected == [each.target.name for each in planned.effects]
    shared = plan({"files": claim()}, pods=(pod(0, files="files"), pod(1, files="files")))
    assert ["files"] == [each.target.name for each in shared.effects]


def test_a_claim_at_its_bound_does_not_hold_up_the_others() -> None:
    """It is passed over."""
    shown = {"data-db-0": claim("40Gi"), "data-db-1": claim()}
    planned = plan(shown, pods=(pod(0), pod(1)))
    assert ["data-db-1"] == [each.target.name for each in planned.effects]


def test_the_record_notes_what_the_template_still_asks_for() -> None:
    """A StatefulSet's template can't be changed, and further replicas begin with it."""
    (effect,) = plan(claim()).effects
    assert effect.summary == (
        "expand PersistentVolumeClaim/data-db-0 from 10Gi to 12800Mi, one way; "
        "volumeClaimTemplate data of StatefulSet/db still asks for 10Gi and can't be changed: "
        "further replicas begin with that"
    )


CLAIM = "PersistentVolumeClaim/data-db-0"
RESIZING = {"type": "Resizing", "status": "True"}
FILES = {"type": "FileSystemResizePending", "status": "True", "message": "waiting for the pod"}
ENDED = {"type": "Resizing", "status": "False"}


@pytest.mark.parametrize(
    ("shown", "options", "reason", "message", "skips"),
    [
        pytest.param(
            claim(),
            {"class_": {**CLASS, "allowVolumeExpansion": False}},
            Refused.NOT_WRITABLE,
            f"StorageClass/fast of {CLAIM} has allowVolumeExpansion: false",
            True,
            id="the class does not allow it",
        ),
        pytest.param(
            claim(),
            {"class_": None},
            Refused.NOT_WRITABLE,
            f"StorageClass/fast of {CLAIM} is not there",
            True,
            id="no such class",
        ),
        pytest.param(
            claim(spec={"storageClassName": ""}),
            {},
            Refused.NOT_WRITABLE,
            f"{CLAIM} has no StorageClass: its volume was made by hand, and can't grow",
            True,
            id="no class",
        ),
        pytest.param(
            claim("20Gi", "10Gi"),
            {},
            Refused.RESIZE_PENDING,
            f"{CLAIM} is being made larger already: it asks for 20Gi and has 10Gi",
            False,
            id="the last request is not met",
        ),
        pytest.param(
            claim("20Gi", "10Gi", status={"conditions": [RESIZING]}),
            {},
            Refused.RESIZE_PENDING,
            f"{CLAIM} is being made larger already: it asks for 20Gi and has 10Gi; Resizing",
            False,
            id="the driver is at work",
        ),
        pytest.param(
            claim(status={"conditions": [FILES]}),
            {},
            Refused.RESIZE_PENDING,
            f"{CLAIM} is being made larger already: FileSystemResizePending (waiting for the pod)",
            False,
            id="the file system is still small",
        ),
        pytest.param(
            claim(
                "20Gi",
                "10Gi",
                status={"allocatedResourceStatuses": {"storage": "ControllerResizeInfeasible"}},
            ),
            {},
            Refused.RESIZE_PENDING,
            f"{CLAIM} is being made larger already: it asks for 20Gi and has 10Gi; "
            "ControllerResizeInfeasible",
            False,
            id="the driver can't",
        ),
        pytest.param(
            claim("40Gi"),
            {},
            Refused.AT_BOUND,
            f"{CLAIM} has 40Gi, max is 40Gi",
            True,
            id="at its bound",
        ),
        pytest.param(
            claim(status={"phase": "Pending"}),
            {},
            Refused.NOT_WRITABLE,
            f"{CLAIM} is Pending: it can't grow",
            True,
            id="not bound",
        ),
        pytest.param(
            claim(deletionTimestamp="2026-01-01T00:00:00Z"),
            {},
            Refused.NOT_WRITABLE,
            f"{CLAIM} is being deleted: it can't grow",
            True,
            id="being deleted",
        ),
        pytest.param(
            None,
            {},
            Refused.NOT_WRITABLE,
            f"{CLAIM} is not there: nothing to write to",
            True,
            id="no such claim",
        ),
        pytest.param(
            claim(),
            {"pods": (pod(0, data="a", logs="b"),)},
            Refused.NOT_WRITABLE,
            "several claims among the volumes of StatefulSet/db's pods; claims are: data, logs",
            True,
            id="which of two volumes",
        ),
        pytest.param(
            claim(),
            {"step": {"volume": "cache"}},
            Refused.NOT_WRITABLE,
            "no volume cache that is a claim among the volumes of StatefulSet/db's pods; "
            "claims are: data",
            True,
            id="a volume that is no claim",
        ),
        pytest.param(
            claim(),
            {"pods": (dataclasses.replace(pod(0), claims={}),)},
            Refused.NOT_WRITABLE,
            "no claim among the volumes of StatefulSet/db's pods; claims are: none",
            True,
            id="no volumes",
        ),
        pytest.param(
            claim(),
            {"pods": tuple(map(pod, range(11)))},
            Refused.AT_BOUND,
            "11 claims of StatefulSet/db are meant, 10 grow at once at most",
            True,
            id="too many at once",
        ),
    ],
)
def test_it_is_refused_with_what_was_compared(
    shown: Any, options: dict[str, Any], reason: reasons.Refused, message: str, skips: bool
) -> None:
    """What is under way is waited for; all else lets the next step be tried."""
    assert model.Refusal(reason, message, skip_step=skips) == plan(shown, **options)


def test_a_resize_that_is_over_is_no_reason_to_wait() -> None:
    """Conditions may stay behind with the status False."""
    assert isinstance(plan(claim(status={"conditions": [ENDED]})), action.Plan)


def test_a_class_that_cant_be_read_is_left_to_the_api_server() -> None:
    """Its admission plugin refuses the dry run: with rights in namespaces alone nobody else can."""
    assert isinstance(plan(claim(), problem="forbidden"), action.Plan)


def test_it_asks_to_see_the_class_and_the_template() -> None:
    """Before it decides anything."""
    seen = {model.Ref(claims.CLAIM, "shop", "data-db-0"): claim()}
    known = {ref: restoring.Looked(ref, each) for ref, each in seen.items()}
    request = manifests.request(
        live_state(), {"expandVolume": STEP}, findings=(finding(),), looked=known
    )
    needs = expand_volume.ExpandVolume().plan(request)
    assert isinstance(needs, tuple)
    assert [FAST, SET] == [need.target for need in needs]


def test_all_claims_are_written_in_the_eyes_of_the_guards() -> None:
    """So that ownership and other actions under way are judged for each."""
    params = steps.Step.model_validate({"expandVolume": STEP}).params
    refs = [model.Ref(claims.CLAIM, "shop", f"data-db-{number}") for number in (0, 1)]
    expected = fields.Written(refs[0], (claims.REQUEST,), (refs[1],))
    assert expected == fields.written(params, live_state(pod(0), pod(1)))


def test_a_claim_of_somebody_else_refuses_all() -> None:
    """Whichever of them it is; and each of them is looked at for other actions on it."""
    refs = [model.Ref(claims.CLAIM, "shop", f"data-db-{number}") for number in (0, 1)]
    owned = claim(annotations={"argocd.argoproj.io/tracking-id": "x"})
    case = builders.case(
        action="expandVolume",
        written=fields.Written(refs[0], (claims.REQUEST,), (refs[1],)),
        looked=restoring.Looked(refs[0], claim()),
        also=(restoring.Looked(refs[1], owned),),
    )
    answer = ownership.not_owned_by_others(case)
    assert isinstance(answer, model.Refusal)
    assert Refused.OWNED_BY_GITOPS is answer.reason
    assert set(refs) <= case.touched


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, {}, id="no volumes"),
        pytest.param(
            {
                "volumes": [
                    {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
                    {"name": "tmp", "emptyDir": {}},
                    {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
                ]
            },
            {"data": "data-db-0"},
            id="claims alone; one that comes with the pod goes with it",
        ),
    ],
)
def test_the_claims_of_a_pod(spec: dict[str, Any], expected: dict[str, str]) -> None:
    """By the name of the volume."""
    assert expected == claims.named(spec)


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("1024Gi", "1Ti"),
        ("1536Mi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("512", "512"),
        ("1500000000", "1500M"),
        ("2000M", "2G"),
        ("0.5", "500m"),
        ("3000m", "3"),
        ("1e3", "1e3"),
        ("0Gi", "0"),
        (12, "12"),
    ],
)
def test_quantities_as_the_api_server_stores_them(quantity: int | str, expected: str) -> None:
    """Else what it stores would look like somebody's edit."""
    assert expected == quantities.canonical(quantity)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"max": "40Gi"}, "allowOneWay must be true", id="not accepted"),
        pytest.param({"allowOneWay": True}, "max", id="no bound"),
        pytest.param({**STEP, "max": "much"}, "a quantity such as 512Mi", id="no quantity"),
        pytest.param({**STEP, "max": 0}, "at least one byte, found 0", id="nothing"),
        pytest.param({**STEP, "by": "3Gi"}, "a percentage", id="no percentage"),
        pytest.param({**STEP, "volume": "Data"}, "volume", id="no name"),
    ],
)
def test_a_step_that_makes_no_sense_is_told(params: dict[str, Any], message: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(ValueError, match=message):
        steps.Step.model_validate({"expandVolume": params})
