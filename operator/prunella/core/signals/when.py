"""When a target is sick: a CEL expression over its signals' verdicts.

A signal is a variable by its name (with ``_`` for ``-``): true while Unhealthy, false while
Healthy, and absent while Unknown.  CEL's ``&&`` and ``||`` absorb the error of an absent variable
in both orders, which is Kleene's strong logic of three values: what is decided stays decided,
whatever the Unknown turns out to be.

Only what a verdict needs is allowed: signals, true, false, whole numbers, ``&& || ! ?:``,
comparisons, ``+ - *`` and parentheses.  So an expression can neither run long nor be more than
true or false, and its whole truth table is tried when it is compiled.
Source: CEL specification, "Logical Operators"; Kleene, Introduction to Metamathematics (1952).
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from prunella.core import model

if TYPE_CHECKING:
    import cel

MOST_CHARACTERS: Final = 1024
MOST_SIGNALS: Final = 8

_TOKEN: Final = re.compile(r"\s+|[A-Za-z_]\w*|\d+(?![\w.])|&&|\|\||[=!<>]=|[-+*<>!?:()]", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_LITERALS: Final = frozenset({"true", "false"})
_RESERVED: Final = _LITERALS | {
    *("null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import"),
    *("let", "loop", "package", "namespace", "return", "var", "void", "while"),
    *("bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"),
}
"""Words that CEL does not read as a variable, or as something else while it is absent."""
_OPERATORS: Final = {"and": "&&", "or": "||", "not": "!", "&": "&&", "|": "||", "=": "=="}
_PLACE: Final = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_CEL_ERRORS: Final = (RuntimeError, TypeError, ValueError, ArithmeticError)
"""What the CEL library raises."""


class WhenError(ValueError):
    """An expression that can't be used: what is wrong with it, and where."""


@dataclasses.dataclass(frozen=True, slots=True)
class When:
    """A compiled expression. ``signals`` maps its variables to the names of their signals."""

    expression: str
    signals: Mapping[str, str]
    without_effect: tuple[str, ...]
    """Signals of the policy that never change the verdict, in the policy's order."""
    _program: cel.Program

    def judge(self, verdicts: Mapping[str, model.Verdict]) -> tuple[model.Verdict, str]:
        """The verdict on a target by those of its signals, and the verdicts it rests on.

        A signal without a verdict is Unknown.
        """
        known: dict[str, bool] = {}
        unknown: list[str] = []
        for variable, signal in self.signals.items():
            verdict = verdicts.get(signal, model.Verdict.UNKNOWN)
            if verdict is model.Verdict.UNKNOWN:
                unknown.append(signal)
            else:
                known[variable] = verdict is model.Verdict.UNHEALTHY
        try:
            result = self._program.execute(known)
        except _CEL_ERRORS as error:
            reason = f"{' and '.join(unknown)} Unknown" if unknown else _first_sentence(error)
            return model.Verdict.UNKNOWN, f"{self.expression}: {reason}"
        if not isinstance(result, bool):
            return model.Verdict.UNKNOWN, f"{self.expression}: {result!r} is not true or false"
        verdict = model.Verdict.UNHEALTHY if result else model.Verdict.HEALTHY
        return verdict, f"{self.expression}: {_told(self.signals, known)}"


def compile_when(expression: str, signal_names: Sequence[str]) -> When:
    """Compile an expression over the signals of a policy.

    Raises WhenError: it is no CEL, names what is not a signal, is not true or false for some
    verdicts, or is the same for all of them.
    """
    import cel  # noqa: PLC0415 - it loads a whole terminal interface, for half a second

    if len(expression) > MOST_CHARACTERS:
        raise WhenError(f"{len(expression)} characters, at most {MOST_CHARACTERS} are allowed")
    variables = _variables(signal_names)
    used = _used(expression, variables)
    try:
        program = cel.compile(expression)
    except ValueError as error:
        raise WhenError(_syntax(expression, str(error))) from error
    table = dict(_table(program, used))
    if len(set(table.values())) == 1:
        always = str(next(iter(table.values()))).lower()
        raise WhenError(f"always {always}, whatever the signals say")
    effective = {signal for place, signal in enumerate(used.values()) if _matters(table, place)}
    without = tuple(name for name in signal_names if name not in effective)
    return When(expression, used, without, program)


