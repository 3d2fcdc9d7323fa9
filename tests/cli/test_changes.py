"""`prunella changes`: what changed, around a moment or lately, for people and programs."""

from __future__ import annotations

import json
import pathlib

import pytest

from prunella.cli import kube
from tests.cli import conftest, fakes

GOLDEN = pathlib.Path(__file__).parent / "golden"
ROOT = f"{fakes.GROUP}/namespaces"


def change(
    name: str, at: str, summary: str, kind: str = "Deployment", **spec: object
) -> kube.Object:
    """A Change of an object of the shop."""
    namespace = str(spec.pop("in_namespace", "shop"))
    target = {"kind": kind, "namespace": namespace, "name": name}
    return {
        "metadata": {
            "name": f"{kind.lower()}-{name}-{at[11:16].replace(':', '')}",
            "namespace": namespace,
            "uid": "u",
            "resourceVersion": "1",
        },
        "spec": {"object": target, "verb": "Modified", "at": at, "summary": summary, **spec},
    }


FIELDS = [
    {
        "path": "spec.template.spec.containers[name=app].image",
        "old": '"shop/checkout:1.4.2"',
        "new": '"shop/checkout:1.5.0"',
    },
    {"path": "spec.template.spec.containers[name=app].env[name=CART_ADDR].value", "old": None,
     "new": '"cart.shop-core.svc.cluster.local:8080"'},
    {"path": "data.db_password", "old": '"sha256:0123456789ab"', "new": '"sha256:ba9876543210"',
     "redacted": True},
]  # fmt: skip


def shop(*more: kube.Object) -> fakes.FakeCluster:
    """A cluster in which a few things changed before ten past twelve."""
    changes = [
        change(
            "checkout",
            "2026-03-01T12:08:20Z",
            "Deployment checkout: containers[app].image checkout:1.4.2 -> "
            "checkout:1.5.0 and 2 more fields, by kubectl-set",
            fields=FIELDS,
        ),
        change(
            "catalogue",
            "2026-03-01T11:20:00Z",
            "Service catalogue: spec.ports[http].targetPort 8080 -> 9999, by kubectl-patch",
            "Service",
            late=True,
        ),
        change(
            "checkout",
            "2026-03-01T12:05:00Z",
            "Deployment checkout: spec.replicas 2 -> 5, by kube-controller-manager",
            **{"class": "Scaling"},
        ),
        change("flags", "2026-02-27T12:00:00Z", "ConfigMap flags: created", "ConfigMap"),
        change(
            "ledger",
            "2026-03-01T12:09:00Z",
            "Service ledger: deleted",
            "Service",
            in_namespace="bank",
        ),
        *more,
    ]
    return fakes.FakeCluster(
        {
            f"{ROOT}/{each['metadata']['namespace']}/changes/{each['metadata']['name']}": each
            for each in changes
        }
    )


SCREENS = {
    "changes_shop": (),
    "changes_around": ("--around", "2026-03-01T11:30:00Z"),
    "changes_all": ("-A", "--scaling", "--since", "7d"),
    "changes_none": ("--workload", "deployment/cart"),
}


@pytest.mark.parametrize("name", SCREENS)
def test_screens(run: conftest.Run, name: str) -> None:
    """What a person sees, kept as files to be read."""
    result = run("changes", *SCREENS[name], cluster=shop())
    assert (0, "") == (result.code, result.err)
    assert (GOLDEN / f"{name}.txt").read_text() == result.out


@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal(run: conftest.Run, columns: int) -> None:
    """Sentences are broken between words, and what follows stands under them."""
    result = run("changes", cluster=shop(), columns=columns)
    assert [] == [line for line in result.out.splitlines() if len(line) > columns]


CHOICES = [
    pytest.param((), ["checkout", "catalogue"], id="a day"),
    pytest.param(("--since", "30m"), ["checkout"], id="since"),
    pytest.param(("--around", "12:00"), ["checkout"], id="around a time of day"),
    pytest.param(("--around", "50m"), ["catalogue"], id="around so long ago"),
    pytest.param(("--workload", "service/catalogue"), ["catalogue"], id="one object"),
    pytest.param(
        ("--scaling", "--since", "1h"), ["checkout", "checkout", "catalogue"], id="scaling"
    ),
    pytest.param(("-A",), ["ledger", "checkout", "catalogue"], id="everywhere"),
]


@pytest.mark.parametrize(("arguments", "expected"), CHOICES)
def test_choices(run: conftest.Run, arguments: tuple[str, ...], expected: list[str]) -> None:
    """Newest first, and only what was asked for."""
    result = run("changes", *arguments, "-o", "json", cluster=shop())
    assert expected == [each["object"]["name"] for each in json.loads(result.out)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--since", "yesterday"), "--since must be a duration", id="since"),
        pytest.param(("--around", "noon"), "--around must be a duration", id="around"),
        pytest.param(("--around", "25:00"), "25:00 is no time of day", id="a time of day"),
        pytest.param(("--workload", "checkout"), "must be KIND/NAME", id="workload"),
        pytest.param(("--around", "1h", "--since", "1h"), "exclude each other", id="both"),
    ],
)
def test_unusable_options(run: conftest.Run, arguments: tuple[str, ...], words: str) -> None:
    """One line says what was wrong and what is wanted."""
    result = run("changes", *arguments, cluster=shop())
    assert 2 == result.code
    assert words in result.err
    assert 1 == len(result.err.splitlines())


BY = [
    pytest.param(
        {"by": {"manager": "helm", "user": "ada"}}, {}, "by helm", id="written with the Change"
    ),
    pytest.param(
        {"by": {"manager": "helm"}}, {"by": {"user": "ada"}}, "by ada (helm)", id="told later"
    ),
]


@pytest.mark.parametrize(("spec", "status", "words"), BY)
def test_the_user_is_shown(
    run: conftest.Run, spec: kube.Object, status: kube.Object, words: str
) -> None:
    """Whether it came with the Change, whose sentence is as it was written, or after it."""
    found = change("cart", "2026-03-01T12:09:30Z", "Deployment cart: released, by helm", **spec)
    cluster = shop({**found, "status": status})
    text = run("changes", "--workload", "deployment/cart", cluster=cluster).out
    [shown] = json.loads(
        run("changes", "--workload", "deployment/cart", "-o", "json", cluster=cluster).out
    )
    assert f"Deployment cart: released, {words}\n" in text
    assert ("helm", "ada") == (shown["by"]["manager"], shown["by"]["user"])


def test_a_change_of_another_version_is_skipped(run: conftest.Run) -> None:
    """What can't be read does not keep the rest from being shown."""
    strange = change("x", "2026-03-01T12:09:30Z", "?", strange=True)
    result = run("changes", "-o", "json", cluster=shop(strange))
    assert 2 == len(json.loads(result.out))
