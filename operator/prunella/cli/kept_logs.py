"""What is kept of one remediation: its capture, and the log of what it has started."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

import pydantic
from rich import console

from prunella.adapters.kubernetes import kinds
from prunella.api import capture
from prunella.cli import kube, page, read, terminal
from prunella.cli.errors import CliError
from prunella.core.outcomes import capturing


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """All that there is to show."""

    name: str
    told: str
    """What the record says of its capture."""
    spec: capture.CaptureSpec | None
    texts: Mapping[str, str]
    run_log: str


def read_capture(cluster: kube.Cluster, name: str) -> capture.CaptureSpec | None:
    """The capture of a remediation; None when there is none, or not any more."""
    try:
        raw = cluster.request("GET", kinds.CAPTURE.path(cluster.namespace, name))
    except kube.KubeError as error:
        if error.status == 404:
            return None
        raise
    try:
        return capture.CaptureSpec.model_validate(raw["spec"])
    except pydantic.ValidationError as error:
        raise CliError(f"capture {name} is of another version of prunella") from error


def read_kept(cluster: kube.Cluster, name: str) -> Kept:
    """What is kept of a remediation."""
    status = read.named(cluster, kinds.RECORD, name).get("status") or {}
    spec = read_capture(cluster, name)
    try:
        texts = capturing.unpack(spec) if spec is not None else {}
    except ValueError as error:
        raise CliError(f"capture {name} can't be unpacked: {error}") from error
    run_log = (status.get("run") or {}).get("log") or ""
    return Kept(name, str(status.get("capture") or ""), spec, texts, run_log)


def as_json(found: Kept, out: console.Console) -> None:
    """All of it as one document."""
    parts = found.spec.model_dump(mode="json", by_alias=True)["parts"] if found.spec else []
    document = {"capture": dict(found.texts), "parts": parts, "runLog": found.run_log}
    out.file.write(json.dumps(document, indent=2) + "\n")


def as_text(found: Kept, out: console.Console) -> None:
    """Each part under its name."""
    written = page.Page(out.width)
    written.title(f"Kept of remediation {found.name}", "")
    if found.spec is None:
        written.say(found.told or "nothing was captured: its policy has no spec.capture")
    else:
        written.fact("taken", terminal.moment(found.spec.taken_at))
        written.fact("kept until", terminal.moment(found.spec.expires_at))
        for part in found.spec.parts:
            written.section(part.name, "its end" if part.cut else "")
            if part.problem:
                written.say(f"not there: {part.problem}")
            written.block(found.texts.get(part.name, "").splitlines())
    if found.run_log:
        written.section("Run", "the end of its log")
        written.block(found.run_log.splitlines())
    written.print(out)
