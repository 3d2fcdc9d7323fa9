"""The summary for the terminal."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Sequence
from typing import Final

from rich import box, console, table

from prunella.backtest import compare, labels, summary

MOST_ROWS: Final = 15
_SIGNS: Final = {"+": "green", "-": "red", "~": "yellow"}


def show(out: console.Console, found: summary.Summary) -> None:
    """Everything, the newest rows left out where there are many: `--output json` has them all."""
    _head(out, found)
    _actions(out, found)
    _refusals(out, found)
    _signals(out, found)
    if found.score is not None:
        _score(out, found.score)
    out.print("\nWhat history can't tell", style="bold")
    for each in found.not_judged:
        out.print(f"  not judged: {each.guard}: {each.message}")
    for caveat in found.caveats:
        out.print(f"  {caveat}")


def _head(out: console.Console, found: summary.Summary) -> None:
    span = f"{_day(found.start)} to {_day(found.until)}"
    state = "" if found.complete else "  (interrupted: as far as it came)"
    out.print(f"{found.policy}  {span}{state}", style="bold")
    out.print(
        f"{len(found.targets)} targets, {found.steps:,} steps of {found.interval:g} s, "
        f"{found.samples:,} samples; mode is {found.mode}, run as if Live"
    )
    for warning in found.warnings:
        out.print(f"warning: {warning}", style="yellow")
    out.print(counts(found))
    times = sorted(a.time_to_detect for a in found.actions if a.time_to_detect is not None)
    if times:
        middle, worst = times[(len(times) - 1) // 2], times[-1]
        out.print(
            f"from falling ill to the decision: median {length(middle)}, at most {length(worst)}"
        )


def counts(found: summary.Summary) -> str:
    """What would have been done and found, with how often in a week, in one line."""
    held, actions = len(found.held), len(found.actions)
    flickers = len(found.findings) - held
    return (
        f"{actions} actions ({found.per_week(actions):.1f} a week), "
        f"{held} findings ({found.per_week(held):.1f} a week), "
        f"{flickers} flickers shorter than `for`, {found.escalations} calls for a person"
    )


def _actions(out: console.Console, found: summary.Summary) -> None:
    if not found.actions:
        nothing = "Nothing found, and nothing would have been done."
        out.print("\n" + ("Nothing would have been done." if found.findings else nothing))
        return
    rows = table.Table(
        "time (UTC)", "target", "action", "after", "what history did", box=box.SIMPLE
    )
    for each in found.actions[:MOST_ROWS]:
        after = "" if each.time_to_detect is None else length(each.time_to_detect)
        act = f"{each.action} (follows)" if each.follows else each.action
        rows.add_row(_moment(each.at), each.target, act, after, each.outcome)
    out.print("\nActions", style="bold")
    out.print(rows)
    for each in found.actions[:MOST_ROWS]:
        out.print(f"  {_moment(each.at)}  {each.target}: {each.why}", soft_wrap=True)
    _more(out, len(found.actions))


def _refusals(out: console.Console, found: summary.Summary) -> None:
    if not found.refusals:
        return
    rows = table.Table("reason", "times", "such as", box=box.SIMPLE)
    for reason, count, message in summary.refused_by_reason(found):
        rows.add_row(reason, str(count), textwrap.shorten(message, 100, placeholder=" ..."))
    out.print("\nRefused", style="bold")
    out.print(rows)


def _signals(out: console.Console, found: summary.Summary) -> None:
    rows = table.Table(
        "signal", "findings", "flickers", "Unhealthy", "Unknown", "longest", box=box.SIMPLE
    )
    for name, tally in found.verdicts.items():
        own = [each for each in found.findings if each.signal == name]
        held = [each for each in own if each.held]
        longest = max((each.end - each.start for each in own), default=datetime.timedelta())
        whole = max(tally.judged, 1)
        rows.add_row(
            name,
            str(len(held)),
            str(len(own) - len(held)),
            f"{tally.unhealthy / whole:.2%}",
            f"{tally.unknown / whole:.2%}",
            length(longest.total_seconds()),
        )
    out.print("\nSignals", style="bold")
    out.print(rows)
    for name, verdicts in found.verdicts.items():
        for line in summary.shares(verdicts):
            out.print(f"  {name} Unknown, {line}")


def _score(out: console.Console, score: labels.Score) -> None:
    out.print("\nAgainst the known incidents", style="bold")
    out.print(
        f"  precision {_share(score.precision)} ({score.true} of {score.fired} findings), "
        f"recall {_share(score.recall)} ({score.found} of {score.windows} incidents)"
    )
    if score.median_lead is not None:
        side = "before" if score.median_lead >= 0 else "after"
        out.print(f"  median {length(abs(score.median_lead))} {side} the incident's begin")
    false = score.false_actions_per_series_week
    rate = "-" if false is None else f"{false:.3g}"
    out.print(f"  {score.false_actions} false actions, {rate} for each series and week")


def show_changes(out: console.Console, changes: Sequence[compare.Change]) -> None:
    """What the new policy does that the old one did not, and the other way round."""
    out.print("\nAgainst the old policy", style="bold")
    if not changes:
        out.print("  the same actions and findings")
        return
    for each in changes[: 2 * MOST_ROWS]:
        line = f"  {each.sign} {_moment(each.at)}  {each.kind:8} {each.target}  {each.what}"
        out.print(line, style=_SIGNS[each.sign])
    _more(out, len(changes), 2 * MOST_ROWS)


def _more(out: console.Console, count: int, most: int = MOST_ROWS) -> None:
    if count > most:
        out.print(f"  ... and {count - most} more: --output json has them all")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def length(seconds: float) -> str:
    """A length of time in the largest unit of which there are two, such as ``2.5h``."""
    whole = round(seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if whole >= 2 * size:
            return f"{whole / size:.1f}{unit}".replace(".0", "")
    return f"{whole}s"


def _day(when: datetime.datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _moment(when: datetime.datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S}"
