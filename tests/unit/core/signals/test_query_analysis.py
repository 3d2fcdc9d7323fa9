"""PromQL is confined to one namespace, measured and taken apart without asking anybody."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import promql_parser
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from prunella.core import model
from prunella.core.signals import query_analysis

HOSTILE = {
    "closing quote": 'a"} or secret{x="',
    "quote": '"',
    "backslash": "\\",
    "escaped quote": '\\"',
    "newline": "a\nb",
    "carriage return": "a\r\nb",
    "comment": '" #',
    "line separator": "a\u2028b",
    "control characters": "\x00\x0b\x0c\x1c",
    "letters": "é漢🌿",
    "braces": "{}()[]",
}


def selectors(query: str) -> list[promql_parser.VectorSelector]:
    """All selectors of a query, found by the library's own walk."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(query), visit)
    return found


def branches(query: str) -> Iterator[set[tuple[str, str, str]]]:
    """The matchers of each selector, for each of its alternatives."""
    for each in selectors(query):
        own = each.matchers
        for group in own.or_matchers or [[]]:
            yield {(str(m.op), m.name, m.value) for m in (*own.matchers, *group)}


CONFINED = {
    "name": ("up", 'up{namespace="shop"}'),
    "matchers": ('up{job="a"}', 'up{job="a",namespace="shop"}'),
    "no name": ('{job="a"}', '{job="a",namespace="shop"}'),
    "quoted name": ('{"a.b"}', '{__name__="a.b",namespace="shop"}'),
    "function": ("rate(a[5m])", 'rate(a{namespace="shop"}[5m])'),
    "offset and @": (
        "rate(a[5m] @ end() offset -1w)",
        'rate(a{namespace="shop"}[5m] @ end() offset -1w)',
    ),
    "@ start": ("a @ start() offset 1500ms", 'a{namespace="shop"} @ start() offset 1s500ms'),
    "both sides": ("a / on (pod) b", 'a{namespace="shop"} / on (pod) b{namespace="shop"}'),
    "parameter": (
        "quantile(scalar(a), b)",
        'quantile(scalar(a{namespace="shop"}), b{namespace="shop"})',
    ),
    "subquery": (
        "max_over_time(rate(a[1m])[1h:] offset 5m)",
        'max_over_time(rate(a{namespace="shop"}[1m])[1h:] offset 5m)',
    ),
    "subquery with a step": ("rate(a[5m:1m])", 'rate(a{namespace="shop"}[5m:1m])'),
    "absent": ("absent(a)", 'absent(a{namespace="shop"})'),
    "already ours": ('a{namespace="shop"}', 'a{namespace="shop"}'),
    "another namespace stays": (
        'a{namespace="bank"}',
        'a{namespace="bank",namespace="shop"}',
    ),
    "any namespace is not widened": (
        'a{namespace=~".*"}',
        'a{namespace="shop",namespace=~".*"}',
    ),
    "negative matcher stays": (
        'a{namespace!="shop"}',
        'a{namespace!="shop",namespace="shop"}',
    ),
    "alternatives": (
        'a{x="1" or y="2"}',
        'a{x="1", namespace="shop" or y="2", namespace="shop"}',
    ),
    "one alternative is ours": (
        '{x="1" or namespace="shop"}',
        '{x="1", namespace="shop" or namespace="shop"}',
    ),
    "comment": ("a # b}\n+ c", 'a{namespace="shop"} + c{namespace="shop"}'),
    "strings of functions": (
        'label_replace(a, "x", "$1\\n}", "y", "(.*)\\\\.\\"")',
        'label_replace(a{namespace="shop"}, "x", "$1\\n}", "y", "(.*)\\\\.\\"")',
    ),
    "no selector": ("vector(1)", "vector(1)"),
}


