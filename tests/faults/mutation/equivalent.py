"""Faults that nobody can see from outside, each with the reason."""

from __future__ import annotations

from typing import Final

REASONS: Final[dict[str, str]] = {}
"""By the name of the mutant."""
