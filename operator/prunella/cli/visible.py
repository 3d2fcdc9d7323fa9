"""Text of others, made safe to show on a terminal.

Messages, summaries and annotations come from whoever may write them.  A terminal obeys the control
characters in them: it moves the cursor over what was shown, changes its title or its clipboard, or
shows text in another order than it has (CVE-2021-25743 of kubectl, https://trojansource.codes).
"""

from __future__ import annotations

from typing import Final

_PICTURES: Final = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"} | {
    0x7F: "\u2421"
}
"""A sign for each control character of ASCII, such as ␛ for escape."""
_HIDDEN: Final = dict.fromkeys(
    (*range(0x80, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
    "\ufffd",
)
"""The control characters beyond ASCII, some of which terminals obey, and those that turn text."""
_TABLE: Final = _PICTURES | _HIDDEN


def visible(words: str) -> str:
    """The same text of as many characters, with a sign in place of what a terminal would obey."""
    return words.translate(_TABLE)
