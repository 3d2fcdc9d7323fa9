"""The journal: who changed what and when, whatever becomes of the operator meanwhile."""

from __future__ import annotations

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

CHANGES = "/apis/prunella.dev/v1alpha1/namespaces/{}/changes"


def changes(story: Story, kind: str = "", verb: str = "") -> list[Document]:
    """The specs of the story's Changes, oldest first."""
    found = [each["spec"] for each in story.api.items(CHANGES.format(story.namespace))]
    chosen = (
        each
        for each in found
        if kind in ("", each["object"]["kind"]) and verb in ("", each["verb"])
    )
    return sorted(chosen, key=lambda each: str(each["at"]))


def summaries(story: Story, kind: str = "", verb: str = "") -> list[str]:
    """Their sentences."""
    return [each["summary"] for each in changes(story, kind, verb)]


def expect(story: Story, expected: list[str], kind: str = "", verb: str = "") -> None:
    """Wait for exactly these sentences."""
    wait_until(
        lambda: summaries(story, kind, verb) == expected,
        20,
        lambda: f"expected {expected}, found {summaries(story, kind, verb)}",
    )


def test_a_new_image_is_journalled_with_its_author_and_its_release(story: Story) -> None:
    """Given a Deployment, when an image is set by kubectl, then one Change says who and what."""
    story.run(manifests.workload("checkout", "v1"))
    story.start_operator()
    assert [] == changes(story)

    story.lab.kubectl(
        *("--namespace", story.namespace, "set", "image", "deployment/checkout"),
        f"app={manifests.image('checkout', 'v2')}",
    )

    old, new = manifests.image("checkout", "v1"), manifests.image("checkout", "v2")
    image = f"Deployment checkout: containers[app].image {old} -> {new}, by kubectl-set"
    expect(story, [image])
