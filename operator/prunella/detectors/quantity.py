"""Quantities as Kubernetes writes them: ``512Mi``, ``1.5G``, ``250m``."""

from __future__ import annotations

import re
from typing import Final

_FACTORS: Final = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1.0,
    **{letter: 1000.0**power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)},
}
_SHAPE: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([numkMGTPE]|[KMGTPE]i)?")


def read(value: object) -> object:
    """The number that a quantity means; anything but a text passes as it is."""
    if not isinstance(value, str):
        return value
    match = _SHAPE.fullmatch(value)
    if match is None:
        raise ValueError(f"must be a number or a quantity such as 512Mi or 1.5G, found {value!r}")
    return float(match[1]) * _FACTORS[match[2] or ""]
