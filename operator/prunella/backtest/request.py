"""What is asked of a run."""

from __future__ import annotations

import dataclasses
import datetime

from prunella import settings as settings_module
from prunella.adapters.recorded import metrics as recorded
from prunella.api import policy as policy_api
from prunella.core import objects
from prunella.engine import loop


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What to try, and on which history."""

    key: objects.Key
    spec: policy_api.RemediationPolicySpec
    start: datetime.datetime
    end: datetime.datetime
    names: tuple[str, ...] = ()
    """The only targets, where given."""
    settings: settings_module.Settings = dataclasses.field(default_factory=settings_module.Settings)
    thorough: bool = False
    """Run the engine at every step, also where nothing can happen."""
    spacings: recorded.Spacings = dataclasses.field(default_factory=dict)
    """How far apart the samples of each query are; see `spacings.prepared`."""
    warnings: tuple[str, ...] = ()
    """What of the policy does not fit this history."""

    @property
    def interval(self) -> float:
        """Seconds between two points of the grid."""
        return self.spec.interval.total_seconds()

    @property
    def first(self) -> datetime.datetime:
        """The first point: the live engine's next moment from the start on."""
        before = self.start - datetime.timedelta(microseconds=1)
        return loop.aligned(before, self.interval, self.key.namespace)

    @property
    def points(self) -> int:
        """How many points there are."""
        length = (self.end - self.first).total_seconds()
        return max(0, int(length / self.interval + 1e-9) + 1)

    def at(self, point: int) -> datetime.datetime:
        """The moment of a point."""
        return self.first + point * datetime.timedelta(seconds=self.interval)
