"""What an object says of its release."""

from __future__ import annotations

import pytest

from prunella.api import change as change_api
from prunella.core.changes import release
from tests.unit.core.changes import objects


def test_a_deployment_tells_images_revision_commit_and_version() -> None:
    """Commit and version are those of the pod template."""
    made = objects.deployment()
    made["spec"]["template"]["metadata"] |= {
        "labels": {"app.kubernetes.io/version": "1.4.2"},
        "annotations": {"app.kubernetes.io/commit": "3b5aa76"},
    }
    assert change_api.ReleaseFacts(
        images=["registry.example/shop/checkout:1.4.2"],
        revision="3",
        commit="3b5aa76",
        version="1.4.2",
    ) == release.facts(made, template_changed=False)


@pytest.mark.parametrize(
    ("observed", "changed", "expected"),
    [
        pytest.param(3, True, "4", id="not numbered yet"),
        pytest.param(4, True, "3", id="numbered"),
        pytest.param(3, False, "3", id="the template is the same"),
    ],
)
def test_a_new_template_gets_the_next_revision(observed: int, changed: bool, expected: str) -> None:
    """The controller numbers a template after it was written: then it is the next number."""
    made = objects.later(objects.deployment(), generation=4)
    made["status"]["observedGeneration"] = observed
    found = release.facts(made, template_changed=changed)
    assert found is not None
    assert expected == found.revision


@pytest.mark.parametrize(
    "key",
    [
        "app.kubernetes.io/commit",
        "org.opencontainers.image.revision",
        "git-commit",
        "example.com/git-sha",
        "vcs-ref",
        "commit-sha",
    ],
)
def test_usual_names_of_a_commit(key: str) -> None:
    """Labels or annotations under any of the usual names."""
    made = {"metadata": objects.metadata("x", annotations={key: "abc123"})}
    found = release.facts(made, template_changed=False)
    assert found is not None
    assert "abc123" == found.commit


OTHERS = [
    pytest.param(
        {
            "metadata": objects.metadata(
                "x",
                labels={"helm.sh/chart": "shop-3.1.0"},
                annotations={"meta.helm.sh/release-name": "shop"},
            )
        },
        change_api.ReleaseFacts(helm="shop (shop-3.1.0)"),
        id="Helm",
    ),
    pytest.param(
        {"metadata": objects.metadata("x"), "status": {"lastAppliedRevision": "main@sha1:abc"}},
        change_api.ReleaseFacts(gitops="main@sha1:abc"),
        id="Flux",
    ),
    pytest.param(
        {"metadata": objects.metadata("x"), "status": {"sync": {"revision": "abc"}}},
        change_api.ReleaseFacts(gitops="abc"),
        id="Argo CD",
    ),
    pytest.param(
        {
            "metadata": objects.metadata("x"),
            "spec": {
                "jobTemplate": {
                    "spec": {"template": {"spec": {"containers": [{"image": "job:v1"}]}}}
                }
            },
        },
        change_api.ReleaseFacts(images=["job:v1"]),
        id="CronJob",
    ),
    pytest.param({"metadata": objects.metadata("x")}, None, id="nothing"),
]


@pytest.mark.parametrize(("manifest", "expected"), OTHERS)
def test_other_tools(manifest: objects.Manifest, expected: change_api.ReleaseFacts | None) -> None:
    """Each tool tells in its own place."""
    assert expected == release.facts(manifest, template_changed=False)
