"""One container: from pulling its image to running, failing, and being started again.

The states, reasons, exit codes, messages and waiting times are those of the kubelet
(pkg/kubelet/kuberuntime, images and prober of Kubernetes 1.35).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from lab.shop import commands, environment, probes, profiles, volumes
from lab.shop.objects import Object, Picture, quantity

BACKOFF = 10.0
LONGEST_BACKOFF = 300.0
LONG_AGO = 60.0
"""For how long a container that is taken over has run at least."""
FORGET_AFTER = 600.0
"""A container that ran this long starts with no back-off again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """A Kubernetes Event to be written about a pod or node."""

    reason: str
    message: str
    warning: bool = False


@dataclasses.dataclass(slots=True)
class Container:
    """What the kubelet knows of one container."""

    name: str
    state: str = "waiting"
    reason: str = "ContainerCreating"
    message: str = ""
    since: float = 0.0
    """When the state began; for a running container, when it was started."""
    code: int = 0
    started_at: float = 0.0
    restarts: int = 0
    crashes: int = 0
    """Ends in a row, for the back-off."""
    pulls: int = 0
    """Failed pulls in a row."""
    retry_at: float = 0.0
    last: dict[str, Any] | None = None
    """The last termination, as in ``lastState``."""
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    image: profiles.Image | None = None
    program: commands.Program = dataclasses.field(default_factory=commands.Program)
    ready: bool = False
    started: bool = False
    leaked: float = 0.0
    memory: float = 0.0
    """Working set in bytes."""
    cpu: float = 0.0
    """Cores used in the last second."""
    probed: dict[str, Probing] = dataclasses.field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether a process runs."""
        return self.state == "running"

    def serves(self, now: float) -> bool:
        """Whether the program of the shop in it listens by now."""
        profile = self.program.profile
        return self.running and profile is not None and now - self.since >= profile.start


@dataclasses.dataclass(slots=True)
class Probing:
    """Where one probe of a container stands."""

    next_at: float
    failures: int = 0
    successes: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Situation:
    """What a container's life depends on besides itself."""

    now: float
    picture: Picture
    pod: Object
    spec: Mapping[str, Any]
    """The container's part of the pod's spec."""
    policy: str
    """Restart policy: Always, OnFailure or Never."""
    address: str
    response: float
    """Seconds for a trivial request, for probes."""
    reaches: Callable[[str], bool]
    effect: profiles.Effect


def advance(container: Container, at: Situation) -> list[Note]:
    """Bring a container to what it is now; returns what is worth an Event."""
    if container.running:
        return _run(container, at)
    if container.state == "terminated" and not _restarts(container.code, at.policy):
        return []
    if container.reason == "ErrImagePull" and at.now - container.since >= 2:
        return _back_off_pull(container, at)
    return _begin(container, at) if at.now >= container.retry_at else []


def resume(container: Container, at: Situation, status: Mapping[str, Any]) -> None:
    """Take over a container that an earlier program of the lab has left running.

    Its variables are those of now, which is the best guess.
    """
    image = profiles.pull(str(at.spec["image"]))
    if isinstance(image, str):
        return
    try:
        container.variables = environment.resolve(at.picture, at.pod, at.spec)
    except environment.ConfigError:
        return
    container.image = image
    container.program = commands.plan(image, at.spec, container.variables)
    container.state, container.reason, container.message = "running", "", ""
    container.since = container.started_at = at.now - LONG_AGO
    container.ready, container.started = bool(status.get("ready")), bool(status.get("started"))


def _restarts(code: int, policy: str) -> bool:
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def _wait(container: Container, reason: str, message: str, now: float, retry: float) -> None:
    container.state, container.reason, container.message = "waiting", reason, message
    container.since, container.retry_at, container.ready = now, now + retry, False


def _backoff(times: int) -> float:
    return float(min(LONGEST_BACKOFF, BACKOFF * 2 ** max(0, times - 1)))


