"""One incident told in full: symptoms, suspects with evidence, what was ruled out and done."""

from __future__ import annotations

import datetime

from rich import console

from prunella.api import incident as incident_api
from prunella.cli import page, terminal
from prunella.core.incidents import values, words

MOST_MEMBERS = 8
"""Symptoms that are told; all are in the JSON output."""
State, Mark = incident_api.State, incident_api.Mark


def as_text(record: values.Record, now: datetime.datetime, out: console.Console) -> None:
    """A page about one incident."""
    written = page.Page(out.width)
    status = record.status
    _head(written, record, now)
    _suspects(written, status)
    if status.ruled_out:
        written.section("Ruled out")
        for each in status.ruled_out:
            written.item("-", each)
    _members(written, status)
    _timeline(written, status)
    if status.remediations:
        written.section("Remediations", "`prunella explain remediation/NAME -n NAMESPACE`")
        for each in status.remediations:
            written.item("-", each)
    written.print(out)


def _head(written: page.Page, record: values.Record, now: datetime.datetime) -> None:
    status = record.status
    written.title(f"Incident {record.namespace}/{record.name}", status.state.value)
    written.say(status.title)
    if record.spec.mirror:
        written.say("It reaches beyond this namespace: what is outside is not shown here.")
    written.fact("severity", status.severity.value)
    began = status.started_at or record.spec.opened_at
    written.fact("first symptom", f"{terminal.moment(began)}, {terminal.age(began, now)} ago")
    if status.named_at is not None:
        seconds = (status.named_at - began).total_seconds()
        written.fact("cause named", f"{max(0.0, seconds):.0f} s after the first symptom")
    if status.resolved_at is not None:
        written.fact("over", f"{terminal.moment(status.resolved_at)}{_into(status)}")
    if status.reopened:
        written.fact("opened again", f"{status.reopened} times")
    if status.flaps:
        written.fact("flaps", f"symptoms ended and came back {status.flaps} times")


def _into(status: incident_api.IncidentStatus) -> str:
    return f", it is a part of {status.merged_into}" if status.merged_into else ""


def _suspects(written: page.Page, status: incident_api.IncidentStatus) -> None:
    if not status.suspects:
        written.section("Likely cause")
        written.say("None is named: nothing that was looked at speaks clearly against any object.")
        return
    written.section("Likely cause", "`prunella confirm NAME [SUSPECT]` or `--reject`")
    for number, each in enumerate(status.suspects, start=1):
        field = f" {words.short_field(each.field)}" if each.field else ""
        name = f"{each.object.kind}/{each.object.name}" if each.object.kind else each.object.name
        marked = f", {each.mark} by a person" if each.mark is not Mark.SUSPECT else ""
        sure = f"{each.cause_kind}, confidence {each.confidence}, score {each.score:.2f}{marked}"
        written.item(f"{number}.", f"{name}{field}: {sure}", style=page.STRONG)
        written.say(each.summary, indent=5)
        if each.field:
            written.fact("field", each.field, indent=5, column=8)
        if each.change:
            written.fact("change", each.change, indent=5, column=8)
        for evidence in each.evidence:
            written.item("-", evidence.message, indent=5)


def _members(written: page.Page, status: incident_api.IncidentStatus) -> None:
    listed = len(status.members)
    note = f"{status.alerts} alerts on {status.objects} objects"
    if listed > MOST_MEMBERS:
        note += f"; {MOST_MEMBERS} symptoms of {listed} shown"
    written.section("Symptoms", note)
    for each in status.members[:MOST_MEMBERS]:
        count = "1 alert" if each.count == 1 else f"{each.count} alerts"
        firing = f"{each.firing} firing" if each.firing else "ended"
        name = f"{each.name} on {each.object.kind}/{each.object.name}"
        told = f": {each.message}" if each.message else ""
        written.item(_clock(each.first), f"{name} ({count}, {firing}){told}", style=page.QUIET)
        if reason := _relation(each.why):
            written.say(f"here because {reason}", indent=11, style=page.QUIET)


def _relation(why: str) -> str:
    """How a symptom hangs together with the cause: the middle of its sentence, see `report.why`."""
    parts = why.rstrip(".").split("; ")
    return parts[1] if len(parts) > 1 else ""


def _timeline(written: page.Page, status: incident_api.IncidentStatus) -> None:
    written.section("What happened")
    for each in status.timeline:
        written.item(_clock(each.at), f"{each.kind}: {each.message}", style=page.QUIET)


def _clock(when: datetime.datetime) -> str:
    return f"{when.astimezone():%H:%M:%S}"
