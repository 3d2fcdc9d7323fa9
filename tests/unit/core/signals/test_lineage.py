"""The owners of pods that are gone."""

from __future__ import annotations

import pytest

from prunella.core import model
from prunella.core.signals import lineage

WEB = model.Ref("Deployment", "shop", "web")
WEB_API = model.Ref("Deployment", "shop", "web-api")
DB = model.Ref("StatefulSet", "shop", "db")
AGENT = model.Ref("DaemonSet", "shop", "agent")
ALL = (WEB, WEB_API, DB, AGENT)

PODS = {
    "a Deployment's": ("web-7d4b9c6f5d-x2x9z", WEB),
    "the longest name that fits": ("web-api-7d4b9c6f5d-x2x9z", WEB_API),
    "a StatefulSet's": ("db-0", DB),
    "a StatefulSet's, of many": ("db-117", DB),
    "a DaemonSet's": ("agent-x2x9z", AGENT),
    "nobody's": ("job-x2x9z", None),
    "too short an end": ("web-7d4b9c6f5d-x2x", None),
    "a name alone": ("web", None),
    "no ordinal": ("db-first", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("pod", "owner"), PODS.values(), ids=PODS)
def test_a_pods_name_tells_its_owner(pod: str, owner: model.Ref | None) -> None:
    """Controllers make names in a known way."""
    assert ({} if owner is None else {pod: owner}) == lineage.owners([pod], ALL, {})


def test_what_the_cluster_knows_wins() -> None:
    """A pod that exists has its owner in its metadata."""
    pod = "web-7d4b9c6f5d-x2x9z"
    assert {pod: WEB_API} == lineage.owners([pod], ALL, {pod: WEB_API})
