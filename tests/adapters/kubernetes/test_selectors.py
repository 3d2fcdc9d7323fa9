"""Label selectors, and the paths of kinds."""

from __future__ import annotations

import pytest

from prunella.adapters.kubernetes import kinds, selectors
from tests.adapters.kubernetes.builders import Raw

LABELS = {"app": "web", "tier": "front"}


def rule(operator: str, key: str, *values: str) -> Raw:
    """A selector of one expression."""
    return {"matchExpressions": [{"operator": operator, "key": key, "values": list(values)}]}


SELECTORS: dict[str, tuple[Raw | None, bool]] = {
    "none": (None, False),
    "empty": ({}, True),
    "exact": ({"matchLabels": {"app": "web"}}, True),
    "exact, all needed": ({"matchLabels": {"app": "web", "tier": "back"}}, False),
    "in": (rule("In", "app", "web", "cart"), True),
    "not in the set": (rule("In", "app", "cart"), False),
    "in, without the label": (rule("In", "zone", "a"), False),
    "not in": (rule("NotIn", "app", "cart"), True),
    "not in, but is": (rule("NotIn", "app", "web"), False),
    "not in, without the label": (rule("NotIn", "zone", "a"), True),
    "exists": (rule("Exists", "app"), True),
    "exists, but does not": (rule("Exists", "zone"), False),
    "does not exist": (rule("DoesNotExist", "zone"), True),
    "does not exist, but does": (rule("DoesNotExist", "app"), False),
    "both kinds": ({"matchLabels": {"app": "web"}, **rule("Exists", "zone")}, False),
    "an operator of the future": (rule("Resembles", "app", "wet"), False),
}


@pytest.mark.parametrize("case", SELECTORS)
def test_matches(case: str) -> None:
    """Selectors select as the API server's do."""
    selector, expected = SELECTORS[case]

    assert expected is selectors.matches(selector, LABELS)


QUERIES: dict[str, tuple[Raw, str]] = {
    "exact": ({"matchLabels": {"app": "web", "a/b": "c"}}, "app=web,a/b=c"),
    "in": (rule("In", "app", "web", "cart"), "app in (web,cart)"),
    "not in": (rule("NotIn", "app", "web"), "app notin (web)"),
    "exists": (rule("Exists", "app"), "app"),
    "does not exist": (rule("DoesNotExist", "app"), "!app"),
    "both kinds": ({"matchLabels": {"app": "web"}, **rule("Exists", "zone")}, "app=web,zone"),
}


@pytest.mark.parametrize("case", QUERIES)
def test_query(case: str) -> None:
    """A selector is asked for in the form that the API server parses."""
    selector, expected = QUERIES[case]

    assert expected == selectors.query(selector)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            kinds.POD.path("shop", "web-0", "eviction"),
            "/api/v1/namespaces/shop/pods/web-0/eviction",
        ),
        (kinds.DEPLOYMENT.path(None), "/apis/apps/v1/deployments"),
        (
            kinds.POLICY.path("shop", "checkout", "status"),
            "/apis/prunella.dev/v1alpha1/namespaces/shop/remediationpolicies/checkout/status",
        ),
    ],
    ids=["core", "cluster-wide list", "own kind"],
)
def test_path(path: str, expected: str) -> None:
    """Kinds are where the API server keeps them."""
    assert expected == path
