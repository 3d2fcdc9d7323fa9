"""Recording rules judge as the operator does, in a real Prometheus over two weeks of samples.

Where they differ, a test says how and by how much: each is a class of difference of
`docs/design/0013-recording-rules.md`.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
import subprocess
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
import requests
import yaml

from bench import backfill, rule_series
from bench import rules as bench_rules
from lab import binaries
from prunella.api import policy as policy_api
from prunella.core import model, objects
from prunella.core.recording import baseline, compiler, manifests, reading, testing
from prunella.core.signals import compiled
from prunella.detectors import burn_rate

DAYS, SEED = 16, 4
KINDS = ("daily", "traffic", "ratio", "latency", "step")
"""Of those that `python -m bench.rules` compares."""
HOUR, DAY = rule_series.HOUR, rule_series.DAY
GAP = (round(9.2 * DAY), round(9.7 * DAY))
Agreed = Mapping[str, bench_rules.Verdicts]


def gap() -> rule_series.Series:
    """Half a day without samples, and an incident after it."""
    whole = rule_series.make("steady", 5, DAYS)
    values = whole.values.copy()
    values[slice(*GAP)] = np.nan
    return dataclasses.replace(whole, name="gap", kind="gap", values=values)


def common_size() -> rule_series.Series:
    """An incident no higher than what every night brings, then a larger one."""
    rng = np.random.default_rng(1)
    rows = np.arange(DAYS * DAY)
    values = 20 + 70.0 * (rows % DAY // HOUR == 3) + rng.normal(0, 1, len(rows))
    small, large = (1478, 1490), (2448, 2484)
    values[slice(*small)] += 50
    values[slice(*large)] += 140
    return rule_series.Series("common-size", "common-size", values, (large,))


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> Agreed:
    """Both verdicts on every series, by its name without the seed."""
    series = [*rule_series.batch([SEED], DAYS, KINDS), gap(), common_size()]
    folder = tmp_path_factory.mktemp("agree")
    verdicts = bench_rules.compare(folder, series, bench_rules.policy(learn="2d"), DAYS)
    return {each.series.kind: each for each in verdicts}


def spells(verdicts: np.ndarray) -> list[tuple[int, int]]:
    """Rows at which Unhealthy begins and is over."""
    edges = np.diff(np.r_[0, (verdicts == 1).astype(int), 0])
    return list(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True))


def test_the_same_verdict_in_98_of_100_series_minutes(agreed: Agreed) -> None:
    """Series of several kinds, two weeks after learning."""
    kinds = [agreed[kind] for kind in KINDS]

    assert bench_rules.agreement(kinds) >= 0.98
    assert min(float(each.same.mean()) for each in kinds) >= 0.95
    assert all(np.count_nonzero(each.operator == 1) > 50 for each in kinds)


@pytest.mark.parametrize("kind", [*KINDS, "gap", "common-size"])
def test_every_labelled_incident_is_seen_by_both(agreed: Agreed, kind: str) -> None:
    """The operator and the rules agree on all of them."""
    assert [(True, True)] * len(agreed[kind].series.incidents) == agreed[kind].seen()


def test_difference_learning_ends_up_to_an_hour_later(agreed: Agreed) -> None:
    """The slow rules count the history once an hour; until then the verdict is absent."""
    for each in agreed.values():
        later = np.isnan(each.ruler[: 3 * DAY]) & ~np.isnan(each.operator[: 3 * DAY])

        assert np.isnan(each.ruler[: 2 * DAY]).all()
        assert later.sum() <= HOUR + 1


@pytest.mark.parametrize("kind", ["daily", "ratio", "latency"])
def test_difference_an_anomaly_ends_within_an_hour_and_a_half(agreed: Agreed, kind: str) -> None:
    """The rules' shortest mean is a sum of plain ones: it returns otherwise than the detector's."""
    each = agreed[kind]
    for _, over in each.series.incidents:
        ends = [
            max(int(end) for begin, end in spells(verdicts) if begin < over and end > over - 2)
            for verdicts in (each.operator, each.ruler)
        ]

        assert abs(ends[0] - ends[1]) <= 1.5 * HOUR


def test_difference_a_new_level_is_learned_within_two_hours_of_the_operator(agreed: Agreed) -> None:
    """The detector moves its level at once after ``adapt``, the rules' median does within hours."""
    begin = 10 * DAY
    spans = [
        next(int(end) for start, end in spells(verdicts) if start <= begin < end)
        for verdicts in (agreed["step"].operator, agreed["step"].ruler)
    ]

    assert begin + DAY == pytest.approx(spans[0], abs=2)
    assert spans[0] == pytest.approx(spans[1], abs=2 * HOUR)


