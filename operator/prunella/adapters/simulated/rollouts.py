"""What the controller of Argo Rollouts does to a Rollout, much simplified, in virtual time.

Kept: canary steps of setWeight and pause, blue/green with and without autoPromotionEnabled, abort,
promotion by the status, restartAt, and a release that is stable at once when it is the first.
Left out: traffic routing, analysis, experiments.  Source: rollout/{canary,bluegreen,pause}.go.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable
from typing import Any, Final

from prunella import ports
from prunella.adapters.simulated import patches, state
from prunella.core import model, progressive

FIELDS: Final = (
    progressive.ABORT,
    progressive.PAUSES,
    progressive.FULL,
    "abortedAt",
    "controllerPause",
    "currentPodHash",
    "currentStepIndex",
    "restartedAt",
    "stableRS",
)
"""What the status tells of the release, beside counts of pods."""
_OF_A_RELEASE: Final = (
    progressive.ABORT,
    progressive.PAUSES,
    progressive.FULL,
    "abortedAt",
    "controllerPause",
)
Start = Callable[[state.WorkloadState, state.RevisionState], None]
Terminate = Callable[[state.WorkloadState, state.PodState], None]


class Rollouts:
    """Makes the pods and the status of Rollouts follow their specs."""

    def __init__(
        self,
        now: Callable[[], datetime.datetime],
        later: Callable[[float, Callable[[], None]], None],
        start: Start,
        terminate: Terminate,
        again: Callable[[state.WorkloadState], None],
    ) -> None:
        """``start`` makes a pod of a revision, ``terminate`` begins to delete one.

        ``again`` lets a Rollout be looked at anew.
        """
        self._now, self._later, self._again = now, later, again
        self._start, self._terminate = start, terminate

    def reconcile(self, workload: state.WorkloadState, revision: state.RevisionState) -> bool:
        """One pass; True when another one has something to do at once."""
        told, hash_ = workload.progress, _hash(workload, revision)
        told.setdefault("stableRS", hash_)
        if told.get("currentPodHash") != hash_:
            for field in _OF_A_RELEASE:
                told.pop(field, None)
            whole = hash_ == told["stableRS"]
            told |= {"currentPodHash": hash_, "currentStepIndex": len(_steps(workload)) * whole}
        if told.get(progressive.ABORT) and "abortedAt" not in told:
            told.pop(progressive.PAUSES, None)
            told |= {"abortedAt": self._now().isoformat(), "currentStepIndex": 0}
        new = _new_pods(workload)
        settled = self._fill(workload, revision, new)
        self._restart(workload)
        return settled and self._advance(workload)

    def _fill(self, workload: state.WorkloadState, revision: state.RevisionState, new: int) -> bool:
        """Bring the pods of both releases to their numbers; True once they are, and are ready."""
        replicas = int(workload.manifest["spec"]["replicas"])
        kept = replicas if _blue_green(workload) and not _whole(workload) else replicas - new
        stable = next(
            (each for each in workload.revisions if _hash(workload, each) == _stable(workload)),
            revision,
        )
        wanted = {revision.name: (revision, new)}
        if stable is not revision:
            wanted[stable.name] = (stable, kept)
        for each, number in wanted.values():
            for _ in range(number - len(_of(workload, each))):
                self._start(workload, each)
        ready = sum(pod.ready for pod in workload.active)
        surplus = [
            pod
            for name in {pod.revision for pod in workload.active}
            for pod in _surplus(workload, name, wanted.get(name, (None, 0))[1])
        ]
        for pod in sorted(surplus, key=lambda each: each.ready):
            if not pod.ready or ready > replicas:
                ready -= pod.ready
                self._terminate(workload, pod)
        return not surplus and all(pod.ready for pod in workload.active)

    def _advance(self, workload: state.WorkloadState) -> bool:
        """Go to the next step; True when there is something to do for it."""
        told, steps = workload.progress, _steps(workload)
        if told["currentPodHash"] == told["stableRS"]:
            told.pop(progressive.FULL, None)
            return False
        if told.get(progressive.ABORT):
            return False
        if _whole(workload):
            told["stableRS"] = told["currentPodHash"]
            for field in (progressive.FULL, progressive.PAUSES, "controllerPause"):
                told.pop(field, None)
            return True
        if _blue_green(workload):
            return self._wait(workload, {}, "BlueGreenPause")
        step = steps[told["currentStepIndex"]]
        if "pause" in step:
            return self._wait(workload, step["pause"] or {}, "CanaryPauseStep")
        told["currentStepIndex"] += 1
        return True

    def _wait(self, workload: state.WorkloadState, pause: dict[str, Any], reason: str) -> bool:
        """Pause as the controller does; who takes the reason away lets it go on."""
        told = workload.progress
        if told.get("controllerPause"):
            if told.get(progressive.PAUSES):
                return False
            del told["controllerPause"]
            told["currentStepIndex"] += 1
            return True
        told["controllerPause"] = True
        told[progressive.PAUSES] = [{"reason": reason, "startTime": self._now().isoformat()}]
        if (seconds := pause.get("duration")) is not None:
            waited = copy.deepcopy(told[progressive.PAUSES])

            def over() -> None:
                if told.get(progressive.PAUSES) == waited:
                    del told[progressive.PAUSES]
                    self._again(workload)

            self._later(float(seconds), over)
        return False

    def _restart(self, workload: state.WorkloadState) -> None:
        """Replace what is older than ``restartAt``, pod by pod."""
        at = workload.manifest["spec"].get("restartAt")
        if at is None or workload.progress.get("restartedAt") == at:
            return
        old = [
            each for each in workload.active if each.created < datetime.datetime.fromisoformat(at)
        ]
        if not old:
            workload.progress["restartedAt"] = at
        elif all(pod.ready for pod in workload.active):
            self._terminate(workload, old[0])


def told(manifest: state.Manifest, effect: model.Effect) -> state.Manifest:
    """The manifest after a patch of its status, which bears no mark. Raises ClusterError."""
    changed = patches.tested(manifest, effect)
    kept: state.Manifest = {**copy.deepcopy(manifest), "status": changed["status"]}
    return kept


def action(effect: model.Effect) -> str:
    """The action that makes such a patch. Raises ClusterError."""
    written = {str(each["path"]) for each in effect.patch if each["op"] != "test"}
    if written == {f"{progressive.STATUS}{progressive.ABORT}"}:
        return "abortRollout"
    if len(written) == 1:
        return "promote"
    raise ports.ClusterError(f"{sorted(written)} is for the controller", status=403)


def _hash(workload: state.WorkloadState, revision: state.RevisionState) -> str:
    return revision.name.removeprefix(f"{workload.ref.name}-")


def _stable(workload: state.WorkloadState) -> str:
    return str(workload.progress["stableRS"])


def _steps(workload: state.WorkloadState) -> list[dict[str, Any]]:
    canary = (workload.manifest["spec"].get("strategy") or {}).get("canary") or {}
    return list(canary.get("steps") or ())


def _blue_green(workload: state.WorkloadState) -> bool:
    strategy = workload.manifest["spec"].get("strategy") or {}
    return "blueGreen" in strategy


def _whole(workload: state.WorkloadState) -> bool:
    """Whether all pods are to be of the new release."""
    told = workload.progress
    if told["currentPodHash"] == told["stableRS"]:
        return True
    if told.get(progressive.ABORT):
        return False
    if _blue_green(workload):
        blue_green = workload.manifest["spec"]["strategy"]["blueGreen"]
        promoted = told.get(progressive.FULL) or told["currentStepIndex"] > 0
        return bool(promoted or blue_green.get("autoPromotionEnabled", True))
    return bool(told.get(progressive.FULL)) or told["currentStepIndex"] >= len(_steps(workload))


def _new_pods(workload: state.WorkloadState) -> int:
    """How many pods the release of the template is to have now."""
    replicas, told = int(workload.manifest["spec"]["replicas"]), workload.progress
    if _whole(workload) or (_blue_green(workload) and not told.get(progressive.ABORT)):
        return replicas
    if told.get(progressive.ABORT):
        return 0
    done = _steps(workload)[: told["currentStepIndex"] + 1]
    weights = [int(step["setWeight"]) for step in done if "setWeight" in step]
    weight = weights[-1] if weights else 100 if not done else 0
    return -(-replicas * weight // 100)


def _of(workload: state.WorkloadState, revision: state.RevisionState) -> list[state.PodState]:
    return [pod for pod in workload.active if pod.revision == revision.name]


def _surplus(workload: state.WorkloadState, name: str, wanted: int) -> list[state.PodState]:
    """The pods of a revision that are too many: those that are not ready first."""
    pods = sorted(
        (pod for pod in workload.active if pod.revision == name), key=lambda each: each.ready
    )
    return pods[: max(0, len(pods) - wanted)]
