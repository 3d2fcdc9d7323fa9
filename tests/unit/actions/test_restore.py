"""restore: what is planned for a suspected object, and what never is."""

from __future__ import annotations

import datetime
from typing import Any

import pydantic
import pytest

from prunella.actions import restore, revert
from prunella.api import change as change_api
from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.api import restore as restore_api
from prunella.core import model
from prunella.core.changes.values import Change
from prunella.core.decisions import action, restoring
from tests.unit.actions import manifests
from tests.unit.core import builders
from tests.unit.core.changes import objects, test_undo

Refused = reasons.Refused
SERVICE = model.Ref("Service", "shop", "cart")
FLAGS = model.Ref("ConfigMap", "shop", "flags")
NOW = objects.NOW + datetime.timedelta(minutes=5)
ALL = [kind.value for kind in restore_api.RestoredKind]
PORT = test_undo.changed(test_undo.service(), test_undo.service(9999))
DELETED = test_undo.but(test_undo.deleted(test_undo.service()), at=objects.NOW)
CREATED = test_undo.but(test_undo.created(objects.config_map(mode="fast")), at=objects.NOW)


def request(looked: restoring.Looked | None, **params: Any) -> action.Request:
    """A request to restore a suspect."""
    step = restore_api.Restore.model_validate({"kinds": ALL, **params})
    suspect = looked.ref if looked is not None else None
    return action.Request(
        live_state=model.LiveState(manifests.workload(manifests.deployment())),
        params=step,
        findings=(),
        verdicts_at={},
        decided_at=NOW,
        now=NOW,
        looked={looked.ref: looked} if looked is not None else {},
        suspect=suspect,
    )


def plan(looked: restoring.Looked | None, **params: Any) -> action.Plan | model.Refusal:
    """What is planned."""
    return restore.Restore().plan(request(looked, **params))


def seen(**changes: Any) -> restoring.Looked:
    """Service cart with a wrong targetPort, and the Change that wrote it."""
    fields = {"ref": SERVICE, "manifest": test_undo.service(9999), "change": PORT, **changes}
    return restoring.Looked(**fields)


def test_an_object_without_a_generation_is_patched_in_its_version() -> None:
    """UID, version and every value that is replaced are tested; the inverse is recorded."""
    planned = plan(seen())
    assert isinstance(planned, action.Plan)
    (effect,) = planned.effects
    assert ("u-3", None, "10", True) == (
        effect.uid,
        effect.generation,
        effect.resource_version,
        effect.tested,
    )
    assert effect.summary == (
        "restore spec.ports[name=http].targetPort of Service/cart as before "
        f"{PORT.name} of 2026-03-01T12:00:00Z"
    )
    assert [8080, 9999] == [ops[-1]["value"] for ops in (effect.patch, effect.inverse)]


def test_an_object_with_a_generation_is_patched_in_that() -> None:
    """Its version changes with each write of its status."""
    old, new = objects.deployment(), objects.later(objects.deployment(), generation=4)
    objects.image_of(new)["image"] = "registry.example/shop/checkout:1.5.0"
    change = objects.change(old, new)
    planned = plan(restoring.Looked(model.Ref("Deployment", "shop", "checkout"), new, change))
    assert isinstance(planned, action.Plan)
    assert (4, "") == (planned.effects[0].generation, planned.effects[0].resource_version)


HOST = {"name": "host", "hostPath": {"path": "/"}}
DEBUG = {"name": "debug", "image": "x", "securityContext": {"capabilities": {"add": ["ALL"]}}}


def _pod(manifest: dict[str, Any]) -> Any:
    return manifest["spec"]["template"]["spec"]


ELEMENTS = [
    pytest.param("volumes", HOST, "hostPath", id="a volume of the host"),
    pytest.param("containers", DEBUG, "securityContext, capabilities", id="a container"),
    pytest.param("volumes", {"name": "tmp", "emptyDir": {}}, "", id="a harmless volume"),
]


