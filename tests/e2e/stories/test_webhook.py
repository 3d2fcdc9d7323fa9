"""A system outside is asked by a real operator, and answers over a real connection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract import receivers
from tests.e2e.harness import manifests
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def receiver() -> Iterator[receivers.GenericReceiver]:
    """A receiver that knows idempotency keys."""
    found = receivers.GenericReceiver()
    yield found
    found.close()


def watch(story: Story, receiver: receivers.GenericReceiver) -> None:
    """Given a workload that fails, when a policy asks somebody outside for help."""
    token = story.folder / "token"
    token.write_text(receiver.token[1])
    listed = {
        "namespaces": ["*"],
        "url": receiver.url,
        "headerFiles": {"Authorization": str(token)},
        "poll": {"path": "/state/{key}"},
    }
    story.run(manifests.workload("checkout", "v1"))
    story.annotate_pods("checkout", errors="0.5")
    story.reported("checkout", above=0.25)
    step = {"webhook": {"endpoint": "restart"}}
    signal = manifests.failing("checkout")
    story.apply(manifests.policy("checkout", step, signal=signal))
    story.start_operator(offered={"endpoints": {"restart": listed}})


def test_it_is_asked_once_and_proved(story: Story, receiver: receivers.GenericReceiver) -> None:
    """Given a run that ends well and errors that end, then that is proved, with one request."""
    watch(story, receiver)
    story.wait(lambda: receiver.effects, "it was asked")
    receiver.ended[receiver.effects[0]] = True
    story.annotate_pods("checkout", errors="0")

    record = story.phase("checkout", "Succeeded")

    assert [record["metadata"]["name"]] == receiver.effects
    assert "Succeeded" == record["status"]["run"]["state"]
    assert 1 == sum(asked.method == "POST" for asked in receiver.asked)
    assert "s3cr3t" not in str(record)


def test_a_lost_answer_is_not_sent_again(story: Story, receiver: receivers.GenericReceiver) -> None:
    """Given an answer that is lost, then the key finds what was started."""
    receiver.loses = True
    watch(story, receiver)
    story.wait(lambda: receiver.effects, "it was asked")
    receiver.ended[receiver.effects[0]] = True
    story.annotate_pods("checkout", errors="0")

    story.phase("checkout", "Succeeded")

    assert 1 == sum(asked.method == "POST" for asked in receiver.asked)
