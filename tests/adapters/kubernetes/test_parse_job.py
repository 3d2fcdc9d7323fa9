"""A raw Job to the core's value."""

from __future__ import annotations

import pytest

from prunella.adapters.kubernetes import parse_job
from prunella.core import model
from tests.adapters.kubernetes import builders
from tests.adapters.kubernetes.builders import Raw

ENDS: dict[str, tuple[list[Raw], model.JobState, str]] = {
    "just made": ([], model.JobState.ACTIVE, ""),
    "about to fail": (
        [{"type": "FailureTarget", "status": "True"}],
        model.JobState.ACTIVE,
        "",
    ),
    "not failed": ([{"type": "Failed", "status": "False"}], model.JobState.ACTIVE, ""),
    "failed": (
        [
            {"type": "FailureTarget", "status": "True"},
            {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "late"},
        ],
        model.JobState.FAILED,
        "DeadlineExceeded: late",
    ),
    "complete": ([{"type": "Complete", "status": "True"}], model.JobState.COMPLETE, ""),
}


@pytest.mark.parametrize(("conditions", "state", "message"), ENDS.values(), ids=ENDS)
def test_job(conditions: list[Raw], state: model.JobState, message: str) -> None:
    """What is not said to have ended is running."""
    meta = builders.meta("nightly-1", annotations={"a": "b"})
    found = parse_job.job({"metadata": meta, "status": {"conditions": conditions}})

    assert (state, message) == (found.state, found.message)
    assert ("nightly-1", {"a": "b"}) == (found.name, dict(found.annotations))
