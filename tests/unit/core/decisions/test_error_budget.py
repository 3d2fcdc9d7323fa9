"""The error budget: enough must be left for an action that makes things worse."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import error_budget as api
from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import guards
from prunella.core.decisions.guards import error_budget
from tests.unit.core import builders

Refused = reasons.Refused
STATED = {"query": "job:errors:ratio30d", "objective": 99.9}


def _left(percent: str, bad: str, least: int = 10) -> str:
    return (
        f"{percent}% of the error budget are left ({bad}% of events in 30d were bad, the objective "
        f"is 99.9%), {least}% must be"
    )


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        pytest.param(None, "not asked yet", id="before it was asked"),
        pytest.param(model.Number(0.0), _left("100.0", "0"), id="nothing was bad"),
        pytest.param(model.Number(0.00089), _left("11.0", "0.089"), id="just enough is left"),
        pytest.param(
            model.Number(0.00091),
            model.Refusal(Refused.ERROR_BUDGET, _left("9.0", "0.091")),
            id="too little is left",
        ),
        pytest.param(
            model.Number(0.002),
            model.Refusal(Refused.ERROR_BUDGET, _left("-100.0", "0.2")),
            id="twice as much was used",
        ),
        pytest.param(
            model.Number(None, "no data"),
            model.Refusal(
                Refused.ERROR_BUDGET, "nobody knows what is left of the error budget: no data"
            ),
            id="no data",
        ),
        *(
            pytest.param(
                model.Number(share),
                model.Refusal(
                    Refused.ERROR_BUDGET,
                    f"the share of bad events is {share:g}, and must be from 0 to 1",
                ),
                id=f"no share: {share}",
            )
            for share in (-0.1, 1.1, 99.9)
        ),
    ],
)
def test_within_error_budget(number: model.Number | None, expected: guards.Answer) -> None:
    """Less than a tenth left stops actions, and so does what nobody knows."""
    policy = builders.policy(guards={"errorBudget": STATED})
    case = builders.case(of=policy, error_budget=number)
    assert expected == error_budget.within_error_budget(case)


def test_without_a_budget_nothing_is_asked() -> None:
    """Most policies state none."""
    answer = error_budget.within_error_budget(builders.case())
    assert ("the policy states no error budget", None) == (
        answer,
        error_budget.need(builders.spec(), builders.ref()),
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"query": "a[$window]"}, "a[2592000s]", id="a query"),
        pytest.param(
            {"ratio": {"bad": "b[$window]", "total": "t[$window]"}, "window": "1h"},
            "((b[3600s]) or (t[3600s]) * 0) / (t[3600s])",
            id="a ratio",
        ),
    ],
)
def test_what_is_asked(fields: dict[str, Any], expected: str) -> None:
    """One query, with the window in it; no bad events at all are none."""
    spec = builders.spec(guards={"errorBudget": {"objective": 99, **fields}})
    found = error_budget.need(spec, builders.ref())
    need = model.Need(model.NeedKind.NUMBER, builders.ref(), query=expected, source="default")
    assert found == (("default", expected), need)
    assert error_budget.need(spec, builders.ref(), back=True) is None


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"objective": 99}, id="no query"),
        pytest.param(
            {"objective": 99, "query": "a", "ratio": {"bad": "b", "total": "t"}}, id="two"
        ),
        pytest.param({"objective": 100, "query": "a"}, id="no budget at all"),
        pytest.param({"objective": 0.999, "query": "a"}, id="a share in place of percent"),
        pytest.param({"query": "a"}, id="no objective"),
    ],
)
def test_what_is_no_budget_is_refused(fields: dict[str, Any]) -> None:
    """A slip is told when the policy is written."""
    with pytest.raises(ValueError, match=r"query|objective|ratio"):
        api.ErrorBudget.model_validate(fields)
