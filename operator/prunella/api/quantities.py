"""Quantities as Kubernetes writes them: ``512Mi``, ``1.5G``, ``250m``."""

from __future__ import annotations

import decimal
import math
import re
from typing import Annotated, Any, Final

import pydantic
import pydantic_core
from pydantic import json_schema
from pydantic_core import core_schema

_FACTORS: Final = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1.0,
    **{letter: 1000.0**power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)},
}
_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL: Final = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_PATTERN: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?([numkMGTPE]|[KMGTPE]i)?$"
_PARTS: Final = re.compile(r"([^a-zA-Z]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")
_SLACK: Final = 1e-6
"""What arithmetic in floating point may add."""
_MOST_CHARACTERS: Final = 32
_MOST: Final = 2**53


def read(quantity: float | str) -> float:
    """The number that a quantity means. Raises ValueError for a text that is none."""
    if not isinstance(quantity, str):
        return float(quantity)
    parts = _PARTS.fullmatch(quantity)
    if parts is None or not re.fullmatch(_PATTERN, quantity):
        raise ValueError(f"must be a number or a quantity such as 512Mi, found {quantity!r}")
    return float(parts[1]) * _FACTORS[parts[2]]


def write(value: float, like: int | str, *, whole: bool = False) -> str:
    """A number as a quantity that is not below it, in the manner of another one.

    Binary units are rounded up to Mi, decimal ones to M; fractions, unless it must be ``whole``, to
    thousandths (m).  It is written as the API server would, which tells it from others' edits.
    """
    return canonical(_rounded(value, like, whole=whole))


def _rounded(value: float, like: int | str, *, whole: bool) -> str:
    parts = _PARTS.fullmatch(str(like))
    unit = parts[2] if parts is not None else ""
    if len(unit) == 2:
        return f"{math.ceil(value / _FACTORS['Mi'] - _SLACK)}Mi"
    if unit and unit in "kMGTPE":
        return f"{math.ceil(value / _FACTORS['M'] - _SLACK)}M"
    if whole or abs(value - round(value)) < _SLACK:
        return str(math.ceil(value - _SLACK))
    return f"{math.ceil(value * 1000 - _SLACK)}m"


def canonical(quantity: int | str) -> str:
    """A quantity as the API server writes it: whole, in the largest unit that leaves it so.

    Those with an exponent are left as they are.
    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    parts = _PARTS.fullmatch(str(quantity))
    if parts is None or "e" in parts[1].lower():
        return str(quantity)
    amount, unit = decimal.Decimal(parts[1]), parts[2]
    binary = len(unit) == 2 and abs(read(quantity)) >= 1024
    units, base = (_BINARY, 1024) if binary else (_DECIMAL, 1000)
    if len(unit) == 2:
        smallest = amount * 1024 ** _BINARY.index(unit) * (1 if binary else 10**9)
    else:
        smallest = amount * decimal.Decimal(1000) ** _DECIMAL.index(unit)
    number = int(smallest.to_integral_value(decimal.ROUND_CEILING))
    place = 0
    while number and number % base == 0 and place < len(units) - 1:
        number, place = number // base, place + 1
    return f"{number}{units[place]}" if number else "0"


class _Quantity:
    """Annotation of ``int | str``, which is the one union that the API server knows."""

    def _validate(self, value: object) -> int | str:
        whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST
        text = isinstance(value, str) and len(value) <= _MOST_CHARACTERS
        if whole or (text and re.fullmatch(_PATTERN, str(value))):
            return value  # type: ignore[return-value]  # it is one of the two, as just seen
        hint = ""
        if isinstance(value, float) and math.isfinite(value):
            hint = f": write it as a text, '{value:g}'"
        raise pydantic_core.PydanticCustomError(
            "quantity",
            "must be a whole number, or a quantity such as 512Mi or '0.9', got {got}{hint}",
            {"got": repr(value)[:80], "hint": hint},
        )

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> json_schema.JsonSchemaValue:
        return {
            "anyOf": [
                {"type": "integer"},
                {"type": "string", "pattern": _PATTERN, "maxLength": _MOST_CHARACTERS},
            ]
        }


Quantity = Annotated[int | str, _Quantity()]
"""A whole number, or a text such as ``512Mi``; an ``int-or-string`` to the API server."""