def _begin(container: Container, at: Situation) -> list[Note]:
    """Pull, configure, start; whatever fails is tried again later."""
    reference = str(at.spec["image"])
    image = profiles.pull(reference)
    if isinstance(image, str):
        return _pull_failed(container, reference, image, at)
    notes = [] if container.last else [Note("Pulled", _present(reference))]
    container.pulls, container.image = 0, image
    problem = _root_problem(at)
    try:
        variables = environment.resolve(at.picture, at.pod, at.spec)
    except environment.ConfigError as error:
        problem = str(error)
    if problem is not None:
        known = container.reason == "CreateContainerConfigError" and container.message == problem
        _wait(container, "CreateContainerConfigError", problem, at.now, 5)
        return [] if known else [*notes, Note("Failed", f"Error: {problem}", warning=True)]
    return [*notes, *_start(container, image, variables, at)]


def _present(reference: str) -> str:
    return f'Container image "{reference}" already present on machine'


def _root_problem(at: Situation) -> str | None:
    """Why the security context forbids to start, or None: the images' own user is 1000."""
    context = {**(at.pod["spec"].get("securityContext") or {})}
    context.update(at.spec.get("securityContext") or {})
    if context.get("runAsNonRoot") and context.get("runAsUser", 1000) == 0:
        return "container's runAsUser breaks non-root policy"
    return None


def _pull_failed(container: Container, reference: str, message: str, at: Situation) -> list[Note]:
    container.pulls += 1
    _wait(container, "ErrImagePull", message, at.now, _backoff(container.pulls))
    return [
        Note("Pulling", f'Pulling image "{reference}"'),
        Note("Failed", f'Failed to pull image "{reference}": {message}', warning=True),
        Note("Failed", "Error: ErrImagePull", warning=True),
    ]


def _back_off_pull(container: Container, at: Situation) -> list[Note]:
    retry = container.retry_at
    message = f'Back-off pulling image "{at.spec["image"]}"'
    text = f"{message}: ErrImagePull: {container.message}"
    _wait(container, "ImagePullBackOff", text, at.now, 0)
    container.retry_at = retry
    return [Note("BackOff", message), Note("Failed", "Error: ImagePullBackOff", warning=True)]


def _start(
    container: Container, image: profiles.Image, variables: dict[str, str], at: Situation
) -> list[Note]:
    program = commands.plan(image, at.spec, variables)
    if program.profile is not None:
        problem = volumes.unusable(at.picture, at.pod, at.spec, program.profile)
        if problem is not None:
            program = commands.Program(after=1, code=1, message=problem)
    if container.last is not None:
        container.restarts += 1
    container.variables, container.program = variables, program
    container.started_at, container.probed, container.leaked = at.now, {}, 0.0
    notes = [Note("Created", f"Created container: {container.name}")]
    if program.start_error is not None:
        notes.append(Note("Failed", f"Error: {program.start_error}", warning=True))
        return [*notes, *_end(container, 128, "StartError", program.start_error, at)]
    container.state, container.reason, container.message = "running", "", ""
    container.since = at.now
    container.started = at.spec.get("startupProbe") is None
    container.ready = container.started and at.spec.get("readinessProbe") is None
    notes.append(Note("Started", f"Started container {container.name}"))
    return [*notes, *_after_start(container, at)]


def _after_start(container: Container, at: Situation) -> list[Note]:
    """The postStart hook: a container whose hook fails is killed."""
    hook = (at.spec.get("lifecycle") or {}).get("postStart")
    if hook is None:
        return []
    served = dataclasses.replace(_target(container, at), running_for=math.inf)
    failure = probes.failure(hook, served)
    if failure is None:
        return []
    text = f"PostStartHook failed: {failure}"
    return [Note("FailedPostStartHook", text, warning=True), *_end(container, 137, "Error", "", at)]


