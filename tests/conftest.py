"""How tests are shared out when they run side by side (``pytest -n 8``)."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

ONE_LAB = ("tests/contract/", "tests/e2e/")
"""Tests that share one lab and change it as a whole keep to one worker."""
STORIES = "tests/e2e/stories/"


@pytest.fixture(autouse=True)
def _logs_of_its_own() -> Iterator[None]:
    """Commands that tell people themselves what happens switch all logs off, for good."""
    yield
    logging.disable(logging.NOTSET)


class Sharing(LoadScopeScheduling):  # type: ignore[misc]
    """Test by test; only what would disturb each other stays together."""

    def _split_scope(self, nodeid: str) -> str:
        together = nodeid.startswith(ONE_LAB) and not nodeid.startswith(STORIES)
        return "one lab" if together else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """Our own way to share out, whatever ``--dist`` says."""
    return Sharing(config, log)
