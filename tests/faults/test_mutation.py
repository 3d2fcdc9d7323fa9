"""The faults that are put into the guards: which there are, and that they really are put in."""

from __future__ import annotations

import sys
import types

import pytest

from tests.faults.mutation import graft, mutate

CASES = {
    "a comparison": ("def f(a):\n    return a < 5", {"a < 5 -> a <= 5", "5 -> 6"}),
    "a condition": (
        "def f(a):\n    if a:\n        return 'x'",
        {"a -> True", "a -> False"},
    ),
    "two conditions": (
        "def f(a, b):\n    return a and b",
        {"a and b -> a or b", "a and b -> b", "a and b -> a"},
    ),
    "a negation": ("def f(a):\n    return not a", {"not a -> a"}),
    "of many": (
        "def f(a):\n    return any(a), min(a), a[-1]",
        {"any(a) -> all(a)", "min(a) -> max(a)", "a[-1] -> a[0]", "1 -> 2"},
    ),
    "a sum": ("def f(a):\n    return a - a", {"a - a -> a + a"}),
    "a chain": (
        "CHAIN = (a, b, c)",
        {"CHAIN -> without a", "CHAIN -> without b", "CHAIN -> without c"},
    ),
    "words for people": ("def f(a):\n    return f'{a + 1} of 5'", set()),
    "a method": ("class C:\n    def f(self):\n        return 1", {"1 -> 2"}),
}


@pytest.mark.parametrize(("source", "expected"), CASES.values(), ids=CASES)
def test_each_fault_is_made_once(source: str, expected: set[str]) -> None:
    """Conditions, comparisons, numbers and chains have faults; words have none."""
    found = list(mutate.mutants("it.py", source))
    assert sorted(expected) == sorted(f"{each.before} -> {each.after}" for each in found)
    assert all(compile(each.source, "it.py", "exec") for each in found)


def _module(source: str) -> types.ModuleType:
    module = types.ModuleType("grafted")
    module.__file__ = "grafted.py"
    sys.modules["grafted"] = module
    exec(compile(source, "grafted.py", "exec"), module.__dict__)  # noqa: S102 - the test's own
    return module


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("def f(a):\n    return a < 5\ndef call(a):\n    return f(a)", id="function"),
        pytest.param(
            "class C:\n    @property\n    def f(self):\n        return self.a < 5\n"
            "def call(a):\n    c = C()\n    c.a = a\n    return c.f",
            id="property",
        ),
    ],
)
def test_who_has_the_function_already_gets_the_fault(source: str) -> None:
    """What was imported by name stays the same object, with other code."""
    module = _module(source)
    call = module.call
    (mutant,) = (each for each in mutate.mutants("it.py", source) if each.after.endswith("<= 5"))
    assert not call(5)
    assert graft.graft(module, mutant)
    assert call(5)
