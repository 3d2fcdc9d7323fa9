"""What users ask of a shop: a day's wave and noise, the same for the same seed."""

from __future__ import annotations

import math
import random
import zlib

from lab.shop.profiles import Load

DAY = 86400.0
_MEMORY = 0.95
"""How much of the noise of a second is still there in the next one."""


class Users:
    """The users of one shop."""

    def __init__(self, shop: str, plan: Load, seed: int = 0, day: float = DAY) -> None:
        self._plan = plan
        self._day = day
        self._random = random.Random(zlib.crc32(f"{shop}/{seed}".encode()))  # noqa: S311
        self._phase = self._random.random()
        self._noise = 0.0

    def rate(self, now: float) -> float:
        """Requests per second at ``now``; to be asked once a second."""
        fresh = self._random.gauss(0, self._plan.noise * math.sqrt(1 - _MEMORY**2))
        self._noise = _MEMORY * self._noise + fresh
        wave = 1 + self._plan.day * math.sin(2 * math.pi * (now / self._day + self._phase))
        return self._plan.rate * wave * math.exp(self._noise)
