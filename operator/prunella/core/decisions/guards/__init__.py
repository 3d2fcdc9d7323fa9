"""The guards: a file for each subject, and the chain in one place.

`case` says what a guard is asked; `chain` holds the order and asks.
"""

from prunella.core.decisions.guards.case import Answer, Case, Guard
from prunella.core.decisions.guards.chain import (
    BUDGETS,
    GUARDS,
    RETURN_GUARDS,
    REVERT_GUARDS,
    STANDING_GUARDS,
    evaluate,
    refusal,
)

__all__ = [
    "BUDGETS",
    "GUARDS",
    "RETURN_GUARDS",
    "REVERT_GUARDS",
    "STANDING_GUARDS",
    "Answer",
    "Case",
    "Guard",
    "evaluate",
    "refusal",
]
