"""Settings of the property tests: the same examples each time, or many new ones on request."""

from __future__ import annotations

import os

import hypothesis

EXAMPLES = int(os.environ.get("PRUNELLA_EXAMPLES", "0"))
"""How many new examples to search through; without it, a fixed and small set."""

hypothesis.settings.register_profile("unit", deadline=None, max_examples=60, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=EXAMPLES or 1)
hypothesis.settings.load_profile("search" if EXAMPLES else "unit")