@pytest.mark.parametrize(("query", "expected"), CONFINED.values(), ids=CONFINED)
def test_confine(query: str, expected: str) -> None:
    """Every selector gets the matcher, and nothing else is changed."""
    assert expected == query_analysis.confine(query, "namespace", "shop")


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_value_stays_a_value(value: str) -> None:
    """A namespace or label name can't end its own quotes."""
    for label, namespace in (("namespace", value), (value, "shop")):
        confined = query_analysis.confine("sum(rate(up[5m])) / b", label, namespace)

        assert [each.name for each in selectors(confined)] == ["up", "b"]
        for group in branches(confined):
            assert {(str(promql_parser.MatchOp.Equal), label, namespace)} == group


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_value_of_the_query_is_kept(value: str) -> None:
    """What a policy's own matcher asks for is asked for, character by character."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    confined = query_analysis.confine(f'up{{path="{quoted}"}}', "namespace", "shop")
    equal = str(promql_parser.MatchOp.Equal)

    assert [{(equal, "path", value), (equal, "namespace", "shop")}] == list(branches(confined))


def test_a_long_query_is_on_one_line() -> None:
    """Logs and messages are lines."""
    query = " or ".join(f"sum by (deployment) (rate(requests_{n}_total[5m]))" for n in range(12))

    confined = query_analysis.confine(query, "namespace", "shop")

    assert "\n" not in confined
    assert confined.count('namespace="shop"') == 12


NAMES = st.sampled_from(["up", "a:b:rate5m", "or", "by", "x_total", "offset", "start"])
VALUES = st.one_of(st.sampled_from([*HOSTILE.values(), "shop", ".*"]), st.text(max_size=8)).filter(
    lambda value: value.isprintable() or value in HOSTILE.values()
)
LABELS = st.sampled_from(["job", "namespace", "we.ird", 'q"', "by", "exported_namespace"])


@st.composite
def matcher(draw: st.DrawFn) -> str:
    """A matcher with any value; regular expressions stay valid."""
    value = draw(VALUES)
    symbol = draw(st.sampled_from(["=", "!=", "=~", "!~"]))
    if symbol.endswith("~"):
        value = ".*"
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    label = draw(LABELS).replace('"', '\\"')
    return f'"{label}"{symbol}"{quoted}"'


@st.composite
def selector(draw: st.DrawFn) -> tuple[str, str]:
    """A selector, now and then with alternatives, and its offset or ``@``."""
    joint = draw(st.sampled_from([", ", ", ", " or "]))
    inner = joint.join(draw(st.lists(matcher(), max_size=3)))
    text = f"{draw(NAMES)}{{{inner}}}"
    offset = draw(st.sampled_from(["", "", " offset 5m", " offset -90s", " @ end()"]))
    return text, offset


VECTOR: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        selector().map("".join),
        selector().map(lambda s: f"rate({s[0]}[5m]{s[1]})"),
        VECTOR.map(lambda v: f"sum by (pod, job) ({v})"),
        VECTOR.map(lambda v: f"abs(({v}))"),
        VECTOR.map(lambda v: f"-({v})"),
        VECTOR.map(lambda v: f"max_over_time(({v})[1h:30s] offset 1m)"),
        VECTOR.map(lambda v: f"topk(scalar({v}), {v})"),
        st.tuples(VECTOR, VECTOR).map(lambda t: f"({t[0]}) / on (job) group_left (x) ({t[1]})"),
        st.tuples(VECTOR, VECTOR).map(lambda t: f"{t[0]} unless {t[1]} ^ 2 > bool 1e-3"),
        VECTOR.map(lambda v: f'label_replace({v}, "a", "$1", "b", "(.*)\\\\.\\"")'),
    )
)


def without_namespace(query: str) -> str:
    """The query's tree as text, without the matcher of the confinement; order does not count."""

    def strip(node: promql_parser.Expr) -> promql_parser.Expr | None:
        if not isinstance(node, promql_parser.VectorSelector):
            return None
        own = node.matchers
        groups = own.or_matchers or [own.matchers]
        kept = (
            sorted(str(m) for m in group if (m.name, m.value) != ("team", "shop"))
            for group in groups
        )
        digest = " or ".join(" ".join(each) for each in kept).encode().hex()
        plain = f'{node.name or ""}{{groups="{digest}"}}'
        if node.at is not None:
            plain += " @ end()"
        if node.offset is not None:
            seconds = int(node.offset.total_seconds())
            plain += f" offset {seconds}s" if seconds > 0 else f" offset -{-seconds}s"
        return promql_parser.parse(plain)

    return promql_parser.transform(promql_parser.parse(query), None, strip).prettify()


