"""`when`: a CEL expression over verdicts, in Kleene's logic of three values."""

from __future__ import annotations

import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from prunella.core import model
from prunella.core.signals import when

T, F, U = model.Verdict.UNHEALTHY, model.Verdict.HEALTHY, model.Verdict.UNKNOWN
NAMES = ("a", "b", "c", "error-rate")


def judge(expression: str, *verdicts: model.Verdict) -> model.Verdict:
    """The verdict of an expression over a, b and c."""
    names = ("a", "b", "c")
    return when.compile_when(expression, names).judge(dict(zip(names, verdicts, strict=False)))[0]


BINARY = {
    "&&": {
        (T, T): T, (T, F): F, (T, U): U,
        (F, T): F, (F, F): F, (F, U): F,
        (U, T): U, (U, F): F, (U, U): U,
    },
    "||": {
        (T, T): T, (T, F): T, (T, U): T,
        (F, T): T, (F, F): F, (F, U): U,
        (U, T): T, (U, F): U, (U, U): U,
    },
    "==": {
        (T, T): T, (T, F): F, (T, U): U,
        (F, T): F, (F, F): T, (F, U): U,
        (U, T): U, (U, F): U, (U, U): U,
    },
}  # fmt: skip
"""Kleene's tables, by the verdicts on the left and on the right."""


@pytest.mark.parametrize("operator", BINARY)
@pytest.mark.parametrize("sides", [*itertools.product((T, F, U), repeat=2)], ids=str)
def test_two_verdicts_are_joined_as_kleene_says(
    operator: str, sides: tuple[model.Verdict, model.Verdict]
) -> None:
    """Each pair of verdicts has the result of the table, in the order that it is written."""
    assert BINARY[operator][sides] == judge(f"a {operator} b", *sides)


@pytest.mark.parametrize("operator", BINARY)
@pytest.mark.parametrize("sides", [*itertools.product((T, F, U), repeat=2)], ids=str)
def test_order_does_not_matter(operator: str, sides: tuple[model.Verdict, model.Verdict]) -> None:
    """An Unknown is absorbed on the left as on the right."""
    assert judge(f"a {operator} b", *sides) == judge(f"b {operator} a", *sides)


@pytest.mark.parametrize(("verdict", "expected"), [(T, F), (F, T), (U, U)])
def test_not_turns_what_is_known(verdict: model.Verdict, expected: model.Verdict) -> None:
    """The opposite of Unknown is Unknown."""
    assert expected == judge("!a", verdict)


@pytest.mark.parametrize("row", [*itertools.product((T, F, U), repeat=3)], ids=str)
def test_choice_takes_the_branch_that_is_known(row: tuple[model.Verdict, ...]) -> None:
    """The branch not taken may be Unknown; an Unknown condition decides nothing."""
    expected = {T: row[1], F: row[2], U: U}[row[0]]

    assert expected == judge("a ? b : c", *row)


QUORUM = "(a ? 1 : 0) + (b ? 1 : 0) + (c ? 1 : 0) >= 2"
RESULTS = {
    "alone": ("a", (T,), T),
    "literal": ("a && true", (T,), T),
    "deep": ("!(a && !(b || c))", (U, T, U), T),
    "a false in a chain": ("a && b && c", (U, U, F), F),
    "a true in a chain": ("a || b || c", (U, U, T), T),
    "quorum reached": (QUORUM, (T, F, T), T),
    "quorum missed": (QUORUM, (F, F, T), F),
    "quorum in doubt": (QUORUM, (T, T, U), U),
    "over lines": ("a\n&&\tb", (T, T), T),
    "without a verdict": ("a && b", (T,), U),
}


@pytest.mark.parametrize("name", RESULTS)
def test_expressions_are_evaluated(name: str) -> None:
    """Operators nest; a signal without a verdict is Unknown."""
    expression, verdicts, expected = RESULTS[name]

    assert expected == judge(expression, *verdicts)


