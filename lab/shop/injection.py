"""Do to a cluster what a fault's steps say, with kubectl, as a person would."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import yaml

from lab.cluster import Lab
from lab.shop.faults import Fault, Step

Sleep = Callable[[float], None]


def inject(
    lab: Lab, fault: Fault, sleep: Sleep = time.sleep, now: Callable[[], float] = time.time
) -> float | None:
    """Take every step in order, each after its delay; LabError quotes kubectl when it refuses.

    Returns when the first step was taken that touches a cause, in seconds since the epoch; None
    when none names one. What comes before it harms nobody.
    """
    causes = {*fault.truth.also, *(cause.ref for cause in fault.truth.causes)}
    began = None
    for step in fault.steps:
        if step.after:
            sleep(step.after)
        if began is None and step.target in causes:
            began = now()
        arguments, stdin = command(step)
        lab.kubectl(*arguments, input=stdin)
    return began


def command(step: Step) -> tuple[list[str], str | None]:
    """Arguments for kubectl, and what it reads from standard input.

    Deletions do not wait for the object to be gone: the next step has a delay of its own.
    """
    target = step.target
    place = ["--namespace", target.namespace] if target.namespace else []
    manager = [f"--field-manager={step.manager}"] if step.manager else []
    if step.verb == "apply":
        return ["apply", *manager, "--filename", "-"], yaml.safe_dump(step.body)
    if step.verb == "delete":
        chosen = ["--selector", step.selector] if step.selector else [target.name]
        return ["delete", *place, target.kind, *chosen, "--wait=false"], None
    if step.verb == "scale":
        replicas = f"--replicas={step.replicas}"
        return ["scale", *place, target.kind, target.name, replicas], None
    if step.verb == "restart":
        return ["rollout", "restart", *place, *manager, target.kind, target.name], None
    patch = [f"--type={step.patch_type}", "--patch", json.dumps(step.body)]
    return ["patch", *place, *manager, target.kind, target.name, *patch], None
