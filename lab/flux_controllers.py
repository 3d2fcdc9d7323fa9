"""Flux's own source- and kustomize-controller in a lab, as processes of this machine.

They are the programs that Flux ships, with its custom resource definitions, built from its Go
modules when asked for (`lab.binaries.FLUX`).  What they carry out is `lab.flux.Kustomization`.
Each is started by a link in the lab's folder: by that path `lab down` knows it.
Source: fluxcd.io/flux/components.
"""

from __future__ import annotations

import pathlib
from typing import Final

from lab import binaries, config, processes
from lab.cluster import Lab

CRDS: Final = (
    "gitrepositories.source.toolkit.fluxcd.io",
    "kustomizations.kustomize.toolkit.fluxcd.io",
)
_BASES: Final = "config/crd/bases"


def start(lab: Lab) -> None:
    """Install their kinds, and start both where they do not run; LabError when one is not ready."""
    for each in binaries.FLUX:
        binaries.locate(each.name)
        bases = binaries.sources(each) / _BASES
        lab.kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(bases))
    lab.await_crds(*CRDS)
    running = processes.owned(lab.layout.folder).values()
    for name, options in _options(lab).items():
        folder = lab.layout.folder / "flux"
        log = folder / f"{name}.log"
        if name not in running:
            command = [str(_link(folder, name)), *options]
            processes.start(command, log, KUBECONFIG=str(lab.kubeconfig))
        port = getattr(lab.ports, name.replace("-", "_"))
        processes.wait_for(f"http://{config.LOCALHOST}:{port}/readyz", log)


def _options(lab: Lab) -> dict[str, tuple[str, ...]]:
    """Their options: only local addresses, and no metrics, which nobody here scrapes."""
    files = f"{config.LOCALHOST}:{lab.ports.source_controller_files}"
    storage = lab.layout.folder / "flux" / "artifacts"
    storage.mkdir(parents=True, exist_ok=True)
    own = (f"--storage-path={storage}", f"--storage-addr={files}", f"--storage-adv-addr={files}")
    return {
        "source-controller": (*_common(lab.ports.source_controller), *own),
        "kustomize-controller": _common(lab.ports.kustomize_controller),
    }


def _common(port: int) -> tuple[str, ...]:
    return ("--metrics-addr=0", f"--health-addr={config.LOCALHOST}:{port}", "--log-level=info")


def _link(folder: pathlib.Path, name: str) -> pathlib.Path:
    made = folder / name
    made.unlink(missing_ok=True)
    made.symlink_to(binaries.locate(name))
    return made
