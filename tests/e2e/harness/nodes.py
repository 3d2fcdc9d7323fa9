"""Nodes of a story's own in the lab."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import yaml

from lab.cluster import Lab
from tests.e2e.harness.manifests import Document


@contextlib.contextmanager
def ready_nodes(lab: Lab, nodes: Sequence[Document]) -> Iterator[list[str]]:
    """Nodes in the lab, Ready, and gone afterwards; gives their names."""
    names = [str(each["metadata"]["name"]) for each in nodes]
    text = yaml.safe_dump_all(nodes)
    lab.kubectl("apply", "--server-side", "--filename", "-", input=text)
    try:
        lab.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "node", *names)
        yield names
    finally:
        lab.kubectl("delete", "node", *names, "--wait=false")
