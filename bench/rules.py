"""Baselines computed by recording rules against the operator's own, in a real Prometheus.

    python -m bench.rules [--seeds 3] [--days 16]

Series of nine kinds are written as blocks, the rules that `prunella compile` writes are backfilled
over them by promtool, and both verdicts are read from Prometheus on the same grid.  What is
learned in the first two days is not compared.  Like is compared with like: the operator's judge
leaves out what recording rules can't say (``BEYOND_RULES``).
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import tempfile
import time
from collections.abc import Sequence

import numpy as np

from bench import backfill, operator_process, rule_series
from prunella.api import policy as policy_api
from prunella.api import signals as signals_api
from prunella.core import objects
from prunella.core.recording import compiler, reading
from prunella.core.signals import compiled, recorded
from prunella.detectors import baseline

BEYOND_RULES = ("situation", "recent", "habits", "often", "weekend")
"""Parts of the operator's score that rules leave out, as `docs/recording-rules.md` says."""
KEY = objects.Key("shop", "checkout")
METRIC = "app_load"
LEARN = 2 * rule_series.DAY
AFTER = rule_series.HOUR // 2
"""Rows after an incident in which it still may be seen first: its mean, or its end."""


@dataclasses.dataclass(frozen=True)
class Verdicts:
    """Both verdicts on one series, row by row; NaN is Unknown."""

    series: rule_series.Series
    operator: np.ndarray
    ruler: np.ndarray

    @property
    def same(self) -> np.ndarray:
        """Where they agree, after the time of learning."""
        both = np.isnan(self.operator) & np.isnan(self.ruler)
        return ((self.operator == self.ruler) | both)[LEARN:]

    def seen(self) -> list[tuple[bool, bool]]:
        """For each incident, who saw it: the operator, the ruler."""
        return [
            (
                bool((self.operator[begin : end + AFTER] == 1).any()),
                bool((self.ruler[begin : end + AFTER] == 1).any()),
            )
            for begin, end in self.series.incidents
        ]


def policy(**params: object) -> policy_api.RemediationPolicySpec:
    """A policy with one baseline."""
    return policy_api.RemediationPolicySpec.model_validate(
        {
            "target": {"selector": {"matchLabels": {"app": "shop"}}},
            "signals": [{"name": "load", "prometheus": {"query": METRIC}, "baseline": params}],
            "steps": [{"restart": {}}],
        }
    )


def compare(
    folder: pathlib.Path,
    series: Sequence[rule_series.Series],
    spec: policy_api.RemediationPolicySpec,
    days: int,
) -> list[Verdicts]:
    """Load, backfill, and read both verdicts."""
    moments = rule_series.times(days)
    backfill.load(folder, rule_series.open_metrics(series, METRIC, KEY.namespace))
    groups = compiler.compile_rules(KEY, spec, {})
    backfill.backfill(folder, groups, moments[0], moments[-1])
    signal = compiled.compile_policy(KEY, spec, {}).signals[0]
    with backfill.prometheus(folder) as url:
        raw = backfill.query_range(url, signal.queries[compiled.VALUE], "deployment", moments)
        query = reading.recorded_queries(KEY, signal)[recorded.UNHEALTHY]
        # A group is evaluated at some moment of each step: by the end of it, it has been.
        rules_said = backfill.query_range(url, query, "deployment", moments + rule_series.STEP - 1)
    return _side_by_side(series, spec.signals[0], moments, raw, rules_said)


def _side_by_side(
    series: Sequence[rule_series.Series],
    signal: signals_api.Signal,
    moments: np.ndarray,
    raw: dict[str, np.ndarray],
    recorded: dict[str, np.ndarray],
) -> list[Verdicts]:
    values = np.stack([raw[each.name] for each in series], axis=1)
    params = signal.baseline or baseline.Params()
    ticks = baseline.run(params, moments, values, without=BEYOND_RULES)
    operator = np.stack([np.where(t.unknown, np.nan, t.unhealthy) for t in ticks])
    nothing = np.full(len(moments), np.nan)
    return [
        Verdicts(each, operator[:, row], recorded.get(each.name, nothing))
        for row, each in enumerate(series)
    ]


def agreement(verdicts: Sequence[Verdicts]) -> float:
    """The share of series-minutes with the same verdict."""
    return float(np.mean([each.same for each in verdicts]))


def table(verdicts: Sequence[Verdicts]) -> list[str]:
    """A confusion table by kind, in percent of series-minutes: operator, then ruler."""
    heads = ("kind", "same", "worst series", "both sick", "only the operator", "only the rules")
    incidents = "incidents seen by both, the operator, the rules, neither"
    kinds = dict.fromkeys(each.series.kind for each in verdicts)
    rows = [_row(kind, [each for each in verdicts if each.series.kind == kind]) for kind in kinds]
    head = f"| {' | '.join((*heads, incidents))} |"
    return [head, "|---" * (len(heads) + 1) + "|", *rows, _row("**all**", verdicts)]


def _row(name: str, verdicts: Sequence[Verdicts]) -> str:
    sick = [(each.operator[LEARN:] == 1, each.ruler[LEARN:] == 1) for each in verdicts]
    shares = [
        np.mean([op & ru for op, ru in sick]),
        np.mean([op & ~ru for op, ru in sick]),
        np.mean([ru & ~op for op, ru in sick]),
    ]
    seen = [pair for each in verdicts for pair in each.seen()]
    counts = [
        seen.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))
    ]
    worst = min(float(each.same.mean()) for each in verdicts)
    cells = [f"{100 * agreement(verdicts):.2f}", f"{100 * worst:.2f}"]
    cells += [f"{100 * share:.2f}" for share in shares]
    return f"| {name} | {' | '.join(cells)} | {', '.join(map(str, counts))} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--days", type=int, default=16)
    chosen = parser.parse_args()
    operator_process.build_lab()
    series = rule_series.batch(range(chosen.seeds), chosen.days)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        verdicts = compare(pathlib.Path(folder), series, policy(learn="2d"), chosen.days)
    print("\n".join(table(verdicts)))
    print(f"\n{len(series)} series, {chosen.days} days, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
