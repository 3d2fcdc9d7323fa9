"""The kinds that divide traffic, HTTPRoute and VirtualService, without their controllers."""

from __future__ import annotations

import pathlib
from typing import Final

import yaml

from lab.cluster import Lab

CRDS: Final = pathlib.Path(__file__).parent / "manifests" / "routes.yaml"


def install(lab: Lab) -> None:
    """The kinds, and wait until they are served."""
    lab.kubectl("apply", "--server-side", "--filename", str(CRDS))
    lab.await_crds(*(each["metadata"]["name"] for each in yaml.safe_load_all(CRDS.read_text())))
