"""A stand-in for Argo Rollouts: one ReplicaSet for each release, canary steps, and its status.

It plays the Rollouts of one namespace.  Kept: setWeight and pause without a duration, abort,
promotion, restartAt, and the status as the controller of v1.8.3 writes it.  It is no Argo
Rollouts: there is no traffic routing, no analysis, no blue/green and no clock.  Source:
argoproj/argo-rollouts, rollout/canary.go, rollout/pause.go and utils/replicaset.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import pathlib
import subprocess
import threading
import time
from typing import Any, Final

import yaml

from lab.binaries import LabError
from lab.cluster import Lab

CRD: Final = pathlib.Path(__file__).parent / "manifests" / "argo-rollouts.yaml"
HASH: Final = "rollouts-pod-template-hash"
REVISION: Final = "rollout.argoproj.io/revision"
LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
ROUND_SECONDS: Final = 1.0
_OF_A_RELEASE: Final = ("abort", "abortedAt", "pauseConditions", "controllerPause", "promoteFull")
Document = dict[str, Any]


def install(lab: Lab) -> None:
    """The kind, and wait until it is served."""
    lab.kubectl("apply", "--server-side", "--filename", str(CRD))
    lab.await_crds(yaml.safe_load(CRD.read_text())["metadata"]["name"])


class ArgoRollouts:
    """The controller of one namespace: `reconcile` one round, or `start` until `close`."""

    def __init__(self, lab: Lab, namespace: str) -> None:
        self._lab = lab
        self._namespace = namespace
        self.problem = ""
        """The last round's error, for who must find out."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def reconcile(self) -> None:
        """One round over all Rollouts."""
        for rollout in self._get("rollouts.argoproj.io")["items"]:
            sets = {
                each["metadata"]["labels"][HASH]: each
                for each in self._get("replicasets", "--selector", HASH)["items"]
                if _owner(each) == rollout["metadata"]["uid"]
            }
            self._one(rollout, sets)

    def _run(self) -> None:
        while not self._stop.wait(ROUND_SECONDS):
            try:
                self.reconcile()
                self.problem = ""
            except (LabError, subprocess.SubprocessError, OSError, ValueError, KeyError) as error:
                self.problem = f"{type(error).__name__}: {error}"

    def _one(self, rollout: Document, sets: dict[str, Document]) -> None:
        spec, status = rollout["spec"], dict(rollout.get("status") or {})
        release = _release(spec["template"])
        if release not in sets:
            self._create(rollout, release, 1 + max(map(_revision, sets.values()), default=0))
            return
        _begin(status, release, len(_steps(spec)))
        wanted = {release: _new(spec, status)}
        wanted.setdefault(status["stableRS"], int(spec["replicas"]) - wanted[release])
        for each, found in sets.items():
            if int(found["spec"]["replicas"]) != wanted.get(each, 0):
                number = wanted.get(each, 0)
                self._do("scale", f"replicaset/{found['metadata']['name']}", f"--replicas={number}")
        ready = all(
            (found.get("status") or {}).get("availableReplicas", 0) == wanted.get(each, 0)
            and (found.get("status") or {}).get("replicas", 0) == wanted.get(each, 0)
            for each, found in sets.items()
        )
        self._restart(rollout, status)
        if ready:
            _advance(spec, status)
        self._tell(rollout, status, sets, release)

    def _create(self, rollout: Document, release: str, revision: int) -> None:
        """A ReplicaSet without pods, for a release that has none."""
        meta, template = rollout["metadata"], json.loads(json.dumps(rollout["spec"]["template"]))
        template["metadata"]["labels"][HASH] = release
        owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": meta["name"]}
        owner |= {"uid": meta["uid"], "controller": True, "blockOwnerDeletion": True}
        labels = template["metadata"]["labels"]
        document = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{meta['name']}-{release}",
                "namespace": self._namespace,
                "labels": labels,
                "annotations": {REVISION: str(revision)},
                "ownerReferences": [owner],
            },
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        }
        self._lab.apply(yaml.safe_dump(document))

    def _restart(self, rollout: Document, status: Document) -> None:
        """Delete one pod that is older than ``restartAt``."""
        at = rollout["spec"].get("restartAt")
        if at is None or status.get("restartedAt") == at:
            return
        labels = rollout["spec"]["selector"]["matchLabels"]
        chosen = ",".join(f"{key}={value}" for key, value in labels.items())
        pods = self._get("pods", "--selector", chosen)["items"]
        old = [each for each in pods if _time(each["metadata"]["creationTimestamp"]) < _time(at)]
        if old:
            self._do("delete", f"pod/{old[0]['metadata']['name']}", "--wait=false")
        else:
            status["restartedAt"] = at

    def _tell(
        self, rollout: Document, status: Document, sets: dict[str, Document], release: str
    ) -> None:
        """Write what has changed of the status, as a merge patch: what others write stays."""
        counts = {each: (found.get("status") or {}) for each, found in sets.items()}
        status |= {
            "observedGeneration": str(rollout["metadata"]["generation"]),
            "replicas": sum(each.get("replicas", 0) for each in counts.values()),
            "availableReplicas": sum(each.get("availableReplicas", 0) for each in counts.values()),
            "updatedReplicas": counts[release].get("replicas", 0),
        }
        before = rollout.get("status") or {}
        change = {key: value for key, value in status.items() if before.get(key) != value}
        change |= {key: None for key in before if key not in status}
        if change:
            patch = json.dumps({"status": change})
            name = f"rollouts.argoproj.io/{rollout['metadata']['name']}"
            self._do("patch", name, "--subresource=status", "--type=merge", "--patch", patch)

    def _get(self, *arguments: str) -> Document:
        return self._lab.get("--namespace", self._namespace, *arguments)

    def _do(self, *arguments: str) -> None:
        self._lab.kubectl("--namespace", self._namespace, *arguments)


