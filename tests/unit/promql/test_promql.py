"""PromQL evaluated over series in promtool's notation.

Expected values follow from the Prometheus documentation; the contract tests compare many more
expressions with a real Prometheus.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from prunella.promql import evaluator, notation, series_store

INF, NAN = math.inf, math.nan

SERIES: Mapping[str, str] = {
    'http_total{app="a",code="200"}': "0+60x20",
    'http_total{app="a",code="500"}': "0+6x20",
    'http_total{app="b",code="200"}': "0+30x5 0+30x14",
    'queue{app="a",zone="x"}': "1 5 3 8 2 8 2 8 2 8 2",
    'queue{app="b",zone="y"}': "10x10",
    'queue{app="c"}': "-4x10",
    'info{app="a",team="red"}': "1x20",
    'info{app="b",team="blue"}': "1x20",
    'gone{app="a"}': "1+1x3 stale",
    'silent{app="a"}': "1+1x3",
    'gap{app="a"}': "1 2 _x3 6 7",
    'line{app="a"}': "100+10x20",
    'flag{app="a"}': "0 0 1 1 0 NaN NaN 1",
    'lat_bucket{le="0.1"}': "10x10",
    'lat_bucket{le="0.5"}': "30x10",
    'lat_bucket{le="+Inf"}': "40x10",
}


@pytest.fixture(scope="module")
def store() -> series_store.SeriesStore:
    """The series above, a sample every minute from time 0."""
    filled = series_store.SeriesStore()
    notation.load(filled, SERIES, interval=60)
    return filled


def elements(store: series_store.SeriesStore, query: str, at: float) -> dict[str, float]:
    """A vector as a table of written labels and values; a scalar is the row ``scalar``."""
    result = evaluator.evaluate(store, query, at)
    if isinstance(result, evaluator.Scalar):
        return {"scalar": result.value}
    assert {at} >= {sample.timestamp for sample in result.samples}
    return {
        ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for sample in result.samples
    }


CASES: Mapping[str, tuple[str, float, Mapping[str, float]]] = {
    "equal matcher": ('queue{app="b"}', 60, {"__name__=queue,app=b,zone=y": 10}),
    "not equal matches an absent label": (
        'queue{zone!="x"}',
        60,
        {"__name__=queue,app=b,zone=y": 10, "__name__=queue,app=c": -4},
    ),
    "an absent label is empty": ('queue{zone=""}', 60, {"__name__=queue,app=c": -4}),
    "a regular expression is anchored": ('http_total{code=~"5"}', 60, {}),
    "a regular expression matches whole": (
        'http_total{code=~"5.."}',
        60,
        {"__name__=http_total,app=a,code=500": 6},
    ),
    "a name may be matched": (
        '{__name__=~"qu.*",app!~"a|b"}',
        60,
        {"__name__=queue,app=c": -4},
    ),
    "lookback reaches almost 5 minutes": ("silent", 479.9, {"__name__=silent,app=a": 4}),
    "lookback is left-open": ("silent", 480, {}),
    "a stale series ends at once": ("gone", 240, {}),
    "a stale series was there before": ("gone", 239, {"__name__=gone,app=a": 4}),
    "offset": ("line offset 5m", 600, {"__name__=line,app=a": 150}),
    "negative offset": ("line offset -1m", 60, {"__name__=line,app=a": 120}),
    "at": ("line @ 120", 600, {"__name__=line,app=a": 120}),
    "at with offset": ("line @ 120 offset 1m", 600, {"__name__=line,app=a": 110}),
    "at the end of the query": ("sum_over_time(line[2m:1m] @ end())", 600, {"app=a": 390}),
    "the end of the query within a subquery": (
        "sum_over_time((line @ end())[2m:1m])",
        600,
        {"app=a": 400},
    ),
    "rate of a steady counter": ('rate(http_total{code="500"}[5m])', 600, {"app=a,code=500": 0.1}),
    # 4 samples in (360, 600]: 180 s sampled, 60 s short of the left edge, within 1.1 distances.
    "rate is extrapolated to the edges": (
        'rate(http_total{app="a",code="200"}[4m])',
        600,
        {"app=a,code=200": 1},
    ),
    "increase counts a reset as a start from zero": (
        'increase(http_total{app="b"}[4m])',
        480,
        # 120 s .. 480 s: samples at 300 (150), 360 (0), 420 (30), 480 (60): 60 in 180 s.
        {"app=b,code=200": 80},
    ),
    # (-60, 120]: 60 in 120 s from zero on: a counter is not drawn on to below zero.
    "increase never starts below zero": (
        'increase(http_total{app="a",code="500"}[3m])',
        120,
        {"app=a,code=500": 12},
    ),
    "rate of one sample is nothing": ('rate(http_total{app="a"}[1m])', 600, {}),
    "irate of the last two": (
        'irate(http_total{app="a",code="200"}[5m])',
        600,
        {"app=a,code=200": 1},
    ),
    "irate after a reset": ('irate(http_total{app="b"}[5m])', 360, {"app=b,code=200": 0}),
    "delta falls": ('delta(queue{app="a"}[2m])', 240, {"app=a,zone=x": -12}),
    "idelta": ('idelta(queue{app="a"}[2m])', 240, {"app=a,zone=x": -6}),
    "resets": ('resets(http_total{app="b"}[10m])', 600, {"app=b,code=200": 1}),
    "changes ignore NaN to NaN": ("changes(flag[10m])", 420, {"app=a": 4}),
    "deriv is per second": ("deriv(line[10m])", 600, {"app=a": 10 / 60}),
    "predict_linear": ("predict_linear(line[10m], 3600)", 600, {"app=a": 800}),
    "predict_linear predicts from now": (
        "predict_linear(line[5m] offset 5m, 0)",
        600,
        {"app=a": 200},
    ),
    "deriv of a constant": ('deriv(queue{app="b"}[5m])', 300, {"app=b,zone=y": 0}),
    "avg_over_time": ("avg_over_time(line[5m])", 600, {"app=a": 180}),
    "min_over_time": ('min_over_time(queue{app="a"}[5m])', 300, {"app=a,zone=x": 2}),
    "max_over_time": ('max_over_time(queue{app="a"}[4m])', 240, {"app=a,zone=x": 8}),
    "max_over_time passes NaN over": ("max_over_time(flag[3m])", 360, {"app=a": 0}),
    "sum_over_time is left-open": ("sum_over_time(line[1m])", 600, {"app=a": 200}),
    "count_over_time leaves out markers": ("count_over_time(gone[10m])", 300, {"app=a": 4}),
    "count_over_time leaves out gaps": ("count_over_time(gap[10m])", 420, {"app=a": 4}),
    "last_over_time keeps the name": ("last_over_time(gone[10m])", 300, {"__name__=gone,app=a": 4}),
    "stddev_over_time": ('stddev_over_time(queue{app="a"}[2m])', 240, {"app=a,zone=x": 3}),
    "stddev_over_time of a constant": (
        "stddev_over_time(info[5m] offset 5m)",
        600,
        {"app=a,team=red": 0, "app=b,team=blue": 0},
    ),
    "stdvar_over_time": ('stdvar_over_time(queue{app="a"}[2m])', 240, {"app=a,zone=x": 9}),
    "quantile_over_time": ("quantile_over_time(0.5, line[4m])", 600, {"app=a": 185}),
    "present_over_time": ("present_over_time(gone[10m])", 600, {"app=a": 1}),
    "absent_over_time": ('absent_over_time(gone{app="a"}[5m])', 600, {"app=a": 1}),
    "subquery": ("max_over_time(sum(queue)[5m:1m])", 300, {"": 14}),
    "subquery steps are aligned and left-open": ("count_over_time(line[3m:1m])", 610, {"app=a": 3}),
    "subquery without a step uses a minute": ("count_over_time(line[5m:])", 600, {"app=a": 5}),
    "subquery with offset": ("sum_over_time(line[2m:1m] offset 1m)", 600, {"app=a": 370}),
    "rate within a subquery": (
        'avg_over_time(rate(http_total{code="500"}[2m])[3m:30s])',
        900,
        {"app=a,code=500": 0.1},
    ),
    "absent with labels": ('absent(nothing{a="b",c=~"d"})', 60, {"a=b": 1}),
    "absent leaves out a label named twice": ('absent(nothing{a="b",a="c",d="e"})', 60, {"d=e": 1}),
    "absent of what is there": ("absent(line)", 60, {}),
    "timestamp of a sample": ("timestamp(silent)", 300, {"app=a": 180}),
    "timestamp of a selector in parentheses": ("timestamp((silent))", 300, {"app=a": 180}),
    "timestamp of a computed value": ("timestamp(silent + 0)", 300, {"app=a": 300}),
    "time": ("time()", 300.5, {"scalar": 300.5}),
    "vector": ("vector(1)", 60, {"": 1}),
    "scalar of one element": ("scalar(line)", 60, {"scalar": 110}),
    "scalar of several": ("scalar(queue)", 60, {"scalar": NAN}),
    "abs": ('abs(queue{app="c"})', 60, {"app=c": 4}),
    "ceil": ("ceil(line / 100)", 60, {"app=a": 2}),
    "floor": ("floor(line / 100)", 60, {"app=a": 1}),
    "round halves up": ("round(vector(-2.5))", 60, {"": -2}),
    "round to a multiple": ("round(vector(0.27), 0.1)", 60, {"": 0.3}),
    "clamp": ("clamp(queue, 0, 4)", 60, {"app=a,zone=x": 4, "app=b,zone=y": 4, "app=c": 0}),
    "clamp to nothing": ("clamp(queue, 4, 0)", 60, {}),
    "clamp_min": ('clamp_min(queue{app="c"}, 1)', 60, {"app=c": 1}),
    "clamp_max": ('clamp_max(queue{app="b"}, scalar(queue{app="a"}))', 60, {"app=b,zone=y": 5}),
    "sqrt below zero": ("sqrt(vector(-1))", 60, {"": NAN}),
    "exp overflows to Inf": ("exp(vector(1000))", 60, {"": INF}),
    "ln of zero": ("ln(vector(0))", 60, {"": -INF}),
    "log2": ("log2(vector(8))", 60, {"": 3}),
    "log10 below zero": ("log10(vector(-1))", 60, {"": NAN}),
    "day_of_week": ("day_of_week(vector(345600))", 60, {"": 1}),
    "hour of now": ("hour()", 7200, {"": 2}),
    "hour of no date": ("hour(vector(Inf))", 60, {"": NAN}),
    "label_replace": (
        'label_replace(line, "dst", "${1}-$0", "app", "(.)")',
        60,
        {"__name__=line,app=a,dst=a-a": 110},
    ),
    "label_replace without a match": (
        'label_replace(line, "dst", "x", "app", "b")',
        60,
        {"__name__=line,app=a": 110},
    ),
    "label_replace removes a label": (
        'label_replace(line, "app", "", "app", ".*")',
        60,
        {"__name__=line": 110},
    ),
    "label_join": (
        'label_join(queue{app="a"}, "both", "/", "app", "zone")',
        60,
        {"__name__=queue,app=a,both=a/x,zone=x": 5},
    ),
    # Rank 20 of 40 lies in (0.1, 0.5], 10 of its 20 observations up: 0.1 + 0.4 * 10 / 20.
    "histogram_quantile": ("histogram_quantile(0.5, lat_bucket)", 60, {"": 0.3}),
    "histogram_quantile in the first bucket": (
        "histogram_quantile(0.125, lat_bucket)",
        60,
        {"": 0.05},
    ),
    "histogram_quantile above the last bound": (
        "histogram_quantile(0.9, lat_bucket)",
        60,
        {"": 0.5},
    ),
    "histogram_quantile without +Inf": (
        'histogram_quantile(0.5, lat_bucket{le!="+Inf"})',
        60,
        {"": NAN},
    ),
    "sum": ("sum(queue)", 60, {"": 11}),
    "sum by": ("sum by (app) (http_total)", 60, {"app=a": 66, "app=b": 30}),
    "sum without": ("sum without (code) (http_total)", 60, {"app=a": 66, "app=b": 30}),
    "sum of nothing is nothing": ("sum(nothing)", 60, {}),
    "by an absent label": ("count by (zone) (queue)", 60, {"": 1, "zone=x": 1, "zone=y": 1}),
    "avg": ("avg(queue)", 60, {"": 11 / 3}),
    "min": ("min(queue)", 60, {"": -4}),
    "max": ("max(queue)", 60, {"": 10}),
    "max passes NaN over": ("max(flag or vector(-1))", 300, {"": -1}),
    "count": ("count(http_total)", 60, {"": 3}),
    "group": ("group(http_total)", 60, {"": 1}),
    "stddev": ("stddev(http_total)", 60, {"": math.sqrt((28**2 + 26**2 + 2**2) / 3)}),
    "stdvar": ("stdvar(info)", 60, {"": 0}),
    "topk": ("topk(1, queue)", 60, {"__name__=queue,app=b,zone=y": 10}),
    "topk by": (
        "topk by (app) (1, http_total)",
        60,
        {"__name__=http_total,app=a,code=200": 60, "__name__=http_total,app=b,code=200": 30},
    ),
    "bottomk": ("bottomk(1, queue)", 60, {"__name__=queue,app=c": -4}),
    "topk of none": ("topk(0, queue)", 60, {}),
    "quantile": ("quantile(0.75, queue)", 60, {"": 7.5}),
    "quantile above 1": ("quantile(2, queue)", 60, {"": INF}),
    "quantile takes NaN for the least": ("quantile(0.5, queue or vector(NaN))", 60, {"": 0.5}),
    "count_values": ('count_values("v", info)', 60, {"v=1": 2}),
    "count_values of fractions": ('count_values("v", line / 1e9)', 60, {"v=0.00000011": 1}),
    "unary minus drops the name": ("-line", 60, {"app=a": -110}),
    "precedence of power": ("-2 ^ 2", 60, {"scalar": -4}),
    "division by zero": ("1 / 0", 60, {"scalar": INF}),
    "negative division by zero": ("line / -0", 60, {"app=a": -INF}),
    "zero by zero": ("0 / 0", 60, {"scalar": NAN}),
    "modulo of a negative": ("-7 % 3", 60, {"scalar": -1}),
    "modulo by zero": ("7 % 0", 60, {"scalar": NAN}),
    "pole of a power": ("0 ^ -1", 60, {"scalar": INF}),
    "root of a negative": ("(0 - 8) ^ 0.5", 60, {"scalar": NAN}),
    "overflow of a power": ("(0 - 10) ^ 999", 60, {"scalar": -INF}),
    "comparison of scalars": ("1 >= bool 2", 60, {"scalar": 0}),
    "filter keeps the name": ("queue > 5", 60, {"__name__=queue,app=b,zone=y": 10}),
    "filter with the scalar on the left": ("5 < queue", 60, {"__name__=queue,app=b,zone=y": 10}),
    "bool drops the name": (
        "queue > bool 5",
        60,
        {"app=a,zone=x": 0, "app=b,zone=y": 1, "app=c": 0},
    ),
    "NaN equals nothing": ("flag == flag", 300, {}),
    "NaN differs from itself": ("flag != bool flag", 300, {"app=a": 1}),
    "one to one": ("line / silent", 60, {"app=a": 55}),
    "without a partner": ("line / nothing", 60, {}),
    "on": ("line / on(app) queue", 60, {"app=a": 22}),
    "ignoring": ("queue / ignoring(zone) line", 60, {"app=a": 5 / 110}),
    "comparison of vectors keeps the left value": ("line > on(app) queue", 60, {"app=a": 110}),
    "group_left with a label": (
        "queue * on(app) group_left(team) info",
        60,
        {"app=a,team=red,zone=x": 5, "app=b,team=blue,zone=y": 10},
    ),
    "group_right keeps sides": (
        "line - on(app) group_right http_total",
        60,
        {"app=a,code=200": 50, "app=a,code=500": 104},
    ),
    "group_right comparison keeps the left value": (
        "line > on(app) group_right http_total",
        60,
        {"__name__=http_total,app=a,code=200": 110, "__name__=http_total,app=a,code=500": 110},
    ),
    "and": ('queue and on(app) info{team="red"}', 60, {"__name__=queue,app=a,zone=x": 5}),
    "unless": ("queue unless on(app) info", 60, {"__name__=queue,app=c": -4}),
    "or fills in": ("line or on() vector(0)", 60, {"__name__=line,app=a": 110}),
    "or falls back": ("nothing or vector(0)", 60, {"": 0}),
    "error ratio": (
        'sum by (app) (rate(http_total{code="500"}[2m])) / sum by (app) (rate(http_total[2m]))',
        900,
        {"app=a": 6 / 66},
    ),
}


@pytest.mark.parametrize(("query", "at", "expected"), CASES.values(), ids=CASES)
def test_value(
    store: series_store.SeriesStore, query: str, at: float, expected: Mapping[str, float]
) -> None:
    """The elements, by labels, of an instant query."""
    assert pytest.approx(expected, rel=1e-12, nan_ok=True) == elements(store, query, at)


ORDERS: Mapping[str, tuple[str, list[float]]] = {
    "sort": ("sort(queue)", [-4, 5, 10]),
    "sort_desc": ("sort_desc(queue)", [10, 5, -4]),
    "topk is ordered": ("topk(2, queue)", [10, 5]),
    "NaN is last going up": ("sort(flag or vector(1))", [1, NAN]),
    "NaN is last going down": ("sort_desc(flag or vector(1))", [1, NAN]),
}


@pytest.mark.parametrize(("query", "expected"), ORDERS.values(), ids=ORDERS)
def test_order(store: series_store.SeriesStore, query: str, expected: list[float]) -> None:
    """The functions that order their result do so by value, NaN last."""
    at = 300 if "flag" in query else 60
    result = evaluator.evaluate(store, query, at)

    assert isinstance(result, evaluator.Vector)
    assert pytest.approx(expected, nan_ok=True) == [sample.value for sample in result.samples]


REFUSALS: Mapping[str, tuple[str, str]] = {
    "no PromQL": ("sum(", "not valid PromQL"),
    "range vector": ("line[5m]", "range vector"),
    "string": ('"text"', "string"),
    "unknown function": ("frobnicate(line)", "frobnicate"),
    "unsupported function": ("mad_over_time(line[5m])", r"mad_over_time\(\)"),
    "unsupported scalar function": ("pi()", r"pi\(\)"),
    "unsupported aggregation": ("limitk(1, line)", "limitk"),
    "fill": ("line + fill(0) silent", "fill"),
    "or between matchers": ('line{app="a" or app="b"}', "`or` between label matchers"),
    "time before the epoch": ("line @ -5", "before 1970"),
    "POSIX class": ('line{app=~"[[:alpha:]]"}', "POSIX"),
    "regular expression": ('label_replace(line, "a", "", "b", "(")', r"label_replace\(\)"),
    "empty label": ('label_join(line, "", "-", "app")', r"label_join\(\)"),
    "empty count_values label": ('count_values("", line)', r"count_values\(\)"),
    "topk of NaN": ("topk(NaN, line)", r"topk\(\)"),
    "topk beyond int64": ("bottomk(1e30, line)", r"bottomk\(\)"),
    "many to many": ("queue * on(code) http_total", "many-to-many"),
    "many to one": ("http_total * on(app) info", "group_left/group_right"),
    "ambiguous group": ("http_total * on(app) group_left(code) info", "grouping labels"),
    "ambiguous although filtered": ("http_total == on(app) info", "group_left/group_right"),
    "duplicates on the one side": ("info * on(app) group_left http_total", "right hand-side"),
    "same labels without the name": ('{__name__=~"line|silent"} * 2', "same labelset"),
    "same labels after a rate": ('rate({__name__=~"line|silent"}[5m])', "same labelset"),
    "same labels after label_replace": (
        'label_replace(label_replace(info, "team", "", "", ""), "app", "", "", "")',
        "same labelset",
    ),
}


@pytest.mark.parametrize(("query", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refused(store: series_store.SeriesStore, query: str, message: str) -> None:
    """What Prometheus refuses or what is not supported is named in the message."""
    with pytest.raises(evaluator.EvaluationError, match=message):
        evaluator.evaluate(store, query, 60)


def test_unsupported_is_refused_without_data() -> None:
    """A query that cannot be evaluated is refused even where no series would be touched."""
    with pytest.raises(evaluator.EvaluationError, match="limitk"):
        evaluator.evaluate(series_store.SeriesStore(), "nothing and limitk(1, nothing)", 0)


def test_result_is_the_callers_own(store: series_store.SeriesStore) -> None:
    """Changing the labels of a result does not reach into the store."""
    first = evaluator.evaluate(store, "line", 60)
    assert isinstance(first, evaluator.Vector)
    first.samples[0].labels["app"] = "changed"

    assert elements(store, "line", 60) == {"__name__=line,app=a": 110}