def test_difference_the_echo_of_a_missed_incident_is_no_anomaly_of_the_rules(
    agreed: Agreed,
) -> None:
    """What was too common to trigger moves the detector's long mean; the rules judge no return."""
    each = agreed["common-size"]
    after = slice(1490 + 3 * HOUR, 1490 + 2 * DAY)

    assert np.count_nonzero(each.ruler[after] == 1) <= np.count_nonzero(each.operator[after] == 1)
    assert not (each.ruler[after] == 1).any()


def test_a_gap_is_unknown_to_both_and_nothing_is_forgotten(agreed: Agreed) -> None:
    """Within a step of its edges; afterwards the same value is usual again."""
    each = agreed["gap"]
    inside = slice(GAP[0] + 2, GAP[1])
    after = slice(GAP[1] + 1, GAP[1] + DAY)

    assert np.isnan(each.operator[inside]).all()
    assert np.isnan(each.ruler[inside]).all()
    assert not (each.ruler[after] == 1).any()
    assert np.isfinite(each.ruler[after]).all()


BURN_KEY = objects.Key("shop", "slo")
BURN_RULES = [
    {"budget": 0.02, "long": "1h", "short": "5m"},
    {"budget": 0.05, "long": "6h", "short": "30m"},
]


def burn_policy() -> policy_api.RemediationPolicySpec:
    """An objective of 99 % on two counters."""
    events = "sum by (namespace, deployment) (increase({}[$window]))"
    return policy_api.RemediationPolicySpec.model_validate(
        {
            "target": {"selector": {"matchLabels": {"app": "shop"}}},
            "signals": [
                {
                    "name": "slo",
                    "ratio": {
                        "bad": events.format('requests_total{code="500"}'),
                        "total": events.format("requests_total"),
                    },
                    "burnRate": {"objective": 99, "rules": BURN_RULES},
                }
            ],
            "steps": [{"restart": {}}],
        }
    )


def counters(rows: int, step: float) -> str:
    """Two workloads; one burns from 12 to 18 h, the other never has a bad event."""
    lines = ["# TYPE requests counter"]
    rng = np.random.default_rng(3)
    for name, burns in (("sick", True), ("fine", False)):
        for code, rate in (("200", 100.0), ("500", 30.0 if burns else 0.0)):
            hours = np.arange(rows) * step / 3600
            mean = np.where((code == "500") & ((hours < 12) | (hours > 18)), 0.1 * burns, rate)
            total = np.cumsum(rng.poisson(mean))
            labels = f'{{namespace="shop",deployment="{name}",code="{code}"}}'
            lines += [
                f"requests_total{labels} {value} {rule_series.START + row * step}"
                for row, value in enumerate(total.tolist())
            ]
    return "\n".join([*lines, "# EOF\n"])


@pytest.fixture(scope="module")
def burning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus with a day of counters and of the rules' results."""
    folder = tmp_path_factory.mktemp("burn")
    backfill.load(folder, counters(24 * 60, 60.0))
    groups = compiler.compile_rules(BURN_KEY, burn_policy(), {})
    backfill.backfill(folder, groups, rule_series.START, rule_series.START + 86_400 - 60)
    with backfill.prometheus(folder) as url:
        yield url


def ask(url: str, query: str, at: float) -> list[dict[str, object]]:
    """The decoded result of an instant query."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{url}/api/v1/query", params={"query": query, "time": at}, timeout=20)
        found: list[dict[str, object]] = answer.json()["data"]["result"]
        return found


def test_recorded_events_are_exactly_the_operators(burning: str) -> None:
    """At every evaluation of the day, each window's events are those of the query itself."""
    signal = compiled.compile_policy(BURN_KEY, burn_policy(), {}).signals[0]
    end = rule_series.START + 86_400.0
    compared = 0
    for role, query in reading.recorded_queries(BURN_KEY, signal).items():
        for series in ask(burning, f"{query}[1d]", end):
            moments = np.array([float(t) for t, _ in series["values"]])
            values = [float(value) for _, value in series["values"]]
            name = series["metric"]["deployment"]
            assert len(set(np.diff(moments))) == 1
            direct = backfill.query_range(burning, signal.queries[role], "deployment", moments)

            np.testing.assert_array_equal(direct[name], values)
            compared += len(values)
    assert compared > 10_000


