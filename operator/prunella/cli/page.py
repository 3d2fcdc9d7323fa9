"""A page of plain text: titles, sections, facts and items, wrapped to be read.

Only styles need a terminal; the words are the same in a pipe, a file and a test.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich import console, text

WIDTH = 100
INDENT = 2
COLUMN_GAP = 2
GOOD, BAD, DOUBT, QUIET, STRONG = "green", "red", "yellow", "dim", "bold"

STYLES = {
    "Healthy": GOOD,
    "Succeeded": GOOD,
    "Effective": GOOD,
    "True": GOOD,
    "Unhealthy": BAD,
    "Failed": BAD,
    "Unhelpful": BAD,
    "Unproven": BAD,
    "Refused": BAD,
    "False": BAD,
    "Unknown": DOUBT,
    "AwaitingApproval": DOUBT,
    "Pending": DOUBT,
    "Acting": DOUBT,
    "Verifying": DOUBT,
}
"""Colours of the words that a reader looks for."""


class Page:
    """Collects lines, then prints them to a console."""

    def __init__(self, width: int = WIDTH) -> None:
        self._width = min(width, WIDTH)
        self._lines: list[text.Text] = []

    def title(self, left: str, word: str = "") -> None:
        """The first line: what it is about, and the one word that matters most."""
        gap = max(2, self._width - len(left) - len(word))
        self._lines.append(text.Text.assemble((left, STRONG), " " * gap, (word, style_of(word))))
        self._lines[-1].rstrip()

    def section(self, name: str, note: str = "") -> None:
        """A heading, with an empty line before it."""
        shown = (f"  {note}", QUIET) if note else ""
        self._lines += [text.Text(""), text.Text.assemble((name, STRONG), shown)]

    def say(self, words: str, indent: int = INDENT, style: str = "") -> None:
        """A wrapped paragraph."""
        for line in self._wrap(words, indent, indent):
            self._lines.append(text.Text(line, style))

    def fact(self, label: str, words: str, *, indent: int = INDENT, column: int = 18) -> None:
        """A label and its value; long values are wrapped beside the label."""
        if not words:
            return
        start = max(column, len(label) + 1)
        first, *rest = self._wrap(words, indent + start, indent + start)
        head = " " * indent + label.ljust(start)
        self._lines.append(text.Text.assemble((head, QUIET), _coloured(first.lstrip())))
        self._lines.extend(map(text.Text, rest))

    def item(self, mark: str, words: str, *, style: str = "", indent: int = INDENT) -> None:
        """One entry of a list."""
        first, *rest = self._wrap(words, indent + len(mark) + 1, indent + len(mark) + 1)
        head = " " * indent + mark + " "
        self._lines.append(text.Text.assemble((head, style), _coloured(first.lstrip())))
        self._lines.extend(map(text.Text, rest))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Columns as wide as their longest value, as kubectl shows them; never cut."""
        cells = [header, *rows]
        widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
        for number, row in enumerate(cells):
            line = text.Text(style=STRONG if number == 0 else "")
            for value, width in zip(row, widths, strict=True):
                line.append(value.ljust(width + COLUMN_GAP), style_of(value))
            line.rstrip()
            self._lines.append(line)

    def block(self, lines: list[str], indent: int = INDENT) -> None:
        """Lines as they are, such as YAML."""
        self._lines.extend(text.Text(" " * indent + line) for line in lines)

    def print(self, out: console.Console) -> None:
        """Write the page."""
        for line in self._lines:
            out.print(line, soft_wrap=True)

    def _wrap(self, words: str, first: int, rest: int) -> list[str]:
        wrapped = textwrap.wrap(
            words,
            max(self._width, rest + 20),
            initial_indent=" " * first,
            subsequent_indent=" " * rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return wrapped or [""]


def style_of(word: str) -> str:
    """The colour of a word that a reader looks for, or none."""
    return STYLES.get(word, "")


def _coloured(words: str) -> text.Text:
    """The first word in its colour, if it has one."""
    first, space, rest = words.partition(" ")
    style = style_of(first.rstrip(":,;"))
    return text.Text.assemble((first, style), space, rest)
