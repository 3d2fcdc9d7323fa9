"""An incident as a trace, from a real cluster to a collector, over a restart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.story import Story
from tests.e2e.stories.test_incidents import alert, end, post, status

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from tests.otlp_collector import Collector

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One of this story's own."""
    made = Collector()
    yield made
    made.close()


def test_an_incident_is_one_trace_over_a_restart(story: Story, collector: Collector) -> None:
    """Given an incident, when the operator is killed in its midst, then its trace goes on."""
    story.run(manifests.workload("cart", "v1"))
    operator = story.start_operator(
        operatorNamespace=story.namespace,
        incidents={"quietSeconds": 10},
        tracing={"endpoint": collector.url, "attributes": {"k8s.cluster.name": "lab"}},
    )
    fired = [alert(story, "HighErrorRate", "cart")]
    post(story, fired)
    story.wait(lambda: collector.spans, "the first spans")
    operator.kill()
    operator.start()
    status(story, state="Open")

    end(story, fired)
    status(story, state="Resolved")
    story.wait(lambda: any(e.name == "incident" for e in collector.spans), "the whole", 30)

    [root] = [each for each in collector.spans if each.name == "incident"]
    parts = [each for each in collector.spans if each is not root]
    assert "symptom HighErrorRate" in {each.name for each in parts}
    assert {root.trace_id} == {each.trace_id for each in collector.spans}
    assert {root.span_id} == {each.parent_span_id for each in parts}
    assert "Resolved" in [each.value.string_value for each in root.attributes]