@pytest.mark.parametrize("taken_away", [True, False])
@pytest.mark.parametrize(("place", "element", "given"), ELEMENTS)
def test_what_gives_rights_is_found_within_elements(
    place: str, element: dict[str, Any], given: str, *, taken_away: bool
) -> None:
    """An element is one path, so its values tell; taking it away again widens nothing."""
    less, more = objects.deployment(), objects.deployment()
    for each in (less, more):
        _pod(each).setdefault("volumes", []).append({"name": "a", "emptyDir": {}})
    _pod(more)[place].append(element)
    old, new = (more, less) if taken_away else (less, more)
    new = objects.later(new, generation=4)
    ref = model.Ref("Deployment", "shop", "checkout")
    planned = plan(restoring.Looked(ref, new, objects.change(old, new)))
    if given and taken_away:
        assert isinstance(planned, model.Refusal)
        assert (Refused.WIDENS_RIGHTS, True) == (planned.reason, planned.skip_step)
        assert planned.message.startswith(f"{given} of Deployment/checkout says who may do what")
    else:
        assert isinstance(planned, action.Plan)


def test_what_gives_rights_is_not_made_again() -> None:
    """A deleted object is made again as a whole, with all that it gave."""
    service = {**test_undo.service(), "spec": {"ports": [], "hostNetwork": True}}
    change = test_undo.but(test_undo.deleted(service), at=objects.NOW)
    refusal = plan(restoring.Looked(SERVICE, None, change))
    assert isinstance(refusal, model.Refusal)
    assert refusal.reason is Refused.WIDENS_RIGHTS


def told(change: Change, kind: str) -> Change:
    """The Change as one of another kind."""
    object_ = change.spec.object.model_copy(update={"kind": kind})
    return test_undo.but(change, object=object_)


def paths(*names: str) -> Change:
    """A Change of these fields."""
    fields = [change_api.FieldChange(path=name, old="1", new="2") for name in names]
    return test_undo.but(told(PORT, "Deployment"), fields=fields)


POD = "spec.template.spec"
REFUSALS = [
    pytest.param(None, {}, "NOT_THE_CAUSE", "no incident suspects", id="no suspect"),
    pytest.param(seen(change=None), {}, "NO_CHANGE", "no change of Service/cart", id="no change"),
    pytest.param(
        seen(change=told(PORT, "Role")), {}, "WIDENS_RIGHTS", "Role/cart says who may", id="a Role"
    ),
    pytest.param(
        seen(change=told(PORT, "ServiceAccount")),
        {},
        "WIDENS_RIGHTS",
        "restore it by hand",
        id="a ServiceAccount",
    ),
    *(
        pytest.param(
            seen(change=paths(f"{POD}.{field}")), {}, "WIDENS_RIGHTS", field, id=f"pods: {field}"
        )
        for field in (
            "serviceAccountName",
            "hostNetwork",
            "containers[name=app].securityContext.runAsUser",
            "volumes[name=v].hostPath.path",
        )
    ),
    pytest.param(
        seen(), {"kinds": ["ConfigMap"]}, "NOT_ALLOWED", "kinds is ConfigMap", id="another kind"
    ),
    pytest.param(
        seen(), {"fields": ["spec.port"]}, "NOT_ALLOWED", "fields is spec.port", id="not its start"
    ),
    pytest.param(
        seen(change=test_undo.but(PORT, by=change_api.Author(own=True))),
        {},
        "NO_CHANGE",
        "the operator's own change",
        id="its own",
    ),
    pytest.param(
        seen(),
        {"changeWithin": "4m"},
        "NOT_CHANGED_RECENTLY",
        "is 300 s old, changeWithin is 240 s",
        id="too old",
    ),
    *(
        pytest.param(
            seen(change=told(change, kind)),
            {"undoCreated": True, "kinds": [kind]},
            "NOT_ALLOWED",
            f"{kind}s are not created or deleted",
            id=f"{how} {kind}",
        )
        for kind, change, how in (
            ("Deployment", DELETED, "a deleted"),
            ("StatefulSet", DELETED, "a deleted"),
            ("DaemonSet", CREATED, "a created"),
            ("CronJob", CREATED, "a created"),
        )
    ),
    pytest.param(
        seen(change=told(PORT, "PersistentVolumeClaim")),
        {},
        "NOT_ALLOWED",
        "PersistentVolumeClaim/cart is suspected, and kinds is",
        id="a claim",
    ),
    pytest.param(
        restoring.Looked(FLAGS, objects.config_map(mode="fast"), CREATED),
        {},
        "NOT_ALLOWED",
        "was created, and undoCreated is false",
        id="created",
    ),
    pytest.param(
        restoring.Looked(
            FLAGS,
            objects.config_map(mode="fast"),
            CREATED,
            neighbours={
                builders.ref("web"): {
                    "spec": {
                        "template": {
                            "spec": {"volumes": [{"name": "v", "configMap": {"name": "flags"}}]}
                        }
                    }
                }
            },
        ),
        {"undoCreated": True},
        "STILL_REFERRED_TO",
        "1 objects refer to it: Deployment/web",
        id="referred to",
    ),
    pytest.param(
        seen(problem="can't look at Service/cart: forbidden"),
        {},
        "FORBIDDEN",
        "forbidden",
        id="may not be read",
    ),
    pytest.param(seen(manifest=None), {}, "CHANGED_SINCE", "is gone", id="an obstacle"),
]


