"""A playbook with the names of a workload put in, as text: its comments are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from prunella.api import policy as policy_api
from prunella.cli import errors
from prunella.cli.lint import check, documents, schema
from prunella.cli.lint.findings import Severity
from prunella.cli.playbooks import shelf
from prunella.core import model, objects

SHORT = {
    "deploy": "Deployment",
    "deployments": "Deployment",
    "sts": "StatefulSet",
    "statefulsets": "StatefulSet",
    "ds": "DaemonSet",
    "daemonsets": "DaemonSet",
    "cj": "CronJob",
    "cronjobs": "CronJob",
    "ro": "Rollout",
    "rollouts": "Rollout",
    **{kind.value.lower(): kind.value for kind in policy_api.WORKLOAD_KINDS},
}
"""Kinds of workloads as kubectl takes them."""
MOST_CHARACTERS = 63
"""Of a policy's name: it is the value of a label too."""
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_METADATA = re.compile(r"^metadata:\n(?:  .*\n)+", re.MULTILINE)
_TARGET = re.compile(r"^  target:\n(?:    .*\n)+", re.MULTILINE)
_SCRAPE_SECONDS = 15.0


def target(text: str, namespace: str) -> model.Ref:
    """The workload that ``KIND/NAME`` names. Raises CliError."""
    kind, slash, name = text.partition("/")
    known = SHORT.get(kind.lower())
    if not slash or known is None:
        kinds = ", ".join(kind.value for kind in policy_api.WORKLOAD_KINDS)
        raise errors.CliError(
            f"--target {text}: write KIND/NAME, such as Deployment/checkout; kinds are {kinds}"
        )
    if not _NAME.fullmatch(name):
        raise errors.CliError(
            f"--target {text}: {name!r} is no name of an object: lower-case letters, digits, "
            "- and . (RFC 1123), 253 at most"
        )
    return model.Ref(known, namespace, name)


def default_name(playbook: shelf.Playbook, ref: model.Ref) -> str:
    """The policy's name where none is given: the workload's, then the playbook's."""
    room = MOST_CHARACTERS - len(playbook.name) - 1
    return f"{ref.name[:room].rstrip('-.')}-{playbook.name}"


def fill(playbook: shelf.Playbook, ref: model.Ref, name: str) -> str:
    """The policy for one workload, in mode Advise. Raises CliError where it can't be one.

    Lint is asked: a playbook whose signals name Deployments sees no StatefulSet.
    """
    own = f"metadata:\n  name: {name}\n  namespace: {ref.namespace}\n"
    aim = f"  target:\n    kind: {ref.kind}\n    name: {ref.name}\n"
    text = _METADATA.sub(lambda _: own, playbook.text, count=1)
    text = _TARGET.sub(lambda _: aim, text, count=1)
    report = check.check_text(playbook.name, text, _SCRAPE_SECONDS)
    wrong = [
        f"{each.path}: {each.message}"
        for each in report.findings
        if each.severity is not Severity.HINT
    ]
    wrong = wrong or list(_of_others(text, ref.kind))
    if wrong:
        told = "; ".join(wrong)
        raise errors.CliError(f"playbook {playbook.name} is not for {ref.kind}/{ref.name}: {told}")
    return text


def _of_others(text: str, kind: str) -> Iterator[str]:
    """Signals whose series are led by a label that is about workloads of another kind."""
    others = [each.value.lower() for each in policy_api.WORKLOAD_KINDS if each.value != kind]
    for signal in parsed(text)[1].signals:
        label = signal.mapping.name or "" if signal.mapping is not None else ""
        if any(each in label for each in others):
            yield f"{signal.name}: series led by {label} are never of a {kind}"


def parsed(text: str) -> tuple[objects.Key, policy_api.RemediationPolicySpec]:
    """Key and spec of a policy that lint has nothing against."""
    (whole,), _ = documents.read("playbook", text)
    spec, _ = schema.check_spec(whole)
    content = whole.content
    if spec is None or not isinstance(content, dict):
        raise errors.CliError("a playbook of this installation is no policy; install it again")
    metadata = content["metadata"]
    return objects.Key(metadata["namespace"], metadata["name"]), spec
