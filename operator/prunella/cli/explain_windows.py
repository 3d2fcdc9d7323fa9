"""When a policy may begin actions, and when it may next."""

from __future__ import annotations

import datetime
import zoneinfo

from prunella.api import windows as windows_api
from prunella.cli import page
from prunella.core.decisions import windows


def write(written: page.Page, given: windows_api.Windows, now: datetime.datetime) -> None:
    """The policy's own windows and what they say now; nothing where it has none."""
    if not given.given:
        return
    name = "begins"
    for word, listed in (("only in", given.allow), ("not in", given.deny)):
        if listed:
            written.fact(name, f"{word} {'; '.join(str(each) for each in listed)}")
            name = ""
    found = windows.state(((windows.OWN, given),), now)
    zone = next(each.time_zone for each in (*given.allow, *given.deny))
    written.fact("", f"now {found.message}{_there(found.changes_at, zone)}")


def _there(when: datetime.datetime | None, zone: str) -> str:
    """The same moment by the clock of the first window's place."""
    if when is None or zone == "UTC":
        return ""
    return f" ({when.astimezone(zoneinfo.ZoneInfo(zone)):%a %H:%M} in {zone})"
