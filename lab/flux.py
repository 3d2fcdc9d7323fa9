"""A stand-in for Flux: applies the folder of a repository, and writes status as Flux does.

It plays one Kustomization with its GitRepository in one namespace.  What is applied bears Flux's
labels and its field manager; the inventory, the conditions and the revisions are written in the
steps in which kustomize-controller 1.9 was seen to write them.  It is no Flux: there is no
kustomize build, no pruning, and no health check; `lab.flux_controllers` runs the real ones.
Source: fluxcd.io/flux/components/kustomize/kustomizations.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import threading
import time
from typing import Any, Final

import yaml

from lab import git_server
from lab.binaries import LabError
from lab.cluster import Lab

CRDS: Final = pathlib.Path(__file__).parent / "manifests" / "flux.yaml"
MANAGER: Final = "kustomize-controller"
GROUPS: Final = {"apps/v1": "apps"}
SYNC_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 5.0
PROGRESSING: Final = "Progressing"
Document = dict[str, Any]


def install(lab: Lab) -> None:
    """The kinds, and wait until they are served."""
    lab.kubectl("apply", "--server-side", "--filename", str(CRDS))
    lab.await_crds(*(each["metadata"]["name"] for each in yaml.safe_load_all(CRDS.read_text())))


class Kustomization:
    """One Kustomization with its GitRepository, as a person makes them; who carries it out differs.

    The real controllers do so as soon as the objects are there (`lab.flux_controllers`).
    """

    def __init__(
        self, lab: Lab, namespace: str, url: str, path: str, access: git_server.Access
    ) -> None:
        """``url`` and ``path`` are where the manifests are; ``access`` is put into a Secret."""
        self._lab = lab
        self._namespace = namespace
        self.problem = ""
        """The last round's error, for who must find out."""
        self._apply(*_objects(namespace, url, path, access), manager="kubectl")

    @property
    def _own(self) -> tuple[str, ...]:
        return ("--namespace", self._namespace, "kustomizations.kustomize.toolkit.fluxcd.io/shop")

    @property
    def status(self) -> Document:
        """What is told of it."""
        found: Document = self._lab.get(*self._own).get("status") or {}
        return found

    @property
    def ready(self) -> Document:
        """Its condition Ready; empty while there is none."""
        conditions = self.status.get("conditions", ())
        return next((each for each in conditions if each["type"] == "Ready"), {})

    def start(self) -> None:
        """Begin, where somebody here carries it out."""

    def close(self) -> None:
        """Delete it, while there is somebody to take its finalizer away."""
        self._lab.kubectl("delete", *self._own, "--timeout=60s")

    def suspend(self, *, suspended: bool) -> None:
        """What `flux suspend kustomization` does."""
        self._patch({"spec": {"suspend": suspended}})

    def _apply(self, *documents: Document, manager: str) -> None:
        self._lab.kubectl(
            *("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}"),
            *("--namespace", self._namespace, "--filename", "-"),
            input=yaml.safe_dump_all(documents),
        )

    def _patch(self, change: Document, *more: str) -> None:
        told = json.dumps(change)
        self._lab.kubectl("patch", *self._own, "--type=merge", "--patch", told, *more)


def _objects(namespace: str, url: str, path: str, access: git_server.Access) -> list[Document]:
    """What `flux create secret git`, `source git` and `kustomization` make."""
    meta = {"name": "shop", "namespace": namespace}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": meta,
            "stringData": {"username": access.user, "password": access.password},
        },
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": meta,
            "spec": {
                "interval": f"{SYNC_SECONDS:g}s",
                "url": url,
                "ref": {"branch": "main"},
                "secretRef": {"name": "shop"},
            },
        },
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": meta,
            "spec": {
                "interval": "1m",
                "retryInterval": f"{RETRY_SECONDS:g}s",
                "prune": False,
                "path": path,
                "targetNamespace": namespace,
                "sourceRef": {"kind": "GitRepository", "name": "shop"},
            },
        },
    ]


class NamespaceError(Exception):
    """A manifest names no namespace, and `targetNamespace` none for it: nothing is applied."""

    reason = "ReconciliationFailed"