MESSAGES = {
    "true": ("a && !error_rate", {"a": T, "error-rate": F}, "a Unhealthy, error-rate Healthy"),
    "false": ("a && b", {"a": F, "b": U}, "a Healthy, b Unknown"),
    "unknown": ("a && b && c", {"a": T, "b": U}, "b and c Unknown"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message_tells_the_verdicts(name: str) -> None:
    """The message repeats the expression and what decided it, by the signals' own names."""
    expression, verdicts, expected = MESSAGES[name]

    _, message = when.compile_when(expression, NAMES).judge(verdicts)

    assert f"{expression}: {expected}" == message


def test_other_verdicts_are_left_alone() -> None:
    """Verdicts of signals that are not in the expression change nothing."""
    assert T == when.compile_when("a", NAMES).judge({"a": T, "b": U, "of another": F})[0]


ALLOWED = "only signals, true, false, whole numbers, && || ! ?: == != < <= > >= + - * and "
REFUSED = {
    "a": ("a &&", "column 5: the expression ends too early"),
    "empty": (" ", "column 2: the expression ends too early"),
    "on a later line": ("a ||\n b )", "line 2, column 4: extraneous input ')'"),
    "two signals": ("a b", "column 3: extraneous input 'b'"),
    "number too large": ("a || 99999999999999999999 > 1", "column 6: invalid int literal"),
    "no signal": ("a && x", "column 6: no signal is named x; there are a, b, c, error_rate"),
    "mistyped": ("eror_rate", "column 1: no signal is named eror_rate; did you mean error_rate?"),
    "hyphen": (
        "a && error-rate",
        "column 6: write error_rate for error-rate: to CEL, - is a minus",
    ),
    "and": ("a and b", "column 3: and is no operator of CEL: write &&"),
    "not": ("not a", "column 1: not is no operator of CEL: write !"),
    "single &": ("a & b", "column 3: & is no operator of CEL: write &&"),
    "single =": ("a = b", "column 3: = is no operator of CEL: write =="),
    "function": (
        "size (a) > 1",
        "column 1: size() is not allowed: functions have nothing to add to verdicts",
    ),
    "list": ("[a].exists(x, x)", f"column 1: '[' is not allowed: {ALLOWED}parentheses are"),
    "text": ("a == 'b'", f'column 6: "\'" is not allowed: {ALLOWED}parentheses are'),
    "fraction": ("1.5 > 1 || a", f"column 1: '1' is not allowed: {ALLOWED}parentheses are"),
    "null": ("a == null", "column 6: no signal is named null; there are a, b, c, error_rate"),
    "number": ("1", "must be true or false, is 1"),
    "a number at times": (
        "a ? b : 2",
        "must be true or false, is 2 while a Healthy, b Healthy",
    ),
    "an error at times": (
        "a || b > 1",
        (
            "no answer while a Healthy, b Healthy: No such overload: the operation is not "
            "defined for the given operand types"
        ),
    ),
    "always true": ("true", "always true, whatever the signals say"),
    "always true of signals": ("a || !a", "always true, whatever the signals say"),
    "always false": ("a && b && !a", "always false, whatever the signals say"),
    "too long": ("a" + " || a" * 300, "1501 characters, at most 1024 are allowed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_used_is_refused(name: str) -> None:
    """The message says where the slip is and what to write."""
    expression, message = REFUSED[name]

    with pytest.raises(when.WhenError) as caught:
        when.compile_when(expression, NAMES)

    assert message == str(caught.value)


@pytest.mark.parametrize("word", ["in", "true", "null", "for", "namespace", "int", "list", "type"])
def test_words_of_cel_are_no_variables(word: str) -> None:
    """A signal that CEL would read as something else must be renamed, if it is used."""
    with pytest.raises(when.WhenError, match=f"^column 6: {word} is a word of CEL: give signal"):
        when.compile_when(f"a || {word}", ("a", word))

    assert T == when.compile_when("a", ("a", word)).judge({"a": T})[0]


def test_true_is_a_literal_beside_signals_that_are_not_named_so() -> None:
    """Without such a signal the word means what it says."""
    assert F == judge("a && b == true", T, F)


def test_names_must_stay_different() -> None:
    """Two signals that would be one variable are refused."""
    with pytest.raises(when.WhenError, match=r"^signals a-b and a_b are both a_b in CEL: rename"):
        when.compile_when("a_b", ("a-b", "a_b"))


def test_signals_are_counted() -> None:
    """The truth table stays small."""
    names = tuple(f"s{number}" for number in range(9))

    with pytest.raises(when.WhenError, match=r"^9 signals, at most 8 are allowed$"):
        when.compile_when(" || ".join(names), names)

    assert () == when.compile_when(" || ".join(names[:8]), names[:8]).without_effect


EFFECTS = {
    "all": ("a && b || c == error_rate", ()),
    "not named": ("a && b", ("c", "error-rate")),
    "named in vain": ("a || (a && b)", ("b", "c", "error-rate")),
    "named by the other name": ("error_rate", ("a", "b", "c")),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_signals_without_effect_are_known(name: str) -> None:
    """Signals that never change the verdict are listed, those of absorbed terms too."""
    expression, expected = EFFECTS[name]

    assert expected == when.compile_when(expression, NAMES).without_effect


def test_an_error_of_the_library_is_unknown() -> None:
    """Whatever else goes wrong is doubt, and its reason is told."""

    class Broken:
        def execute(self, _: object) -> object:
            raise OverflowError("too large. And more.")

    broken = when.When("a", {"a": "a"}, (), Broken())  # type: ignore[arg-type]

    assert (U, "a: too large") == broken.judge({"a": T})


def test_what_is_not_boolean_is_unknown() -> None:
    """A number is no verdict, even if it gets so far."""

    class Number:
        def execute(self, _: object) -> object:
            return 1

    number = when.When("a", {"a": "a"}, (), Number())  # type: ignore[arg-type]

    assert (U, "a: 1 is not true or false") == number.judge({"a": T})


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "c", "true", "false"]),
    lambda inner: st.one_of(
        st.builds("!({})".format, inner),
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("({} == {})".format, inner, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=12,
)


@hypothesis.given(EXPRESSIONS, st.tuples(*[st.sampled_from([T, F, U])] * 3))
def test_a_decided_verdict_never_turns_round(
    expression: str, verdicts: tuple[model.Verdict, ...]
) -> None:
    """What is decided in spite of an Unknown stays so, whatever the Unknown turns out to be."""
    try:
        compiled = when.compile_when(expression, ("a", "b", "c"))
    except when.WhenError:
        hypothesis.reject()
    decided, _ = compiled.judge(dict(zip("abc", verdicts, strict=True)))
    hypothesis.assume(decided is not U)
    choices = [(T, F) if verdict is U else (verdict,) for verdict in verdicts]

    for row in itertools.product(*choices):
        assert decided == compiled.judge(dict(zip("abc", row, strict=True)))[0]
