"""Arithmetic as IEEE 754 and Go do it: a division by zero is a value, never an exception."""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Sequence


def divide(left: float, right: float) -> float:
    """IEEE division: x/0 is an infinity with the sign of both, 0/0 is NaN."""
    try:
        return left / right
    except ZeroDivisionError:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)


def modulo(left: float, right: float) -> float:
    """The remainder with the sign of the dividend, as C's fmod."""
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def power(base: float, exponent: float) -> float:
    """``base ^ exponent``; an overflow or a pole is an infinity, an undefined power is NaN."""
    try:
        return math.pow(base, exponent)
    except (OverflowError, ValueError) as error:
        if isinstance(error, ValueError) and base != 0:
            return math.nan
        odd = math.fmod(exponent, 2) in {1.0, -1.0}
        return math.copysign(math.inf, base) if odd else math.inf


def exponential(value: float) -> float:
    """``e ^ value``."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def square_root(value: float) -> float:
    """The square root; NaN below zero."""
    return math.nan if value < 0 else math.sqrt(value)


def logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    """Make one of math's logarithms total: -Inf at zero, NaN below."""

    def total_logarithm(value: float) -> float:
        if value > 0 or math.isnan(value):
            return function(value)
        return -math.inf if value == 0 else math.nan

    return total_logarithm


def floor(value: float) -> float:
    """The greatest integer value not above, infinities and NaN unchanged."""
    return math.copysign(float(math.floor(value)), value) if math.isfinite(value) else value


def ceil(value: float) -> float:
    """The least integer value not below, infinities and NaN unchanged."""
    return math.copysign(float(math.ceil(value)), value) if math.isfinite(value) else value


def total(values: Sequence[float]) -> float:
    """The sum, free of cancellation while all values are finite."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond the largest float, or Inf - Inf
        return sum(values)


def mean(values: Sequence[float]) -> float:
    """The mean of at least one value; finite values have a finite mean."""
    average = total(values) / len(values)
    if math.isinf(average) and all(map(math.isfinite, values)):
        return total([value / len(values) for value in values])
    return average


def variance(values: Sequence[float]) -> float:
    """The population variance.

    By Welford's recurrence: equal values have a variance of exactly 0, however large they are.
    """
    average = squares = 0.0
    for count, value in enumerate(values, 1):
        difference = value - average
        average += difference / count
        squares += difference * (value - average)
    return squares / len(values)


def deviation(values: Sequence[float]) -> float:
    """The population standard deviation."""
    return square_root(variance(values))


def lowest(values: Sequence[float]) -> float:
    """The least value; NaN only when all are NaN."""
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def highest(values: Sequence[float]) -> float:
    """The greatest value; NaN only when all are NaN."""
    return max((value for value in values if not math.isnan(value)), default=math.nan)


def quantile(values: Sequence[float], fraction: float) -> float:
    """The quantile, linear between neighbours; NaN counts as the least value.

    A fraction below 0 is -Inf, above 1 +Inf.
    """
    if math.isnan(fraction) or not values:
        return math.nan
    if not 0 <= fraction <= 1:
        return math.copysign(math.inf, fraction)
    ordered = sorted(values, key=lambda value: (not math.isnan(value), value))
    rank = fraction * (len(ordered) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    weight = rank - below
    return ordered[below] * (1 - weight) + ordered[above] * weight


def shortest(value: float) -> str:
    """The shortest decimal without an exponent that reads back as the value."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return format(decimal.Decimal(repr(value)), "f").removesuffix(".0")