@pytest.mark.parametrize(("looked", "params", "reason", "message"), REFUSALS)
def test_refusals(
    looked: restoring.Looked | None, params: dict[str, Any], reason: str, message: str
) -> None:
    """Each has a reason of its own and says what was compared."""
    refusal = plan(looked, **params)
    assert isinstance(refusal, model.Refusal)
    assert (Refused[reason], True) == (refusal.reason, message in refusal.message), refusal.message
    assert refusal.skip_step == (reason != "FORBIDDEN")


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        (["spec.ports"], True),
        (["spec"], True),
        (["spec.ports[name=http].targetPort"], True),
        (["spec.ports[name=h"], False),
        (["data", "spec.selector"], False),
    ],
)
def test_fields_are_prefixes_of_whole_parts(fields: list[str], *, allowed: bool) -> None:
    """``spec.port`` is not the start of ``spec.ports``."""
    assert allowed == isinstance(plan(seen(), fields=fields), action.Plan)


def test_the_way_back_is_refused_when_somebody_has_edited() -> None:
    """A person's later edit of a restored field is never overwritten."""
    planned = plan(seen())
    assert isinstance(planned, action.Plan)
    record = builders.record("R", effects=planned.effects)
    for port, expected in ((8080, action.Plan), (7, model.Refusal)):
        looked = restoring.Looked(SERVICE, test_undo.service(port))
        asked = manifests.request(
            model.LiveState(manifests.workload(manifests.deployment())), follows=record
        )
        asked = action.Request(**{**_fields(asked), "looked": {SERVICE: looked}})
        undone = revert.Revert().plan(asked)
        assert isinstance(undone, expected)
        if isinstance(undone, action.Plan):
            (effect,) = undone.effects
            assert (planned.effects[0].inverse, planned.effects[0].patch) == (
                effect.patch,
                effect.inverse,
            )


def _fields(asked: action.Request) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in action.Request.__slots__}


BAD = [
    pytest.param({}, "kinds", id="without kinds"),
    pytest.param({"kinds": []}, "at least 1 item", id="no kind"),
    pytest.param({"kinds": ["Secret"]}, "'Service', 'NetworkPolicy'", id="a Secret"),
    pytest.param({"kinds": ["Service"], "fields": ["/spec"]}, "match pattern", id="a pointer"),
    pytest.param({"kinds": ["Service"], "maxHealthyDependents": -1}, "greater", id="below 0"),
    pytest.param(
        {"kinds": ["Service"], "restartReaders": "All"},
        "restartReaders needs ConfigMap among kinds",
        id="readers of nothing",
    ),
    pytest.param({"kinds": ["ConfigMap"], "restartReaders": True}, "'Never'", id="not a word"),
]


@pytest.mark.parametrize(("step", "message"), BAD)
def test_bad_input_is_told(step: dict[str, Any], message: str) -> None:
    """What was wrong, before any cluster sees it."""
    with pytest.raises(pydantic.ValidationError, match=message):
        restore_api.Restore.model_validate(step)


def test_a_restore_without_a_trigger_is_refused() -> None:
    """Signals name no object that could be put back."""
    with pytest.raises(pydantic.ValidationError, match=policy_api.RESTORE_NEEDS_TRIGGER):
        builders.spec(steps=[{"restore": {"kinds": ["Service"]}}])


def test_symptoms_elsewhere_without_a_restore_are_refused() -> None:
    """What treats the suspect itself does not ask where its symptoms are."""
    trigger = {"incident": {"causeKind": ["Release"], "symptoms": "Anywhere"}}
    with pytest.raises(pydantic.ValidationError, match=policy_api.ANYWHERE_NEEDS_RESTORE):
        builders.spec(steps=[{"rollback": {}}], trigger=trigger)
