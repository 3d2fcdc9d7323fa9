"""Which series a query rests on, and the same query over other ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import promql_parser

from prunella.core.signals import query_analysis


def without(query: str, names: Mapping[str, Iterable[str]]) -> str:
    """The same query over all series but those whose label has one of the names.

    ``names`` is by label.  Series without the label stay.  Raises query_analysis.PromqlError.
    """
    own = [
        promql_parser.Matcher(promql_parser.MatchOp.NotRe, label, _either(values))
        for label, values in names.items()
    ]
    return query_analysis.with_matchers(query, own, "asked without some of its series")


def contributors_query(query: str, labels: Sequence[str], pattern: str, seconds: float) -> str:
    """One query for the values of ``labels`` that the query's value may rest on.

    Of each leaf, the series of the last ``seconds`` whose label matches the regular expression; a
    sample bears one of the labels.  Raises query_analysis.PromqlError.
    """
    branches = []
    for label in labels:
        own = promql_parser.Matcher(promql_parser.MatchOp.Re, label, pattern)
        chosen = query_analysis.with_matchers(query, [own], f"asked for its {label}s")
        for leaf in query_analysis.leaves(chosen):
            reached = f"last_over_time({leaf}[{seconds:.0f}s])" if seconds >= 1 else leaf
            branches.append(f"group by ({label}) ({reached})")
    return " or ".join(branches)


def chooses(query: str, label: str) -> bool:
    """Whether each selector of a query says which one value of a label it wants.

    Raises query_analysis.PromqlError.
    """
    return all(
        any(m.name == label and m.op == promql_parser.MatchOp.Equal and m.value for m in group)
        for group in query_analysis.matcher_groups(query)
    )


def _either(values: Iterable[str]) -> str:
    """A regular expression for any of some names of Kubernetes."""
    return "|".join(value.replace(".", "[.]") for value in sorted(values))