@pytest.mark.parametrize("hour", [6.0, 12.5, 13.0, 17.0, 18.2, 18.7, 23.9])
def test_burn_rates_are_judged_alike(burning: str, hour: float) -> None:
    """The same detector on recorded and on direct answers gives the same verdict."""
    signal = compiled.compile_policy(BURN_KEY, burn_policy(), {}).signals[0]
    params = signal.spec.burn_rate
    assert params is not None
    at = rule_series.START + hour * 3600
    verdicts = []
    for queries in (signal.queries, reading.recorded_queries(BURN_KEY, signal)):
        events = {seconds: _events(burning, queries, seconds, at) for seconds in params.windows}
        verdicts.append(burn_rate.detect(events, params).verdict)

    assert verdicts[0] is verdicts[1]
    assert (verdicts[0] is model.Verdict.UNHEALTHY) == (12.7 < hour < 18.3)


def _events(url: str, queries: Mapping[str, str], seconds: int, at: float) -> burn_rate.Events:
    read = {}
    for role in (compiled.BAD, compiled.TOTAL):
        result = ask(url, queries[compiled.windowed(role, seconds)], at)
        read[role] = next(
            float(s["value"][1]) for s in result if s["metric"]["deployment"] == "sick"
        )
    return burn_rate.Events(read[compiled.BAD], read[compiled.TOTAL])


def full_policy() -> policy_api.RemediationPolicySpec:
    """Every kind of signal that is recorded, each with another mapping."""
    cpu = "sum by (namespace, pod) (rate(container_cpu_usage_seconds_total[5m]))"
    share = {
        "bad": 'sum by (deployment) (rate(requests_total{code=~"5.."}[5m]))',
        "total": "sum by (deployment) (rate(requests_total[5m]))",
    }
    signals: list[dict[str, object]] = [
        {"name": "cpu", "prometheus": {"query": cpu}, "baseline": {"direction": "Above"}},
        {"name": "errors", "ratio": share, "baseline": {"trigger": 4, "recover": 2}},
        {
            "name": "queue",
            "prometheus": {"query": "queue_length"},
            "mapping": {"name": "app"},
            "baseline": {"direction": "Below", "learn": "6h", "recover": 0.5},
        },
        {
            "name": "orders",
            "prometheus": {"query": "sum(rate(orders_total[5m]))"},
            "mapping": {"single": True},
            "baseline": {"every": "1m", "trigger": 8, "recover": 5},
        },
    ]
    slo = burn_policy().model_dump(mode="json", by_alias=True, exclude_none=True)["signals"]
    return policy_api.RemediationPolicySpec.model_validate(
        {"target": {"name": "shop"}, "signals": [*signals, *slo], "steps": [{"restart": {}}]}
    )


