"""Kinds of others without their controllers: HTTPRoute, VirtualService, and Certificate."""

from __future__ import annotations

import pathlib
from typing import Final

import yaml

from lab.cluster import Lab

MANIFESTS: Final = pathlib.Path(__file__).parent / "manifests"
ROUTES: Final = MANIFESTS / "routes.yaml"
CERTIFICATES: Final = MANIFESTS / "certificates.yaml"


def install(lab: Lab, crds: pathlib.Path = ROUTES) -> None:
    """The kinds of a file, and wait until they are served."""
    lab.kubectl("apply", "--server-side", "--filename", str(crds))
    lab.await_crds(*(each["metadata"]["name"] for each in yaml.safe_load_all(crds.read_text())))
