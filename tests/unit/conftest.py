"""Properties are checked without a time limit for each example: machines are busy at times."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("unit", deadline=None, max_examples=60)
hypothesis.settings.load_profile("unit")
