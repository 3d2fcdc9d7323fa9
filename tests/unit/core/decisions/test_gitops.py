"""Who deploys a workload, from where, and by which commit: read from marks, specs and statuses."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import gitops
from tests.unit.core import builders

Refused = reasons.Refused
CHECKOUT = builders.ref()
KUSTOMIZATION = model.Ref("Kustomization", "flux-system", "shop")
APPLICATION = model.Ref("Application", "argocd", "shop")
OLD, NEW = "a" * 40, "b" * 40
FLUX = {
    "kustomize.toolkit.fluxcd.io/name": "shop",
    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
}


def kustomization(**changes: Any) -> dict[str, Any]:
    """A Kustomization that has applied a commit; ``changes`` replace parts of spec and status."""
    spec = {
        "path": "./apps/shop/",
        "sourceRef": {"kind": "GitRepository", "name": "deploy"},
        **changes.pop("spec", {}),
    }
    status = {
        "observedGeneration": 2,
        "inventory": {"entries": [{"id": "shop_checkout_apps_Deployment", "v": "v1"}]},
        "lastAppliedRevision": f"main@sha1:{OLD}",
        "lastAttemptedRevision": f"main@sha1:{NEW}",
        "conditions": [{"type": "Ready", "reason": "ReconciliationSucceeded", "message": "ok"}],
        **changes.pop("status", {}),
    }
    return {"metadata": {"uid": "k-uid", "generation": 2}, "spec": spec, "status": status}


def repository(**spec: Any) -> dict[str, Any]:
    """A GitRepository that follows a branch."""
    told = {"url": "https://me:s3cret@git.example.com/shop.git", "ref": {"branch": "main"}}
    return {"spec": {**told, **spec}}


def application(**changes: Any) -> dict[str, Any]:
    """An Application that is synced automatically."""
    spec = {
        "source": {
            "repoURL": "git@git.example.com:shop.git",
            "path": "apps",
            **changes.pop("source", {}),
        },
        "syncPolicy": {"automated": {}},
        **changes.pop("spec", {}),
    }
    resources = [{"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "checkout"}]
    status = {
        "resources": resources,
        "sync": {"status": "Synced", "revision": NEW},
        **changes.pop("status", {}),
    }
    return {"metadata": {"uid": "a-uid", "generation": 9}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("labels", "annotations", "expected"),
    [
        pytest.param(FLUX, {}, KUSTOMIZATION, id="flux"),
        pytest.param(
            {},
            {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout"},
            APPLICATION,
            id="argo cd",
        ),
        pytest.param(
            {},
            {"argocd.argoproj.io/tracking-id": "team_shop:apps/Deployment:shop/x"},
            model.Ref("Application", "team", "shop"),
            id="argo cd, any namespace",
        ),
        pytest.param({"app.kubernetes.io/instance": "shop"}, {}, None, id="helm writes that, too"),
        pytest.param({"kustomize.toolkit.fluxcd.io/name": "shop"}, {}, None, id="half a mark"),
    ],
)
def test_the_owner_is_named_by_marks(
    labels: dict[str, str], annotations: dict[str, str], expected: model.Ref | None
) -> None:
    """Labels of Flux, the tracking id of Argo CD."""
    workload = builders.workload(labels=labels, annotations=annotations)
    assert expected == gitops.owner_of(workload, "argocd")


def test_a_kustomization_tells_repository_branch_path_and_commit() -> None:
    """Without the credentials that its URL may have."""
    found = gitops.deployment(KUSTOMIZATION, kustomization(), repository(), CHECKOUT)
    expected = gitops.Deployment(
        KUSTOMIZATION, "k-uid", 2, "https://git.example.com/shop.git", "main", "apps/shop", OLD
    )
    assert expected == found


def test_an_application_tells_the_same() -> None:
    """HEAD is the default branch, which the repository knows."""
    found = gitops.deployment(APPLICATION, application(), None, CHECKOUT)
    expected = gitops.Deployment(
        APPLICATION, "a-uid", 9, "git@git.example.com:shop.git", "", "apps", NEW
    )
    assert expected == found


SUCCEEDED, UNHEALTHY = "ReconciliationSucceeded", "HealthCheckFailed"
PROGRESSING, RETRYING = "Progressing", "ProgressingWithRetry"
FAILING = {"conditions": [{"type": "Ready", "reason": "HealthCheckFailed", "message": "timeout"}]}
OUT_OF_SYNC = {
    "sync": {"status": "OutOfSync", "revision": NEW},
    "operationState": {"syncResult": {"revision": OLD}},
}


def flux(
    ready: str, reconciling: str = "", healthy: str = "", checked: str = NEW
) -> dict[str, Any]:
    """The conditions of a Kustomization, as kustomize-controller 1.9 writes them."""
    message = f"Running health checks for revision main@sha1:{checked} with a timeout of 5m0s"
    told = [
        {"type": "Ready", "status": "True" if ready == SUCCEEDED else "False", "reason": ready},
        {"type": "Reconciling", "reason": reconciling, "message": "Building manifests"},
        {"type": "Healthy", "status": healthy, "message": message},
    ]
    kept = (True, bool(reconciling), bool(healthy))
    return {"conditions": [each for each, there in zip(told, kept, strict=True) if there]}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param(flux(SUCCEEDED, PROGRESSING), "", id="a newer one is built or applied"),
        pytest.param(flux(SUCCEEDED, PROGRESSING, "Unknown"), NEW, id="its health is waited for"),
        pytest.param(flux(UNHEALTHY, RETRYING, "False"), NEW, id="its health checks have failed"),
        pytest.param(flux(UNHEALTHY, PROGRESSING, "False"), "", id="they failed, and it is built"),
        pytest.param(flux(UNHEALTHY, PROGRESSING, "Unknown"), NEW, id="they failed, and are made"),
        pytest.param(
            flux(UNHEALTHY, PROGRESSING, "Unknown", OLD), "", id="a newer one ends their wait"
        ),
        pytest.param(flux("BuildFailed", RETRYING), OLD, id="a newer one is not built"),
        pytest.param(
            flux("BuildFailed", RETRYING, "False"), "", id="nor the one before it healthy"
        ),
        pytest.param(
            flux("BuildFailed", RETRYING, "True", OLD), OLD, id="and the one before it healthy"
        ),
    ],
)
def test_what_runs_while_flux_is_at_work(conditions: dict[str, Any], expected: str) -> None:
    """Where it is not certain, no commit is named, and it is waited for."""
    assert expected == gitops.applied_revision(KUSTOMIZATION, kustomization(status=conditions))


def test_flux_at_work_is_told_by_what_it_does() -> None:
    """`Ready` explains nothing meanwhile."""
    manifest = kustomization(status=flux(UNHEALTHY, PROGRESSING, "False"))

    assert "Progressing: Building manifests" == gitops.waiting(KUSTOMIZATION, manifest)


@pytest.mark.parametrize(
    ("owner", "manifest", "expected"),
    [
        pytest.param(KUSTOMIZATION, kustomization(), OLD, id="applied"),
        pytest.param(KUSTOMIZATION, kustomization(status=FAILING), NEW, id="applied, not healthy"),
        pytest.param(
            KUSTOMIZATION,
            kustomization(status={"lastAppliedRevision": f"main/{NEW}"}),
            NEW,
            id="the older form",
        ),
        pytest.param(
            KUSTOMIZATION,
            kustomization(status={"lastAppliedRevision": "main@sha256:12"}),
            "",
            id="no commit",
        ),
        pytest.param(KUSTOMIZATION, {"spec": {}}, "", id="no status"),
        pytest.param(APPLICATION, application(), NEW, id="synced"),
        pytest.param(APPLICATION, application(status=OUT_OF_SYNC), OLD, id="a newer one waits"),
    ],
)
def test_the_applied_commit_is_what_runs(
    owner: model.Ref, manifest: dict[str, Any], expected: str
) -> None:
    """Of what waits to be applied nothing runs yet."""
    assert expected == gitops.applied_revision(owner, manifest)


REFUSALS = (
    pytest.param(
        KUSTOMIZATION,
        kustomization(spec={"suspend": True}),
        repository(),
        Refused.SYNC_SUSPENDED,
        "Kustomization/shop is suspended",
        id="suspended",
    ),
    pytest.param(
        KUSTOMIZATION,
        kustomization(),
        repository(suspend=True),
        Refused.SYNC_SUSPENDED,
        "GitRepository/deploy is suspended",
        id="source suspended",
    ),
    pytest.param(
        KUSTOMIZATION,
        kustomization(spec={"sourceRef": {"kind": "OCIRepository"}}),
        None,
        Refused.NOT_FROM_GIT,
        "deploys from OCIRepository",
        id="no git",
    ),
    pytest.param(
        KUSTOMIZATION,
        kustomization(),
        repository(ref={"tag": "v1"}),
        Refused.NOT_FROM_GIT,
        "follows tag v1",
        id="a tag",
    ),
    pytest.param(
        KUSTOMIZATION,
        kustomization(status={"inventory": {"entries": []}}),
        repository(),
        Refused.NOT_FROM_GIT,
        "does not list it",
        id="a copied mark",
    ),
    pytest.param(
        KUSTOMIZATION,
        kustomization(status={"observedGeneration": 1}),
        repository(),
        Refused.ROLLOUT_IN_PROGRESS,
        "has seen generation 1 of 2",
        id="just changed",
    ),
    pytest.param(
        KUSTOMIZATION,
        kustomization(status={"lastAppliedRevision": ""}),
        repository(),
        Refused.ROLLOUT_IN_PROGRESS,
        "names no commit",
        id="nothing applied",
    ),
    pytest.param(
        APPLICATION,
        application(spec={"syncPolicy": {}}),
        None,
        Refused.SYNC_SUSPENDED,
        "not synced automatically",
        id="by hand",
    ),
    pytest.param(
        APPLICATION,
        application(source={"chart": "shop"}),
        None,
        Refused.NOT_FROM_GIT,
        "a chart",
        id="a chart",
    ),
    pytest.param(
        APPLICATION,
        application(source={"targetRevision": NEW}),
        None,
        Refused.NOT_FROM_GIT,
        "follows no branch",
        id="pinned",
    ),
    pytest.param(
        APPLICATION,
        application(status={"resources": []}),
        None,
        Refused.NOT_FROM_GIT,
        "does not list it",
        id="another's mark",
    ),
)


@pytest.mark.parametrize(("owner", "manifest", "source", "reason", "told"), REFUSALS)
def test_what_can_not_be_reverted_is_told(
    owner: model.Ref,
    manifest: dict[str, Any],
    source: dict[str, Any] | None,
    reason: Refused,
    told: str,
) -> None:
    """The word, and what was found."""
    found = gitops.deployment(owner, manifest, source, CHECKOUT)
    assert isinstance(found, model.Refusal)
    assert reason is found.reason
    assert told in found.message


UNLISTED = {"inventory": {"entries": []}, "resources": []}
OF_OTHERS = (
    pytest.param(
        KUSTOMIZATION,
        kustomization(spec={"suspend": True}, status=UNLISTED),
        repository(),
        id="suspended",
    ),
    pytest.param(
        KUSTOMIZATION,
        kustomization(status=UNLISTED),
        repository(ref={"tag": "s3cret-1.2"}),
        id="a tag",
    ),
    pytest.param(KUSTOMIZATION, kustomization(status=UNLISTED), None, id="another source"),
    pytest.param(
        APPLICATION, application(source={"chart": "s3cret"}, status=UNLISTED), None, id="a chart"
    ),
    pytest.param(
        APPLICATION, application(spec={"syncPolicy": {}}, status=UNLISTED), None, id="by hand"
    ),
)


@pytest.mark.parametrize(("owner", "manifest", "source"), OF_OTHERS)
def test_nothing_is_told_of_an_owner_that_does_not_list_the_target(
    owner: model.Ref, manifest: dict[str, Any], source: dict[str, Any] | None
) -> None:
    """Given a copied mark, then neither a tag nor a suspension of another namespace's shows."""
    found = gitops.deployment(owner, manifest, source, CHECKOUT)
    assert isinstance(found, model.Refusal)
    told = f"{CHECKOUT} names {owner}, which does not list it among what it has applied"
    assert (Refused.NOT_FROM_GIT, told, True) == (found.reason, found.message, found.skip_step)


def test_what_is_deployed_into_other_namespaces_is_counted() -> None:
    """Its own Namespace object is none of that."""
    entries = ["shop_checkout_apps_Deployment", "_shop__Namespace", "api_web_apps_Deployment"]
    inventory = {"entries": [{"id": each} for each in entries]}
    manifest = kustomization(status={"inventory": inventory})
    found = gitops.deployment(KUSTOMIZATION, manifest, repository(), CHECKOUT)
    assert isinstance(found, gitops.Deployment)
    assert ("Deployment/web",) == found.elsewhere


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://git.example.com/a.git", "https://git.example.com/a.git", id="plain"),
        pytest.param("https://me:s3cret@git.example.com/a", "https://git.example.com/a", id="both"),
        pytest.param("https://s3cret@git.example.com/a", "https://git.example.com/a", id="a token"),
        pytest.param("ssh://git:pw@git.example.com/a", "ssh://git@git.example.com/a", id="ssh"),
        pytest.param("git@git.example.com:a.git", "git@git.example.com:a.git", id="scp"),
    ],
)
def test_urls_are_told_without_secrets(url: str, expected: str) -> None:
    """They stand in records and commits."""
    assert expected == gitops.plain_url(url)