@given(VECTOR)
@settings(max_examples=25, deadline=None)
def test_confined_queries_parse_and_are_confined(query: str) -> None:
    """Whatever the query: each alternative of each selector has the matcher, the rest is equal."""
    assume(query.count("(") < 20)
    confined = query_analysis.confine(query, "team", "shop")

    own = (str(promql_parser.MatchOp.Equal), "team", "shop")
    assert all(own in group for group in branches(confined))
    assert len(selectors(query)) == len(selectors(confined))
    assert without_namespace(query) == without_namespace(confined)
    assert confined == query_analysis.confine(confined, "team", "shop")


REFUSED = {
    "empty": ("", "not PromQL"),
    "half a query": ("sum(rate(a[5m])", "not PromQL"),
    "no range": ("rate(a)", "not PromQL"),
    "unknown function": ("explode(a)", "explode"),
    "everything": ("{}", "non-empty matcher"),
    "raw string": ("a{b=~`\\d`}", "double quotes"),
    "unpaired surrogate": ('a{b="\ud800"}', "not PromQL"),
    "metadata of others": ("info(a)", "group_left"),
    "metadata of others, hidden": ("sum(info(a, {x=~'.+'}))", "group_left"),
    "a fixed time": ("a @ 1700000000", "use offset"),
    "a time before 1970": ("a @ -5", "use offset"),
    "a fixed time of a range": ("rate(a[5m] @ 12.5)", "use offset"),
    "a fixed time of a subquery": ("max_over_time(a[5m:] @ 12)", "use offset"),
    "too deep": ("(" * 41 + "a" + ")" * 41, "40 levels"),
    "too many operators": ("-" * 501 + "a", "too long"),
    "too long": (f'a{{b="{"x" * 20_000}"}}', "too long"),
}


