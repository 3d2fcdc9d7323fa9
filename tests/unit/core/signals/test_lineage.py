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
    "a Job's, with vowels": ("web-migrate-x7k2p", None),
    "a Job's, with a digit that is never made": ("web-sync1-x7k2p", None),
    "a pod's end with a vowel": ("web-7d4b9c6f5d-a2x9z", None),
    "an end longer than any": ("web-7d4b9c6f5d5-x2x9z", None),
    "an ordinal with a zero before it": ("db-01", None),
    "a DaemonSet's with a 0": ("agent-x2x90", None),
    "no ordinal": ("db-first", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("pod", "owner"), PODS.values(), ids=PODS)
def test_a_pods_name_tells_its_owner(pod: str, owner: model.Ref | None) -> None:
    """Controllers make names in a known way."""
    assert ({} if owner is None else {pod: owner}) == lineage.owners([pod], ALL, {})


POD = "web-7d4b9c6f5d-x2x9z"
KNOWN: dict[str, tuple[dict[str, model.Ref | None], dict[str, model.Ref]]] = {
    "another workload's": ({POD: WEB_API}, {POD: WEB_API}),
    "nobody's, such as a Job's": ({POD: None}, {}),
    "not known": ({}, {POD: WEB}),
}


@pytest.mark.parametrize(("known", "expected"), KNOWN.values(), ids=KNOWN)
def test_what_the_cluster_knows_wins(
    known: dict[str, model.Ref | None], expected: dict[str, model.Ref]
) -> None:
    """A pod that exists has its owner in its metadata, or none; only the others are guessed."""
    found = lineage.owners([POD], ALL, known)
    assert expected == found
    guessed = {pod for pod, ref in found.items() if isinstance(ref, model.GuessedRef)}
    assert (set(found) - set(known)) == guessed


FITS = {
    "its own": ("web-7d4b9c6f5d-x2x9z", WEB, True),
    "of a longer name": ("web-api-7d4b9c6f5d-x2x9z", WEB, False),
    "of another kind": ("web-0", WEB, False),
    "an exporter's": ("kube-state-metrics-7d4b9c6f5d-x2x9z", WEB, False),
    "none": ("", WEB, False),
}


@pytest.mark.parametrize(("pod", "workload", "expected"), FITS.values(), ids=FITS)
def test_a_name_fits_only_the_workload_that_would_make_it(
    pod: str, workload: model.Ref, *, expected: bool
) -> None:
    """Other pods' names beside a workload's label are not the workload's pods."""
    assert expected == lineage.fits(pod, workload)