class StandIn(Kustomization):
    """Carries its Kustomization out itself, every few seconds until `close`."""

    def __init__(
        self,
        lab: Lab,
        namespace: str,
        url: str,
        path: str,
        access: git_server.Access,
        *,
        bare: pathlib.Path,
    ) -> None:
        """``bare`` is the repository's folder on this machine."""
        super().__init__(lab, namespace, url, path, access)
        self._bare = bare
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            try:
                self._reconcile()
                self.problem = ""
            except (LabError, subprocess.SubprocessError, OSError, ValueError, KeyError) as error:
                self.problem = f"{type(error).__name__}: {error}"

    def _reconcile(self) -> None:
        own = self._lab.get(*self._own)
        status = own.get("status") or {}
        head = git_server.git(self._bare, "rev-parse", "main")
        revision = f"main@sha1:{head}"
        seen = status.get("observedGeneration") == own["metadata"]["generation"]
        if own["spec"].get("suspend") or (status.get("lastAppliedRevision") == revision and seen):
            return
        at_work = f"Building manifests for revision {revision} with a timeout of 30s"
        doing = _condition("Reconciling", PROGRESSING, at_work)
        ready = _condition("Ready", PROGRESSING, "Reconciliation in progress", "Unknown")
        self._tell(doing, ready, attempted=revision)
        try:
            documents = self._documents(own["spec"], head)
        except (yaml.YAMLError, NamespaceError) as error:
            reason = NamespaceError.reason if isinstance(error, NamespaceError) else "BuildFailed"
            failed = _condition("Ready", reason, str(error), "False")
            self._tell(failed, {**doing, "reason": f"{PROGRESSING}WithRetry"})
            self._stop.wait(RETRY_SECONDS)
            return
        self._apply(*documents, manager=MANAGER)
        entries = [{"id": self._id(each), "v": "v1"} for each in documents]
        self._tell(
            _condition("Ready", "ReconciliationSucceeded", f"Applied revision: {revision}"),
            applied=revision,
            inventory={"entries": entries},
            observed=own["metadata"]["generation"],
        )

    def _documents(self, spec: Document, head: str) -> list[Document]:
        """The manifests of a folder, marked by Flux. Raises YAMLError, NamespaceError."""
        path = spec["path"].removeprefix("./").strip("/")
        files = git_server.git(self._bare, "ls-tree", "-r", "--name-only", head, f"{path}/")
        marks = {
            "kustomize.toolkit.fluxcd.io/name": "shop",
            "kustomize.toolkit.fluxcd.io/namespace": self._namespace,
        }
        found = []
        for file in files.splitlines():
            document = yaml.safe_load(git_server.git(self._bare, "show", f"{head}:{file}"))
            meta = document["metadata"]
            meta["labels"] = {**meta.get("labels", {}), **marks}
            if namespace := spec.get("targetNamespace"):
                meta["namespace"] = namespace
            if "namespace" not in meta:
                raise NamespaceError(f"{document['kind']}/{meta['name']} namespace not specified")
            found.append(document)
        return found

    def _id(self, document: Document) -> str:
        group = GROUPS.get(document["apiVersion"], "")
        name = document["metadata"]["name"]
        return f"{self._namespace}_{name}_{group}_{document['kind']}"

    def _tell(
        self,
        *conditions: Document,
        attempted: str | None = None,
        applied: str | None = None,
        inventory: Document | None = None,
        observed: int | None = None,
    ) -> None:
        """Conditions are told anew; of the rest only what is given."""
        told = {
            "lastAttemptedRevision": attempted,
            "lastAppliedRevision": applied,
            "inventory": inventory,
            "observedGeneration": observed,
        }
        given = {name: value for name, value in told.items() if value is not None}
        change = {"status": {**given, "conditions": list(conditions)}}
        self._patch(change, "--subresource=status")


def _condition(kind: str, reason: str, message: str, status: str = "True") -> Document:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    told = {"type": kind, "status": status, "reason": reason, "message": message}
    return {**told, "lastTransitionTime": at}