def _variables(signal_names: Sequence[str]) -> dict[str, str]:
    """Signals by the variable that each is in CEL."""
    variables: dict[str, str] = {}
    for name in signal_names:
        variable = name.replace("-", "_")
        if variable in variables:
            raise WhenError(
                f"signals {variables[variable]} and {name} are both {variable} in CEL: rename one"
            )
        variables[variable] = name
    return variables


def _used(expression: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of an expression with their signals; what else it holds must be allowed."""
    _refuse_hyphens(expression, variables)
    used: dict[str, str] = {}
    end = 0
    while end < len(expression):
        token = _TOKEN.match(expression, end)
        if token is None:
            raise WhenError(f"{_place(expression, end)}: {_not_allowed(expression[end])}")
        word, end = token[0], token.end()
        if not _WORD.fullmatch(word) or (word in _LITERALS and word not in variables):
            continue
        if word not in variables or word in _RESERVED:
            called = expression[end:].lstrip().startswith("(")
            problem = _no_signal(word, variables, called=called)
            raise WhenError(f"{_place(expression, token.start())}: {problem}")
        used[word] = variables[word]
    if len(used) > MOST_SIGNALS:
        raise WhenError(f"{len(used)} signals, at most {MOST_SIGNALS} are allowed")
    return used


def _refuse_hyphens(expression: str, variables: Mapping[str, str]) -> None:
    for variable, name in variables.items():
        found = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", expression)
        if found and name != variable:
            place = _place(expression, found.start())
            raise WhenError(f"{place}: write {variable} for {name}: to CEL, - is a minus")


def _not_allowed(character: str) -> str:
    if character in _OPERATORS:
        return f"{character} is no operator of CEL: write {_OPERATORS[character]}"
    return (
        f"{character!r} is not allowed: only signals, true, false, whole numbers, "
        "&& || ! ?: == != < <= > >= + - * and parentheses are"
    )


def _no_signal(word: str, variables: Mapping[str, str], *, called: bool) -> str:
    if word in variables:
        return f"{word} is a word of CEL: give signal {word} another name"
    if word in _OPERATORS:
        return f"{word} is no operator of CEL: write {_OPERATORS[word]}"
    if called:
        return f"{word}() is not allowed: functions have nothing to add to verdicts"
    near = difflib.get_close_matches(word, variables, n=1)
    if near:
        return f"no signal is named {word}; did you mean {near[0]}?"
    return f"no signal is named {word}; there are {', '.join(variables)}"


def _place(expression: str, index: int) -> str:
    before = expression[:index]
    line, column = before.count("\n") + 1, index - before.rfind("\n")
    return f"line {line}, column {column}" if "\n" in expression else f"column {column}"


def _syntax(expression: str, message: str) -> str:
    """CEL's first complaint, without the list of all that it would have liked better."""
    found = _PLACE.search(message)
    if found is None:
        return f"not CEL: {message.splitlines()[0]}"
    line, column, problem = found.groups()
    problem = problem.partition(" expecting")[0]
    if "<EOF>" in problem:
        problem = "the expression ends too early"
    lines = expression.split("\n")[: int(line)]
    index = sum(len(each) + 1 for each in lines[:-1]) + int(column) - 1
    return f"{_place(expression, index)}: {problem}"


def _table(
    program: cel.Program, used: Mapping[str, str]
) -> Iterator[tuple[tuple[bool, ...], bool]]:
    """The result for every combination of decided verdicts."""
    for row in itertools.product((False, True), repeat=len(used)):
        known = dict(zip(used, row, strict=True))
        try:
            result = program.execute(known)
        except _CEL_ERRORS as error:
            raise WhenError(
                f"no answer while {_told(used, known)}: {_first_sentence(error)}"
            ) from error
        if not isinstance(result, bool):
            while_told = f" while {_told(used, known)}" if used else ""
            raise WhenError(f"must be true or false, is {result!r}{while_told}")
        yield row, result


def _matters(table: Mapping[tuple[bool, ...], bool], place: int) -> bool:
    return any(
        result != table[*row[:place], not row[place], *row[place + 1 :]]
        for row, result in table.items()
    )


def _told(signals: Mapping[str, str], known: Mapping[str, bool]) -> str:
    words = {True: model.Verdict.UNHEALTHY, False: model.Verdict.HEALTHY}
    return ", ".join(
        f"{signal} {words[known[variable]] if variable in known else model.Verdict.UNKNOWN}"
        for variable, signal in signals.items()
    )


def _first_sentence(error: Exception) -> str:
    return str(error).partition(". ")[0]
