"""A file for ``promtool test rules``: what the rules of a policy say about sizes as drawn.

For a baseline: nothing before there is enough history, a trigger, an anomaly that lasts between
recovery and trigger, and its end.  The sizes are put where the rules record them, so that the test
holds whatever the query, and takes a second.  A burn rate must record nothing where there are no
events: no data is no calm.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from prunella.api import detectors as detectors_api
from prunella.core import objects
from prunella.core.recording import baseline, burn_rate, compiler, rules
from prunella.core.signals import compiled

_SPIKE: Final = 20
"""Powers of two of a size that is beyond everything."""
_ROUNDS: Final = 30
"""Evaluations while a baseline learns; values come once a second."""


def promtool_tests(
    policies: Iterable[tuple[objects.Key, Sequence[compiled.Signal]]], rule_file: str
) -> dict[str, Any]:
    """The tests of all signals that are recorded; ``rule_file`` is relative to the tests.

    Promtool evaluates all groups of the file for each test, so all baselines share one.
    """
    baselines = []
    burn_rates = []
    for key, signal in ((key, signal) for key, signals in policies for signal in signals):
        names = rules.Names.of(key, signal)
        if signal.spec.baseline is not None:
            baselines.append(_Drawn(names, signal, signal.spec.baseline))
        elif compiler.is_recorded(signal):
            burn_rates.append(_Silent(names, signal))
    # Promtool evaluates every group so often, whatever the group's own interval.
    pause = max([each.samples for each in baselines], default=0) // _ROUNDS + 10
    tests = [_baselines(baselines, pause)] if baselines else []
    if burn_rates:
        tests.append(_burn_rates(burn_rates))
    return {
        "rule_files": [rule_file],
        "evaluation_interval": rules.span(pause),
        "tests": tests,
    }


@dataclasses.dataclass(frozen=True, slots=True)
class _Drawn:
    """A baseline, and the sizes that it is shown."""

    names: rules.Names
    signal: compiled.Signal
    params: detectors_api.Baseline

    @property
    def every(self) -> int:
        """Seconds between samples."""
        return round(self.params.every.total_seconds())

    @property
    def samples(self) -> int:
        """How many values are history enough."""
        return round(self.params.young) // self.every

    def cases(self, pause: int) -> list[dict[str, Any]]:
        """Learning, usual, unusual, still unusual, usual again: one for each round."""
        learned = self._learned(pause)
        expected: dict[int, int | None] = {(self.samples // 2) // pause * pause: None}
        expected |= {learned + n * pause: value for n, value in enumerate((0, 1, 1, 0))}
        query, verdict = self.names.series(baseline.UNHEALTHY), self._name(baseline.UNHEALTHY)
        return [_case(query, when, verdict, value) for when, value in expected.items()]

    def series(self, pause: int) -> list[dict[str, str]]:
        """Values and sizes in promtool's notation. What is strange lasts for one sample."""
        below = self.params.direction is detectors_api.Side.BELOW
        side = "below" if below else "above"
        size = self._name(f"{baseline.PREFIX}size", kind="sample", side=side)
        usual, learned = f"1x{pause - 2}", self._learned(pause)
        drawn = f"1x{learned} {usual} {2.0**_SPIKE!r} {usual} {self._between!r} {usual} 0.5"
        return [
            {"series": self._name(baseline.VALUE), "values": f"20x{learned + 3 * pause}"},
            {"series": size, "values": drawn},
        ]

    def _learned(self, pause: int) -> int:
        """The second from which on there must be verdicts, even if the slow rules lag."""
        return (math.ceil(self.samples / pause) + 2) * pause

    @property
    def _between(self) -> float:
        """A size whose rarity is in the middle of recovery and trigger, after the spike."""
        odds = (self.params.recover + self.params.trigger) / 2
        odds += math.log10(baseline.tail_share(self.params))
        odds += math.log10(5 * baseline.MINUTE / self.every)
        return float(2 ** (odds * baseline.tail_index(baseline.FAR_BEYOND, 1) * math.log(10)))

    def _name(self, record: str, **more: str) -> str:
        labels = [each for each in self.signal.labels if each not in compiled.POD_LABELS]
        whole = {**dict.fromkeys(labels, "app"), **self.names.labels, **more}
        inner = ",".join(f'{name}="{value}"' for name, value in whole.items())
        return f"{record}{{{inner}}}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Silent:
    """A burn rate, to be shown nothing."""

    names: rules.Names
    signal: compiled.Signal

    def cases(self) -> list[dict[str, Any]]:
        """No result of any window."""
        burn = self.signal.spec.burn_rate
        return [
            _case(series, baseline.HOUR, series, None)
            for seconds in (burn.windows if burn is not None else ())
            for role in (compiled.BAD, compiled.TOTAL)
            for series in [self.names.series(burn_rate.PREFIX + role, window=rules.span(seconds))]
        ]


def _baselines(drawn: Sequence[_Drawn], pause: int) -> dict[str, Any]:
    """Baselines side by side; nothing is old enough for the rules to have sizes of their own."""
    called = ", ".join(each.names.signal for each in drawn)
    return {
        "name": f"{called}: learning, usual, unusual, held, usual",
        "interval": "1s",
        "input_series": [row for each in drawn for row in each.series(pause)],
        "promql_expr_test": [case for each in drawn for case in each.cases(pause)],
    }


def _burn_rates(silent: Sequence[_Silent]) -> dict[str, Any]:
    called = ", ".join(each.names.signal for each in silent)
    return {
        "name": f"{called}: without events nothing is recorded",
        "interval": "1m",
        "input_series": [],
        "promql_expr_test": [case for each in silent for case in each.cases()],
    }


def _case(query: str, when: int, series: str, value: int | None) -> dict[str, Any]:
    samples = [] if value is None else [{"labels": series, "value": value}]
    return {"expr": query, "eval_time": rules.span(when), "exp_samples": samples}
