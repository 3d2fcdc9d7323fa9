"""Pods of the simulated API server as objects, and their subresource ``resize``."""

from __future__ import annotations

from collections.abc import Iterable

from prunella.adapters.simulated import patches, state
from prunella.core import model


def shown(workloads: Iterable[state.WorkloadState], name: str) -> state.Manifest | None:
    """A pod of some workloads as the API server shows it; None: not there."""
    pods = (pod for each in workloads for pod in each.pods)
    return next((pod.manifest() for pod in pods if pod.name == name), None)


def resize(pod: state.PodState, effect: model.Effect, *, dry_run: bool) -> None:
    """Write the resources of a pod's containers. Raises ClusterError."""
    patched = patches.tested(pod.manifest(), effect)
    if not dry_run:
        pod.template = {**pod.template, "spec": patched["spec"]}