def promtool(*arguments: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
    """A run of promtool."""
    command = [binaries.locate("promtool"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


def write(
    folder: pathlib.Path, spec: policy_api.RemediationPolicySpec
) -> tuple[pathlib.Path, pathlib.Path]:
    """Rules and their tests as files."""
    key = objects.Key("shop", "full")
    rules, tests = folder / "rules.yml", folder / "tests.yml"
    groups = compiler.compile_rules(key, spec, {})
    rules.write_text(yaml.safe_dump(manifests.rules_file(groups)))
    signals = compiled.compile_policy(key, spec, {}).signals
    tests.write_text(yaml.safe_dump(testing.promtool_tests([(key, signals)], rules.name)))
    return rules, tests


def test_promtool_accepts_rules_and_their_tests(tmp_path: pathlib.Path) -> None:
    """`promtool check rules` and the tests that are written beside the rules."""
    rules, tests = write(tmp_path, full_policy())
    checked = promtool("check", "rules", rules)
    tested = promtool("test", "rules", tests)

    assert checked.returncode == 0, checked.stderr
    assert tested.returncode == 0, tested.stdout + tested.stderr


BROKEN = {
    "hysteresis is gone": (" or last_over_time(", " unless last_over_time("),
    "the trigger is out of reach": (">= 2.9)", ">= 99)"),
    "it judges before it has learned": (">= 576)", ">= 0)"),
    "it never calms": ("< 1.5)", "< -1)"),
}


@pytest.mark.parametrize(("right", "wrong"), BROKEN.values(), ids=BROKEN)
def test_the_written_tests_fail_when_a_rule_is_broken(
    tmp_path: pathlib.Path, right: str, wrong: str
) -> None:
    """The tests beside the rules can fail."""
    rules, tests = write(tmp_path, bench_rules.policy())
    text = rules.read_text().replace("\n        ", " ")
    assert right in text
    rules.write_text(text.replace(right, wrong))

    assert promtool("test", "rules", tests).returncode == 1


JOINS: Mapping[str, tuple[dict[str, object], dict[str, float]]] = {
    "the worst pod above": ({"direction": "Above"}, {"web": 9.0, "web-api": 5.0}),
    "the worst pod below": ({"direction": "Below"}, {"web": 1.0, "web-api": 5.0}),
    "the middle pod on both sides": ({"direction": "Both"}, {"web": 4.0, "web-api": 5.0}),
}
PODS = {
    "web-5d4f7c8b9d-x2x4z": "9",
    "web-5d4f7c8b9d-bcdfg": "4",
    "web-6d4f7c8b9d-fghjk": "1",
    "web-5d4f7c8b9d-nnnnn": "Inf",
    "web-api-7c8b9d5d4f-zzzzz": "5",
    "web-migrate-1a2b3": "99",
}
"""The last is nobody's."""


@pytest.mark.parametrize(("params", "expected"), JOINS.values(), ids=JOINS)
def test_pods_are_joined_in_the_rules(
    tmp_path: pathlib.Path, params: dict[str, object], expected: dict[str, float]
) -> None:
    """Pods find their workload by name; the `pods` rule chooses the one that counts."""
    series = [
        {"series": f'app_load{{namespace="shop",pod="{pod}"}}', "values": f"{value} " * 6}
        for pod, value in PODS.items()
    ]
    labels = 'namespace="shop",policy="checkout",signal="load"'
    samples = [
        {"labels": f'{baseline.VALUE}{{deployment="{name}",{labels}}}', "value": value}
        for name, value in expected.items()
    ]
    _check_value(tmp_path, bench_rules.policy(**params), series, samples)


def test_doubled_series_have_no_value(tmp_path: pathlib.Path) -> None:
    """Two series of one object are ambiguous: none is recorded, as the operator believes none."""
    series = [
        {"series": f'app_load{{namespace="shop",deployment="web",zone="{zone}"}}', "values": "1x5"}
        for zone in "ab"
    ]
    _check_value(tmp_path, bench_rules.policy(), series, [])


def _check_value(
    folder: pathlib.Path,
    spec: policy_api.RemediationPolicySpec,
    series: list[dict[str, str]],
    samples: list[dict[str, object]],
) -> None:
    rules, tests = folder / "rules.yml", folder / "tests.yml"
    groups = compiler.compile_rules(bench_rules.KEY, spec, {})
    rules.write_text(yaml.safe_dump(manifests.rules_file(groups)))
    case = {"expr": baseline.VALUE, "eval_time": "5m", "exp_samples": samples}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [case]}
    tests.write_text(yaml.safe_dump({"rule_files": [rules.name], "tests": [test]}))

    done = promtool("test", "rules", tests)

    assert done.returncode == 0, done.stdout + done.stderr


def test_shares_are_of_enough_events_and_of_finite_numbers(tmp_path: pathlib.Path) -> None:
    """No bad series is no bad event; too few events have no share."""
    counted = {"busy": ("10", "200"), "calm": (None, "200"), "idle": ("1", "5")}
    series = []
    for name, sides in counted.items():
        for metric, value in zip(("bad", "total"), sides, strict=True):
            if value is not None:
                label = f'{metric}{{namespace="shop",deployment="{name}"}}'
                series.append({"series": label, "values": f"{value}x5"})
    spec = policy_api.RemediationPolicySpec.model_validate(
        {
            "target": {"name": "shop"},
            "signals": [
                {"name": "load", "ratio": {"bad": "bad", "total": "total"}, "baseline": {}}
            ],
            "steps": [{"restart": {}}],
        }
    )
    labels = 'namespace="shop",policy="checkout",signal="load"'
    samples = [
        {"labels": f'{baseline.VALUE}{{deployment="{name}",{labels}}}', "value": value}
        for name, value in {"busy": 0.05, "calm": 0.0}.items()
    ]
    _check_value(tmp_path, spec, series, samples)
    assert math.isclose(0.05, 10 / 200)
