"""What a person says of an incident's suspects, written as annotations on the Incident."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from prunella.adapters.kubernetes import kinds
from prunella.api import incident as incident_api
from prunella.cli import kube, switches
from prunella.cli.errors import CliError
from prunella.core.incidents import values, words


def say(
    cluster: kube.Cluster,
    record: values.Record,
    suspect: str | None,
    now: datetime.datetime,
    *,
    reject: bool,
) -> str:
    """Write the word, and return what to tell the user. Raises CliError, KubeError."""
    items = record.status.suspects
    if not items:
        raise CliError(f"{record.namespace}/{record.name} has no suspect to judge", code=1)
    chosen = list(items) if reject and suspect is None else [_chosen(record.name, items, suspect)]
    hidden = [each for each in chosen if not each.object.kind]
    if hidden:
        raise CliError(
            f"{hidden[0].object.name}: give -n with the namespace of the whole incident, "
            "if you may write there"
        )
    before = words.word(record.annotations, words.since(record.status))
    who = f" at {now.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ} by {switches.author(cluster)}"
    names = {words.written(words.ref_of(each.object)) for each in chosen}
    if reject:
        rejected = ",".join(sorted(before.rejected | names))
        annotations: dict[str, str | None] = {words.REJECTED: rejected + who}
        if before.confirmed in names:
            annotations[words.CONFIRMED] = None
    else:
        (name,) = names
        annotations = {words.CONFIRMED: name + who}
        if name in before.rejected:
            left = ",".join(sorted(before.rejected - names))
            annotations[words.REJECTED] = left + who if left else None
    path = kinds.INCIDENT.path(record.namespace, record.name)
    cluster.request("PATCH", path, {"metadata": {"annotations": annotations}}, kube.MERGE_PATCH)
    word = "was not the cause of" if reject else "was the cause of"
    told = ", ".join(sorted(names))
    return f"Noted: {told} {word} {record.namespace}/{record.name}."


def _chosen(
    name: str, items: Sequence[incident_api.SuspectItem], suspect: str | None
) -> incident_api.SuspectItem:
    if suspect is None:
        return items[0]
    if suspect.isdecimal() and 1 <= int(suspect) <= len(items):
        return items[int(suspect) - 1]
    for each in items:
        full = words.written(words.ref_of(each.object))
        if suspect in {each.object.name, f"{each.object.kind}/{each.object.name}", full}:
            return each
    known = ", ".join(f"{each.object.kind}/{each.object.name}" for each in items)
    raise CliError(f"{suspect} is no suspect of {name}; these are: {known}")
