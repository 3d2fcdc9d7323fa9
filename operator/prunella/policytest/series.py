"""The samples of a story: written out, or told in short, and answering to what is done.

A value is that of the first of its conditions that holds: the image that runs, the time.  With
``perPod`` there is a series for each ready pod and the values count from the pod's own start, so a
restart begins them anew; with ``shared`` the pods share the value, so more replicas lessen it.
"""

from __future__ import annotations

import fnmatch
import functools
import math
import re
import zlib
from typing import Annotated, Final

import numpy as np
import pydantic
from numpy.typing import NDArray

from prunella.api import base
from prunella.policytest import fields
from prunella.promql import notation

MOST_REPEATS: Final = 1_000_000
_REPEATS: Final = re.compile(r"x(\d+)\b")
_BLOCK: Final = 1024
_DAY_HOURS: Final = 24.0


class Daily(base.ApiModel):
    """A day that rises and falls as a cosine."""

    low: float
    high: float
    peak_hour: Annotated[float, pydantic.Field(ge=0, lt=24)] = 14.0
    """Hour of the day in UTC at which it is highest."""

    def at(self, time: float) -> float:
        """The value at a Unix time."""
        hour = time / 3600 % _DAY_HOURS
        wave = math.cos((hour - self.peak_hour) / _DAY_HOURS * 2 * math.pi)
        return self.low + (self.high - self.low) * (1 + wave) / 2


class Shape(base.ApiModel):
    """How values go on: one number for ever, promtool's notation, or a daily rhythm."""

    values: float | str | None = None
    daily: Daily | None = None

    @pydantic.model_validator(mode="after")
    def _one_shape(self) -> Shape:
        base.check_exactly_one(self, "values", "daily")
        if isinstance(self.values, str):
            if any(int(count) > MOST_REPEATS for count in _REPEATS.findall(self.values)):
                raise ValueError(f"values: at most {MOST_REPEATS} repetitions")
            written(self.values)
        return self

    def at(self, index: int, time: float) -> float | None:
        """The value ``index`` intervals after the beginning; None is a gap."""
        if self.daily is not None:
            return self.daily.at(time)
        if isinstance(self.values, str):
            values = written(self.values)
            return values[index] if index < len(values) else None
        return self.values


class Condition(Shape):
    """Other values, while all that is given holds."""

    image: str | None = None
    """Pattern of the image of the pod or, without ``perPod``, of the target: ``*:v2``."""
    from_: fields.Offset | None = pydantic.Field(None, alias="from")
    until: fields.Offset | None = None

    def holds(self, image: str, since_start: float) -> bool:
        """Whether it does now."""
        early = self.from_ is not None and since_start < self.from_
        late = self.until is not None and since_start >= self.until
        other = self.image is not None and not fnmatch.fnmatchcase(image, self.image)
        return not (early or late or other)


class Series(Shape):
    """One series of the story, or one for each pod of a workload."""

    metric: str
    """``name{label="value"}``; the namespace is added where it is not written."""
    target: fields.TargetName | None = None
    """The workload whose image the conditions are about and whose pods there are."""
    per_pod: bool = False
    """A series for each ready pod of the target, with its name in the label ``pod``."""
    shared: bool = False
    """The ready pods of the target share the value."""
    counter: bool = False
    """The values are increases per second of a counter."""
    noise: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.0
    """Standard deviation of the noise, as a share of the value."""
    seed: int = 0
    when: tuple[Condition, ...] = ()

    @pydantic.model_validator(mode="after")
    def _of_a_target(self) -> Series:
        notation.parse_metric(self.metric)
        about_images = any(condition.image is not None for condition in self.when)
        if self.target is None and (self.per_pod or self.shared or about_images):
            raise ValueError("perPod, shared and conditions about an image need a target")
        return self

    @property
    def key(self) -> tuple[frozenset[tuple[str, str]], str]:
        """What must differ between two series."""
        return frozenset(notation.parse_metric(self.metric).items()), self.target or ""

    def value(
        self, index: int, time: float, since_start: float, image: str, who: str
    ) -> float | None:
        """The value at a Unix time, ``index`` intervals after ``who`` began; None is a gap."""
        shape: Shape = self
        for condition in self.when:
            if condition.holds(image, since_start):
                shape = condition
                break
        found = shape.at(index, time)
        if found is None or math.isnan(found) or not self.noise:
            return found
        return found * (1 + self.noise * gauss(self.seed, f"{self.metric}/{who}", index))


@functools.lru_cache(maxsize=256)
def written(text: str) -> tuple[float | None, ...]:
    """The values of a text in promtool's notation. Raises ValueError."""
    return notation.parse_values(text)


def gauss(seed: int, who: str, index: int) -> float:
    """A normal number that depends on nothing else, so that a story always plays out the same."""
    block, place = divmod(max(index, 0), _BLOCK)
    return float(_gauss_block(seed, zlib.crc32(who.encode()), block)[place])


@functools.lru_cache(maxsize=4096)
def _gauss_block(seed: int, who: int, block: int) -> NDArray[np.float64]:
    return np.random.default_rng((abs(seed), who, block)).standard_normal(_BLOCK)