def _begin(status: Document, release: str, steps: int) -> None:
    """Take up another template, or an abort."""
    status.setdefault("stableRS", release)
    if status.get("currentPodHash") != release:
        for field in _OF_A_RELEASE:
            status.pop(field, None)
        whole = release == status["stableRS"]
        status |= {"currentPodHash": release, "currentStepIndex": steps if whole else 0}
    if status.get("abort") and "abortedAt" not in status:
        status.pop("pauseConditions", None)
        status |= {"abortedAt": _now(), "currentStepIndex": 0}


def _advance(spec: Document, status: Document) -> None:
    """Go to the next step, wait there, or make the release the stable one."""
    steps = _steps(spec)
    if status["currentPodHash"] == status["stableRS"] or status.get("abort"):
        return
    if status.get("promoteFull") or status["currentStepIndex"] >= len(steps):
        status["stableRS"] = status["currentPodHash"]
        status["currentStepIndex"] = len(steps)
        for field in ("promoteFull", "pauseConditions", "controllerPause"):
            status.pop(field, None)
    elif "pause" not in steps[status["currentStepIndex"]]:
        status["currentStepIndex"] += 1
    elif not status.get("controllerPause"):
        status["controllerPause"] = True
        status["pauseConditions"] = [{"reason": "CanaryPauseStep", "startTime": _now()}]
    elif not status.get("pauseConditions"):
        del status["controllerPause"]
        status["currentStepIndex"] += 1


def _new(spec: Document, status: Document) -> int:
    """How many pods the newest release is to have."""
    replicas, steps = int(spec["replicas"]), _steps(spec)
    if status["currentPodHash"] == status["stableRS"]:
        return replicas
    if status.get("abort"):
        return 0
    if status.get("promoteFull") or status["currentStepIndex"] >= len(steps):
        return replicas
    done = steps[: status["currentStepIndex"] + 1]
    weights = [int(each["setWeight"]) for each in done if "setWeight" in each]
    return -(-replicas * (weights[-1] if weights else 0) // 100)


def _steps(spec: Document) -> list[Document]:
    canary = (spec.get("strategy") or {}).get("canary") or {}
    return list(canary.get("steps") or ())


def _release(template: Document) -> str:
    """A release, by what people change of it.

    What the API server fills in of a ReplicaSet's template makes no other one.
    """
    fields = ("name", "image", "command", "args", "env", "resources")
    containers = [
        {field: each[field] for field in fields if each.get(field)}
        for each in template["spec"]["containers"]
    ]
    meta = {key: each for key, each in template["metadata"].items() if each}
    told = json.dumps([meta, containers], sort_keys=True)
    whole = hashlib.sha256(told.encode()).digest()[:10]
    return "".join(LETTERS[byte % len(LETTERS)] for byte in whole)


def _owner(found: Document) -> str:
    owners = found["metadata"].get("ownerReferences") or ()
    return next((each["uid"] for each in owners if each.get("controller")), "")


def _revision(found: Document) -> int:
    return int((found["metadata"].get("annotations") or {}).get(REVISION, 0))


def _time(written: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(written)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