@pytest.mark.parametrize(("query", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(query: str, words: str) -> None:
    """What can't be read or confined is refused by every function, in words that help."""
    calls = (
        query_analysis.validate,
        query_analysis.leaves,
        query_analysis.longest_range,
        query_analysis.events_window,
        lambda text: query_analysis.confine(text, "namespace", "shop"),
        lambda text: query_analysis.freshness_query(text, ()),
    )
    for call in calls:
        with pytest.raises(query_analysis.PromqlError, match=words):
            call(query)


def test_a_confinement_that_failed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the parser ever pass over a selector, the query is refused."""
    monkeypatch.setattr(promql_parser, "transform", lambda tree, *_: tree)

    with pytest.raises(query_analysis.PromqlError, match="can't be confined to shop"):
        query_analysis.confine("up", "namespace", "shop")


def test_a_label_called_or_is_refused_among_alternatives() -> None:
    """The parser writes it without quotes, and it would be read as the word between them."""
    with pytest.raises(query_analysis.PromqlError, match="can't be confined"):
        query_analysis.confine('a{"or"="1" or x="2"}', "namespace", "shop")


@pytest.mark.parametrize(("label", "namespace"), [("", "shop"), ("namespace", "")])
def test_no_confinement_to_nothing(label: str, namespace: str) -> None:
    """``namespace=""`` would be the series of no namespace at all."""
    with pytest.raises(query_analysis.PromqlError, match="no label or no namespace"):
        query_analysis.confine("up", label, namespace)


def test_an_error_shows_the_beginning_of_the_query() -> None:
    """A message fits into a condition, whatever the query."""
    with pytest.raises(query_analysis.PromqlError) as caught:
        query_analysis.validate("sum(\n  up{" + "x" * 5000)

    assert "(query: sum( up{xxx" in str(caught.value)
    assert len(str(caught.value)) < 400


WORST = {
    "brackets": "(" * 500 + "a" + ")" * 500,
    "functions": "abs(" * 400 + "a" + ")" * 400,
    "comparisons": "a" + ">a" * 400,
    "joined by or": "a" + " or a" * 700,
    "signs": "-" * 4000 + "a",
    "powers": "a" + "^2" * 400,
}


@pytest.mark.parametrize("query", WORST.values(), ids=WORST)
def test_a_hostile_query_costs_little(query: str) -> None:
    """The parser's time and stack grow fast with depth: the refusal comes before."""
    refusals: list[str] = []

    def ask() -> None:
        try:
            query_analysis.confine(query, "namespace", "shop")
        except query_analysis.PromqlError as error:
            refusals.append(str(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout=5)

    assert not thread.is_alive()
    assert len(refusals) == 1


KINDS = {
    "selector": ("a", None),
    "arithmetic": ("a * 2", None),
    "scalar of a vector": ("scalar(a)", None),
    "sum of scalars": ("scalar(a) + time()", None),
    "brackets": ("(-a)", None),
    "aggregation": ("count_values('v', a)", None),
    "range": ("a[5m]", "yields a matrix"),
    "subquery": ("(rate(a[1m])[5m:])", "yields a matrix"),
    "string": ('"a"', "yields a string"),
    "string in brackets": ('("a")', "yields a string"),
    "number": ("1 + 2", "reads no series"),
    "clock": ("time()", "reads no series"),
    "made vector": ("vector(1)", "reads no series"),
}


@pytest.mark.parametrize(("query", "problem"), KINDS.values(), ids=KINDS)
def test_validate(query: str, problem: str | None) -> None:
    """A signal is a number for each series that it reads."""
    if problem is None:
        query_analysis.validate(query)
        return
    with pytest.raises(query_analysis.PromqlError, match=problem):
        query_analysis.validate(query)


LEAVES = {
    "bare": ("a", ("a",)),
    "range, offset and @ go": ("rate(a[5m] @ end() offset 1h)", ("a",)),
    "order of appearance": ("b / a + c", ("b", "a", "c")),
    "twice is once": ('rate(a{x="1"}[5m]) / rate(a{x="1"}[1h])', ('a{x="1"}',)),
    "matchers tell apart": ('a{x="1"} / a', ('a{x="1"}', "a")),
    "alternatives": ('a{x="1" or y=~"2"}', ('a{x="1" or y=~"2"}',)),
    "subquery": ("max_over_time(rate(a[1m])[1h:])", ("a",)),
    "parameter": ("topk(scalar(k), a)", ("k", "a")),
    "none": ("vector(1)", ()),
}


@pytest.mark.parametrize(("query", "expected"), LEAVES.values(), ids=LEAVES)
def test_leaves(query: str, expected: tuple[str, ...]) -> None:
    """The selectors that a query rests on, each once."""
    assert expected == query_analysis.leaves(query)


RANGES = {
    "instant": ("a + b", 0.0),
    "range": ("rate(a[5m])", 300.0),
    "longest of two": ("rate(a[1m]) / rate(b[10m])", 600.0),
    "offset": ("a offset 1h", 3600.0),
    "range and offset": ("rate(a[5m] offset 1m)", 360.0),
    "an offset into the future does not look back": ("rate(a[5m] offset -1h)", 300.0),
    "subquery": ("max_over_time(a[1h:])", 3600.0),
    "path": ("max_over_time(rate(a[5m] offset 1m)[1h:1m] offset 10m)", 4560.0),
    "nested subqueries": ("max_over_time(avg_over_time(rate(a[1m])[5m:])[1h:])", 3960.0),
    "only one path counts": ("max_over_time(a[1h:]) + rate(b[2h])", 7200.0),
    "fractions": ("rate(a[1500ms])", 1.5),
}


@pytest.mark.parametrize(("query", "expected"), RANGES.values(), ids=RANGES)
def test_longest_range(query: str, expected: float) -> None:
    """Ranges and offsets inside each other add up; beside each other the longest counts."""
    assert expected == query_analysis.longest_range(query)


WINDOWS = {
    "rate": ("sum(rate(a[1m]))", 60.0),
    "irate": ("irate(a[5m])", 300.0),
    "increase": ("sum(increase(a[5m]))", 1.0),
    "smallest": ("rate(a[1m]) + rate(b[5m])", 60.0),
    "rate and increase": ("rate(a[1m]) + increase(b[5m])", 1.0),
    "rate of a subquery": ("rate(a[10m:1m])", 600.0),
    "rate in brackets": ("rate((a[2m]))", 120.0),
    "rate in a subquery": ("avg_over_time(rate(a[1m])[1h:])", 60.0),
    "recorded rate": ("job:requests:rate5m", None),
    "gauge": ("sum(a)", None),
}


@pytest.mark.parametrize(("query", "expected"), WINDOWS.values(), ids=WINDOWS)
def test_events_window(query: str, expected: float | None) -> None:
    """A rate times its window is a number of events."""
    assert expected == query_analysis.events_window(query)


def test_freshness_is_one_query() -> None:
    """Each leaf is asked for its age by the mapping labels, and marked by its number."""
    query = 'sum(a{x="1"}) / max_over_time(b[1h:])'

    asked = query_analysis.freshness_query(query, ("namespace", "pod", "we.ird"))

    by = 'namespace, pod, "we.ird"'
    assert asked == (
        f'label_replace(time() - max by ({by}) (timestamp(a{{x="1"}})),'
        ' "prunella_leaf", "0", "", "") or '
        f"label_replace(time() - max by ({by}) (timestamp(b)),"
        ' "prunella_leaf", "1", "", "")'
    )


@pytest.mark.parametrize("query", ["a", 'sum(rate({"a.b"}[5m])) / on (x) c{d="\\n"}', "-a or b"])
def test_freshness_queries_are_as_confined_as_their_query(query: str) -> None:
    """Learning the age and interval of data reads nothing that the query itself may not."""
    confined = query_analysis.confine(query, "namespace", "shop")

    asked = query_analysis.freshness_query(confined, ("pod",), learn_interval=True)

    query_analysis.validate(asked)
    own = (str(promql_parser.MatchOp.Equal), "namespace", "shop")
    assert all(own in group for group in branches(asked))
    assert query_analysis.leaves(confined) == query_analysis.leaves(asked)


def test_nothing_to_be_fresh() -> None:
    """A query without series has no age to ask for."""
    assert query_analysis.freshness_query("vector(1)", ("pod",), learn_interval=True) == ""


def reading(**leaves: float) -> list[model.Sample]:
    """The answer to a freshness query; ``_`` in a name stands for ``-``."""
    return [
        model.Sample(
            {query_analysis.LEAF_LABEL: leaf.removeprefix("leaf").replace("_", "-")}, value
        )
        for leaf, value in leaves.items()
    ]


INTERVALS = {
    "from the long window": ({"leaf0": 7.0, "count_300_0": 20.0}, 15.0),
    "the smaller of two": ({"leaf0": 2.0, "count_60_0": 12.0, "count_300_0": 50.0}, 5.0),
    "the slowest leaf": (
        {"leaf0": 1.0, "leaf1": 1.0, "count_300_0": 60.0, "count_300_1": 10.0},
        30.0,
    ),
    "one sample tells nothing": ({"leaf0": 7.0, "count_300_0": 1.0}, None),
    "not asked": ({"leaf0": 7.0}, None),
    "scraping stopped, seen by the long window": ({"leaf0": 280.0, "count_300_0": 2.0}, None),
    "scraping stopped a while ago": ({"leaf0": 120.0, "count_300_0": 12.0}, None),
    "just before a scrape": ({"leaf0": 59.0, "count_300_0": 5.0}, 60.0),
    "data older than the window": ({"leaf0": 400.0, "count_300_0": 2.0}, None),
}


@pytest.mark.parametrize(("leaves", "expected"), INTERVALS.values(), ids=INTERVALS)
def test_the_scrape_interval_is_learned(leaves: dict[str, float], expected: float | None) -> None:
    """From the number of samples in a window, unless the window ends in silence."""
    assert expected == query_analysis.read_freshness(reading(**leaves)).scrape_seconds


def test_ages_keep_their_labels() -> None:
    """Each age names its leaf and its target; counts are not among the ages."""
    ages = (
        model.Sample({query_analysis.LEAF_LABEL: "0", "pod": "a"}, 3.0),
        model.Sample({query_analysis.LEAF_LABEL: "1"}, 4.0),
    )

    found = query_analysis.read_freshness([ages[0], *reading(count_60_0=4.0), ages[1]])

    assert ages == found.ages
    assert found.scrape_seconds == 15.0
