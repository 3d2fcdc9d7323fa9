"""Where everything of one lab lies: a folder of its own below ``.lab`` in the checkout."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re

from lab import binaries

DEFAULT_NAME = "default"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?")


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """The paths of the lab ``name``; ``folder`` is absolute and has no symbolic link in it.

    Every program of a lab has this folder on its command line, which is how
    `lab.processes.owned` knows them.
    """

    name: str
    folder: pathlib.Path

    @property
    def state(self) -> pathlib.Path:
        """``lab.json``: written last, so that its presence means a finished start."""
        return self.folder / "lab.json"

    @property
    def kubeconfig(self) -> pathlib.Path:
        """The administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    @property
    def kwok(self) -> pathlib.Path:
        """``KWOK_WORKDIR``: certificates, etcd's data, logs and pid files of the control plane."""
        return self.folder / "kwok"

    @property
    def kwokctl_config(self) -> pathlib.Path:
        """Ports, programs and switches that kwokctl starts the control plane with."""
        return self.folder / "kwokctl.yaml"

    @property
    def audit_policy(self) -> pathlib.Path:
        """What kube-apiserver writes to its audit log."""
        return self.folder / "audit-policy.yaml"

    @property
    def audit_log(self) -> pathlib.Path:
        """The audit log; kwokctl decides where it lies."""
        return self.kwok / "clusters" / self.name / "logs" / "audit.log"

    @property
    def prometheus(self) -> pathlib.Path:
        """Configuration, rules, data and log of Prometheus."""
        return self.folder / "prometheus"

    @property
    def alertmanager(self) -> pathlib.Path:
        """Configuration, data and log of Alertmanager."""
        return self.folder / "alertmanager"

    @property
    def tokens(self) -> pathlib.Path:
        """Kubeconfigs of service accounts, made on demand."""
        return self.folder / "tokens"

    @property
    def helm(self) -> pathlib.Path:
        """Helm's cache, configuration and data, so that the user's own stay untouched."""
        return self.folder / "helm"

    @property
    def logs(self) -> pathlib.Path:
        """What kwokctl said while it started the control plane."""
        return self.folder / "kwokctl.log"


def root() -> pathlib.Path:
    """The folder that holds all labs: ``PRUNELLA_LAB_DIR``, or ``.lab`` in the checkout."""
    chosen = os.environ.get("PRUNELLA_LAB_DIR")
    checkout = pathlib.Path(__file__).parents[1]
    return (pathlib.Path(chosen) if chosen else checkout / ".lab").resolve()


def locate(name: str | None = None) -> Layout:
    """The layout of lab ``name`` (or ``PRUNELLA_LAB``, or "default").

    Raises LabError when the name could not be part of a path and of a cluster's name.
    """
    chosen = name or os.environ.get("PRUNELLA_LAB") or DEFAULT_NAME
    if not _NAME.fullmatch(chosen):
        raise binaries.LabError(
            f"{chosen!r} cannot name a lab: use up to 30 of a-z, 0-9 and inner dashes"
        )
    return Layout(chosen, root() / chosen)