def _run(container: Container, at: Situation) -> list[Note]:
    age, program = at.now - container.since, container.program
    limit = quantity(((at.spec.get("resources") or {}).get("limits") or {}).get("memory"))
    if limit is not None and container.memory > limit:
        return _end(container, 137, "OOMKilled", "", at)
    if program.waits_for is not None:
        address, again = program.waits_for
        if at.reaches(address):
            return _end(container, 0, "Completed", "", at)
        if not again:
            return _end(container, 1, "Error", f"{address}: unreachable", at)
        return []
    if age >= program.after:
        reason = "Completed" if program.code == 0 else "Error"
        return _end(container, program.code, reason, program.message, at)
    if at.effect.crash is not None and age >= at.effect.crash:
        return _end(container, 1, "Error", "", at)
    return _probe_all(container, at)


def _end(container: Container, code: int, reason: str, message: str, at: Situation) -> list[Note]:
    """A container ended; decide when it is started again."""
    ran = at.now - container.started_at
    container.last = {
        "exitCode": code,
        "reason": reason,
        **({"message": message} if message else {}),
        "startedAt": container.started_at,
        "finishedAt": at.now,
    }
    container.state, container.reason, container.message = "terminated", reason, message
    container.code, container.since, container.ready = code, at.now, False
    container.started, container.memory, container.cpu = False, 0.0, 0.0
    if not _restarts(code, at.policy):
        return []
    container.crashes = 1 if ran >= FORGET_AFTER else container.crashes + 1
    if container.crashes == 1:
        container.retry_at = at.now + 1
        return []
    pause = _backoff(container.crashes - 1)
    metadata = at.pod["metadata"]
    whose = f"{metadata['name']}_{metadata['namespace']}({metadata.get('uid', '')})"
    text = f"back-off {pause:.0f}s restarting failed container={container.name} pod={whose}"
    _wait(container, "CrashLoopBackOff", text, at.now, pause)
    event = f"Back-off restarting failed container {container.name} in pod {whose}"
    return [Note("BackOff", event, warning=True)]


def _probe_all(container: Container, at: Situation) -> list[Note]:
    notes: list[Note] = []
    for field in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = at.spec.get(field)
        if probe is None or (field == "startupProbe") == container.started:
            continue
        notes += _probe(container, field, probe, at)
        if not container.running:
            break
    return notes


def _probe(container: Container, field: str, probe: Mapping[str, Any], at: Situation) -> list[Note]:
    state = container.probed.get(field)
    if state is None:
        first = container.since + float(probe.get("initialDelaySeconds", 0))
        state = container.probed[field] = Probing(next_at=max(first, at.now))
    if at.now < state.next_at:
        return []
    state.next_at = at.now + float(probe.get("periodSeconds", 10))
    failure = probes.failure(probe, _target(container, at))
    if failure is None:
        state.successes, state.failures = state.successes + 1, 0
        if state.successes >= int(probe.get("successThreshold", 1)):
            _succeeded(container, field, at)
        return []
    state.successes, state.failures = 0, state.failures + 1
    kind = field.removesuffix("Probe").capitalize()
    notes = [Note("Unhealthy", f"{kind} probe failed: {failure}", warning=True)]
    if state.failures >= int(probe.get("failureThreshold", 3)):
        notes += _failed(container, field, at)
    return notes


def _succeeded(container: Container, field: str, at: Situation) -> None:
    if field == "startupProbe":
        container.started = True
        container.ready = at.spec.get("readinessProbe") is None
    elif field == "readinessProbe":
        container.ready = True


def _failed(container: Container, field: str, at: Situation) -> list[Note]:
    if field == "readinessProbe":
        container.ready = False
        return []
    kind = field.removesuffix("Probe")
    text = f"Container {container.name} failed {kind} probe, will be restarted"
    return [Note("Killing", text), *_end(container, 137, "Error", "", at)]


def _target(container: Container, at: Situation) -> probes.Target:
    named = {p["name"]: p["containerPort"] for p in at.spec.get("ports") or [] if p.get("name")}
    return probes.Target(
        container.program, at.address, at.now - container.since, at.response, named
    )
